"""Who is signed in: a cookie, made a Backend, before anything else is read; and whether a form is ours.

The cookie is sent to our own pages only and no script reads it. A form moreover carries a token that
only a page of this session holds, and the browser has to say that one of our own pages sends it.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Response, g, request

from service.api.context import context, serving
from service.console.forms import field
from service.desk.console_sessions import LASTS, signed_in
from service.model.callers import Backend
from service.model.errors import NotAllowed

COOKIE = "usher_console"
PATH = "/console"

View = Callable[..., Any]


@dataclass(frozen=True)
class Agent:
    """Who looks at a page: the caller, the name that users see, and the token of the page's forms."""

    caller: Backend
    name: str | None
    form_token: str


def guarded(view: View) -> View:
    """Let a page be seen by who is signed in, and give it the caller first.

    Raises InvalidCredential (401), and NotAllowed (403) for a form that is no page's of this session.
    """

    @wraps(view)
    def guard(*args: Any, **kwargs: Any) -> Any:
        cookie = request.cookies.get(COOKIE, "")
        caller, session = signed_in(context().store, cookie, serving().id)
        serving().caller, g.agent = caller, Agent(caller, session.name, _form_token(cookie))
        if request.method == "POST":
            require_own_page()
            if not hmac.compare_digest(field("token").encode(), g.agent.form_token.encode()):
                raise NotAllowed
        return view(caller, *args, **kwargs)

    return guard


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
