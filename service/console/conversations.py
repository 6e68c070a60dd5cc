"""Conversations: those that wait, and one with its messages; reply, mark as read, resolve, reopen."""

import secrets
from contextlib import suppress
from typing import Any

from flask import Blueprint, Response, g, redirect, request, url_for

from service.api.context import store_of
from service.api.idempotency_keys import key_for, read_key
from service.api.schemas.conversations import ConversationsIn, MessageIn, MessagesIn, StatusIn
from service.api.schemas.conversations import cursor as text_of
from service.console.forms import field, read_fields
from service.console.guard import guarded
from service.console.rendering import page
from service.desk import conversations as desk
from service.desk import users
from service.desk.apps import keys_to_rotate
from service.model.callers import Backend
from service.model.conversations import Conversation
from service.model.errors import NotFound, Refused
from service.model.idempotency_keys import IdempotencyKey
from service.model.users import User

pages = Blueprint("conversations", __name__)

LIST, MESSAGES, MESSAGE, STATUS = ConversationsIn(), MessagesIn(), MessageIn(), StatusIn()


@pages.get("")
@guarded
def home(caller: Backend) -> Response:
    """Show the conversations that wait, or those that are settled."""
    status = request.args.get("status", "open")
    which = read_fields(LIST, status="" if status == "all" else status, cursor=request.args.get("cursor", ""))
    found = desk.list_conversations(store_of(caller), caller, **which)
    return page(
        "home",
        which=status,
        found=found.data,
        next=found.next and text_of(*found.next),
        users=_users(caller, found.data),
        keys_to_rotate=keys_to_rotate(store_of(caller)),
    )


@pages.get("/conversations/<id>")
@guarded
def show(caller: Backend, id: str) -> Response:
    """Show a conversation with its messages."""
    return _shown(caller, id, request.args.get("cursor", ""))


@pages.post("/conversations/<id>/messages")
@guarded
def reply(caller: Backend, id: str) -> Any:
    """Write to the user."""
    try:
        said = read_fields(MESSAGE, body=field("body"), agentName=g.agent.name or "")
        desk.write(store_of(caller), caller, id, key=_key(caller, said), **said)
    except Refused as refused:
        return _shown(caller, id, "", 422, typed=field("body"), errors=refused.errors)
    return _to(id, "replied")


@pages.post("/conversations/<id>/read")
@guarded
def mark_read(caller: Backend, id: str) -> Any:
    """Note that agents have read all."""
    desk.mark_read(store_of(caller), caller, id)
    return _to(id, "read")


@pages.post("/conversations/<id>/status")
@guarded
def set_status(caller: Backend, id: str) -> Any:
    """Resolve or reopen."""
    status = read_fields(STATUS, status=field("status"))["status"]
    desk.set_status(store_of(caller), caller, id, status)
    return _to(id, status.value)


def _shown(caller: Backend, id: str, cursor: str, status: int = 200, **values: Any) -> Response:
    store = store_of(caller)
    conversation = desk.show(store, caller, id)
    found = desk.list_messages(store, caller, id, **read_fields(MESSAGES, limit="100", cursor=cursor))
    return page(
        "conversation",
        status,
        conversation=conversation,
        user=_users(caller, (conversation,)).get(conversation.user),
        messages=found.data,
        next=found.next and text_of(*found.next),
        key=secrets.token_urlsafe(16),
        **({"typed": ""} | values),
    )


def _users(caller: Backend, conversations: tuple[Conversation, ...]) -> dict[str | None, User]:
    """Return whose conversations these are; of who was erased meanwhile, nothing."""
    found: dict[str | None, User] = {}
    for id in {conversation.user for conversation in conversations}:
        with suppress(NotFound):
            found[id] = users.show(store_of(caller), id or "")
    return found


def _key(caller: Backend, said: dict[str, Any]) -> IdempotencyKey | None:
    """Read the key that the form was shown with: sent twice, a reply is written once."""
    text = read_key(field("key") or None, "key")
    return None if text is None else key_for(caller, text, said)


def _to(id: str, done: str) -> Any:
    return redirect(url_for("console.conversations.show", id=id, done=done), 303)
