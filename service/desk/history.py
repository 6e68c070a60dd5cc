"""Write down what happens to a user, in the transaction in which it happens."""

from service.model.callers import Actor
from service.model.history import Entry, Event, Members
from service.model.identifiers import new_id
from service.store import AppStore


class AuditLog:
    """Writes lines that come from one request, at one time."""

    def __init__(self, store: AppStore, actor: Actor, at: int) -> None:
        self._store = store
        self._actor = actor
        self.at = at

    def note(
        self,
        user: str,
        event: Event,
        rule: str | None = None,
        *,
        before: Members | None = None,
        after: Members | None = None,
    ) -> None:
        """Write one line of a user's history."""
        entry = Entry(new_id("hst"), self.at, event, rule, self._actor, before, after)
        self._store.history.add(user, entry)
