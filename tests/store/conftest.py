"""Databases that a test opens by itself, on both engines."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from service.model.apps import App, Settings
from service.model.identifiers import new_id
from service.store import Store
from service.store.database import Database
from tests.conftest import ENGINES, Databases
from tests.support.marks import LONG


@pytest.fixture
def open_database() -> Iterator[Callable[..., Database]]:
    """Open databases, and close them after."""
    with ExitStack() as stack:

        def open_(url: str, **how: float) -> Database:
            database = Database(url, **how)
            stack.callback(database.close)
            stack.callback(database.end_deadline)
            return database

        yield open_


@pytest.fixture
def database(open_database: Callable[..., Database], database_url: str) -> Database:
    return open_database(database_url)


@pytest.fixture
def patient(open_database: Callable[..., Database], database_url: str) -> Database:
    """A migrated database, opened with a timeout for a slow machine."""
    return open_database(database_url, timeout=LONG)


@pytest.fixture
def app_id(database_url: str) -> str:
    return an_app(database_url)


def an_app(url: str) -> str:
    database = Database(url)
    app = App(new_id("app"), "Shop", Settings(), 1)
    Store(database).apps.create(app)
    database.close()
    return app.id


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def empty_url(databases: Databases, engine: str) -> str:
    """The URL of a database without tables."""
    return databases.fresh(engine)
