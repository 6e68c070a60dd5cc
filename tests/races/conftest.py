"""Races need the machine for themselves, and rounds that do not know of each other."""

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from service.store import Store
from service.store.migrating import migrate
from tests.conftest import ADMIN_KEY, ENGINES, Databases
from tests.races.arenas import Arena
from tests.races.crews import Crew, crew_of_workers

# Memory, where there is some: of a disk's time for each commit a race learns nothing.
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of a random name is made there


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """Make fresh databases, those of SQLite in memory."""
    with tempfile.TemporaryDirectory(
        prefix="usher-races-", dir=MEMORY if MEMORY.is_dir() else None
    ) as directory:
        made = Databases(Path(directory))
        yield made
        made.drop()


@pytest.fixture(scope="session", params=ENGINES)
def database_url(request: pytest.FixtureRequest, databases: Databases) -> str:
    """A migrated database of each engine."""
    url = databases.fresh(request.param)
    migrate(url)
    return url


@pytest.fixture(autouse=True)
def _one_race_at_a_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the crews of several test processes from using up the cores and PostgreSQL's connections."""
    with (tmp_path_factory.getbasetemp().parent / "races.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def crew(database_url: str, _one_race_at_a_time: None) -> Iterator[Crew]:
    """Workers that are ready to race."""
    with crew_of_workers(database_url) as crew:
        yield crew


@pytest.fixture
def arena(client: FlaskClient, store: Store) -> Arena:
    """Where rounds are prepared, and what they left behind is looked at."""
    return Arena(client, store, ADMIN_KEY)
