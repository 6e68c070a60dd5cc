"""A store whose disk is full: what was acknowledged is there, questions are answered, changes are refused as
long as there is no room, and taken when there is some again, without a restart."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import disk_usage
from subprocess import CalledProcessError

import pytest

from service.store import journal
from service.store.migrating import migrate
from tests.conftest import ENGINES
from tests.support.attachments import fetch, send, sent, written
from tests.support.disks import fill, small_disk
from tests.support.postgresql import Postgres, postgres
from tests.support.responses import problem_of
from tests.support.servers import USUAL, Answer, serve, wait_until
from tests.support.tenants import Tenant

SIZES = {"sqlite": "24m", "postgresql": "200m"}
# Of a file that is gathered on a disk before it is served.
LARGE = bytes(200_000)


@contextmanager
def store_on(engine: str, disk: Path) -> Iterator[str]:
    """Have a store on a disk."""
    if engine == "sqlite":
        yield f"sqlite:///{disk}/usher.sqlite"
        return
    server = Postgres(disk)
    try:
        yield server.url
    finally:
        server.remove()


class Writer:
    """Writes messages, and remembers which were acknowledged."""

    def __init__(self, tenant: Tenant, *, once: bool = False) -> None:
        self._tenant = tenant
        self._once = once
        self.token = tenant.session(userId="jane")
        self._conversation = tenant.begin(self.token)
        self.acknowledged: set[str] = set()

    def write(self) -> Answer:
        # Of what nothing can be compressed.
        body = {"body": secrets.token_hex(4000)}
        path = f"/v1/conversations/{self._conversation}/messages"
        headers = {"Idempotency_Key": secrets.token_hex(8)} if self._once else {}
        answer = self._tenant.call("POST", path, self.token, body, **headers)
        if answer.status_code == 201:
            self.acknowledged.add(answer.json["id"])
        return answer

    def found(self) -> set[str]:
        """Return the messages that are there."""
        ids: list[str] = []
        while page := self._tenant.messages(
            self._conversation, self.token, limit=100, **({"after": ids[-1]} if ids else {})
        ):
            ids += [message["id"] for message in page]
        return set(ids)


@pytest.mark.parametrize("engine", ENGINES)
def test_while_a_disk_is_full_changes_are_refused_and_what_was_acknowledged_is_there(engine):
    with small_disk(SIZES[engine]) as disk, store_on(engine, disk) as url:
        migrate(url)
        with serve(url, workers=1) as server:
            tenant = server.tenant()
            writer = Writer(tenant)
            assert writer.write().status_code == 201
            filler = fill(disk)
            # The store may have some room of its own.
            while (refused := writer.write()).status_code == 201:
                pass
            assert problem_of(refused) == (503, "store-unavailable")
            assert refused.headers["Retry-After"]
            assert tenant.call("GET", "/v1/me", writer.token).status_code == 200
            assert writer.acknowledged <= writer.found()

            filler.unlink()

            wait_until(lambda: writer.write().status_code == 201)
            assert writer.acknowledged <= writer.found()


# A message is one statement, but where a key has to be remembered with it.
@pytest.mark.parametrize("once", [False, True], ids=["one statement", "a transaction"])
def test_where_the_log_of_postgresql_has_no_room_the_server_goes_on_as_soon_as_it_does(once):
    with small_disk("40m") as disk, postgres() as database:
        database.move_log(disk)
        migrate(database.url)
        # Where it ends it may not even say so, and then only time tells.
        with serve(database.url, workers=1, application=USUAL) as server:
            writer = Writer(server.tenant(), once=once)
            filler = fill(disk)
            while (refused := writer.write()).status_code == 201:
                pass
            # PostgreSQL ends in the middle of the commit.
            assert problem_of(refused) == (503, "outcome-unknown")
            assert server.get("/healthz").status_code == 200

            filler.unlink()

            def is_taken() -> bool:
                # It ends where it cannot recover, and whoever runs it starts it again.
                with suppress(CalledProcessError):
                    database.start()
                return writer.write().status_code == 201

            wait_until(is_taken)
            assert writer.acknowledged <= writer.found()


def test_where_the_disk_of_the_journal_is_full_nothing_is_revoked_and_the_rest_goes_on(database_url):
    with small_disk("1m") as disk, serve(database_url, workers=1, JOURNAL=f"{disk}/journal") as server:
        tenant = server.tenant()
        filler, erased = fill(disk), set()
        # There is room for some lines in what the file has.
        while (refused := tenant.erase(id := tenant.known(userId=secrets.token_hex(8)))).status_code == 204:
            erased.add(id)
        assert problem_of(refused) == (503, "store-unavailable")
        assert refused.headers["Retry-After"]
        assert tenant.user(id)["id"] == id
        assert tenant.write(tenant.begin(tenant.session(userId="jane")))

        filler.unlink()

        assert tenant.erase(id).status_code == 204
        lines = list(journal.read(disk / "journal"))
        assert {line.says.id for line in lines if line.says} == erased | {id}


def test_where_the_disk_for_large_requests_is_full_they_alone_are_refused(database_url, tmp_path):
    files = {"FILES_URL": f"file://{tmp_path}/files"}
    with small_disk("1m") as disk, serve(database_url, workers=1, TMPDIR=str(disk), **files) as server:
        tenant = server.tenant()
        jane = tenant.session(userId="jane")
        id = tenant.begin(jane)
        free = disk_usage(disk).free
        before = written(tenant, id, jane, LARGE)
        # What was gathered goes after the answer.
        wait_until(lambda: disk_usage(disk).free == free)
        filler = fill(disk)
        refused = send(tenant, id, jane, LARGE)
        assert problem_of(refused) == (503, "files-unavailable")
        assert refused.headers["Retry-After"]
        assert fetch(tenant, before, jane).data == LARGE
        assert tenant.write(id, jane)

        filler.unlink()

        assert sent(tenant, id, jane, LARGE)["size"] == len(LARGE)
