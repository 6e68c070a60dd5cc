"""Races need the machine for themselves."""

import fcntl
from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient

from tests.support.identity import Identity
from tests.support.processes import Callers, callers
from tests.support.races import Race
from tests.support.servers import ADMIN_KEY
from tests.support.tenants import Tenant


@pytest.fixture(autouse=True)
def _one_race_at_a_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the callers of several test processes from using up the cores and PostgreSQL's connections."""
    with (tmp_path_factory.getbasetemp().parent / "races.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def workers(database_url: str) -> Iterator[Callers]:
    """Workers that are ready to race, the same in every race."""
    with callers(database_url=database_url) as workers:
        yield workers


@pytest.fixture
def new_race(client: FlaskClient) -> Callable[[str], Race]:
    """Make an app for a race, with a setting of what becomes of anonymous users."""

    def new_race(policy: str = "keep") -> Race:
        return Race(Tenant.create(client, ADMIN_KEY, anonymousOnLogin=policy), Identity(policy))

    return new_race
