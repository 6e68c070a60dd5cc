"""Conversations and their messages, for users and for agents."""

from contextlib import suppress
from typing import Any

from flask import Blueprint, request
from werkzeug.exceptions import HTTPException

from service.api.auth import page_of
from service.api.bodies import read
from service.api.context import serving, store_of
from service.api.endpoints import alt_response, body, doc, open_to, query, refuses, response
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
from service.model.conversations import Conversation, Status
from service.model.errors import Refused
from service.model.identifiers import Malformed, idempotency_key
from service.model.pages import Page
from service.model.sessions import Token
from service.store import AppStore
from service.store.engine.prepared import Question

api = Blueprint("conversations", __name__, url_prefix="/v1/conversations")

Caller = EndUser | Backend

CONVERSATIONS, MESSAGE = ConversationsIn(), MessageIn()

IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}


@api.post("")
@open_to(EndUser, Backend)
@body(ConversationIn())
@doc(parameters=[IDEMPOTENCY_KEY])
@response(201, ConversationOut())
@alt_response(200, ConversationOut())
@refuses(404)
def begin(caller: Caller, content: dict[str, Any]) -> Any:
    """Begin a conversation with its first message.

    With a secret key also `user`, whom the agent writes to, and `agentName`. 200 if the same
    `Idempotency-Key` began it before.
    """
    conversation, is_new = desk.begin(store_of(caller), caller, key=_key(), **content)
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
    if page_of(current) is not None or current.view_args is None:
        return None
    with suppress(Refused, HTTPException):
        content = read(MESSAGE, current)
        return desk.write_ahead(store, token, current.view_args["id"], key=_key(), **content)
    return None


@api.post("/<id>/messages")
@open_to(EndUser, Backend, ahead=_message_ahead)
@body(MESSAGE)
@doc(parameters=[IDEMPOTENCY_KEY])
@response(201, MessageOut())
@alt_response(200, MessageOut())
@refuses(404)
def write(caller: Caller, content: dict[str, Any], id: str) -> Any:
    """Write a message.

    A user's message reopens a resolved conversation. 200 if the same `Idempotency-Key` wrote it before.
    """
    message, is_new = desk.write(store_of(caller), caller, id, key=_key(), **content)
    return message, 201 if is_new else 200


@api.post("/<id>/read")
@open_to(EndUser, Backend)
@response(204)
@refuses(404)
def mark_read(caller: Caller, id: str) -> None:
    """Note that this side has read all."""
    desk.mark_read(store_of(caller), caller, id)


def _key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    try:
        return None if key is None else idempotency_key(key)
    except Malformed as malformed:
        raise Refused.member("Idempotency-Key", malformed.code, malformed.detail) from None
