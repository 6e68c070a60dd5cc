"""Sign agents in to the console and out again, with a secret key of their app.

A browser holds a random text of its own and never the key; the store holds the digest of that text.
"""

from collections.abc import Callable

from service.desk.credentials import identify, identify_agent
from service.desk.limits import Limits
from service.desk.transactions import one_transaction
from service.model.callers import Backend
from service.model.errors import InvalidCredential, NotAllowed
from service.model.identifiers import digest, new_credential, read_console_session, read_credential
from service.model.sessions import Colour, ConsoleSession
from service.model.users import Claim
from service.store import AppStore, Store
from service.times import MINUTE, now

# How long a session lasts, in milliseconds: a working day.
LASTS = 8 * 60 * MINUTE


def sign_in(
    store: Store,
    admin_key: str,
    credential: str,
    name: str | None,
    request_id: str,
    limits: Callable[[AppStore], Limits],
) -> tuple[Backend, str]:
    """Return who holds a secret key, and what a browser holds to be them from now on.

    Raises InvalidCredential for a key that is none, NotAllowed for a credential of another kind, and
    TooMany where too many failed that came from this address.
    """
    parts = read_credential(credential)
    app = store.apps.with_id(parts[1]) if parts else None
    if app is not None:
        limits(store.of(app.id)).require_few_failures()
    try:
        caller = identify(store, admin_key, credential, request_id)
    except InvalidCredential:
        if app is not None:
            limits(store.of(app.id)).count_failure(Claim())
        raise
    if not isinstance(caller, Backend):
        raise NotAllowed
    return caller, _begin(store.of(caller.app.id), digest(credential), name)


@one_transaction
def _begin(store: AppStore, hashed: str, name: str | None) -> str:
    found = store.keys.with_digest(hashed)
    if found is None:
        raise InvalidCredential
    at, cookie = now(), new_credential("si", store.app_id)
    store.console_sessions.end_before(at - LASTS)
    store.console_sessions.add(digest(cookie), found[1].id, ConsoleSession(name, at))
    return cookie


def signed_in(store: Store, cookie: str, request_id: str) -> tuple[Backend, ConsoleSession]:
    """Return who is signed in, looked up anew. Raises InvalidCredential, also when it has lasted."""
    caller, session = identify_agent(store, cookie, request_id)
    require_not_over(session)
    return caller, session


def require_not_over(session: ConsoleSession) -> None:
    """Raise InvalidCredential for a session that has lasted."""
    if session.began_at + LASTS <= now():
        raise InvalidCredential


@one_transaction
def describe(store: AppStore, cookie: str, name: str | None, colour: Colour | None) -> None:
    """Note which name users see of who is signed in, and which colour other agents do."""
    store.console_sessions.describe(digest(cookie), name, colour)


@one_transaction
def sign_out(store: Store, cookie: str) -> None:
    """End a session, if there is one."""
    app = read_console_session(cookie)
    if app is not None:
        store.of(app).console_sessions.end(digest(cookie))
