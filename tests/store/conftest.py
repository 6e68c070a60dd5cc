"""Databases that a test opens by itself, on both engines."""

import time
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
    """Open databases, with a timeout for a slow machine unless another is given, and close them after."""
    with ExitStack() as stack:

        def open_(url: str, timeout: float = LONG) -> Database:
            database = Database(url, timeout)
            stack.callback(database.close)
            stack.callback(database.end_deadline)
            return database

        yield open_


@pytest.fixture
def database(open_database: Callable[..., Database], database_url: str) -> Database:
    """A migrated database."""
    return open_database(database_url)


@pytest.fixture
def app_id(database_url: str) -> str:
    return an_app(database_url)


def an_app(url: str) -> str:
    database = Database(url, LONG)
    app = App(new_id("app"), "Shop", Settings(), 1)
    Store(database).apps.create(app)
    database.close()
    return app.id


def give_up_soon(database: Database) -> None:
    """Have this thread's transaction wait a second for what it asks from now on, and no longer."""
    database.peewee.deadline.until = time.monotonic() + 1


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def empty_url(databases: Databases, engine: str) -> str:
    """The URL of a database without tables."""
    return databases.fresh(engine)
