"""What is said of users by name: kept with the record that it was said of, the latest of each name.

So a merge takes nothing away, and an undo leaves each with their own. The history of it is kept there too, or
it would stay with the other after an undo; it names what changed and not to what, as a login may say
something else of somebody each time.
"""

from collections.abc import Collection, Sequence

from service.desk.history import AuditLog
from service.model.attributes import MAX_ATTRIBUTES, Attribute, Said, as_text, is_same, shown, shown_of
from service.model.errors import FieldError, Refused, pointer_to
from service.model.history import Event
from service.model.users import User
from service.rules import attributes as rules
from service.store import AppStore


def describe(
    store: AppStore, user: User, home: str, said: Said, log: AuditLog, rule: str | None = None
) -> User:
    """Set what is said by name of ``home``, who is this locked user or part of them; None removes it. Return
    the user as they are then. There is room for it, as ``require_room`` and the rules of a login see to."""
    if not said:
        return user
    kept = _all_of(store, user.id)
    return _keep(store, user, home, kept, rules.news(kept, home, said, log.at), log, rule)


def require_room(user: User, said: Said) -> None:
    """Raise Refused, for each name that is too much, unless a user may have all that is said of them."""
    if surplus := left_out(rules.fit(user.attributes, said)[1]):
        raise Refused(*surplus)


def left_out(surplus: Sequence[str]) -> tuple[FieldError, ...]:
    """Say of names that they are too much."""
    detail = f"A user has at most {MAX_ATTRIBUTES} attributes."
    return tuple(FieldError(pointer_to("/attributes", name), "too-many", detail) for name in surplus)


def describe_late(store: AppStore, user: User, home: str, said: Sequence[Attribute], log: AuditLog) -> None:
    """As ``describe``, of a user who is not locked yet, and what may have been said long ago: what is older
    than what is known of a name changes nothing.

    Raises Refused, with nothing changed, for more names than a user may have.
    """
    store.users.lock(user, to_change=True)
    kept = _all_of(store, user.id)
    known = {one.name: one for one in kept if one.home == home}
    fresh = {one.name: one for one in said if one.name not in known or one.at >= known[one.name].at}
    if sum(one.value is not None for one in (known | fresh).values()) > MAX_ATTRIBUTES:
        raise Refused
    _keep(store, user, home, kept, tuple(rules.ranked(kept, fresh.values())), log, None)


def rank_both(store: AppStore, stay: Collection[str], go: Collection[str]) -> None:
    """Rank, as a merge has it, what was said of those who ``stay`` and of those who ``go``, as far as they
    count."""
    if goes := store.attributes.of_homes([*go]):
        store.attributes.put(rules.joined(store.attributes.of_homes([*stay]), goes))


def show(store: AppStore, *users: str) -> None:
    """Have locked users, by our ids, show the latest of what was said of each."""
    for id in users:
        store.users.show_attributes(id, shown(_all_of(store, id)))


def _all_of(store: AppStore, user: str) -> tuple[Attribute, ...]:
    return store.attributes.of_homes(store.users.one_with(user))


def _keep(
    store: AppStore,
    user: User,
    home: str,
    kept: Sequence[Attribute],
    fresh: Sequence[Attribute],
    log: AuditLog,
    rule: str | None,
) -> User:
    """Write what is said now of one record, have the user show the latest, and note which names changed."""
    if fresh:
        store.attributes.put(fresh)
    instead = {(one.home, one.name): one for one in kept} | {(one.home, one.name): one for one in fresh}
    said = _without_oldest(store, home, tuple(instead.values()))
    own = {one.name: one.value for one in kept if one.home == home}
    now = shown_of(kept)
    changed = [
        one
        for one in fresh
        if not (is_same(one.value, own.get(one.name)) and is_same(one.value, now.get(one.name)))
    ]
    if changed:
        log.note(home, Event.ATTRIBUTES_CHANGED, rule, after=_names(changed))
    latest = shown(said)
    # A former release has somebody show nothing, or what was said before.
    if not changed and as_text(latest) == as_text(user.attributes):
        return user
    return store.users.set_attributes(user, latest)


def _names(changed: Sequence[Attribute]) -> dict[str, list[str]]:
    names = {
        "set": [one.name for one in changed if one.value is not None],
        "removed": [one.name for one in changed if one.value is None],
    }
    return {what: those for what, those in names.items() if those}


def _without_oldest(store: AppStore, home: str, said: Sequence[Attribute]) -> tuple[Attribute, ...]:
    """Forget what was removed longest ago: else names that anybody makes up would be kept for good. What
    hides the word of another record is kept, or that would be shown again."""
    others = {one.name for one in said if one.home != home}
    removed = [one for one in said if one.home == home and one.value is None and one.name not in others]
    oldest_first = sorted(removed, key=lambda attribute: (attribute.at, attribute.name))
    surplus = oldest_first[:-MAX_ATTRIBUTES]
    if surplus:
        store.attributes.forget(home, [attribute.name for attribute in surplus])
    return tuple(one for one in said if one not in surplus)
