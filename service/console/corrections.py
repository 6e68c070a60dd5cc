"""User IDs that are wrong: take one away, or correct the primary one, after a preview."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, redirect, url_for

from service.api.context import store_of
from service.api.schemas.merges import AliasIn, CorrectionIn
from service.console.forms import field, read_fields
from service.console.guard import guarded
from service.console.rendering import page
from service.desk import fingerprints, users
from service.desk import previewing as desk
from service.model.callers import Backend
from service.model.corrections import Change, Correction, Preview, Removal
from service.model.errors import NotFound, Refused
from service.texts import strip

pages = Blueprint("corrections", __name__)

REMOVAL, CORRECTION = AliasIn(), CorrectionIn()

# How the parts of a preview are called that are not as they were shown.
PARTS = {
    "ids": "the user’s IDs",
    "rule": "the rule that decides",
    "sessions": "who is logged out",
    "logins": "where the next logins lead",
    "user": "something else about the user",
}


@pages.get("/users/<id>/user-id")
@guarded
def ask(caller: Backend, id: str) -> Response:
    """Ask which user ID is the right one."""
    return page("correct", user=users.show(store_of(caller), id), typed="", keep=False)


@pages.post("/users/<id>/user-id/preview")
@guarded
def preview_correction(caller: Backend, id: str) -> Response:
    """Show what a correction of the primary ID would do; change nothing."""
    user = users.show(store_of(caller), id)
    try:
        return _preview(caller, id, _correction())
    except Refused as refused:
        typed, keep = field("userId"), bool(field("keep"))
        return page("correct", 422, user=user, typed=typed, keep=keep, errors=refused.errors)


@pages.post("/users/<id>/user-id")
@guarded
def correct(caller: Backend, id: str) -> Any:
    """Correct the primary ID, if that does what was shown."""
    users.show(store_of(caller), id)
    return _confirm(caller, id, _correction(), "corrected")


@pages.post("/users/<id>/aliases/preview")
@guarded
def preview_removal(caller: Backend, id: str) -> Response:
    """Show what it would do to take an ID away; change nothing."""
    users.show(store_of(caller), id)
    return _preview(caller, id, _removal())


@pages.post("/users/<id>/aliases")
@guarded
def remove(caller: Backend, id: str) -> Any:
    """Take an ID away, if that does what was shown."""
    users.show(store_of(caller), id)
    return _confirm(caller, id, _removal(), "removed")


def _correction() -> Correction:
    said = read_fields(CORRECTION, userId=strip(field("userId")))
    return Correction(said["user_id"], keep=bool(field("keep")))


def _removal() -> Removal:
    return Removal(read_fields(REMOVAL, userId=field("userId"))["user_id"])


def _preview(caller: Backend, id: str, change: Change) -> Response:
    return _shown(change, desk.preview_correction(store_of(caller), caller, id, change))


def _confirm(caller: Backend, id: str, change: Change, done: str) -> Any:
    seen = field("fingerprint")
    preview, is_done = desk.correct_as_previewed(store_of(caller), caller, id, change, seen)
    if is_done:
        return redirect(url_for("console.users.show", id=preview.user.id, done=done), 303)
    return _shown(change, preview, 409, _differing(preview, seen))


def _differing(preview: Preview, seen: str) -> list[str]:
    """Tell which parts of a preview are no longer as they were shown."""
    found = fingerprints.differing(desk.parts_of(preview), seen)
    # Whatever changes a user makes them another; that alone is told only where nothing else can be.
    return [PARTS[part] for part in found if part != "user" or len(found) == 1]


def _shown(change: Change, preview: Preview, status: int = 200, differing: Sequence[str] = ()) -> Response:
    if preview.refusal is not None:
        status = 404 if preview.refusal == NotFound.code else 409
    return page(
        "correction",
        status,
        change=change,
        corrects=isinstance(change, Correction),
        preview=preview,
        fingerprint=fingerprints.fingerprint(desk.parts_of(preview)),
        differing=differing,
    )
