"""Who is calling: the ``Authorization`` header, made a Caller, before anything else is read."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Request

from service.api.context import serving
from service.desk.credentials import identify
from service.model.callers import Backend, Caller, EndUser, Operator, Widget
from service.model.errors import InvalidCredential, NotAllowed

SCHEMES: dict[type[Caller], tuple[str, str]] = {
    Operator: ("adminKey", "`ak_`: the operator's"),
    Backend: ("secretKey", "`sk_`: an app's backend, or an agent's tool"),
    Widget: ("publishableKey", "`pk_`: a widget, public"),
    EndUser: ("sessionToken", "`st_`: one user on one device"),
}

View = Callable[..., Any]


def bearer() -> str:
    """Answer the credential of this request. Raises InvalidCredential if there is none."""
    scheme, _, credential = serving().request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidCredential
    return credential.strip(" ")


def page_of(asked: Request) -> str | None:
    """Answer the origin of the page that sends a request, if a page does."""
    return asked.headers.get("Origin")


def guarded(view: View, kinds: tuple[type[Caller], ...]) -> View:
    """Let an endpoint be called by these kinds, and give it the caller first.

    Raises InvalidCredential (401), and NotAllowed (403) for a valid credential of another kind.
    """

    @wraps(view)
    def guard(*args: Any, **kwargs: Any) -> Any:
        caller = whoever_calls(bearer())
        if not isinstance(caller, kinds):
            raise NotAllowed
        require_page(caller)
        return view(caller, *args, **kwargs)

    return guard


def whoever_calls(credential: str) -> Caller:
    """Answer who calls, by their credential. Raises InvalidCredential."""
    here = serving()
    store, admin_key = here.context.store, here.context.config.admin_key
    here.caller = identify(store, admin_key, credential, here.id)
    return here.caller


def require_page(caller: Caller) -> None:
    """Raise NotAllowed if a page sends this request that may not."""
    if not may_call_from_this_page(caller):
        raise NotAllowed


def may_call_from_this_page(caller: Caller) -> bool:
    """Tell whether the page that sends this request, if a page does, is one that the app names; our
    own pages are no strangers."""
    if not isinstance(caller, Widget | EndUser):
        return True
    asked = serving().request
    origin = page_of(asked)
    if origin is None:
        return True
    ours = (f"https://{asked.host}", f"http://{asked.host}")
    return origin in ours or origin in caller.app.settings.origins
