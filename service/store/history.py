"""What happened to users, written in the transaction of each change."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from service.model.callers import Actor
from service.model.history import Entry, Event, Members
from service.store.database import Database
from service.store.engine.prepared import inserting
from service.store.forgetting import some
from service.store.tables import History

_ENTRY = (
    History.id,
    History.at,
    History.event,
    History.rule,
    History.by,
    History.request,
    History.before,
    History.after,
)


class HistoryStore:
    """The history of an app's users."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def add(self, user: str, entry: Entry) -> None:
        """Write one line."""
        self._database.add(_insert(self._app, *values(user, entry)))

    def page(self, users: Sequence[str], after: str, limit: int) -> tuple[Entry, ...]:
        """Return up to ``limit`` lines of these users, the oldest first, that come after the one with this
        id."""
        lines = History.select(*_ENTRY).where(self._of(users) & (History.id > after))
        return tuple(map(_as_entry, self._database.rows(lines.order_by(History.id).limit(limit))))

    def last(self, users: Sequence[str], limit: int) -> tuple[Entry, ...]:
        """Return up to ``limit`` lines of these users, the latest first."""
        lines = History.select(*_ENTRY).where(self._of(users)).order_by(History.id.desc()).limit(limit)
        return tuple(map(_as_entry, self._database.rows(lines)))

    def _of(self, users: Sequence[str]) -> Any:
        return (History.app == self._app) & History.user.in_(users)

    def emails_since(self, user: str, at: int) -> tuple[str, ...]:
        """Return the emails that a user was given from a time on."""
        since = (History.app == self._app) & (History.user == user) & (History.at >= at)
        rows = self._database.rows(History.select(History.after).where(since & History.after.is_null(False)))
        given = (json.loads(text).get("email") for (text,) in rows)
        return tuple(email for email in given if email)

    def tells_of_a_lost_id(self, user: str) -> bool:
        """Return whether a user ID was taken away from a user, or corrected. One that a migration took back
        was never rightly theirs."""
        lost = History.event.in_((Event.USER_ID_REMOVED.value, Event.USER_ID_CHANGED.value))
        lines = History.select(History.id).where((History.app == self._app) & (History.user == user) & lost)
        return self._database.row(lines.where(History.by != "migration").limit(1)) is not None

    def forget(self, users: Sequence[str], limit: int | None = None) -> int:
        """Leave of these users' lines what happened and when, and nothing personal: of up to ``limit``, if
        there is one. Return how many they were."""
        lines = self._of(users) & (History.before.is_null(False) | History.after.is_null(False))
        these = some(self._database, History.id, lines, limit, History.user)
        return self._database.change(History.update(before=None, after=None).where(these))

    def forget_aliases(self, merges: Iterable[tuple[str, str]]) -> None:
        """Leave out of the lines of merges, by who took in and the merge, which IDs became aliases."""
        is_merge = (History.app == self._app) & (History.event == Event.MERGED.value)
        for user, merge in merges:
            lines = is_merge & (History.user == user)
            for id, text in self._database.rows(History.select(History.id, History.after).where(lines)):
                after = _from_json(text) or {}
                if after.get("merge") == merge:
                    kept = {name: value for name, value in after.items() if name != "aliases"}
                    change = History.update(after=_as_json(kept)).where(lines & (History.id == id))
                    self._database.change(change)


_LINE = (History.app, History.user, *_ENTRY, History.proven)
# What these columns are called.
COLUMNS = tuple(column.column_name for column in _LINE)

_insert = inserting(*_LINE)


def values(user: str, entry: Entry) -> tuple[Any, ...]:
    """Return the values of COLUMNS, without the app, for a line of a user's history."""
    actor = entry.actor
    what = entry.event.value, entry.rule, actor.by, actor.request
    return user, entry.id, entry.at, *what, _as_json(entry.before), _as_json(entry.after), actor.proven


def _as_entry(row: tuple[Any, ...]) -> Entry:
    id, at, event, rule, by, request, before, after = row
    return Entry(id, at, Event(event), rule, Actor(by, request), _from_json(before), _from_json(after))


def _as_json(members: Members | None) -> str | None:
    return None if members is None else json.dumps(members)


def _from_json(text: str | None) -> Members | None:
    return None if text is None else json.loads(text)
