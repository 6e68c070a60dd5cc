"""Users who are probably one person."""

from typing import Any

from flask import Blueprint

from service.api.context import store_of
from service.api.endpoints import alt_response, body, open_to, query, refuses, response
from service.api.idempotency_keys import once
from service.api.schemas.conversations import PageIn
from service.api.schemas.duplicates import DismissalIn, DismissalOut, DuplicatesOut
from service.desk import duplicates as desk
from service.model.callers import Backend
from service.model.duplicates import Pair
from service.model.idempotency_keys import IdempotencyKey
from service.model.pages import Page

api = Blueprint("duplicates", __name__, url_prefix="/v1")


@api.get("/duplicates")
@open_to(Backend)
@query(PageIn())
@response(200, DuplicatesOut())
def find(caller: Backend, params: dict[str, Any]) -> Page[Pair]:
    """List pairs of users who are probably one person, the likeliest first."""
    return desk.find(store_of(caller), **params)


@api.post("/duplicates/dismissals")
@open_to(Backend)
@body(DismissalIn())
@once
@response(201, DismissalOut())
@alt_response(200, DismissalOut())
@refuses(404, 409)
def dismiss(caller: Backend, users: tuple[str, str], key: IdempotencyKey | None) -> Any:
    """Remember that two users are not the same person, so that they are listed no more.

    200 if that is remembered already.
    """
    dismissal, is_new = desk.dismiss(store_of(caller), users, key)
    return dismissal, 201 if is_new else 200
