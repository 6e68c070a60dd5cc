"""Users, for their app's backend."""

from typing import Any

from flask import Blueprint

from service.api.context import context, serving, store_of
from service.api.endpoints import alt_response, body, open_to, query, refuses, response
from service.api.idempotency_keys import once
from service.api.limits import limits
from service.api.schemas.conversations import PageIn
from service.api.schemas.logins import LoginIn, UserIn
from service.api.schemas.people import ProfileOut
from service.api.schemas.users import (
    AddedOut,
    ExplanationOut,
    ExportOut,
    HistoryOut,
    UserChangeIn,
    UsersIn,
    UsersOut,
)
from service.desk import erasing
from service.desk import users as desk
from service.desk.adding import add_user
from service.desk.explaining import explain_login
from service.model.callers import Backend
from service.model.history import Entry
from service.model.idempotency_keys import IdempotencyKey
from service.model.logins import Explanation, LoginRequest
from service.model.pages import Page
from service.model.profiles import Export
from service.model.users import User, UserChange

api = Blueprint("users", __name__, url_prefix="/v1")


@api.post("/resolve")
@open_to(Backend)
@body(LoginIn(), required=False)
@response(200, ExplanationOut())
def resolve(caller: Backend, request: LoginRequest) -> Explanation:
    """Return which rule would decide a login, to whom it would lead, and why; change nothing.

    It answers for `POST /v1/users` too, which decides as a login without a device does.
    """
    return explain_login(store_of(caller), context().encryption, caller, request, limits(caller))


@api.post("/users")
@open_to(Backend)
@body(UserIn(), required=False)
@once
@response(200, AddedOut())
@alt_response(201, AddedOut())
def add(caller: Backend, request: LoginRequest, key: IdempotencyKey | None) -> Any:
    """Add a user by the rules of a login, without a device and a session.

    201 if they are new, else 200; `resolution` names the rule that decided. 200 if the same
    `Idempotency-Key` added them before.
    """
    done = add_user(store_of(caller), context().encryption, caller, request, limits(caller), key)
    serving().rule = done.resolution.rule
    return done, 201 if done.created and not done.repeats else 200


@api.get("/users")
@open_to(Backend)
@query(UsersIn())
@response(200, UsersOut())
def find(caller: Backend, params: dict[str, Any]) -> Page[User]:
    """Find users by user ID, email or contact, or by how a name, email or user ID begins."""
    return desk.find(store_of(caller), **params)


@api.get("/users/<id>")
@open_to(Backend)
@response(200, ProfileOut())
@refuses(404)
def show(caller: Backend, id: str) -> User:
    """Show a user; the id of one who was merged leads to the one it became."""
    return desk.show_with_all(store_of(caller), id)


@api.patch("/users/<id>")
@open_to(Backend)
@body(UserChangeIn(), required=False)
@response(200, ProfileOut())
@refuses(404, 409)
def change(caller: Backend, change: UserChange, id: str) -> User:
    """Correct a user's email, name or attributes; null removes."""
    return desk.with_all(store_of(caller), desk.change(store_of(caller), caller, id, change))


@api.get("/users/<id>/history")
@open_to(Backend)
@query(PageIn())
@response(200, HistoryOut())
@refuses(404)
def history(caller: Backend, params: dict[str, Any], id: str) -> Page[Entry]:
    """List what happened to a user, the oldest first."""
    return desk.history(store_of(caller), id, **params)


@api.get("/users/<id>/export")
@open_to(Backend)
@response(200, ExportOut())
@refuses(404)
def export(caller: Backend, id: str) -> Export:
    """Hand out all that is stored about a user."""
    return desk.export(store_of(caller), id)


@api.delete("/users/<id>")
@open_to(Backend)
@response(204)
@refuses(404)
def erase(caller: Backend, id: str) -> None:
    """Erase a user: messages, identifiers and sessions."""
    erasing.erase(store_of(caller), caller.actor, id)
