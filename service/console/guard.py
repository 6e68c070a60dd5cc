"""Who is signed in: a cookie, made a Backend or an Operator, before anything else is read; and whether a
form is ours.

The cookie is sent to our own pages only and no script reads it. A form moreover carries a token that
only a page of this session holds, and the browser has to say that one of our own pages sends it.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Response, g, request

from service.api.context import context, serving
from service.console.forms import field
from service.desk import console_sessions, operator_sessions
from service.desk.console_sessions import LASTS
from service.model.callers import Backend, Operator
from service.model.errors import NotAllowed, NotFound
from service.model.identifiers import digest, is_operator_session, read_console_session
from service.model.sessions import Colour

COOKIE = "usher_console"
PATH = "/console"
# What a script of ours sends has no field for it.
TOKEN_HEADER = "X-Form-Token"  # noqa: S105 - the name of a header

# A page of ours, and that of what a form is about. Dots lead elsewhere.
_PAGE = re.compile(rf"{PATH}(/[A-Za-z0-9_-]+)*")
_FORM_OF = re.compile(rf"{PATH}/(conversations|users|webhooks)/[a-z]{{3}}_[0-9a-f]{{32}}")

View = Callable[..., Any]


@dataclass(frozen=True)
class Agent:
    """Who looks at a page: the caller, the name that users see, the colour that other agents do, if they
    chose one, the token of the page's forms, and the digest of the sign-in."""

    caller: Backend | Operator
    name: str | None
    colour: Colour | None
    form_token: str
    digest: str

    @property
    def is_operator(self) -> bool:
        """Return whether they set up apps, and answer nobody."""
        return isinstance(self.caller, Operator)


def guarded(view: View) -> View:
    """Let a page be seen by an agent who is signed in, and give it the caller first.

    Raises InvalidCredential (401), NotAllowed (403) for a form that is no page's of this session, and
    NotFound (404) for an operator.
    """
    return _seen_by((Backend,), view)


def operated(view: View) -> View:
    """As ``guarded``, by an operator; for an agent there is no such page."""
    return _seen_by((Operator,), view)


def guarded_for_all(view: View) -> View:
    """As ``guarded``, by whoever is signed in."""
    return _seen_by((Backend, Operator), view)


def _seen_by(kinds: tuple[type[Backend] | type[Operator], ...], view: View) -> View:
    @wraps(view)
    def guard(*args: Any, **kwargs: Any) -> Any:
        cookie = request.cookies.get(COOKIE, "")
        caller, name, colour = _whoever_holds(cookie)
        serving().caller = caller
        g.agent = Agent(caller, name, colour, _form_token(cookie), digest(cookie))
        if request.method == "POST":
            require_own_page()
            token = request.headers.get(TOKEN_HEADER) or field("token")
            if not hmac.compare_digest(token.encode(), g.agent.form_token.encode()):
                raise NotAllowed
        if not isinstance(caller, kinds):
            raise NotFound
        return view(caller, *args, **kwargs)

    return guard


def _whoever_holds(cookie: str) -> tuple[Backend | Operator, str | None, Colour | None]:
    store, admin_key = context().store, context().config.admin_key
    if is_operator_session(cookie):
        operator_sessions.require_signed_in(store, admin_key, cookie)
        return Operator(), None, None
    caller, session = console_sessions.signed_in(store, cookie, serving().id)
    return caller, session.name, session.colour


def end_session(cookie: str) -> None:
    """End the session that a browser holds, if it is one."""
    console_sessions.sign_out(context().store, cookie)
    operator_sessions.sign_out(context().store, context().config.admin_key, cookie)


def require_own_page() -> None:
    """Raise NotAllowed for a form that the page of another origin sends.

    Our pages send no referrer, so the browser says "null" of their origin too, and tells of itself
    what kind of page it is; where it does not, the connection is none to type a secret key into.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        is_ours = site in ("same-origin", "none") and origin in (None, "null", *_origins())
    else:
        is_ours = origin in (None, *_origins())
    if not is_ours:
        raise NotAllowed


def way_back() -> str:
    """Return where somebody is to come back to who has to sign in first: the page, or that of the form which
    was sent; with the app that they were signed in to."""
    app = read_console_session(request.cookies.get(COOKIE, "")) or ""
    path = request.path
    if request.method == "POST":
        found = _FORM_OF.match(path)
        path = found[0] if found else PATH
    return f"{app} {path}"


def back_to(caller: Backend, way: str) -> str | None:
    """Return the page to which a way back leads, as the form says it; None where it is no page of ours, or of
    another app than somebody is signed in to now."""
    app, _, path = way.partition(" ")
    return path if app in ("", caller.app.id) and _PAGE.fullmatch(path) else None


def set_cookie(response: Response, session: str) -> Response:
    """Store a session in the browser."""
    response.set_cookie(COOKIE, session, max_age=LASTS // 1000, secure=_is_https(), **_ATTRIBUTES)
    return response


def delete_cookie(response: Response) -> Response:
    """Remove the session from the browser."""
    response.delete_cookie(COOKIE, secure=_is_https(), **_ATTRIBUTES)
    return response


_ATTRIBUTES: dict[str, Any] = {"path": PATH, "httponly": True, "samesite": "Strict"}


def _is_https() -> bool:
    # Whoever lies in this header only keeps their own browser from sending the cookie in clear.
    return request.is_secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"


def _origins() -> tuple[str, ...]:
    return (f"https://{request.host}", f"http://{request.host}")


def _form_token(cookie: str) -> str:
    key = hashlib.sha256(b"usher console forms\0" + context().config.secret_key.encode()).digest()
    return hmac.new(key, cookie.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
