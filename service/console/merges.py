"""Merges: see what would move, merge, undo."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, redirect, url_for

from service.api.context import store_of
from service.api.schemas.merges import MergeIn
from service.api.schemas.users import UsersIn
from service.console.forms import field, read_fields
from service.console.guard import guarded
from service.console.rendering import page
from service.desk import aliases as desk
from service.desk import fingerprints, users
from service.model.callers import Backend
from service.model.errors import Refused
from service.model.identifiers import is_anonymous, is_id
from service.model.merges import Merge
from service.model.users import User

pages = Blueprint("merges", __name__)

MERGE, FOUND = MergeIn(), UsersIn()

# How the parts of a preview are called that are not as they were shown.
PARTS = {
    "users": "who becomes part of whom",
    "ids": "the user IDs",
    "conversations": "the conversations",
    "purchases": "the purchases or store accounts",
    "filled": "what is filled in",
    "devices": "the devices",
}


@pages.post("/merges/choose")
@guarded
def choose(caller: Backend) -> Response:
    """Find who is the same person as a user, by what an agent calls them; show what would move."""
    user = users.show(store_of(caller), field("user"))
    others = tuple(other for other in _called(caller, field("other").strip()) if other.id != user.id)
    if len(others) == 1:
        source, target = in_order(user, others[0])
        return _preview(caller, source.id, target.id)
    pairs = [(other, *in_order(user, other)) for other in others]
    return page("choose", 200 if others else 422, user=user, pairs=pairs)


@pages.post("/merges/preview")
@guarded
def preview(caller: Backend) -> Response:
    """Show what a merge would move; change nothing."""
    return _preview(caller, field("from"), field("into"))


@pages.post("/merges")
@guarded
def merge(caller: Backend) -> Any:
    """Merge two users, if that does what was shown."""
    both = read_fields(MERGE, **{"from": field("from"), "into": field("into")})
    seen = field("fingerprint")
    found, is_done = desk.merge_as_previewed(store_of(caller), caller, both["source"], both["target"], seen)
    if is_done:
        return _to(found.target, "merged")
    differing = [PARTS[part] for part in fingerprints.differing(desk.parts_of(found), seen)]
    return _shown(caller, found, 409, differing)


@pages.post("/merges/<id>/undo")
@guarded
def undo(caller: Backend, id: str) -> Any:
    """Undo the merge."""
    return _to(desk.undo_merge(store_of(caller), caller, id).target, "undone")


def in_order(user: User, other: User) -> tuple[User, User]:
    """Return who of two becomes part of whom: the other of the user, but nobody identified of somebody who is
    anonymous."""
    if is_anonymous(user.user_id) and not is_anonymous(other.user_id):
        return user, other
    return other, user


def _preview(caller: Backend, source: str, target: str) -> Response:
    store, both = store_of(caller), read_fields(MERGE, **{"from": source, "into": target})
    preview, _ = desk.answer_merge(store, caller, both["source"], both["target"], dry_run=True)
    return _shown(caller, preview)


def _shown(caller: Backend, merge: Merge, status: int = 200, differing: Sequence[str] = ()) -> Response:
    goes, stays = (users.show(store_of(caller), id) for id in (merge.source, merge.target))
    return page(
        "merge",
        status,
        merge=merge,
        source=goes,
        target=stays,
        may_be_turned_round=in_order(goes, stays) == (stays, goes),
        fingerprint=fingerprints.fingerprint(desk.parts_of(merge)),
        differing=differing,
    )


def _called(caller: Backend, text: str) -> tuple[User, ...]:
    """Find users by our id, by a user ID or by an email."""
    if is_id("usr", text):
        return (users.show(store_of(caller), text),)
    return _found(caller, userId=text) or _found(caller, email=text)


def _found(caller: Backend, **by: str) -> tuple[User, ...]:
    try:
        which = read_fields(FOUND, **by)
    except Refused:
        return ()
    return users.find(store_of(caller), **which).data if any(by.values()) else ()


def _to(user: str, done: str) -> Any:
    return redirect(url_for("console.users.show", id=user, done=done), 303)
