"""Change a user's email, name or IDs, and write it into the history.

What is said is kept of the record that it was said of (``home``), which may be part of the user by then; so
is the history of it, or it would stay with the other after an undo.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from service.desk.history import AuditLog
from service.model.errors import Conflict, StaleState
from service.model.history import Event
from service.model.identifiers import email_key, is_anonymous, is_of_a_device
from service.model.users import Field, User
from service.rules import fields as rules
from service.store import AppStore

EVENTS = {"email": Event.EMAIL_CHANGED, "name": Event.NAME_CHANGED}


def say(
    store: AppStore,
    user: User,
    home: str,
    said: Mapping[str, str | None],
    log: AuditLog,
    rule: str | None = None,
) -> User:
    """Set what is said of ``home``, who is this locked user or part of them: an email or a name, each None to
    remove it. The user shows the latest. Return the user as they are then."""
    kept = all_fields(store, user.id)
    for name, value in said.items():
        shown: str | None = getattr(user, name)
        own = [field.value or None for field in kept if (field.home, field.name) == (home, name)]
        before = own[0] if own else shown
        if value == shown == before:
            continue
        if kept:
            kept = rules.said(kept, home, name, value)
            store.fields.put(kept)
        user = _show(store, user, name, value, kept)
        if name == "email" and before and email_key(before) not in map(email_key, user.emails):
            store.users.give_up_email(home, before)
        # Who says the same again has it shown again, and nothing of theirs was changed.
        former = {name: before} if value != before else None
        log.note(home, EVENTS[name], rule, before=former, after={name: value})
    return user


def _show(store: AppStore, user: User, name: str, value: str | None, fields: Sequence[Field]) -> User:
    if name == "email":
        return replace(store.users.set_email(user, value), further_emails=rules.further_emails(fields))
    return store.users.set_name(user, value)


def all_fields(store: AppStore, user: str) -> tuple[Field, ...]:
    """Return what was said of each of those who are one with a user; nothing of who is one with nobody."""
    if not store.fields.is_kept(user):
        return ()
    return store.fields.of_homes((user, *store.users.part_of(user)))


def require_part(store: AppStore, home: str, user: User) -> None:
    """Raise StaleState unless somebody is a locked user still, or part of them.

    Raises Conflict for a part of the other world: what is given to it would be of that world when they stand
    apart again.
    """
    if store.users.is_part_of_one_world(home, user.id):
        return
    if store.users.is_part(home, user.id):
        raise Conflict("merge-conflict", "who only claims, and is part of a proven user, is given nothing")
    raise StaleState


def give_user_id(store: AppStore, user: User, home: str, user_id: str, log: AuditLog, rule: str) -> User:
    """Give a locked user, or ``home`` who is part of them, a user ID that nobody has; return the user as they
    are then.

    It is the primary one of a user who had none; who was anonymous is somebody from then on, and a device's
    anonymous user is proven. Raises StaleState if somebody has it by now.
    """
    was_nobody, was_of_a_device = is_anonymous(user.user_id), is_of_a_device(user.user_id)
    verified = user.verified or was_of_a_device
    require_part(store, home, user)
    given = store.users.add_user_id(replace(user, verified=verified), user_id, log.at, home)
    if user.user_id is not None and not was_nobody:
        log.note(home, Event.ALIAS_ADDED, rule, after={"userId": user_id})
        return given
    given = store.users.set_primary(given, user_id, verified=verified)
    if was_of_a_device:
        # Whoever was given the ID may stand apart again; the user is nobody then, on the same device.
        store.merges.add_devices(home, store.devices.of_anonymous([user.id]))
        store.devices.forget_anonymous([user.id])
        store.sessions.set_verified(user.id, True)
    # Of a part's history an ID of the other's is no business.
    former = {"userId": user.user_id}
    if home == user.id:
        log.note(home, Event.USER_ID_ATTACHED, rule, before=former, after={"userId": user_id})
    else:
        log.note(home, Event.USER_ID_ATTACHED, rule, before={"userId": None}, after={"userId": user_id})
        log.note(user.id, Event.USER_ID_ATTACHED, rule, before=former, after={"userId": None})
    return given
