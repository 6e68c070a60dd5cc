"""Web origins whose pages may call an app, for the operator: add, remove, and what one would be answered."""

import re
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import idna
from flask import Blueprint, Response, redirect, request, url_for

from service.api.auth import is_ours
from service.api.context import context
from service.api.schemas.apps import SettingsShape, origin
from service.console.forms import field, read_fields
from service.console.guard import operated
from service.console.rendering import page
from service.desk import apps as desk
from service.model.callers import Operator
from service.model.errors import Refused
from service.model.identifiers import Malformed
from service.texts import strip

pages = Blueprint("origins", __name__)

SETTINGS = SettingsShape()

USUAL_PORTS = {"http": 80, "https": 443}


@pages.get("/apps/<app>/origins")
@operated
def show_all(_: Operator, app: str) -> Response:
    """Show the origins whose pages may call."""
    return _page(app)


@pages.post("/apps/<app>/origins")
@operated
def add(_: Operator, app: str) -> Any:
    """Let the pages of an origin call."""
    typed = strip(field("origin"))
    try:
        read_fields(SETTINGS, origins=[typed])
    except Refused as refused:
        # An address that somebody pasted is taken for what browsers send of it, once they have seen that.
        return _page(app, 422, typed=as_browsers_send(typed) or typed, errors=refused.errors)
    desk.add_origin(context().store, app, typed)
    return _to(app, "origin-added")


@pages.post("/apps/<app>/origins/remove")
@operated
def remove(_: Operator, app: str) -> Any:
    """Let the pages of an origin call no more."""
    desk.remove_origin(context().store, app, field("origin"))
    return _to(app, "origin-removed")


@pages.post("/apps/<app>/origins/check")
@operated
def check(_: Operator, app: str) -> Response:
    """Show what the pages of an address would be answered; change nothing."""
    typed = strip(field("address"))
    sent = as_browsers_send(typed)
    return _page(app, checked=typed, sent=sent, is_ours=sent is not None and is_ours(request, sent))


def as_browsers_send(address: str) -> str | None:
    """Return the origin that browsers send for a page at an address, if it is one of a web page."""
    text = address if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", address) else f"https://{address}"
    with suppress(ValueError, UnicodeError, Malformed):
        parts = urlsplit(text)
        host, port = _host(parts.hostname or ""), parts.port
        is_usual = port in (None, USUAL_PORTS.get(parts.scheme))
        return origin(f"{parts.scheme}://{host}" + ("" if is_usual else f":{port}"))
    return None


def _host(host: str) -> str:
    if ":" in host:
        return f"[{host}]"
    return host if host.isascii() else idna.encode(host, uts46=True).decode()


def _page(app: str, status: int = 200, **values: Any) -> Response:
    found = desk.show_app(context().store, app)
    return page("origins", status, app=found, **({"typed": "", "checked": None} | values))


def _to(app: str, done: str) -> Any:
    return redirect(url_for("console.origins.show_all", app=app, done=done), 303)
