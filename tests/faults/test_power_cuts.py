"""The power fails while several people write, and fails again: what was acknowledged is there, and what was
revoked stays so. What a disk holds at such a moment, `tests/support/disks.py` tells.

Each round cuts the power at a moment and begins again with what was on the disk. A few rounds are a part of
every run; USHER_CUTS says how many there are, as 30. The last test proves that the others would find a loss.
"""

import os
import random
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.client import HTTPException
from itertools import count
from typing import Any

import psycopg
import pytest

from service.store import journal
from service.store.migrating import migrate
from tests.conftest import ENGINES
from tests.support.attachments import send
from tests.support.disks import Disk, disk
from tests.support.postgresql import Postgres
from tests.support.servers import PATIENT, Server, command, free_port, start, wait_until
from tests.support.tenants import Tenant

CUTS = int(os.environ.get("USHER_CUTS", "2"))
WRITERS = 4
KINDS = {"message", "file", "user", "logout", "erase", "key"}
CARELESS = "tests.support.careless:app"


class Machine:
    """A disk, with all that Usher keeps on it, and the processes that use it."""

    def __init__(self, disk: Disk, engine: str) -> None:
        self._disk = disk
        self._postgres = Postgres(disk.path) if engine == "postgresql" else None
        self.url = self._postgres.url if self._postgres else f"sqlite:///{disk.path}/usher.sqlite"
        self._journal = disk.path / "journal"
        self.environment = {
            "DATABASE_URL": self.url,
            "FILES_URL": f"file://{disk.path}/files",
            "JOURNAL": str(self._journal),
        }

    @contextmanager
    def serving(self, application: str = PATIENT) -> Iterator[Server]:
        """Have a server, until the power is cut."""
        port = free_port()
        settings = self.environment | {"PORT": str(port), "WEB_CONCURRENCY": "2"}
        process = start(settings.pop("DATABASE_URL"), application=application, **settings)
        server = Server(process, port)
        try:
            server.wait_until("/readyz")
            yield server
        finally:
            server.lose_power()

    def wait_for_nothing(self) -> None:
        """Have the database acknowledge what is not on the disk yet."""
        self._disk.sync()
        if self._postgres:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET synchronous_commit = off")
                connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
                connection.execute("SELECT pg_reload_conf()")

    def cut(self) -> None:
        """Remember what is on the disk."""
        self._disk.cut()

    def come_back(self) -> None:
        """Begin again with that."""
        if self._postgres:
            self._postgres.lose_power()
        self._disk.come_back()
        if self._postgres:
            self._postgres.start()

    def revoked(self) -> set[str]:
        """Return the ids that the journal names."""
        return {line.says.id for line in journal.read(self._journal) if line.says}

    def remove(self) -> None:
        """Leave nothing running."""
        if self._postgres:
            self._postgres.remove()


@dataclass(frozen=True)
class Fact:
    """Something that was acknowledged: what a path answers since, or an id that stands in the journal."""

    what: str
    path: str
    key: str | None = None
    status: int = 200
    data: bytes | None = None
    revoked: str | None = None


