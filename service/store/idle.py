"""Anonymous users and devices with whom nothing happens any more."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from peewee import SQL, fn

from service.model.history import Event
from service.store.database import Database
from service.store.forgetting import USERS, Key, Step, page
from service.store.tables import (
    Contacts,
    Conversations,
    Devices,
    History,
    Merges,
    Sessions,
    StoreAccounts,
    Users,
)
from service.store.users import anonymous, lives, of_a_device

# Who erases them, as the history has it.
BY = "retention"


class Idle(NamedTuple):
    """Since when nothing has happened with whom is idle; with whom there is nothing of; and before when those
    were cleared who go; in milliseconds."""

    since: int
    empty_since: int
    cleared_before: int


class IdleStore:
    """The anonymous users of an app whom nobody will ask about. Idle is who was cleared before a time; or
    who began and wrote nothing, and with whom nothing happened, since another, on whose device no session was
    used since then, and who never bought anything. Of a device's user there may be nothing: no conversation,
    contact, name, attribute or purchase, and nobody who became part of them."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def users(self, idle: Idle, after: Key = ()) -> tuple[list[str], Key | None]:
        """Return those of the users on the page after a key who are idle, by our id, and after whom the next
        page begins; none if there is no other."""
        rows, last = page(self._database, self._app, [Users.id], after)
        found = Users.select(Users.id).where((Users.app == self._app) & rows & self._is_idle(idle))
        return [id for (id,) in self._database.rows(found.order_by(Users.id))], last

    def is_idle(self, idle: Idle, id: str) -> bool:
        """Return whether a user is idle."""
        one = (Users.app == self._app) & (Users.id == id)
        return self._database.row(Users.select(Users.id).where(one & self._is_idle(idle))) is not None

    def forget_tombstones(self, before: int, after: Key = ()) -> Step:
        """Forget those of the users on the page after a key who were erased as they were idle, before a time;
        but whom a merge names."""
        rows, last = page(self._database, self._app, [Users.id], after, USERS)
        is_named = self._there_is(Merges, Merges.source == Users.id) | self._there_is(
            Merges, Merges.target == Users.id
        )
        was_idle = self._there_is(
            History,
            (History.user == Users.id) & (History.event == Event.ERASED.value) & (History.by == BY),
        )
        found = Users.select(Users.id).where((Users.app == self._app) & rows)
        old = [
            id
            for (id,) in self._database.rows(found.where((Users.erased_at < before) & was_idle & ~is_named))
        ]
        if old:
            for table, column in ((History, History.user), (Users, Users.id)):
                self._database.change(table.delete().where((table.app == self._app) & column.in_(old)))
        return Step(len(old), last)

    def used_once(self, digests: Sequence[str]) -> tuple[str, ...]:
        """Return those of these devices on which nobody logged in but whose session is there, and who began
        no conversation there and left no contact, unless they are the device's anonymous user."""
        first = (Sessions.app == Devices.app) & (Sessions.device == Devices.digest)
        theirs = (Conversations.user == Sessions.user) & (Conversations.device == Devices.digest)
        left = (Contacts.user == Sessions.user) & (Contacts.device == Devices.digest)
        stays = self._there_is(Conversations, theirs) | self._there_is(Contacts, left)
        is_anonymous = Devices.anonymous.is_null(False) & (Devices.anonymous == Sessions.user)
        found = Devices.select(Devices.digest).join(
            Sessions, on=first & (Sessions.began_at == Devices.created_at)
        )
        these = (Devices.app == self._app) & Devices.digest.in_(digests)
        rows = self._database.rows(found.where(these & (is_anonymous | ~stays)))
        return tuple(digest for (digest,) in rows)

    def forget_devices(self, digests: Sequence[str]) -> None:
        """Forget those of these devices, which are locked, that have neither a session nor an anonymous user,
        and of which nothing was set."""
        bare = Devices.anonymous.is_null() & ~Devices.clears & (Devices.sharing.is_null() | Devices.sharing)
        has_session = self._there_is(Sessions, Sessions.device == Devices.digest)
        these = (Devices.app == self._app) & Devices.digest.in_(digests)
        self._database.change(Devices.delete().where(these & bare & ~has_session))

    def _is_idle(self, idle: Idle) -> Any:
        is_busy = self._is_busy(idle.since) & ~(self._is_empty() & ~self._is_busy(idle.empty_since))
        gone = (Users.cleared_at < idle.cleared_before) | (Users.cleared_at.is_null() & ~is_busy)
        return anonymous() & lives() & gone

    def _is_empty(self) -> Any:
        something = (
            Users.name.is_null(False)
            | Users.attributes.is_null(False)
            | self._there_is(Conversations, Conversations.user == Users.id)
            | self._there_is(Contacts, Contacts.user == Users.id)
            | self._there_is(Merges, Merges.target == Users.id)
        )
        return of_a_device() & ~something

    def _is_busy(self, since: int) -> Any:
        used, on_device = Sessions.used_at >= since, Devices.anonymous == Users.id
        return (
            self._there_is(Sessions, (Sessions.user == Users.id) & used)
            | self._there_is(Devices, on_device, (_session_on_device(), used))
            | self._there_is(
                Conversations, (Conversations.user == Users.id) & (Conversations.updated_at >= since)
            )
            | self._there_is(StoreAccounts, StoreAccounts.user == Users.id)
            | self._there_is(History, (History.user == Users.id) & (History.at >= since))
            | (Users.created_at >= since)
        )

    def _there_is(self, table: Any, condition: Any, session: Any = None) -> Any:
        query = table.select(SQL("1")).where((table.app == self._app) & condition)
        if session is not None:
            is_theirs, used = session
            query = query.join(Sessions, on=is_theirs).where(used)
        return fn.EXISTS(query)


def _session_on_device() -> Any:
    return (Sessions.app == Devices.app) & (Sessions.device == Devices.digest)
