"""Sign operators in to the console and out again, with the admin key.

A browser holds a random text of its own and never the key; the store holds a digest of that text under the
admin key. So with another admin key nobody is signed in any more.
"""

import hashlib
import hmac

from service.desk.console_sessions import LASTS
from service.desk.credentials import is_operator
from service.desk.transactions import one_transaction
from service.model.errors import InvalidCredential
from service.model.identifiers import is_operator_session, new_operator_session
from service.store import Store
from service.times import now


@one_transaction
def sign_in(store: Store, admin_key: str, credential: str) -> str:
    """Return what a browser holds to be the operator from now on. Raises InvalidCredential."""
    if not is_operator(credential, admin_key):
        raise InvalidCredential
    at, cookie = now(), new_operator_session()
    store.operator_sessions.end_before(at - LASTS)
    store.operator_sessions.add(_digest(admin_key, cookie), at)
    return cookie


def require_signed_in(store: Store, admin_key: str, cookie: str) -> None:
    """Raise InvalidCredential unless ``cookie``, which looks like one, is of somebody who is signed in;
    also when that has lasted."""
    began_at = store.operator_sessions.began_at(_digest(admin_key, cookie))
    if began_at is None or began_at + LASTS <= now():
        raise InvalidCredential


@one_transaction
def sign_out(store: Store, admin_key: str, cookie: str) -> None:
    """End a session, if there is one."""
    if is_operator_session(cookie):
        store.operator_sessions.end(_digest(admin_key, cookie))


def _digest(admin_key: str, cookie: str) -> str:
    return hmac.new(admin_key.encode(), cookie.encode(), hashlib.sha256).hexdigest()
