"""Who may follow what is new, and who is told of it. Here alone it is decided, anew each time.

All is looked up after what changed was read: so whoever was logged out before a change is not told of it.
"""

from collections.abc import Collection, Sequence
from typing import assert_never

from service.desk.console_sessions import LASTS
from service.desk.credentials import read_token
from service.desk.scopes import scope_of_session
from service.desk.tickets import sign_in_of
from service.model.callers import Backend, Caller, EndUser
from service.model.errors import NotAllowed
from service.model.events import EventType
from service.model.identifiers import digest
from service.model.streams import Change, ConsoleListener, KeyListener, Listener, News, SessionListener
from service.store import AppStore
from service.store.streams import Found
from service.times import now

# After these other conversations are a user's than before, so all that they have is stale.
MOVES = {EventType.USER_MERGED, EventType.USER_UNMERGED}


def listener_of(store: AppStore, caller: Caller, credential: str) -> Listener:
    """Return as whom a caller follows. Raises NotAllowed for one of a kind that may not."""
    match caller:
        case EndUser():
            return SessionListener(read_token(store, credential), caller.user.id)
        case Backend():
            sign_in = sign_in_of(credential)
            return KeyListener(digest(credential)) if sign_in is None else ConsoleListener(sign_in)
        case _:
            raise NotAllowed


def living(store: AppStore, listeners: Collection[Listener]) -> set[Listener]:
    """Return those of these whose credentials would be served now."""
    sessions: dict[str, list[SessionListener]] = {}
    keys: dict[str, KeyListener] = {}
    sign_ins: dict[str, ConsoleListener] = {}
    for listener in listeners:
        match listener:
            case SessionListener(token):
                sessions.setdefault(token.device, []).append(listener)
            case KeyListener(hashed):
                keys[hashed] = listener
            case ConsoleListener(hashed):
                sign_ins[hashed] = listener
            case never:
                assert_never(never)
    found: set[Listener] = {keys[hashed] for hashed in store.streams.keys([*keys])}
    found.update(sign_ins[hashed] for hashed in store.streams.sign_ins([*sign_ins], now() - LASTS))
    for one in store.streams.sessions([*sessions]):
        if _is_alive(one):
            found.update(other for other in sessions[one.token.device] if other.token == one.token)
    return found


def news(store: AppStore, listeners: Collection[Listener], changes: Sequence[Change]) -> News:
    """Return what some changes are to these listeners of their app.

    What has no conversation may have ended sessions, so those of whom it is about are looked at.
    """
    conversations = tuple(dict.fromkeys(one.conversation for one in changes if one.conversation))
    touched = {one.user for one in changes if one.conversation is None}
    moved = {one.user for one in changes if one.type in MOVES}
    by_session = [one for one in listeners if isinstance(one, SessionListener)]
    agents = {one for one in listeners if not isinstance(one, SessionListener)} if conversations else set()
    doubtful = agents | {one for one in by_session if one.user in touched}
    alive = living(store, doubtful)
    stale: frozenset[Listener] = frozenset(one for one in by_session if one.user in moved)
    told: dict[Listener, tuple[str, ...]] = dict.fromkeys(agents & alive, conversations)
    told |= _told_sessions(store, by_session, conversations)
    return News(told, frozenset(doubtful - alive), stale)


def _told_sessions(
    store: AppStore, listeners: Sequence[SessionListener], conversations: Sequence[str]
) -> dict[Listener, tuple[str, ...]]:
    """Return which of these conversations those see who have sessions that live."""
    told: dict[Listener, tuple[str, ...]] = {}
    if not listeners:
        return told
    by_token = {listener.token: listener for listener in listeners}
    for found, place in store.streams.sessions_of(conversations):
        listener = by_token.get(found.token)
        sees = scope_of_session(found.app, found.session).includes(place.user, place.device)
        if listener is not None and sees and _is_alive(found):
            told[listener] = (*told.get(listener, ()), place.conversation)
    return told


def _is_alive(found: Found) -> bool:
    return found.session.expires_at(found.app.settings) > now()
