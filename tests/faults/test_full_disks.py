"""A store whose disk is full: what was acknowledged is there, questions are answered, changes are refused as
long as there is no room, and taken when there is some again, without a restart."""

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from service.store.migrating import migrate
from tests.conftest import ENGINES
from tests.support.postgresql import Postgres
from tests.support.responses import problem_of
from tests.support.servers import Answer, serve, wait_until
from tests.support.tenants import Tenant

MOUNT = shutil.which("mount")
SIZES = {"sqlite": "24m", "postgresql": "200m"}
PIECE = 1 << 16


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """Have a disk of a size; skip where nobody may mount one."""
    # As short as it gets: the path of PostgreSQL's socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="usher-disk-") as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
        if not MOUNT or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no disk can be mounted here")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


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


def fill(disk: Path) -> Path:
    """Leave no room on a disk, but for what the store has reserved; return what has to go for that."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(PIECE)):
            pass
    return filler


class Writer:
    """Writes messages, and remembers which were acknowledged."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self.token = tenant.session(userId="jane")
        self._conversation = tenant.begin(self.token)
        self.acknowledged: set[str] = set()

    def write(self) -> Answer:
        # Of what nothing can be compressed.
        body = {"body": secrets.token_hex(4000)}
        path = f"/v1/conversations/{self._conversation}/messages"
        answer = self._tenant.call("POST", path, self.token, body)
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
