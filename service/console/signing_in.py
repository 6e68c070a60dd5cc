"""Sign in, sign out, and what the pages are made of."""

from typing import Any

from flask import Blueprint, Response, redirect, request, send_from_directory, url_for

from service.api.context import context, serving
from service.api.limits import limits_in
from service.api.schemas.fields import Shape, Text
from service.api.schemas.logins import NAME
from service.console.forms import field, read_fields
from service.console.guard import COOKIE, delete_cookie, guarded, require_own_page, set_cookie
from service.console.rendering import ASSETS, sign_in_page
from service.desk import console_sessions
from service.model.callers import Backend
from service.model.identifiers import name

pages = Blueprint("sign_in", __name__)


class SignInIn(Shape):
    """What an agent says at the door, besides the key."""

    name = Text(name, blank_is_missing=True, metadata=NAME)


SIGN_IN = SignInIn()


@pages.get("/sign-in")
def show() -> Response:
    """Ask for a key."""
    return sign_in_page()


@pages.post("/sign-in")
def sign_in() -> Any:
    """Sign in with a secret key."""
    require_own_page()
    current = serving()
    store, admin_key = current.context.store, current.context.config.admin_key
    name_shown = read_fields(SIGN_IN, name=field("name"))["name"]
    current.caller, cookie = console_sessions.sign_in(
        store, admin_key, field("key").strip(), name_shown, current.id, limits_in
    )
    # No browser has the former one any more.
    console_sessions.sign_out(store, request.cookies.get(COOKIE, ""))
    return set_cookie(_to("console.conversations.home", done="began"), cookie)


@pages.post("/sign-out")
@guarded
def sign_out(_caller: Backend) -> Any:
    """Sign out, here and wherever else this session's cookie is."""
    console_sessions.sign_out(context().store, request.cookies.get(COOKIE, ""))
    return delete_cookie(_to("console.sign_in.show", done="ended"))


@pages.get("/assets/<name>")
def asset(name: str) -> Response:
    """Serve what the pages are made of."""
    return send_from_directory(ASSETS, name)


def _to(endpoint: str, **values: Any) -> Any:
    return redirect(url_for(endpoint, **values), 303)
