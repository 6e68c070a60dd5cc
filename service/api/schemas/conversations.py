"""Conversations, messages, and pages of them."""

import base64
import binascii
import re
from typing import Any

import marshmallow as ma

from service.api.schemas.attachments import AttachmentOut
from service.api.schemas.fields import (
    Answer,
    Digits,
    Enum,
    List,
    Shape,
    Text,
    TextIfAny,
    Time,
    Written,
)
from service.api.schemas.logins import NAME, as_sent
from service.model.attachments import MAX_OF_MESSAGE
from service.model.conversations import Conversation, Side, Status
from service.model.errors import Refused
from service.model.identifiers import Malformed, name, optional_text, text
from service.times import rfc3339

MAX_BODY = 10_000  # code points
MAX_SUBJECT = 255
LARGEST_POSITION = 2**63 - 1

# What stands in place of a body that is not there.
MISSING = Malformed("required", "This member is required.")
NULL = Malformed("null", "This member is not null.")

_POSITION = re.compile(r"([0-9]{1,19})\.([a-z0-9_]{0,80})", re.ASCII)


def optional_body(value: str) -> Any:
    """Take a message's body; where nothing can be seen, return the Malformed that says so."""
    try:
        return text(value, MAX_BODY)
    except Malformed as malformed:
        if malformed.code == "empty":
            return malformed
        raise


def subject(value: str) -> str | None:
    """Take a conversation's subject; None where nothing can be seen."""
    return optional_text(value, MAX_SUBJECT)


def cursor(at: int, id: str) -> str:
    """Write where a page ends."""
    return base64.urlsafe_b64encode(f"{at}.{id}".encode()).decode().rstrip("=")


def position(value: str) -> Any:
    """Read where a page ended. Raises Malformed for anything that ``cursor`` did not write."""
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        plain = ""
    found = _POSITION.fullmatch(plain)
    if found is None or int(found[1]) > LARGEST_POSITION:
        raise Malformed("invalid-cursor", "This is a nextCursor as it was answered.")
    return int(found[1]), found[2]


def said(members: dict[str, Any], name: str) -> dict[str, Any]:
    """Take no body, or none of which anything can be seen, beside attachments only; ``name`` is what the body
    is called. Raises Refused."""
    text, attachments = members["body"] or NULL, members["attachments"]
    if isinstance(text, Malformed):
        if not attachments:
            raise Refused.member(name, text.code, text.detail)
        members["body"] = ""
    if len(attachments) > MAX_OF_MESSAGE:
        raise Refused.member(
            "attachments", "too-many", f"A message has at most {MAX_OF_MESSAGE} attachments."
        )
    return members


BODY = {"minLength": 1, "maxLength": MAX_BODY, "pattern": r"^[^\x00]*$", "example": "Where is it?"}
ATTACHMENTS = {"maxItems": MAX_OF_MESSAGE, "description": "The ids of files that were sent for it."}
SUBJECT = {"maxLength": MAX_SUBJECT, "pattern": r"^[^\x00]*$", "example": "Parcel"}


class ConversationIn(Shape):
    """A conversation that is begun; ``user`` and ``agentName`` are for a secret key."""

    subject = Text(subject, blank_is_missing=True, metadata=SUBJECT)
    message = Text(
        optional_body, allow_none=True, load_default=lambda: MISSING, attribute="body", metadata=BODY
    )
    attachments = List(Text(as_sent), load_default=list, metadata=ATTACHMENTS)
    # Asked for its default, the OpenAPI document would show one that the member's type does not have.
    user = Text(as_sent, load_default=lambda: None)
    agent_name = Text(name, data_key="agentName", blank_is_missing=True, metadata=NAME)

    def made(self, members: dict[str, Any]) -> dict[str, Any]:
        """As a message's."""
        return said(members, "message")


class MessageIn(Shape):
    """A message; ``agentName`` is for a secret key."""

    body = Text(optional_body, allow_none=True, load_default=lambda: MISSING, metadata=BODY)
    attachments = List(Text(as_sent), load_default=list, metadata=ATTACHMENTS)
    agent_name = Text(name, data_key="agentName", blank_is_missing=True, metadata=NAME)

    def made(self, members: dict[str, Any]) -> dict[str, Any]:
        """Take no body beside attachments only."""
        return said(members, "body")


class StatusIn(Shape):
    """Where a conversation stands from now on."""

    status = Enum(Status, required=True)


class PageIn(Shape):
    """Which page of a list; a parameter that is not given is None."""

    limit = Digits(1, 100, load_default=20)
    cursor = Text(position, metadata={"description": "The `nextCursor` of the page before."})

    def made(self, members: dict[str, Any]) -> dict[str, Any]:
        """Fill in the parameters that are missing."""
        return {field.attribute or name: None for name, field in self.fields.items()} | members


class ConversationsIn(PageIn):
    """Which conversations; ``user`` is for a secret key."""

    user = Text(as_sent)
    status = Enum(Status)


class MessagesIn(PageIn):
    """Which messages."""

    after = Text(as_sent, metadata={"description": "A message's id."})


class ConversationOut(Answer):
    """A conversation as one side sees it."""

    id = ma.fields.String()
    user = ma.fields.String(allow_none=True)
    subject = ma.fields.String(allow_none=True)
    status = ma.fields.Enum(Status, by_value=True)
    unread = ma.fields.Integer()
    created_at = Time(data_key="createdAt")
    updated_at = Time(data_key="updatedAt")

    def written(self, record: Conversation) -> dict[str, Any]:
        """Write one conversation: by hand, as a list has twenty of them."""
        return {
            "id": record.id,
            "user": record.user,
            "subject": record.subject,
            "status": record.status,
            "unread": record.unread,
            "createdAt": rfc3339(record.created_at),
            "updatedAt": rfc3339(record.updated_at),
        }


class AuthorOut(Answer):
    """Who wrote a message; an agent has no id."""

    sometimes = frozenset({"id"})

    kind = ma.fields.Enum(Side, by_value=True)
    id = TextIfAny()
    name = ma.fields.String(allow_none=True)


class MessageOut(Answer):
    """A message."""

    id = ma.fields.String()
    author = ma.fields.Nested(AuthorOut())
    body = Written(lambda body: body or None, allow_none=True)
    attachments = ma.fields.List(ma.fields.Nested(AttachmentOut()))
    verified = ma.fields.Boolean()
    created_at = Time(data_key="createdAt")


class Cursor(Written):
    """A position, opaque to whoever gets it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(lambda position: cursor(*position), **kwargs)


class ConversationsOut(Answer):
    """A page of conversations."""

    data = ma.fields.List(ma.fields.Nested(ConversationOut()))
    next = Cursor(data_key="nextCursor", allow_none=True)


class MessagesOut(Answer):
    """A page of messages."""

    data = ma.fields.List(ma.fields.Nested(MessageOut()))
    next = Cursor(data_key="nextCursor", allow_none=True)
