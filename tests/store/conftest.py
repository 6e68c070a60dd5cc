"""Databases that a test opens by itself, on both engines."""

from collections.abc import Iterator

import pytest

from service.model.apps import App, Settings
from service.model.identifiers import new_id
from service.store import Store
from service.store.database import Database
from tests.conftest import ENGINES, Databases
from tests.support.marks import LONG


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database, opened for one test."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def patient(database_url: str) -> Iterator[Database]:
    """A migrated database, opened with a timeout for a slow machine."""
    opened = Database(database_url, timeout=LONG)
    yield opened
    opened.close()


@pytest.fixture
def app_id(database_url: str) -> str:
    """An app of this test's own."""
    return an_app(database_url)


def an_app(url: str) -> str:
    """Make an app."""
    database = Database(url)
    app = App(new_id("app"), "Shop", Settings(), 1)
    Store(database).apps.create(app)
    database.close()
    return app.id


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine."""
    name: str = request.param
    return name


@pytest.fixture
def empty_url(databases: Databases, engine: str) -> str:
    """The URL of a database without tables."""
    return databases.fresh(engine)
