"""Apps and their keys, for the operator."""

from typing import Any

from flask import Blueprint

from service.api.context import context
from service.api.endpoints import alt_response, body, open_to, refuses, response
from service.api.idempotency_keys import once
from service.api.schemas.apps import AppChangeIn, AppIn, AppOut, AppsOut, KeyIn, KeysOut, NewKeyOut
from service.desk import apps as desk
from service.model.apps import App, Key, Settings
from service.model.callers import Operator
from service.model.idempotency_keys import IdempotencyKey
from service.model.pages import Page

api = Blueprint("apps", __name__, url_prefix="/v1/apps")


@api.post("")
@open_to(Operator)
@body(AppIn())
@once
@response(201, AppOut())
@alt_response(200, AppOut())
def create_app(_: Operator, content: dict[str, Any], key: IdempotencyKey | None) -> Any:
    """Make an app."""
    settings = Settings(**content["settings"])
    app, is_new = desk.create_app(context().store, content["name"], settings, key)
    return app, 201 if is_new else 200


@api.get("")
@open_to(Operator)
@response(200, AppsOut())
def list_apps(_: Operator) -> Page[App]:
    """List all apps, the oldest first."""
    return Page(desk.list_apps(context().store), None)


@api.get("/<id>")
@open_to(Operator)
@response(200, AppOut())
@refuses(404)
def show_app(_: Operator, id: str) -> App:
    """Show one app."""
    return desk.show_app(context().store, id)


@api.patch("/<id>")
@open_to(Operator)
@body(AppChangeIn(), required=False)
@response(200, AppOut())
@refuses(404)
def change_app(_: Operator, content: dict[str, Any], id: str) -> App:
    """Change an app's name, or any of its settings."""
    return desk.change_app(context().store, id, content["name"], content["settings"])


@api.delete("/<id>")
@open_to(Operator)
@response(204)
@refuses(404)
def erase_app(_: Operator, id: str) -> None:
    """Erase an app and all that is in it."""
    desk.erase_app(context().store, id)


@api.post("/<id>/keys")
@open_to(Operator)
@body(KeyIn())
@once
@response(201, NewKeyOut())
@alt_response(200, NewKeyOut())
@refuses(404, 409)
def create_key(_: Operator, content: dict[str, Any], id: str, key: IdempotencyKey | None) -> Any:
    """Make a key.

    `key` is shown in this answer only. An `identity` key is the secret that proofs are made with:
    JWTs, unless `proof` says otherwise. 200 if the same `Idempotency-Key` made it before: another `key`
    takes the place of the first, unless that was used.
    """
    made, is_new = desk.create_key(context().store, context().encryption, id, **content, key=key)
    return made, 201 if is_new else 200


@api.get("/<id>/keys")
@open_to(Operator)
@response(200, KeysOut())
@refuses(404)
def list_keys(_: Operator, id: str) -> Page[Key]:
    """List an app's keys, the oldest first, without what they are."""
    return Page(desk.list_keys(context().store, id), None)


@api.delete("/<id>/keys/<key>")
@open_to(Operator)
@response(204)
@refuses(404)
def delete_key(_: Operator, id: str, key: str) -> None:
    """Delete a key; it opens nothing from now on."""
    desk.delete_key(context().store, id, key)
