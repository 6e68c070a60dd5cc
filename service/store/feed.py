"""Read what changed, in an order in which nothing is ever added before what was read.

Events are numbered by their transactions, and a transaction may commit after one that began later. So
nobody is shown one whose transaction began after the oldest that still runs: all before that are over, and
nothing more comes of them. What else runs on the server counts too, as all of it is numbered together.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
from peewee import JOIN, SQL, Tuple, fn

from service.model.events import Event, EventType, Feed, Told, as_records
from service.store.conversations import MESSAGE, as_message
from service.store.database import Database
from service.store.engine.prepared import Prepared
from service.store.tables import DuplicateProgress, Events, Messages, SearchProgress, Users, Webhooks

# How many events are looked through for some types.
WINDOW = 10_000
# How many are forgotten at a time.
BATCH = 500

# What has numbers of transactions: events, and up to where somebody has followed them.
NUMBERED = Events, Webhooks, SearchProgress, DuplicateProgress

# Where an event stands: by transaction, and within it.
Place = tuple[int, str]
# Before all, also before those that a restore has numbered anew.
BEGINNING: Place = (-(2**62), "")

_EVENT = (Events.id, Events.type, Events.at, Events.user, Events.conversation, Events.message, Events.data)


class FeedStore:
    """What changed in an app, in order."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def place_of(self, event: str) -> Place | None:
        """Return where an event stands, if it is kept."""
        row = self._database.row(_place_of(self._app, event))
        return None if row is None else (row[0], row[1])

    def after(self, place: Place, types: Sequence[EventType], limit: int) -> Feed:
        """Return up to ``limit`` events that come after a place, of these types or of all. It goes as far as
        nothing is added before any more."""
        until = self._until(place) if types else None
        if types and until is None:
            return Feed((), None, more=False)
        query = _after(self._database.is_sqlite, until is not None, len(types))
        bound = until[0] if until else ()
        rows = self._database.rows(query(self._app, *place, *bound, *types, limit + 1))
        data = tuple(_as_told(self._app, row) for row in rows[:limit])
        if len(rows) > limit:
            return Feed(data, data[-1].event.id, more=True)
        if until is not None:
            (_, last), more = until
            return Feed(data, last, more)
        return Feed(data, data[-1].event.id if data else None, more=False)

    def _until(self, place: Place) -> tuple[Place, bool] | None:
        """Return up to where to look after a place, and whether there is more after that; None if there is
        nothing. Up to there nothing is added any more, so other questions find the same."""
        is_sqlite = self._database.is_sqlite
        if rows := self._database.rows(_nth(is_sqlite)(self._app, *place, WINDOW)):
            return (rows[0][0], rows[0][1]), True
        rows = self._database.rows(_last(is_sqlite)(self._app, *place))
        return ((rows[0][0], rows[0][1]), False) if rows else None

    def with_id(self, event: str) -> Told | None:
        """Find an event, if it is kept."""
        rows = self._database.rows(_with_id(self._app, event))
        return _as_told(self._app, rows[0]) if rows else None

    def end(self) -> Place:
        """Return where the last event stands after which others come; all of those are told after it."""
        rows = self._database.rows(_last(self._database.is_sqlite)(self._app, *BEGINNING))
        return (rows[0][0], rows[0][1]) if rows else BEGINNING

    def renumber(self) -> None:
        """Have all events come before those that are written from now on, however this server numbers its
        transactions, in the order that they have, and whoever follows them stand among them where they do."""
        last = max(
            self._database.rows(table.select(fn.MAX(table.xid)).where(table.app == self._app))[0][0] or 0
            for table in NUMBERED
        )
        for table in NUMBERED:
            change = table.update(xid=table.xid - last - 1)
            self._database.change(change.where(table.app == self._app))

    def renumber_if_ahead(self) -> None:
        """As ``renumber``, if any number is one that the server which has the app has not come to: what is
        written from now on would be before it."""
        next_one = fn.pg_snapshot_xmax(fn.pg_current_snapshot()).cast("text").cast("bigint")
        for table in NUMBERED:
            ahead = table.select(SQL("1")).where((table.app == self._app) & (table.xid >= next_one))
            if self._database.row(ahead.limit(1)):
                self.renumber()
                return

    def forget_before(self, at: int) -> int:
        """Forget some of the oldest events, as far as they are from before a time, and return how many. The
        last one stays: whoever has followed up to it has missed nothing."""
        rows = self._database.rows(_oldest(self._app, BATCH))
        last = self._database.rows(_last_of_all(self._app))
        old = [id for id, then in rows if then < at and (id,) != last[0]]
        if not old:
            return 0
        return self._database.change(Events.delete().where((Events.app == self._app) & Events.id.in_(old)))


