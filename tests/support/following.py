"""Follow what changes in an app, as its backend does."""

import itertools
import time
from collections.abc import Callable
from typing import Any

from tests.support.tenants import Tenant

Event = dict[str, Any]

# For how long another test's transaction may keep what was written from being told, in seconds.
PATIENCE = 60

_numbers = itertools.count()


def told(tenant: Tenant, after: str | None = None, **query: Any) -> tuple[list[Event], str | None]:
    """Return all that is told by now after an event, and the one to go on after."""
    found: list[Event] = []
    while True:
        page = tenant.get("/v1/events", **({"after": after} if after else {}), **query)
        assert page.status_code == 200, page.text
        found += page.json["data"]
        after = page.json["after"]
        if not page.json["more"]:
            return found, after


def all_told(tenant: Tenant, after: str | None = None) -> tuple[list[Event], str]:
    """As ``told``, up to now: one more change is made, which is left out, and all else is told before it."""
    last = f"last-{next(_numbers)}"
    tenant.call("POST", "/v1/users", tenant.sk, {"userId": last})
    found, until = [], time.monotonic() + PATIENCE
    while not found or found[-1]["data"].get("user", {}).get("userId") != last:
        assert time.monotonic() < until, "it is never told"
        more, after = told(tenant, after)
        found += more
    assert after is not None
    return found[:-1], after


def told_by(tenant: Tenant, act: Callable[[], Any]) -> list[Event]:
    """Return the events that an act writes."""
    _, after = all_told(tenant)
    act()
    return all_told(tenant, after)[0]


def types_of(events: list[Event]) -> list[str]:
    """Return the types of events."""
    return [event["type"] for event in events]
