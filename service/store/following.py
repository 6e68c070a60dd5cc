"""Follow an app's events by and by, and keep up to where in a table of places: one at a time does."""

from typing import Any

from peewee import fn

from service.store.database import Database
from service.store.feed import BEGINNING, Place, follows, settled
from service.store.tables import Apps, Events

# For how long whoever follows waits for what somebody else has locked, in seconds.
LOCK_TIMEOUT = 0.2


def try_lock(database: Database, app: str, places: Any, name: str) -> bool:
    """Keep others from going on from an app's place until the transaction ends, unless somebody does; return
    whether nobody did. What others have locked is not waited for long."""
    database.give_up_locks_after(LOCK_TIMEOUT)
    if not database.try_lock(app, name):
        return False
    database.rows(database.locked(places.select(places.app).where(places.app == app)))
    return True


def events_after(
    database: Database, app: str, place: Place, limit: int, about: Any
) -> list[tuple[Place, str | None]]:
    """Return where the next events stand, up to ``limit``, as far as none is added before any more, and what
    each is ``about``."""
    query = settled(database.is_sqlite, app, *place, Events.xid, Events.id, about)
    rows = database.rows(query.order_by(Events.xid, Events.id).limit(limit))
    return [((xid, id), what) for xid, id, what in rows]


def oldest(places: Any) -> Any:
    """Ask when the first event was that comes after an app's place, or of all if it has none; within a query
    of the apps with their places."""
    place = fn.COALESCE(places.xid, BEGINNING[0]), fn.COALESCE(places.event, BEGINNING[1])
    after = Events.select(Events.at).where((Events.app == Apps.app) & follows(*place))
    return after.order_by(Events.xid, Events.id).limit(1)
