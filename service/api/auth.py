"""Who is calling: the ``Authorization`` header, made a Caller, before anything else is read."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Request

from service.api.context import serving
from service.desk.credentials import Ahead, bearer_of, identify
from service.model.callers import Backend, Caller, EndUser, Operator, Widget
from service.model.errors import NotAllowed

SCHEMES: dict[type[Caller], tuple[str, str]] = {
    Operator: ("adminKey", "`ak_`: the operator's"),
    Backend: ("secretKey", "`sk_`: an app's backend, or an agent's tool"),
    Widget: ("publishableKey", "`pk_`: a widget, public"),
    EndUser: ("sessionToken", "`st_`: one user on one device"),
}

View = Callable[..., Any]


def bearer() -> str:
    """Return the credential of this request. Raises InvalidCredential if there is none."""
    return bearer_of(serving().request.headers.get("Authorization", ""))


def page_of(request: Request) -> str | None:
    """Return the origin of the page that sends a request, if a page does."""
    return request.headers.get("Origin")


def guarded(view: View, kinds: tuple[type[Caller], ...], ahead: Ahead | None = None) -> View:
    """Let an endpoint be called by these kinds, and give it the caller first; what an end user asks ``ahead``
    is asked of the store together with who it is.

    Raises InvalidCredential (401), and NotAllowed (403) for a valid credential of another kind.
    """

    @wraps(view)
    def guard(*args: Any, **kwargs: Any) -> Any:
        caller = whoever_calls(bearer(), ahead)
        if not isinstance(caller, kinds):
            raise NotAllowed
        require_page(caller)
        return view(caller, *args, **kwargs)

    return guard


def whoever_calls(credential: str, ahead: Ahead | None = None) -> Caller:
    """Return who calls, by their credential. Raises InvalidCredential."""
    current = serving()
    store, admin_key = current.context.store, current.context.config.admin_key
    current.caller = identify(store, admin_key, credential, current.id, ahead)
    return current.caller


def require_page(caller: Caller) -> None:
    """Raise NotAllowed if a page sends this request that may not."""
    if not may_call_from_this_page(caller):
        raise NotAllowed


def may_call_from_this_page(caller: Caller) -> bool:
    """Return whether the page that sends this request, if a page does, is one that the app names; our
    own pages are no strangers."""
    if not isinstance(caller, Widget | EndUser):
        return True
    request = serving().request
    origin = page_of(request)
    if origin is None:
        return True
    return origin in caller.app.settings.origins or is_ours(request, origin)


def is_ours(request: Request, origin: str) -> bool:
    """Return whether an origin is the one that a request goes to: of our own pages."""
    return origin in (f"https://{request.host}", f"http://{request.host}")
