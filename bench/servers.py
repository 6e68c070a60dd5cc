"""Start what is measured: gunicorn as the Procfile does, with Usher or with an endpoint that does nothing."""

import os
import platform
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from service.config import Config
from service.store.migrating import migrate
from tests.conftest import ENGINES, as_url
from tests.support.postgresql import postgres
from tests.support.servers import ADMIN_KEY, SECRET_KEY, Connection, free_port, start, wait_until

USHER, NOOP = "wsgi:app", "bench.noop:app"
SQLITE, POSTGRESQL = ENGINES
TITLES = {POSTGRESQL: "PostgreSQL", SQLITE: "SQLite"}

# Makes a database, by its name, and answers its URL.
Make = Callable[[str], str]


@dataclass(frozen=True)
class Server:
    """A server that listens on a port."""

    port: int
    process: psutil.Process

    def memory(self) -> list[int]:
        """Answer how much each worker takes, in bytes: what is shared counts in proportion."""
        return [worker.memory_full_info().pss for worker in self.process.children()]


@contextmanager
def serve(app: str, database_url: str, workers: int) -> Iterator[Server]:
    """Have a server; what it logs goes into a file, as there is no platform to read it."""
    port = free_port()
    # All calls come from one address here; of the proofs that fail, as elsewhere, so many do no harm.
    limits = {"LOGIN_RATE": "0", "PROOF_FAILURE_RATE": ""}
    with tempfile.TemporaryFile() as log:
        process = start(
            database_url, app=app, output=log, PORT=str(port), WEB_CONCURRENCY=str(workers), **limits
        )
        try:
            wait_until(lambda: process.poll() is not None or _listens(port))
            if process.poll() is not None:
                log.seek(0)
                raise RuntimeError(log.read().decode())
            yield Server(port, psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait()


@contextmanager
def databases(engine: str) -> Iterator[Make]:
    """Have a place for databases on a disk: a PostgreSQL that syncs as it does by itself, or a directory."""
    if engine == SQLITE:
        with tempfile.TemporaryDirectory(prefix="usher-bench-") as directory:
            yield lambda name: _migrated(f"sqlite:///{Path(directory) / name}.sqlite")
        return
    with postgres() as server:

        def make(name: str) -> str:
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            return _migrated(as_url(make_conninfo(server.url, dbname=name)))

        yield make


def gather_statistics(database_url: str) -> None:
    """Do now what PostgreSQL does by itself some time after a lot was written; SQLite does nothing."""
    if not database_url.startswith("sqlite:"):
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")


def versions(database_url: str) -> str:
    """Say what is measured on, and nothing that is peculiar to one machine."""
    if database_url.startswith("sqlite:"):
        engine = f"SQLite {sqlite3.sqlite_version}"
    else:
        with psycopg.connect(database_url) as connection:
            number = connection.info.server_version
            engine = f"PostgreSQL {number // 10_000}.{number % 10_000}"
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {engine}"


def _migrated(database_url: str) -> str:
    migrate(database_url)
    return database_url


def config(database_url: str) -> Config:
    """Answer the settings of such a server, for whoever works in its store meanwhile."""
    return Config(ADMIN_KEY, SECRET_KEY, database_url, login_rate=0)


def _listens(port: int) -> bool:
    try:
        connection = Connection(port)
        connection.open("/")
        connection.close()
    except OSError:
        return False
    return True
