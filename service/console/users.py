"""Users: find them, look at one, explain a login, erase."""

from typing import Any

from flask import Blueprint, Response, redirect, request, url_for

from service.api.context import context, store_of
from service.api.limits import limits
from service.api.schemas.conversations import ConversationsIn, PageIn
from service.api.schemas.conversations import cursor as text_of
from service.api.schemas.logins import LoginIn
from service.api.schemas.users import UsersIn
from service.console.contacts import who_left
from service.console.duplicates import likely
from service.console.forms import field, read_fields
from service.console.guard import guarded
from service.console.rendering import page
from service.console.sealing import seal, unseal
from service.desk import conversations, erasing
from service.desk import users as desk
from service.desk.explaining import explain_login
from service.model.callers import Backend
from service.model.errors import ProofInvalid, Refused
from service.model.identifiers import is_id
from service.texts import strip
from service.times import now

pages = Blueprint("users", __name__)

FOUND, PAGE, CONVERSATIONS, LOGIN = UsersIn(), PageIn(), ConversationsIn(), LoginIn()
LOGIN_MEMBERS = ("userId", "email", "name", "deviceId", "proof")


@pages.post("/find")
@guarded
def look_for(caller: Backend) -> Any:
    """Go to what is looked for: a user or a conversation by our id, else the users who are found."""
    what = strip(field("q"))
    if is_id("usr", what):
        return redirect(url_for("console.users.show", id=what), 303)
    if is_id("cnv", what):
        return redirect(url_for("console.conversations.show", id=what), 303)
    return redirect(url_for("console.users.found", search=seal(caller, what)), 303)


@pages.get("/users")
@guarded
def found(caller: Backend) -> Response:
    """Show the users whose name, email or user ID begins as what is looked for, else all; and who left it as
    a contact."""
    what = unseal(caller, request.args.get("search", ""))
    try:
        which = read_fields(FOUND, q=what, cursor=request.args.get("cursor", ""))
        left = who_left(caller, what, cursor=request.args.get("contacts", ""))
    except Refused as refused:
        return page("users", 422, what=what, found=(), next=None, left=(), errors=refused.errors)
    users = desk.find(store_of(caller), **which)
    return page(
        "users",
        what=what,
        found=users.data,
        next=users.next and text_of(*users.next),
        left=left.data,
        next_left=left.next and text_of(*left.next),
    )


@pages.get("/users/<id>")
@guarded
def show(caller: Backend, id: str) -> Any:
    """Show a user; the address of one who was merged leads to the one it became."""
    store = store_of(caller)
    profile = desk.profile(store, id)
    if profile.user.id != id:
        return redirect(url_for("console.users.show", id=profile.user.id), 303)
    theirs = read_fields(CONVERSATIONS, user=id, cursor=request.args.get("conversations", ""))
    threads = conversations.list_conversations(store, caller, **theirs)
    entries = read_fields(PAGE, limit="100", cursor=request.args.get("history", ""))
    history = desk.history(store, id, **entries)
    return page(
        "user",
        profile=profile,
        user=profile.user,
        likely=likely(store, profile.user),
        threads=threads.data,
        next_threads=threads.next and text_of(*threads.next),
        history=history.data,
        next_history=history.next and text_of(*history.next),
        settings=caller.app.settings,
        now=now(),
    )


@pages.get("/explain")
@guarded
def ask(_caller: Backend) -> Response:
    """Ask what a login would say."""
    return page("explain", typed={}, explained=None)


@pages.post("/explain")
@guarded
def explain(caller: Backend) -> Response:
    """Return what a login would do, and why; change nothing."""
    here, typed = context(), {name: field(name) for name in LOGIN_MEMBERS}
    try:
        explained = explain_login(
            store_of(caller), here.encryption, caller, read_fields(LOGIN, **typed), limits(caller)
        )
    except Refused as refused:
        return page("explain", 422, typed=typed, explained=None, errors=refused.errors)
    except ProofInvalid:
        return page("explain", 422, typed=typed, explained=None, is_proof_invalid=True)
    return page("explain", typed=typed, explained=explained)


@pages.get("/users/<id>/erase")
@guarded
def ask_to_erase(caller: Backend, id: str) -> Response:
    """Ask whether a user is to be erased."""
    return page("erase", profile=desk.profile(store_of(caller), id))


@pages.post("/users/<id>/erase")
@guarded
def erase(caller: Backend, id: str) -> Any:
    """Erase a user, of whom the form says that it is they who are meant."""
    profile = desk.profile(store_of(caller), id)
    # Who became part of somebody since is not whom the form showed.
    if field("erase") != profile.user.id:
        return page("erase", 422, profile=profile, is_unconfirmed=True)
    erasing.erase(store_of(caller), caller.actor, profile.user.id)
    return redirect(url_for("console.users.found", done="erased"), 303)
