"""Sign in, sign out, and what the pages are made of."""

from typing import Any

from flask import Blueprint, Response, redirect, request, send_from_directory, url_for

from service.api.context import serving
from service.api.limits import limits_in
from service.api.schemas.fields import Shape, Text
from service.api.schemas.logins import NAME
from service.console.forms import field, read_fields
from service.console.guard import (
    COOKIE,
    back_to,
    delete_cookie,
    end_session,
    guarded_for_all,
    require_own_page,
    set_cookie,
)
from service.console.rendering import ASSETS, sign_in_page
from service.desk import console_sessions, operator_sessions
from service.model.callers import Backend, Operator
from service.model.identifiers import name, read_credential

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
    """Sign in with a secret key, or as the operator with the admin key."""
    require_own_page()
    key = field("key").strip()
    sign_in_by = _sign_in_agent if read_credential(key) else _sign_in_operator
    response = sign_in_by(key)
    # No browser has the former one any more.
    end_session(request.cookies.get(COOKIE, ""))
    return response


def _sign_in_agent(key: str) -> Any:
    current = serving()
    name_shown = read_fields(SIGN_IN, name=field("name"))["name"]
    current.caller, cookie = console_sessions.sign_in(
        current.context.store, current.context.config.admin_key, key, name_shown, current.id, limits_in
    )
    there = back_to(current.caller, field("back")) or url_for("console.conversations.home")
    answer: Any = redirect(f"{there}?done=began", 303)
    return set_cookie(answer, cookie)


def _sign_in_operator(key: str) -> Any:
    current = serving()
    cookie = operator_sessions.sign_in(current.context.store, current.context.config.admin_key, key)
    current.caller = Operator()
    return set_cookie(_to("console.apps.show_all", done="began"), cookie)


@pages.post("/sign-out")
@guarded_for_all
def sign_out(_caller: Backend | Operator) -> Any:
    """Sign out, here and wherever else this session's cookie is."""
    end_session(request.cookies.get(COOKIE, ""))
    return delete_cookie(_to("console.sign_in.show", done="ended"))


@pages.get("/assets/<name>")
def asset(name: str) -> Response:
    """Serve what the pages are made of."""
    return send_from_directory(ASSETS, name)


def _to(endpoint: str, **values: Any) -> Any:
    return redirect(url_for(endpoint, **values), 303)
