"""Read what changed in some apps since it was last read, whatever else runs in the store.

``feed`` waits for transactions that began earlier, so that there is an order. Here there is none, and so
nobody waits: what the last reading did not see is of a transaction that ran then, or that began later, and a
snapshot tells which those are. It is taken where an app's rows are, which need not be where another's are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import fn

from service.model.errors import StoreUnavailable
from service.model.events import EventType
from service.model.streams import Change
from service.store.database import Database
from service.store.engine.prepared import Prepared, Question, Rows, as_value
from service.store.tables import Apps, Events

Changes = dict[str, list[Change]]

# More transactions than there are.
_ENDLESS = 2**63 - 1

_CHANGE = Events.type, Events.user, Events.conversation


@dataclass(frozen=True)
class _Snapshot:
    """Which transactions were over on PostgreSQL: those before ``end`` that did not run."""

    end: int
    running: str | None

    @classmethod
    def read(cls, text: str) -> "_Snapshot":
        """Read it as the server writes it."""
        _, end, running = text.split(":")
        return cls(int(end), f"{{{running}}}" if running else None)

    def unseen(self, app: str) -> list[tuple[str, Question]]:
        """Ask what of an app was not seen: each question with the app."""
        asked = [_later(app, self.end)]
        if self.running:
            # One question for both would go through all since the oldest that ran.
            asked.append(_ran(app, self.running))
        return [(app, Question(statement, _as_changes)) for statement in asked]


class Tail:
    """Reads what changed since it last did, of the apps that it is asked for; in one thread at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._snapshots: dict[str, _Snapshot] = {}
        self._places: dict[str, int] = {}

    def forget(self) -> None:
        """Begin anew: what changes until it is read again is not told."""
        self._snapshots, self._places = {}, {}

    def read(self, apps: Sequence[str]) -> Changes:
        """Return what changed in each of these apps since the last reading; of one that was not asked for
        then, perhaps nothing. What is committed in the midst of it may be told twice.

        Raises StoreUnavailable, also where the store holds less than it did, as another does.
        """
        if not apps:
            self.forget()
            return {}
        return self._read_file(apps) if self._database.is_sqlite else self._read_server(apps)

    def _read_server(self, apps: Sequence[str]) -> Changes:
        former = self._snapshots
        unseen = [asked for app in apps if app in former for asked in former[app].unseen(app)]
        # A snapshot is taken before what changed is looked for, so nothing falls between the two.
        rows, changes = self._database.rows_and(
            _snapshots(f"{{{','.join(apps)}}}"), *(question for _, question in unseen)
        )
        self._snapshots = {app: _Snapshot.read(text) for app, text in rows}
        if any(app in former and now.end < former[app].end for app, now in self._snapshots.items()):
            raise StoreUnavailable
        return _of_apps((app, read) for (app, _), read in zip(unseen, changes, strict=True))

    def _read_file(self, apps: Sequence[str]) -> Changes:
        former, self._places = self._places, {}
        changes = {}
        for app in apps:
            place = former.get(app)
            rows = self._database.rows(_last(app) if place is None else _since(app, place))
            if place and not rows:
                raise StoreUnavailable
            self._places[app] = max((row[0] for row in rows), default=0)
            # The last that was told is read again: it is always kept, so where it is not, it is another file.
            new = [row[1:] for row in rows if place is not None and row[0] > place]
            changes[app] = _as_changes(new)
        return _of_apps(changes.items())


def _of_apps(read: Iterable[tuple[str, list[Change]]]) -> Changes:
    changes: Changes = {}
    for app, some in read:
        if some:
            changes.setdefault(app, []).extend(some)
    return changes


def _as_changes(rows: Rows) -> list[Change]:
    return [Change(EventType(type), user, conversation) for type, user, conversation in rows]


@Prepared
def _snapshots(apps: Any) -> Any:
    these = fn.ANY(as_value(apps).cast("text[]"))
    return Apps.select(Apps.app, fn.pg_current_snapshot().cast("text")).where(Apps.app == these)


@Prepared
def _later(app: Any, end: Any) -> Any:
    # Without an end PostgreSQL, if it plans for whatever comes, expects a third of all, and reads all.
    return Events.select(*_CHANGE).where((Events.app == app) & Events.xid.between(end, _ENDLESS))


@Prepared
def _ran(app: Any, running: Any) -> Any:
    numbers = as_value(running).cast("bigint[]")
    return Events.select(*_CHANGE).where((Events.app == app) & (Events.xid == fn.ANY(numbers)))


@Prepared
def _last(app: Any) -> Any:
    query = Events.select(Events.xid).where(Events.app == app)
    return query.order_by(Events.xid.desc()).limit(1)


@Prepared
def _since(app: Any, place: Any) -> Any:
    return Events.select(Events.xid, *_CHANGE).where((Events.app == app) & (Events.xid >= place))
