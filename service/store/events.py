"""Write down what changed, in the transaction of the change: for an app to follow, see ``feed``.

Where the change is one statement that looks by itself, the event is a part of it.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
from peewee import CTE, SQL, Select, fn

from service.model.conversations import Status
from service.model.events import Ended, Event, EventType
from service.store.database import Database
from service.store.engine.prepared import Prepared, as_value
from service.store.forgetting import some
from service.store.tables import Events, Sessions

COLUMNS = (
    Events.app,
    Events.id,
    Events.type,
    Events.at,
    Events.user,
    Events.conversation,
    Events.message,
    Events.data,
)
# Without the app, as the values of one row.
VALUES = len(COLUMNS) - 1


# What is told of somebody who is erased, and holds no more than ids.
OF_ERASED = (EventType.USER_ERASED.value, EventType.SESSION_ENDED.value)


class EventStore:
    """What changed in an app."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def add(self, *events: Event) -> None:
        """Write events down, in this order, at the end of this transaction."""
        values = [value for event in events for value in _values(event)]
        self._database.add(_inserting(len(events), self._database.is_sqlite)(self._app, *values))

    def add_replaced(self, event: str, device: str, user: str, at: int) -> None:
        """Write down under this id that a device's session ended, if another user is logged in there."""
        self._database.add(_replaced(self._database.is_sqlite)(self._app, event, device, user, at))

    def scrub(self, users: Sequence[str], limit: int | None = None) -> int:
        """Leave of the events about these users which they were, and nothing personal: of up to ``limit``, if
        there is one. Return how many they were."""
        theirs = (Events.app == self._app) & Events.user.in_(users) & Events.data.is_null(False)
        theirs &= Events.data != _ENDED_BY_ERASE
        these = some(self._database, Events.id, theirs, limit)
        return self._database.change(Events.update(data=None).where(these))


def place(app: Any, is_sqlite: bool) -> Any:
    """Return the number of this transaction; on SQLite, where one comes after the other, the next number."""
    if not is_sqlite:
        return fn.pg_current_xact_id().cast("text").cast("bigint")
    return Events.select(fn.COALESCE(fn.MAX(Events.xid), 0) + 1).where(Events.app == app)


def as_json(data: Any) -> str | None:
    """Write records as they are kept."""
    return None if data is None else orjson.dumps(dict(data)).decode()


# What is told of sessions while their user is erased, which holds nothing personal.
_ENDED_BY_ERASE = as_json({"reason": Ended.ERASE})


def _values(event: Event) -> tuple[Any, ...]:
    about = event.user, event.conversation, event.message
    return event.id, event.type.value, event.at, *about, as_json(event.data)


@cache
def _inserting(rows: int, is_sqlite: bool) -> Prepared:
    def build(app: Any, *values: Any) -> Any:
        each = [values[first : first + VALUES] for first in range(0, rows * VALUES, VALUES)]
        columns = [*COLUMNS, Events.xid]
        return Events.insert_many(
            [dict(zip(columns, (app, *row, place(app, is_sqlite)), strict=True)) for row in each]
        )

    return Prepared(build, 1 + rows * VALUES)


@cache
def _replaced(is_sqlite: bool) -> Prepared:
    def build(app: Any, event: Any, device: Any, user: Any, at: Any) -> Any:
        members = Sessions.device, Sessions.verified, Sessions.began_at, Sessions.used_at
        session = _object(is_sqlite, **{column.column_name: column for column in members})
        data = _object(is_sqlite, reason=SQL(f"'{Ended.REPLACEMENT}'"), session=session)
        row = Sessions.select(
            Sessions.app,
            event,
            SQL(f"'{EventType.SESSION_ENDED}'"),
            at,
            Sessions.user,
            data.cast("text"),
            place(app, is_sqlite),
        ).where((Sessions.app == app) & (Sessions.device == device) & (Sessions.user != user))
        into = Events.app, Events.id, Events.type, Events.at, Events.user, Events.data, Events.xid
        return Events.insert_from(row, into)

    return Prepared(build)


def _object(is_sqlite: bool, **members: Any) -> Any:
    """Build a JSON object."""
    pairs = [part for name, value in members.items() for part in (SQL(f"'{name}'"), value)]
    return getattr(fn, "json_object" if is_sqlite else "json_build_object")(*pairs)


def with_message(app: Any, counted: CTE, message: Any, event: Any) -> CTE:
    """On PostgreSQL, write down that a message was added to the conversation that ``counted`` has."""
    c = counted.c
    about = c.app, as_value(event), _word(EventType.MESSAGE_CREATED), c.updated_at, c.user, c.id
    row = Select([counted], [*about, as_value(message), place(app, is_sqlite=False)]).where(c.app == app)
    into = [*COLUMNS[:-1], Events.xid]
    return CTE("told", Events.insert_from(row, into))


def with_reopening(app: Any, counted: CTE, event: Any, verified: Any) -> CTE:
    """On PostgreSQL, write down that a message reopened the conversation that ``counted`` has, if it did."""
    c = counted.c
    names = "id", "user", "subject", "messages", "created_at", "updated_at"
    members = {name: getattr(c, name) for name in names}
    members |= {"unread": c.unread_by_agent, "status": SQL(f"'{Status.OPEN}'")}
    data = _object(False, conversation=_object(False, **members), verified=verified)
    about = c.app, as_value(event), _word(EventType.CONVERSATION_REOPENED), c.updated_at, c.user, c.id
    row = Select([counted], [*about, data.cast("text"), place(app, is_sqlite=False)])
    into = [*COLUMNS[:-2], Events.data, Events.xid]
    return CTE("reopening", Events.insert_from(row.where((c.app == app) & c.reopened), into))


def _word(type: EventType) -> Any:
    return SQL(f"'{type.value}'")
