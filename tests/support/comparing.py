"""Compare who was added with others, as whoever works does."""

import time

from service.api.context import NAME
from service.desk.comparing import compare_some
from service.store import Store
from tests.support.following import PATIENCE
from tests.support.tenants import Tenant


def compare(tenant: Tenant) -> None:
    """Compare all who were added by now: other tests' transactions may keep them from being followed."""
    store: Store = tenant.client.application.extensions[NAME].store
    until = time.monotonic() + PATIENCE
    while tenant.id in store.comparing.behind():
        assert time.monotonic() < until, "they are never told"
        compare_some(store.of(tenant.id))
