"""Tickets: with what a page of the console follows the stream, which another origin may serve.

The cookie goes to the console alone and no script reads it, and the key is for no page at all. So the page
is given a text that says for which sign-in it is and until when, with a code that only we can make. It opens
the stream and no other call, and no more than the sign-in does by then.
"""

import hmac
import re

from service.desk.console_sessions import require_not_over
from service.desk.credentials import console_agent
from service.encryption import Encryption
from service.model.callers import Backend
from service.model.errors import InvalidCredential
from service.model.identifiers import digest
from service.store import Store
from service.times import MINUTE, now

# How long a ticket may be used, in milliseconds; a stream that began with it goes on.
LASTS = 5 * MINUTE

_TICKET = re.compile(r"(tk_([0-9a-f]{32})_([0-9a-f]{64})_([0-9]{13}))_([A-Za-z0-9_-]{43})")


def sign_in_of(text: str) -> str | None:
    """Return the digest of the sign-in that a credential is a ticket for, by its form; None if it is none."""
    found = _TICKET.fullmatch(text)
    return found and found[3]


def issue_ticket(secret_key: str, app: str, cookie: str) -> str:
    """Return a ticket for whoever is signed in to an app with this cookie."""
    said = f"tk_{app.removeprefix('app_')}_{digest(cookie)}_{now() + LASTS}"
    return f"{said}_{_code(secret_key, said)}"


def redeem_ticket(store: Store, secret_key: str, text: str, request_id: str) -> Backend:
    """Return who calls with a ticket, in the request of this id.

    Raises InvalidCredential for one that is malformed, not ours or too old, and where the sign-in is over.
    """
    found = _TICKET.fullmatch(text)
    if found is None:
        raise InvalidCredential
    said, app, session_digest, until, code = found.groups()
    if not hmac.compare_digest(_code(secret_key, said), code) or int(until) <= now():
        raise InvalidCredential
    caller, session = console_agent(store, f"app_{app}", session_digest, request_id)
    require_not_over(session)
    return caller


def _code(secret_key: str, said: str) -> str:
    return Encryption(secret_key, "console tickets").secret_of(said)
