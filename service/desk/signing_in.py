"""Sign agents in to the console and out again, with a secret key of their app.

A browser holds a random text of its own and never the key; the store holds the digest of that text.
"""

from collections.abc import Callable

from service.desk.credentials import identify, identify_agent
from service.desk.limits import Limits
from service.desk.transactions import one_transaction
from service.errors import InvalidCredential, NotAllowed
from service.identifiers import digest, new_credential, read_credential, read_sign_in
from service.nouns import App, Backend, Claim, SignIn
from service.store import Store
from service.times import MINUTE, now

# How long a sign-in lasts, in milliseconds: a working day.
LASTS = 8 * 60 * MINUTE


def sign_in(
    store: Store,
    admin_key: str,
    credential: str,
    name: str | None,
    request: str,
    limits: Callable[[App], Limits],
) -> tuple[Backend, str]:
    """Answer who holds a secret key, and what a browser holds to be them from now on.

    Raises InvalidCredential for a key that is none, NotAllowed for a credential of another kind, and
    TooMany where too many failed that came from this address.
    """
    parts = read_credential(credential)
    app = store.apps.with_id(parts[1]) if parts else None
    if app is not None:
        limits(app).require_few_failures()
    try:
        caller = identify(store, admin_key, credential, request)
    except InvalidCredential:
        if app is not None:
            limits(app).count_failure(Claim())
        raise
    if not isinstance(caller, Backend):
        raise NotAllowed
    return caller, _begin(store, caller.app.id, digest(credential), name)


@one_transaction
def _begin(store: Store, app: str, hashed: str, name: str | None) -> str:
    found = store.keys.with_digest(app, hashed)
    if found is None:
        raise InvalidCredential
    at, cookie = now(), new_credential("si", app)
    store.sign_ins.end_before(app, at - LASTS)
    store.sign_ins.add(app, digest(cookie), found[1].id, SignIn(name, at))
    return cookie


def signed_in(store: Store, cookie: str, request: str) -> tuple[Backend, SignIn]:
    """Answer who is signed in, looked up anew. Raises InvalidCredential, also when it has lasted."""
    caller, sign_in = identify_agent(store, cookie, request)
    if sign_in.began_at + LASTS <= now():
        raise InvalidCredential
    return caller, sign_in


@one_transaction
def sign_out(store: Store, cookie: str) -> None:
    """End a sign-in, if there is one."""
    app = read_sign_in(cookie)
    if app is not None:
        store.sign_ins.end(app, digest(cookie))
