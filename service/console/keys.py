"""An app's keys, for the operator: which there are and when each was last used; make, rotate, delete.

What a key is stands on one page, in the answer to the form that made it, and never again.
"""

import secrets
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, redirect, url_for

from service.api.context import context
from service.api.schemas.apps import KeyIn
from service.console.forms import field, key_of_form, read_fields
from service.console.guard import operated
from service.console.rendering import page
from service.desk import apps as desk
from service.model.apps import ONE_WAY, Key, KeyKind, ProofKind
from service.model.callers import Operator
from service.times import DAY, now

pages = Blueprint("keys", __name__)

KEY = KeyIn()

# What the kinds are called, and for what they are.
KINDS = {
    KeyKind.SECRET: ("Secret keys", "sk_… opens everything in this app: for your backend, and for agents."),
    KeyKind.PUBLISHABLE: ("Publishable keys", "pk_… logs devices in: for your pages and apps. It is public."),
    KeyKind.IDENTITY: ("Identity keys", "ik_… makes proofs of who somebody is: for your backend only."),
}
PROOFS = {
    ProofKind.JWT: "by JWT",
    ProofKind.HMAC: "by HMAC",
    ProofKind.HMAC_EMAIL: "by HMAC of an email",
    ProofKind.BOTH: "in both ways: rotate it",
}


# For so many milliseconds after its last use a key counts as one that is in use.
IN_USE = 7 * DAY


@pages.get("/apps/<app>/keys")
@operated
def show_all(_: Operator, app: str) -> Response:
    """Show an app's keys, and when each was last used."""
    found = desk.list_keys(context().store, app)
    return _page(
        "keys",
        app,
        kinds=[(kind, *KINDS[kind], [key for key in found if key.kind is kind]) for kind in KINDS],
        followed=[key for key in found if _has_follower(found, key)],
        form_key=secrets.token_urlsafe(16),
    )


@pages.post("/apps/<app>/keys")
@operated
def create(caller: Operator, app: str) -> Response:
    """Make a key, and show it. The same form sent again shows another in its place, unless that was used."""
    said = read_fields(KEY, kind=field("kind"), proof=field("proof"))
    store, encryption = context().store, context().encryption
    made, is_new = desk.create_key(store, encryption, app, **said, key=key_of_form(caller, said))
    former = [key for key in desk.list_keys(store, app) if key.id == field("rotates")]
    return _page("key_made", app, 201, made=made, is_new=is_new, former=former)


@pages.get("/apps/<app>/keys/<key>/rotate")
@operated
def ask_to_rotate(_: Operator, app: str, key: str) -> Response:
    """Say how a key is rotated, and ask whether the new one is to be made."""
    found = desk.show_key(context().store, app, key)
    return _page("key_rotate", app, found=found, form_key=secrets.token_urlsafe(16))


@pages.get("/apps/<app>/keys/<key>/delete")
@operated
def ask_to_delete(_: Operator, app: str, key: str) -> Response:
    """Ask whether a key is to be deleted, and say when it was last used."""
    return _asked_to_delete(app, desk.show_key(context().store, app, key))


@pages.post("/apps/<app>/keys/<key>/delete")
@operated
def delete(_: Operator, app: str, key: str) -> Any:
    """Delete a key; one that is in use only where that was said to be known, or it is asked again."""
    found = desk.show_key(context().store, app, key)
    if _is_in_use(found) and not field("inUse"):
        return _asked_to_delete(app, found, 409)
    desk.delete_key(context().store, app, key)
    return redirect(url_for("console.keys.show_all", app=app, done="key-deleted"), 303)


def _asked_to_delete(app: str, key: Key, status: int = 200) -> Response:
    others = [one for one in desk.list_keys(context().store, app) if one.kind is key.kind and one != key]
    return _page("key_delete", app, status, found=key, is_last=not others, is_asked_again=status != 200)


def _page(name: str, app: str, status: int = 200, **values: Any) -> Response:
    found = desk.show_app(context().store, app)
    return page(
        name, status, app=found, words=KINDS, proofs=PROOFS, ways=ONE_WAY, is_in_use=_is_in_use, **values
    )


def _is_in_use(key: Key) -> bool:
    return key.last_used_at is not None and key.last_used_at > now() - IN_USE


def _has_follower(keys: Sequence[Key], key: Key) -> bool:
    """Return whether there is a newer one that may be used in a key's place."""
    return any(
        one.kind is key.kind and one.proof in (key.proof, None) and one.created_at > key.created_at
        for one in keys
    )
