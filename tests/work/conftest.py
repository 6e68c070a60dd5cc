"""What is needed to deliver."""

from collections.abc import Callable, Iterator

import pytest

from service.store import Store
from service.work.loop import Worker
from tests.support.following import all_told
from tests.support.receivers import Receiver, receiver
from tests.support.servers import SECRET_KEY
from tests.support.tenants import Tenant


@pytest.fixture
def received() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    with receiver() as found:
        yield found


@pytest.fixture
def worker(store: Store) -> Worker:
    """Delivers when told to."""
    return Worker(store, SECRET_KEY, loopback=True)


@pytest.fixture
def work(worker: Worker, tenant: Tenant) -> Callable[[], None]:
    """Deliver all that there is by now."""

    def work() -> None:
        all_told(tenant)
        while worker.turn():
            worker.join()

    return work
