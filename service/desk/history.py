"""Write down what happens to a user, in the transaction in which it happens.

It is written twice: for whoever asks about the user, and for the app to follow. There an event shows the user
as they are when the transaction ends, and of several changes there is one.
"""

from dataclasses import replace
from typing import Any

from service.desk.comparing import Looking
from service.model import history
from service.model.callers import Actor
from service.model.events import Event, EventType
from service.model.history import Entry, Members
from service.model.identifiers import new_id
from service.model.merges import Merge
from service.model.users import User
from service.store import AppStore

# What an app is told of a line of the history; of any other, that the user was updated. What says more than
# the user has its own method.
TOLD: dict[history.Event, EventType | None] = {
    history.Event.CREATED: EventType.USER_CREATED,
    history.Event.CLEARED: EventType.USER_CLEARED,
    history.Event.MERGED: None,
    history.Event.UNMERGED: None,
    history.Event.PURCHASE: None,
    history.Event.ERASED: None,
}

# After what users are compared anew with others: what changed is a part of that.
COMPARED = {
    history.Event.EMAIL_CHANGED,
    history.Event.NAME_CHANGED,
    history.Event.MERGED,
    history.Event.UNMERGED,
    history.Event.ERASED,
}


class AuditLog:
    """Writes lines that come from one request, at one time."""

    def __init__(self, store: AppStore, actor: Actor, at: int) -> None:
        self._store = store
        self._actor = actor
        self.at = at
        self._changed: list[tuple[str, EventType]] = []
        self._looking = Looking(store)

    def note(
        self,
        user: str,
        event: history.Event,
        rule: str | None = None,
        *,
        before: Members | None = None,
        after: Members | None = None,
        shown: User | None = None,
    ) -> None:
        """Write one line of a user's history. Who is ``shown`` need not be looked up."""
        entry = Entry(new_id("hst"), self.at, event, rule, self._actor, before, after)
        self._store.history.add(user, entry)
        type = TOLD.get(event, EventType.USER_UPDATED)
        if event in COMPARED:
            self._looking.again(user)
        if type is not None and shown is not None:
            self.tell(type, shown.id, user=shown)
        elif type is not None:
            self._tell_later(user, type)

    def changed(self, user: str) -> None:
        """Tell the app, when this transaction ends, of who has changed, or whom they are part of then; and
        compare them anew with others."""
        self.compare(user)
        self._tell_later(user, EventType.USER_UPDATED)

    def compare(self, user: str) -> None:
        """Compare a user anew with others when this transaction ends, or whom they are part of then."""
        self._looking.again(user)

    def _tell_later(self, user: str, type: EventType) -> None:
        if not self._changed:
            self._store.at_the_end(self._tell_changed)
        if (user, type) not in self._changed:
            self._changed.append((user, type))

    def merged(self, merge: Merge, into: User) -> None:
        """Tell the app of a merge."""
        self.tell(EventType.USER_MERGED, into.id, user=into, merge=_shown(merge))

    def unmerged(self, merge: Merge, target: User, source: User) -> None:
        """Tell the app that two users stand apart again."""
        self.tell(EventType.USER_UNMERGED, target.id, user=target, separated=source, merge=_shown(merge))

    def tell(self, type: EventType, user: str, /, **data: Any) -> None:
        """Tell the app of a change that is about a user, with records as they are."""
        self._store.events.add(Event(new_id("evt"), type, self.at, user, data=data))

    def _tell_changed(self) -> None:
        found = [(self._store.users.survivor(id), type) for id, type in self._changed]
        told = {(user.id, type): user for user, type in found if user is not None}
        for (id, type), user in told.items():
            self.tell(type, id, user=user)
        self._changed.clear()


class SilentLog(AuditLog):
    """Writes history as well, and tells the app nothing: nobody is to answer what is years old."""

    def changed(self, user: str, type: EventType = EventType.USER_UPDATED) -> None:
        """Tell nobody."""

    def tell(self, type: EventType, user: str, /, **data: Any) -> None:
        """Tell nobody."""


def _shown(merge: Merge) -> Merge:
    return replace(merge, parked=(), devices=())
