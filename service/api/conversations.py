"""Conversations and their messages, for users and for agents."""

from contextlib import suppress
from typing import Any

from flask import Blueprint
from werkzeug.exceptions import HTTPException

from service.api.auth import page_of
from service.api.bodies import read
from service.api.context import serving, store_of
from service.api.endpoints import alt_response, body, open_to, query, refuses, response
from service.api.idempotency_keys import has_key, once
from service.api.schemas.conversations import (
    ConversationIn,
    ConversationOut,
    ConversationsIn,
    ConversationsOut,
    MessageIn,
    MessageOut,
    MessagesIn,
    MessagesOut,
    StatusIn,
)
from service.desk import conversations as desk
from service.model.callers import Backend, EndUser
from service.model.conversations import Beginning, Conversation, Status
from service.model.errors import Refused
from service.model.idempotency_keys import IdempotencyKey
from service.model.pages import Page
from service.model.sessions import Token
from service.store import AppStore
from service.store.engine.prepared import Question

api = Blueprint("conversations", __name__, url_prefix="/v1/conversations")

Caller = EndUser | Backend

CONVERSATIONS, MESSAGE = ConversationsIn(), MessageIn()


@api.post("")
@open_to(EndUser, Backend)
@body(ConversationIn())
@once
@response(201, ConversationOut())
@alt_response(200, ConversationOut())
@refuses(404)
def begin(caller: Caller, content: dict[str, Any], key: IdempotencyKey | None) -> Any:
    """Begin a conversation with its first message.

    That has `message`, `attachments`, or both. With a secret key also `user`, whom the agent writes to, and
    `agentName`. 200 if the same `Idempotency-Key` began it before.
    """
    conversation, is_new = desk.begin(store_of(caller), caller, Beginning(**content), key)
    return conversation, 201 if is_new else 200


def _page_ahead(store: AppStore, token: Token) -> Question | None:
    # What is wrong with the query is told later, to who may call.
    with suppress(Refused, HTTPException):
        return desk.page_ahead(store, token, **read(CONVERSATIONS, serving().request, "query"))
    return None


@api.get("")
@open_to(EndUser, Backend, ahead=_page_ahead)
@query(CONVERSATIONS)
@response(200, ConversationsOut())
@refuses(404)
def list_conversations(caller: Caller, params: dict[str, Any]) -> Page[Conversation]:
    """List conversations, the newest activity first.

    With a secret key those of the whole app, or of one `user`.
    """
    return desk.list_conversations(store_of(caller), caller, **params)


@api.get("/<id>")
@open_to(EndUser, Backend)
@response(200, ConversationOut())
@refuses(404)
def show(caller: Caller, id: str) -> Conversation:
    """Show one conversation."""
    return desk.show(store_of(caller), caller, id)


@api.patch("/<id>")
@open_to(EndUser, Backend)
@body(StatusIn())
@response(200, ConversationOut())
@refuses(404)
def set_status(caller: Caller, content: dict[str, Status], id: str) -> Conversation:
    """Resolve a conversation, or reopen it."""
    return desk.set_status(store_of(caller), caller, id, content["status"])


@api.get("/<id>/messages")
@open_to(EndUser, Backend)
@query(MessagesIn())
@response(200, MessagesOut())
@refuses(404)
def list_messages(caller: Caller, params: dict[str, Any], id: str) -> Any:
    """List messages, the oldest first.

    Those after the message `after`, for polling; a later page by `cursor`.
    """
    return desk.list_messages(store_of(caller), caller, id, **params)


def _message_ahead(store: AppStore, token: Token) -> Question | None:
    current = serving().request
    # Whether a page may write depends on the app, and nothing is written before that is known.
    if page_of(current) is not None or current.view_args is None or has_key():
        return None
    with suppress(Refused, HTTPException):
        content = read(MESSAGE, current)
        return desk.write_ahead(store, token, current.view_args["id"], **content)
    return None


@api.post("/<id>/messages")
@open_to(EndUser, Backend, ahead=_message_ahead)
@body(MESSAGE)
@once
@response(201, MessageOut())
@alt_response(200, MessageOut())
@refuses(404)
def write(caller: Caller, content: dict[str, Any], id: str, key: IdempotencyKey | None) -> Any:
    """Write a message.

    A user's message reopens a resolved conversation. 200 if the same `Idempotency-Key` wrote it before.
    """
    message, is_new = desk.write(store_of(caller), caller, id, key=key, **content)
    return message, 201 if is_new else 200


@api.post("/<id>/read")
@open_to(EndUser, Backend)
@once
@response(204)
@refuses(404)
def mark_read(caller: Caller, id: str, key: IdempotencyKey | None) -> None:
    """Note that this side has read all."""
    desk.mark_read(store_of(caller), caller, id, key)
