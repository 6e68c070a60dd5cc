"""Conversations: those that wait, beside one with its messages; begin, reply, mark as read, settle."""

from secrets import token_urlsafe
from typing import Any

from flask import Blueprint, Response, g, redirect, request, url_for

from service.api.context import context, store_of
from service.api.schemas.conversations import ConversationIn, MessageIn, StatusIn
from service.api.schemas.fields import Digits, Shape
from service.console import attachments
from service.console.forms import field, fields, key_of_form, read_fields
from service.console.guard import guarded
from service.console.inbox import kept, show_conversation, show_list
from service.console.rendering import CONNECTING, page
from service.console.sealing import seal
from service.desk import conversations as desk
from service.desk import inbox, users
from service.model.callers import Backend
from service.model.conversations import Beginning
from service.model.errors import Refused
from service.texts import strip

pages = Blueprint("conversations", __name__)

# No conversation has as many messages.
MAX_NUMBER = 999_999_999


class ReadIn(Shape):
    """Up to which message agents have read."""

    through = Digits(0, MAX_NUMBER, required=True)


BEGINNING, MESSAGE, STATUS, READ = ConversationIn(), MessageIn(), StatusIn(), ReadIn()


@pages.get("")
@guarded
def home(caller: Backend) -> Response:
    """Show the conversations that wait, or those that are settled."""
    return show_list(caller)


@pages.post("/search")
@guarded
def look_for(caller: Backend) -> Any:
    """Go to the conversations in which something was written."""
    what = strip(field("q"))
    return redirect(url_for("console.conversations.home", search=seal(caller, what) if what else None), 303)


@pages.get("/conversations/<id>")
@guarded
def show(caller: Backend, id: str) -> Response:
    """Show a conversation beside the others."""
    return show_conversation(caller, id, request.args.get("before", ""))


@pages.post("/conversations/<id>/messages")
@guarded
def reply(caller: Backend, id: str) -> Any:
    """Write to the user."""
    try:
        said = read_fields(
            MESSAGE, body=field("body"), attachments=fields("attachments"), agentName=g.agent.name or ""
        )
        desk.write(store_of(caller), caller, id, key=key_of_form(caller, said), **said)
    except Refused as refused:
        attached = attachments.shown(caller, fields("attachments"))
        typed = {"typed": field("body"), "attached": attached}
        return show_conversation(caller, id, "", 422, errors=refused.errors, **typed)
    return _to(id, "replied")


@pages.post("/conversations/<id>/read")
@guarded
def mark_read(caller: Backend, id: str) -> Any:
    """Note that agents have read what the page showed."""
    inbox.mark_read(store_of(caller), caller, id, **read_fields(READ, through=field("through")))
    return _to(id, "read")


@pages.post("/conversations/<id>/status")
@guarded
def set_status(caller: Backend, id: str) -> Any:
    """Resolve or reopen."""
    status = read_fields(STATUS, status=field("status"))["status"]
    desk.set_status(store_of(caller), caller, id, status)
    return _to(id, status.value)


@pages.get("/users/<id>/conversations/new")
@guarded
def ask_to_begin(caller: Backend, id: str) -> Response:
    """Ask what to write to a user."""
    return _form_to_begin(caller, id)


@pages.post("/users/<id>/conversations")
@guarded
def begin(caller: Backend, id: str) -> Any:
    """Begin a conversation with a user."""
    typed = {"subject": field("subject"), "message": field("message")}
    try:
        said = read_fields(
            BEGINNING,
            **typed,
            attachments=fields("attachments"),
            user=id,
            agentName=g.agent.name or "",
        )
        made, _ = desk.begin(store_of(caller), caller, Beginning(**said), key_of_form(caller, said))
    except Refused as refused:
        attached = attachments.shown(caller, fields("attachments"))
        return _form_to_begin(caller, id, 422, typed=typed, attached=attached, errors=refused.errors)
    return _to(made.id, "begun")


def _form_to_begin(caller: Backend, id: str, status: int = 200, **values: Any) -> Response:
    user = users.show(store_of(caller), id)
    largest = context().config.attachment_bytes
    told = {"typed": {}, "attached": ()} | values
    shown = page("begin", status, user=user, key=token_urlsafe(16), largest=largest, **told)
    shown.headers["Content-Security-Policy"] = CONNECTING
    return shown


def _to(id: str, done: str) -> Any:
    return redirect(url_for("console.conversations.show", id=id, done=done, **kept()), 303)
