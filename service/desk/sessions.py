"""Logout and clearAnonymousUser: what ends a session, and what the device keeps in mind."""

from collections.abc import Callable, Sequence
from typing import Any

from service.desk.credentials import read_token
from service.desk.idempotency_keys import made_before, note_made
from service.desk.merging import present
from service.desk.transactions import one_transaction, partly_done
from service.model.callers import Backend, EndUser
from service.model.errors import Refused
from service.model.events import Ended, EndedSession, Event, EventType
from service.model.idempotency_keys import IdempotencyKey
from service.model.identifiers import Malformed, digest, is_id, new_id
from service.model.identifiers import device_id as parse_device_id
from service.model.sessions import Session, Token
from service.store import AppStore
from service.times import now

# How many sessions one transaction ends of a user who is logged out.
PIECE = 100
# How many events are written by one statement: there is one for each number.
AT_ONCE = 20


@one_transaction
def log_out_token(store: AppStore, token: str) -> None:
    """End the session of a token, if there is one."""
    ended = read_token(store, token)
    _lock(store, (ended.device,))
    _logged_out(store, store.sessions.end(ended))


def log_out(store: AppStore, *, device_id: str | None, user_id: str | None, user: str | None) -> None:
    """End the session of a device, or every session of a user, by a user ID or by our id; if any.

    A user ID means whoever has it in either world. Of many sessions a piece ends in each transaction. Raises
    OutcomeUnknown if some have ended and others could not be.
    """
    if device_id is not None:
        _log_out_device(store, digest(device_id))
        return
    # Of many, whoever logs in from now on stays, however long it takes.
    left = _log_out_user(store, user_id, user)
    if left:
        # Each piece has the time of an answer.
        with store.database.aside(), partly_done():
            for first in range(0, len(left), PIECE):
                _end_some(store, left[first : first + PIECE])


@one_transaction
def _log_out_device(store: AppStore, device: str) -> None:
    _lock(store, (device,))
    _logged_out(store, store.sessions.end_on_device(device))


@one_transaction
def _log_out_user(store: AppStore, user_id: str | None, user: str | None) -> tuple[Token, ...]:
    """End all sessions of a user at once, if they are few, and a piece of many; return by which tokens there
    are more."""
    found = []
    if user_id is not None:
        found = [store.users.with_user_id(user_id, verified=world) for world in (True, False)]
    if user is not None and is_id("usr", user):
        found = [store.users.survivor(user)]
    users = [user.id for user in found if user is not None]
    begun = store.sessions.tokens_of(users)
    if len(begun) > PIECE:
        _end(store, begun[:PIECE])
        return begun[PIECE:]
    _lock(store, [token.device for token in begun])
    _logged_out(store, store.sessions.end_of_users(*users))
    return ()


@one_transaction
def _end_some(store: AppStore, tokens: Sequence[Token]) -> None:
    store.database.expect_many()
    _end(store, tokens)


def _end(store: AppStore, tokens: Sequence[Token]) -> None:
    """End those of the sessions of some tokens that are there still."""
    _lock(store, [token.device for token in tokens])
    _logged_out(store, store.sessions.end_some(tokens))


def _lock(store: AppStore, devices: Sequence[str]) -> None:
    """Lock devices before their sessions, as a login does: in this order nobody waits in a circle."""
    if devices:
        store.devices.lock_all(devices)


def _logged_out(store: AppStore, sessions: tuple[Session, ...]) -> None:
    """Let the devices that somebody logged out of share their store account with whoever comes, and tell the
    app that their sessions are over."""
    if sessions:
        store.devices.set_sharing([session.device for session in sessions], True)
        tell_ended(store, sessions, Ended.LOGOUT, now())


def tell_ended(store: AppStore, sessions: tuple[Session, ...], reason: Ended, at: int) -> None:
    """Tell the app that sessions are over; of who is erased, no more than that."""
    events = []
    for one in sessions:
        data: dict[str, Any] = {"reason": reason}
        if reason is not Ended.ERASE:
            data["session"] = EndedSession(one.device, one.verified, one.began_at, one.used_at)
        events.append(Event(new_id("evt"), EventType.SESSION_ENDED, at, one.user, data=data))
    for first in range(0, len(events), AT_ONCE):
        store.events.add(*events[first : first + AT_ONCE])


@one_transaction
def set_clearing(
    store: AppStore,
    caller: Backend | EndUser,
    device: str,
    clears: bool,
    key: IdempotencyKey | None = None,
) -> bool:
    """Set the clearAnonymousUser flag of a device, by its digest, and return it; as ``set_flag``."""
    set_flag(store, caller, device, lambda: store.devices.set_clears(device, clears), key)
    return clears


def set_flag(
    store: AppStore,
    caller: Backend | EndUser,
    device: str,
    set: Callable[[], None],
    key: IdempotencyKey | None,
) -> None:
    """Set a flag of a device, by its digest, inside a transaction; a repeat sets it again.

    Raises Refused for an idempotency key that was used for something else, and InvalidCredential for a
    session whose user is gone by now.
    """
    at = now()
    made_before(store, key, at)
    store.devices.add(device, at)
    set()
    if key is not None and isinstance(caller, EndUser):
        note_made(store, key, device, present(store, caller).id, caller.session.home)
    else:
        note_made(store, key, device, None)


def device_of(caller: Backend | EndUser, device_id: str | None) -> str:
    """Return the digest of the device that a call is about: an end user's own, or the one a backend names.

    Raises Refused for a device ID that is missing, malformed, or not the end user's.
    """
    if isinstance(caller, Backend):
        require_device_id(device_id or "")
        return digest(device_id or "")
    if device_id is not None and digest(device_id) != caller.session.device:
        raise Refused.member("deviceId", "not-this-device", "A session speaks for its own device.")
    return caller.session.device


def require_device_id(text: str) -> None:
    """Raise Refused unless a text may be a device's ID."""
    try:
        parse_device_id(text)
    except Malformed as malformed:
        raise Refused.member("deviceId", malformed.code, malformed.detail) from None
