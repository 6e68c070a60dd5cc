"""A process that serves streams of the store of the test run."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.live import Follower, Live, live
from tests.support.tenants import Tenant


@pytest.fixture(scope="session")
def process(database_url: str) -> Iterator[Live]:
    """One process for all tests of an engine."""
    with live(database_url) as process:
        yield process


@pytest.fixture
def streams(process: Live) -> Iterator[Live]:
    """The process, without the streams of the test before."""
    yield process
    process.leave()


@pytest.fixture
def agent(streams: Live, tenant: Tenant) -> Follower:
    """An agent, who is told of all, and in the same moment as everybody else."""
    return streams.follow(tenant.sk)


@pytest.fixture
def settle(agent: Follower, tenant: Tenant) -> Callable[[], None]:
    """Wait until nothing is told any more of what was committed before: it may be told twice, if that was in
    the midst of a reading, and the second time by the next one at the latest."""
    return lambda: agent.wait_told(tenant.begin(tenant.sk, user=tenant.known()))


@pytest.fixture
def untold(agent: Follower, tenant: Tenant, settle: Callable[[], None]) -> Callable[..., None]:
    """Have an agent write into a conversation, and find that these are not told, who may not see it."""

    def untold(conversation: str, *followers: Follower) -> None:
        settle()
        before = [list(follower.told) for follower in followers]
        agent.told.clear()
        tenant.write(conversation)
        agent.wait_told(conversation)
        # What is told after that is told to those who were told nothing in the midst of it.
        other = tenant.begin(tenant.sk, user=tenant.known())
        agent.wait_told(other)
        assert [follower.told for follower in followers] == before

    return untold
