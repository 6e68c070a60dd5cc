"""What happened to users, written in the transaction of each change."""

import json
from collections.abc import Iterable, Sequence

from service.model.callers import Actor
from service.model.history import Entry, Event, Members
from service.store.database import Database
from service.store.engine.prepared import inserting
from service.store.tables import History


class HistoryStore:
    """The history of an app's users."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def add(self, user: str, entry: Entry) -> None:
        """Write one line."""
        actor = entry.actor
        what = entry.event.value, entry.rule, actor.by, actor.request
        members = _as_json(entry.before), _as_json(entry.after)
        self._database.add(_insert(self._app, user, entry.id, entry.at, *what, *members, actor.proven))

    def page(self, users: Sequence[str], after: str, limit: int) -> tuple[Entry, ...]:
        """Return up to ``limit`` lines of these users, the oldest first, that come after the one with this
        id."""
        rows = self._database.rows(
            History.select(
                History.id,
                History.at,
                History.event,
                History.rule,
                History.by,
                History.request,
                History.before,
                History.after,
            )
            .where((History.app == self._app) & History.user.in_(users) & (History.id > after))
            .order_by(History.id)
            .limit(limit)
        )
        return tuple(
            Entry(id, at, Event(event), rule, Actor(by, request), _from_json(before), _from_json(after))
            for id, at, event, rule, by, request, before, after in rows
        )

    def tells_of_a_lost_id(self, user: str) -> bool:
        """Return whether a user ID was taken away from a user, or corrected. One that a migration took back
        was never rightly theirs."""
        lost = History.event.in_((Event.USER_ID_REMOVED.value, Event.USER_ID_CHANGED.value))
        lines = History.select(History.id).where((History.app == self._app) & (History.user == user) & lost)
        return self._database.row(lines.where(History.by != "migration").limit(1)) is not None

    def forget(self, users: Iterable[str]) -> None:
        """Leave of these users' lines what happened and when, and nothing personal."""
        self._database.change(
            History.update(before=None, after=None).where(
                (History.app == self._app) & History.user.in_(list(users))
            )
        )

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


_insert = inserting(
    History.app,
    History.user,
    History.id,
    History.at,
    History.event,
    History.rule,
    History.by,
    History.request,
    History.before,
    History.after,
    History.proven,
)


def _as_json(members: Members | None) -> str | None:
    return None if members is None else json.dumps(members)


def _from_json(text: str | None) -> Members | None:
    return None if text is None else json.loads(text)
