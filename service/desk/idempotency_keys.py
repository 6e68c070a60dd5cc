"""Do once what is sent twice: remember, in the transaction of a change, which key made it.

The key is remembered first. Its row is unique, so whoever sends the same one meanwhile waits until the first
transaction ends, and then finds what that made, or, where it was refused, nothing. What is remembered are ids
and the names of rules; a repeat is answered from what the store holds by then.
"""

from typing import assert_never

from service.desk.scopes import scope_of
from service.model.callers import Backend, Caller, EndUser, Operator, Widget
from service.model.errors import Refused, StaleState
from service.model.idempotency_keys import IdempotencyKey
from service.store import AppStore


def key_scope(caller: Caller) -> str:
    """Return whose idempotency keys a caller's are: those of a user, or of a key of the app. What one device
    used must not show on another that sees other conversations. Of a widget's login the key is not all: see
    ``repeated_logins``."""
    match caller:
        case EndUser(_, _, session):
            device = scope_of(caller).device
            return session.home if device is None else f"{session.home} {device}"
        case Backend() | Widget():
            return caller.actor.by
        case Operator():
            return "operator"
        case never:
            assert_never(never)


def made_before(
    store: AppStore, key: IdempotencyKey | None, at: int, *, makes: str = "", home: str | None = None
) -> str | None:
    """Return what this key made before, if it did; else remember what it makes now, and the user whom it has
    to do with, as far as they are known before: ``note_made`` tells the rest.

    Raises Refused for a key that was sent with another request.
    """
    if key is None:
        return None
    before = store.idempotency_keys.remember(key, made=makes, home=home, at=at)
    if before is None:
        return None
    request, made = before
    require_same(key, request)
    return made


def require_same(key: IdempotencyKey, request: str) -> None:
    """Raise Refused unless a key was sent with this request before."""
    if request != key.request:
        raise Refused.member(
            "Idempotency-Key", "idempotency-key-reused", "This key was used for another request."
        )


def note_made(
    store: AppStore, key: IdempotencyKey | None, made: str, user: str | None, home: str | None = None
) -> None:
    """Remember what a key made, and the user whom it has to do with: one who lives, or ``home``, who is part
    of them. Raises StaleState if they are gone by now."""
    if key is None:
        return
    # Whoever erases them forgets their keys, and sees none that is remembered after that.
    if user is not None and store.users.find_and_lock(user, to_change=False) is None:
        raise StaleState
    store.idempotency_keys.note(key, made=made, home=home or user)