def _as_told(app: str, row: tuple[Any, ...]) -> Told:
    first = len(_EVENT)
    id, type, at, user, conversation, message_id, data = row[:first]
    records = None if data is None else as_records(orjson.loads(data))
    message = None if row[first] is None else as_message(row[first:])
    return Told(app, Event(id, EventType(type), at, user, conversation, message_id, records), message)


def follows(xid: Any, id: Any) -> Any:
    """Whether an event comes after a place."""
    # As one comparison, or all of a transaction would be read: after a restore that may be all there is.
    return Tuple(Events.xid, Events.id) > Tuple(xid, id)


def _is_settled(is_sqlite: bool) -> Any:
    """Whether an event's transaction, and each before it, is over."""
    if is_sqlite:
        # Its transactions come one after the other.
        return Events.xid.is_null(False)
    return Events.xid < fn.pg_snapshot_xmin(fn.pg_current_snapshot()).cast("text").cast("bigint")


def settled(is_sqlite: bool, app: Any, xid: Any, id: Any, *columns: Any) -> Any:
    """Select of the events after a place, in an app, those before which none is added any more."""
    return Events.select(*columns).where((Events.app == app) & follows(xid, id) & _is_settled(is_sqlite))


def _with_message(query: Any) -> Any:
    message = (Messages.app == Events.app) & (Messages.id == Events.message)
    author = (Users.app == Messages.app) & (Users.id == Messages.author)
    return query.join(Messages, JOIN.LEFT_OUTER, on=message).join(Users, JOIN.LEFT_OUTER, on=author)


@Prepared
def _with_id(app: Any, id: Any) -> Any:
    return _with_message(Events.select(*_EVENT, *MESSAGE).where((Events.app == app) & (Events.id == id)))


@cache
def _after(is_sqlite: bool, is_bounded: bool, types: int) -> Prepared:
    def build(app: Any, xid: Any, id: Any, *rest: Any) -> Any:
        *values, limit = rest
        query = _with_message(settled(is_sqlite, app, xid, id, *_EVENT, *MESSAGE))
        if is_bounded:
            last, end, *values = values
            query = query.where((Events.xid <= last) & ((Events.xid < last) | (Events.id <= end)))
        if types:
            query = query.where(Events.type.in_(values))
        return query.order_by(Events.xid, Events.id).limit(limit)

    return Prepared(build, 3 + 2 * is_bounded + types + 1)


@cache
def _nth(is_sqlite: bool) -> Prepared:
    def build(app: Any, xid: Any, id: Any, number: Any) -> Any:
        query = settled(is_sqlite, app, xid, id, Events.xid, Events.id)
        return query.order_by(Events.xid, Events.id).offset(number).limit(1)

    return Prepared(build)


@cache
def _last(is_sqlite: bool) -> Prepared:
    def build(app: Any, xid: Any, id: Any) -> Any:
        query = settled(is_sqlite, app, xid, id, Events.xid, Events.id)
        return query.order_by(Events.xid.desc(), Events.id.desc()).limit(1)

    return Prepared(build)


@Prepared
def _place_of(app: Any, id: Any) -> Any:
    return Events.select(Events.xid, Events.id).where((Events.app == app) & (Events.id == id))


@Prepared
def _oldest(app: Any, limit: Any) -> Any:
    return (
        Events.select(Events.id, Events.at)
        .where(Events.app == app)
        .order_by(Events.xid, Events.id)
        .limit(limit)
    )


@Prepared
def _last_of_all(app: Any) -> Any:
    query = Events.select(Events.id).where(Events.app == app)
    return query.order_by(Events.xid.desc(), Events.id.desc()).limit(1)