class Writer(threading.Thread):
    """Writes until it is to end or there is no power, and remembers what was acknowledged."""

    def __init__(self, tenant: Tenant, facts: list[Fact]) -> None:
        super().__init__(daemon=True)
        self._tenant = tenant
        self._facts = facts
        self._over = threading.Event()
        self.turns = 0
        self._token = tenant.session(userId=secrets.token_hex(8))
        self._conversation = f"/v1/conversations/{tenant.begin(self._token)}"

    def run(self) -> None:
        deeds = self._message, self._file, self._logout, self._erase, self._key
        with suppress(OSError, HTTPException):
            for turn in count(1):
                for deed in deeds:
                    if self._over.is_set():
                        return
                    deed()
                self.turns = turn

    def end(self) -> None:
        self._over.set()
        self.join()

    def _message(self, **members: Any) -> None:
        path = f"{self._conversation}/messages"
        written = self._tenant.call("POST", path, self._token, {"body": "Hello"} | members)
        if written.status_code == 201:
            self._facts.append(Fact("message", f"{path}?after={written.json['id']}", self._token))

    def _file(self) -> None:
        data = secrets.token_bytes(100_000)
        sent = send(self._tenant, self._conversation.rsplit("/")[-1], self._token, data)
        if sent.status_code == 201:
            id = sent.json["id"]
            self._facts.append(Fact("file", f"/v1/attachments/{id}", self._token, data=data))
            self._message(attachments=[id])

    def _logout(self) -> None:
        begun = self._tenant.try_login(userId=secrets.token_hex(8))
        if begun.status_code == 201:
            token = begun.json["session"]["token"]
            self._facts.append(Fact("user", f"/v1/users/{begun.json['user']['id']}"))
            if self._tenant.call("POST", "/v1/logout", token).status_code == 204:
                self._facts.append(Fact("logout", "/v1/me", token, 401))

    def _erase(self) -> None:
        added = self._tenant.call("POST", "/v1/users", self._tenant.sk, {"userId": secrets.token_hex(8)})
        if added.status_code == 201:
            id = added.json["user"]["id"]
            if self._tenant.erase(id).status_code == 204:
                self._facts.append(Fact("erase", f"/v1/users/{id}", None, 404, revoked=id))

    def _key(self) -> None:
        path = f"/v1/apps/{self._tenant.id}/keys"
        made = self._tenant.call("POST", path, self._tenant.admin_key, {"kind": "secret"})
        if made.status_code == 201:
            id, key = made.json["id"], made.json["key"]
            if self._tenant.call("DELETE", f"{path}/{id}", self._tenant.admin_key).status_code == 204:
                self._facts.append(Fact("key", "/v1/users?userId=jane", key, 401, revoked=id))


@pytest.fixture(params=ENGINES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine with a migrated store."""
    with disk() as found:
        machine = Machine(found, request.param)
        try:
            migrate(machine.url)
            # Also what the tests themselves keep beside PostgreSQL's files.
            found.sync()
            yield machine
        finally:
            machine.remove()


def write_until_a_cut(machine: Machine, tenant: Tenant) -> list[Fact]:
    """Have several write, and cut the power at some moment; return what was acknowledged by then."""
    facts: list[Fact] = []
    writers = [Writer(tenant, facts) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    wait_until(lambda: all(writer.turns for writer in writers))
    time.sleep(random.uniform(0, 0.5))  # noqa: S311
    acknowledged = list(facts)
    assert {fact.what for fact in acknowledged} == KINDS
    machine.cut()
    for writer in writers:
        writer.end()
    return acknowledged


def lost(machine: Machine, tenant: Tenant, facts: list[Fact]) -> list[str]:
    """Return what is not so any more."""
    revoked = machine.revoked()
    found = []
    for fact in facts:
        answer = tenant.get(fact.path, fact.key)
        is_so = answer.status_code == fact.status and fact.data in (None, answer.data)
        if not is_so or (fact.revoked is not None and fact.revoked not in revoked):
            found.append(fact.what)
    return found


def test_what_was_acknowledged_outlives_a_power_cut_and_what_was_revoked_does_not(machine):
    with machine.serving() as server:
        tenant = server.tenant()
        facts = write_until_a_cut(machine, tenant)
    for left in reversed(range(CUTS)):
        machine.come_back()
        checked = command("check", **machine.environment)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        with machine.serving() as server:
            again = replace(tenant, client=server)
            assert lost(machine, again, facts) == []
            facts += write_until_a_cut(machine, again) if left else []


def test_a_power_cut_takes_what_nobody_waited_for(machine):
    with machine.serving() as server:
        tenant = server.tenant()
    machine.wait_for_nothing()
    with machine.serving(CARELESS) as server:
        facts = write_until_a_cut(machine, replace(tenant, client=server))
    machine.come_back()
    with machine.serving() as server:
        missing = lost(machine, replace(tenant, client=server), facts)

    assert {*missing} >= {"message", "file", "erase", "user"}
