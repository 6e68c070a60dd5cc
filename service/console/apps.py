"""Apps, for the operator: which there are, and their settings, changed after a preview."""

import secrets
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, redirect, url_for

from service.api.bodies import taken
from service.api.context import context
from service.api.schemas.apps import AppChangeIn, AppIn
from service.console.forms import field, key_of_form, read_fields
from service.console.guard import operated
from service.console.rendering import page
from service.console.settings import SETTINGS, as_members, differences
from service.desk import apps as desk
from service.desk.fingerprints import fingerprint
from service.model.apps import App, Settings
from service.model.callers import Operator
from service.model.errors import Refused

pages = Blueprint("apps", __name__)

APP, CHANGE = AppIn(), AppChangeIn()

MEMBERS = ("name", *(setting.name for setting in SETTINGS))


@pages.get("/apps")
@operated
def show_all(_: Operator) -> Response:
    """Show all apps."""
    return _all()


@pages.post("/apps")
@operated
def create(caller: Operator) -> Any:
    """Add an app."""
    try:
        said = read_fields(APP, name=field("name"))
    except Refused as refused:
        return _all(422, typed=field("name"), errors=refused.errors)
    key = key_of_form(caller, {"name": said["name"]})
    app, _ = desk.create_app(context().store, said["name"], Settings(), key)
    return _to(app.id, "app-made")


@pages.get("/apps/<app>")
@operated
def show(_: Operator, app: str) -> Response:
    """Show an app's settings."""
    return _form(desk.show_app(context().store, app))


@pages.post("/apps/<app>/preview")
@operated
def preview(_: Operator, app: str) -> Response:
    """Show what would change; change nothing."""
    found = desk.show_app(context().store, app)
    try:
        name, settings = _said()
    except Refused as refused:
        return _form(found, 422, typed=_typed(), errors=refused.errors)
    return _preview(found, name, settings)


@pages.post("/apps/<app>")
@operated
def change(_: Operator, app: str) -> Any:
    """Change what was shown, if the app is as it was then."""
    found = desk.show_app(context().store, app)
    name, settings = _said()
    found, is_done = desk.change_app_as_seen(
        context().store, app, name or found.name, settings, field("fingerprint")
    )
    return _to(app, "app-changed") if is_done else _preview(found, name, settings, 409)


def _said() -> tuple[str | None, dict[str, Any]]:
    """Read the name and the settings. Raises Refused."""
    name, *others = (field(member) for member in MEMBERS)
    members = {"settings": as_members(dict(zip(MEMBERS[1:], others, strict=True)))}
    said = taken(CHANGE, members | ({"name": name} if name else {}))
    return said["name"], said["settings"]


def _typed() -> dict[str, str]:
    return {member: field(member) for member in MEMBERS}


def _as_it_is(app: App) -> dict[str, str]:
    return {"name": app.name} | {setting.name: setting.value(app) for setting in SETTINGS}


def _all(status: int = 200, **values: Any) -> Response:
    apps = desk.list_apps(context().store)
    return page("apps", status, found=apps, key=secrets.token_urlsafe(16), **({"typed": ""} | values))


def _form(app: App, status: int = 200, **values: Any) -> Response:
    return page("app", status, app=app, settings=SETTINGS, **({"typed": _as_it_is(app)} | values))


def _preview(app: App, name: str | None, settings: dict[str, Any], status: int = 200) -> Response:
    after = replace(app, name=name or app.name, settings=replace(app.settings, **settings))
    return page(
        "app_preview",
        status,
        app=app,
        differences=differences(app, after),
        said=_as_it_is(after),
        fingerprint=fingerprint(desk.parts_of(app)),
        is_anew=status == 409,
    )


def _to(app: str, done: str) -> Any:
    return redirect(url_for("console.apps.show", app=app, done=done), 303)
