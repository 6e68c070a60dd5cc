"""Races need the machine for themselves."""

import fcntl
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from service.store import Store
from tests.support.processes import Crew, crew_of_workers
from tests.support.rounds import Arena
from tests.support.servers import ADMIN_KEY


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
