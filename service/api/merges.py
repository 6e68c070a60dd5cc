"""Many IDs, one person: aliases and their correction, merges and their undo."""

from typing import Any

from flask import Blueprint

from service.api.context import context, store_of
from service.api.endpoints import alt_response, body, open_to, refuses, response
from service.api.idempotency_keys import once
from service.api.limits import limits
from service.api.schemas.merges import (
    AliasIn,
    CorrectionIn,
    MergeIfAnyOut,
    MergeIn,
    MergeOut,
    OwnAliasIn,
)
from service.api.schemas.people import KnownUserOut, UserOut
from service.desk import aliases as desk
from service.desk import correcting
from service.model.callers import Backend, EndUser
from service.model.idempotency_keys import IdempotencyKey
from service.model.merges import Merge
from service.model.users import User

api = Blueprint("merges", __name__, url_prefix="/v1")


@api.post("/users/<id>/aliases")
@open_to(Backend)
@body(AliasIn())
@once
@response(200, KnownUserOut())
@alt_response(201, KnownUserOut())
@refuses(404, 409)
def add_alias(caller: Backend, content: dict[str, str], id: str, key: IdempotencyKey | None) -> Any:
    """Link a user ID to a user.

    201 if the ID is new; an anonymous user who has it is merged in.
    """
    user, is_new = desk.add_alias(store_of(caller), caller, id, content["user_id"], key)
    return user, 201 if is_new else 200


@api.delete("/users/<id>/aliases")
@open_to(Backend)
@body(AliasIn())
@response(200, KnownUserOut())
@refuses(404, 409)
def remove_user_id(caller: Backend, content: dict[str, str], id: str) -> User:
    """Take a user ID away from a user, also the primary one; it is unknown from then on.

    The sessions that began under it end. 404 for an ID that is not this user's.
    """
    return correcting.remove_user_id(store_of(caller), caller, id, content["user_id"])


@api.put("/users/<id>/userId")
@open_to(Backend)
@body(CorrectionIn())
@response(200, KnownUserOut())
@refuses(404, 409)
def correct_user_id(caller: Backend, content: dict[str, Any], id: str) -> User:
    """Correct a user's primary user ID; the former one is unknown from then on, unless it is kept.

    The sessions that began under an ID that goes end.
    """
    return correcting.correct_user_id(store_of(caller), caller, id, content["user_id"], keep=content["keep"])


@api.post("/aliases")
@open_to(EndUser)
@body(OwnAliasIn())
@once
@response(200, UserOut())
@alt_response(201, UserOut())
@refuses(409, 429)
def add_own_alias(caller: EndUser, content: dict[str, Any], key: IdempotencyKey | None) -> Any:
    """Link a user ID to the signed-in user; a proof covers it.

    201 if the ID is new. Who was anonymous is somebody from then on.
    """
    application = context()
    user, is_new = desk.add_own_alias(
        store_of(caller), application.encryption, caller, **content, limits=limits(caller), key=key
    )
    return user, 201 if is_new else 200


@api.post("/merges")
@open_to(Backend)
@body(MergeIn())
@once
@response(201, MergeOut())
@alt_response(200, MergeIfAnyOut())
@refuses(404, 409)
def merge(caller: Backend, content: dict[str, Any], key: IdempotencyKey | None) -> Any:
    """Make the user `from` part of the user `into`.

    With `dryRun` nothing changes, and the answer, without an id, says what would. 200 if the same
    `Idempotency-Key` made the merge before.
    """
    record, is_new = desk.answer_merge(store_of(caller), caller, **content, key=key)
    return record, 201 if is_new else 200


@api.get("/merges/<id>")
@open_to(Backend)
@response(200, MergeOut())
@refuses(404)
def show_merge(caller: Backend, id: str) -> Merge:
    """Show the record of a merge."""
    return desk.show_merge(store_of(caller), id)


@api.delete("/merges/<id>")
@open_to(Backend)
@response(200, MergeOut())
@refuses(404, 409)
def undo_merge(caller: Backend, id: str) -> Merge:
    """Undo a merge: both users stand again."""
    return desk.undo_merge(store_of(caller), caller, id)
