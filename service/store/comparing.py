"""Who was added, and is to be compared with others: events tell of them, which whoever works follows."""

from collections.abc import Iterable
from typing import Any

from peewee import JOIN, SQL, Case, fn

from service.model.events import EventType
from service.store.database import Database
from service.store.feed import BEGINNING, Place
from service.store.following import events_after, oldest, try_lock
from service.store.tables import (
    Apps,
    Contacts,
    DuplicateKeys,
    DuplicateProgress,
    Events,
    StoreAccounts,
    Users,
)
from service.store.users import lives

_ONE = SQL("1")


class ComparingStore:
    """Who of an app's users is to be compared with others."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def try_lock(self) -> bool:
        """Keep others from following until the transaction ends, unless somebody does; return whether nobody
        did. What others have locked is not waited for long."""
        return try_lock(self._database, self._app, DuplicateProgress, "duplicates")

    def place(self) -> Place:
        """Return up to where events were followed."""
        columns = DuplicateProgress.xid, DuplicateProgress.event
        row = self._database.row(DuplicateProgress.select(*columns).where(DuplicateProgress.app == self._app))
        return (row[0], row[1]) if row else BEGINNING

    def put_place(self, place: Place) -> None:
        """Note up to where events were followed."""
        xid, event = place
        self._database.put(DuplicateProgress, [{"app": self._app, "xid": xid, "event": event}])

    def added_after(self, place: Place, limit: int) -> list[tuple[Place, str | None]]:
        """Return where the next events stand, up to ``limit``, as far as none is added before any more, and
        the user whom each adds, if it does."""
        return events_after(self._database, self._app, place, limit, _ADDED)

    def lock_new(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the emails of those of these users of whom nothing was ever compared, by our ids, and keep
        others from changing them until the transaction ends."""
        is_new = lives() & Users.email.is_null(False) & ~fn.EXISTS(_of_user(DuplicateKeys))
        return dict(self._lock(ids, is_new, Users.id, Users.email))

    def lock_unseen(self, ids: Iterable[str]) -> list[str]:
        """Return which of these users were not compared yet by all that they have, and keep others from
        changing them until the transaction ends."""
        return [id for (id,) in self._lock(ids, unseen(), Users.id)]

    def _lock(self, ids: Iterable[str], condition: Any, *columns: Any) -> list[tuple[Any, ...]]:
        these = (Users.app == self._app) & self._database.is_among(Users.id, ids) & condition
        query = Users.select(*columns).where(these).order_by(Users.id)
        return self._database.rows(self._database.locked(query, "SHARE"))


def unseen() -> Any:
    """Whether a user has what users are compared by, and was not compared by it yet."""
    left, bought, compared = map(_of_user, (Contacts, StoreAccounts, DuplicateKeys))
    has_others = _there_is(left) | _there_is(bought)
    lacks_email = Users.email.is_null(False) & ~_there_is(
        compared.where(DuplicateKeys.value == Users.email_key)
    )
    return lives() & (lacks_email | (has_others & ~_there_is(compared)))


def amounts() -> tuple[Any, ...]:
    """How much a user may be compared by beside their emails, of each kind."""
    return tuple(_of_user(table, fn.COUNT(_ONE)) for table in (Contacts, StoreAccounts))


def _there_is(found: Any) -> Any:
    # Without these PostgreSQL may go through all of a table for a few users.
    return fn.EXISTS(found.limit(1).offset(0))


def _of_user(table: Any, what: Any = _ONE) -> Any:
    return table.select(what).where((table.app == Users.app) & (table.user == Users.id))


class AllComparing:
    """How far those who were added to any app were compared, for whoever does that and whoever runs Usher."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def behind(self) -> dict[str, int]:
        """Return of each app in which events are to be followed when the oldest of these was. One look into
        an index for each."""
        return {app: at for app, at in self._database.rows(_BEHIND) if at is not None}


_ADDED = Case(None, [(Events.type == EventType.USER_CREATED.value, Events.user)])
_BEHIND = (
    Apps.select(Apps.app, oldest(DuplicateProgress))
    .join(DuplicateProgress, JOIN.LEFT_OUTER, on=(DuplicateProgress.app == Apps.app))
    .order_by(Apps.app)
)
