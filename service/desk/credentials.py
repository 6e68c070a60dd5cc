"""Who is calling: a credential, looked up anew on each request, so that what is revoked is revoked.

Nothing here is remembered between requests.
"""

import hmac
from collections.abc import Callable
from typing import Any

from service.desk.transactions import one_transaction
from service.model.apps import App, Key, KeyKind
from service.model.callers import Actor, Backend, Caller, EndUser, Operator, Widget
from service.model.errors import InvalidCredential
from service.model.identifiers import device_of_token, digest, read_console_session, read_credential
from service.model.sessions import ConsoleSession, Session, Token
from service.store import AppStore, Store
from service.store.engine.prepared import Question
from service.times import MINUTE, now

# What to ask about a session, of its app's store and by its token, before it is known whose it is.
Ahead = Callable[[AppStore, Token], Question | None]

# How far "last used" may lag behind: a write for each request would cost more than it tells.
LAG = MINUTE


def bearer_of(authorization: str) -> str:
    """Return the credential of an ``Authorization`` header. Raises InvalidCredential if there is none."""
    scheme, _, credential = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidCredential
    return credential.strip(" ")


def is_operator(credential: str, admin_key: str) -> bool:
    """Return whether a credential is the admin key."""
    return hmac.compare_digest(digest(credential), digest(admin_key))


def identify(
    store: Store, admin_key: str, credential: str, request_id: str, ahead: Ahead | None = None
) -> Caller:
    """Return who holds a credential, and calls in the request of this id; for an end user, what they ask
    ``ahead`` is asked together with that.

    Raises InvalidCredential if it is malformed, unknown, expired or revoked; never said which.
    """
    hashed, parts = digest(credential), read_credential(credential)
    if parts is None:
        if is_operator(credential, admin_key):
            return Operator()
        raise InvalidCredential
    prefix, app = parts
    own = store.of(app)
    if prefix == "st":
        return _end_user(own, read_token(own, credential), request_id, ahead)
    return key_holder(own, own.keys.with_digest(hashed), request_id)


def identify_agent(store: Store, cookie: str, request_id: str) -> tuple[Backend, ConsoleSession]:
    """Return who is signed in to the console, and calls in the request of this id; ``cookie`` is what their
    browser holds.

    Raises InvalidCredential if the session is malformed, unknown, or its key is gone.
    """
    app = read_console_session(cookie)
    if app is None:
        raise InvalidCredential
    return console_agent(store, app, digest(cookie), request_id)


def console_agent(
    store: Store, app: str, session_digest: str, request_id: str
) -> tuple[Backend, ConsoleSession]:
    """As ``identify_agent``, by the digest of what their browser holds."""
    found = store.of(app).console_sessions.with_digest(session_digest)
    if found is None:
        raise InvalidCredential
    its_app, key, session = found
    _note_use(store.of(its_app.id), key)
    return Backend(its_app, Actor(key.id, request_id, proven=True)), session


def read_token(store: AppStore, text: str) -> Token:
    """Return a well-formed session token as a session is found by it."""
    hashed, device = digest(text), device_of_token(text)
    return Token(device or store.sessions.device_of(hashed) or "", hashed)


def _end_user(store: AppStore, token: Token, request_id: str, ahead: Ahead | None) -> EndUser:
    at, answer = now(), None
    question = ahead and ahead(store, token)
    if question is None:
        found = store.sessions.with_token(token)
    else:
        found, answer = store.sessions.with_token_and(token, question)
    if found is None:
        raise InvalidCredential
    its_app, user, session = found
    if session.expires_at(its_app.settings) <= at:
        raise InvalidCredential
    if session.used_at < at - LAG:
        session = _note_session(store, token, session, at)
    return EndUser(its_app, user, session, Actor("session", request_id), answer)


def key_holder(
    store: AppStore, found: tuple[App, Key] | None, request_id: str, ahead: Any = None
) -> Backend | Widget:
    """Return who calls with a key that was looked up, a widget with what was asked ahead. Raises
    InvalidCredential if there is none."""
    if found is None:
        raise InvalidCredential
    app, key = found
    _note_use(store, key)
    is_backend = key.kind is KeyKind.SECRET
    actor = Actor(key.id, request_id, proven=is_backend)
    return Backend(app, actor) if is_backend else Widget(app, actor, ahead)


def _note_use(store: AppStore, key: Key) -> None:
    at = now()
    if (key.last_used_at or 0) < at - LAG:
        _note_key(store, key.id, at)


@one_transaction
def _note_session(store: AppStore, token: Token, session: Session, at: int) -> Session:
    return store.sessions.touch(token, session, at)


@one_transaction
def _note_key(store: AppStore, key: str, at: int) -> None:
    store.keys.touch(key, at)
