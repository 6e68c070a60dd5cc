"""What is said of users by name: kept with the user under whose ID it was said, the latest of each name.

So a merge takes nothing away, and an undo leaves each with their own. The history of it is kept there too, or
it would stay with the other after an undo; it names what changed and not to what, as anybody with a
publishable key could fill it else.
"""

from collections.abc import Sequence

from service.desk.history import AuditLog
from service.model.errors import Refused
from service.model.history import Event
from service.model.users import Attribute, User
from service.store import AppStore

# How many names may be kept with one user, and of how many it is remembered that they were removed.
MAX_NAMES = 50


def set_attributes(store: AppStore, user: User, home: str, said: Sequence[Attribute], log: AuditLog) -> None:
    """Write what is said of a user under an ID of ``home``, who is that user or part of them. What is older
    than what is known of a name changes nothing; a value of None removes.

    Raises Refused, with nothing changed, for more than MAX_NAMES names.
    """
    store.users.lock(user, to_change=True)
    known = {attribute.name: attribute for attribute in store.attributes.of_homes([home])}
    fresh = {one.name: one for one in said if one.name not in known or one.at >= known[one.name].at}
    removed = [attribute for attribute in (known | fresh).values() if attribute.value is None]
    if len(known | fresh) - len(removed) > MAX_NAMES:
        raise Refused
    if fresh:
        store.attributes.put(fresh.values())
    _forget_removed(store, home, removed)
    before = {name: known[name].value if name in known else None for name in fresh}
    changed = [one for one in fresh.values() if one.value != before[one.name]]
    if changed:
        names = {
            "set": [one.name for one in changed if one.value is not None],
            "removed": [one.name for one in changed if one.value is None],
        }
        happened = {what: those for what, those in names.items() if those}
        log.note(home, Event.ATTRIBUTES_CHANGED, after=happened)


def _forget_removed(store: AppStore, home: str, removed: list[Attribute]) -> None:
    """Forget what was removed longest ago: else names that anybody makes up would be kept for good."""
    oldest_first = sorted(removed, key=lambda attribute: (attribute.at, attribute.name))
    if surplus := oldest_first[:-MAX_NAMES]:
        store.attributes.forget(home, [attribute.name for attribute in surplus])
