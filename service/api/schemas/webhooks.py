"""Webhooks, their secrets, and what became of deliveries."""

from typing import Any

import marshmallow as ma

from service.api.schemas.conversations import Cursor, PageIn
from service.api.schemas.events import TYPES
from service.api.schemas.fields import Answer, Boolean, Enum, List, Shape, Text, Time
from service.model.events import EventType
from service.model.webhooks import MAX_URL, DeliveryState, Disabled, webhook_url

URL = {"maxLength": MAX_URL, "example": "https://shop.example.org/usher"}


def some_types() -> Any:
    """Make the member that says of which types events are delivered; none are all."""
    return List(Enum(EventType), allow_none=True)


class WebhookIn(Shape):
    """Where events are delivered, and of which types; without types, all."""

    url = Text(webhook_url, required=True, metadata=URL)
    types = some_types()

    def made(self, members: dict[str, Any]) -> dict[str, Any]:
        """Read no types as all."""
        return members | {"types": unique(members.get("types"))}


class WebhookChangeIn(Shape):
    """What changes about a webhook."""

    url = Text(webhook_url, metadata=URL)
    types = some_types()
    enabled = Boolean()

    def made(self, members: dict[str, Any]) -> dict[str, Any]:
        """Read no types, where they are given, as all."""
        return members | ({"types": unique(members["types"])} if "types" in members else {})


def unique(types: list[EventType] | None) -> tuple[EventType, ...]:
    """Return types without those that stand there twice."""
    return tuple(dict.fromkeys(types or ()))


class DeliveriesIn(PageIn):
    """Which deliveries."""


class SecretOut(Answer):
    """A secret without what it is."""

    id = ma.fields.String()
    created_at = Time(data_key="createdAt")


class PlainSecretOut(SecretOut):
    """A secret; null if it was encrypted under another key, so that nobody can read it any more."""

    plain = ma.fields.String(data_key="secret", allow_none=True)


class WebhookOut(Answer):
    """A webhook; without types it is told all. ``disabled`` says why it is told nothing."""

    id = ma.fields.String()
    url = ma.fields.String()
    types = ma.fields.List(ma.fields.String(metadata={"enum": TYPES}))
    enabled = ma.fields.Boolean()
    disabled = ma.fields.Enum(Disabled, by_value=True, allow_none=True)
    failing_since = Time(data_key="failingSince", allow_none=True)
    secrets = ma.fields.List(ma.fields.Nested(SecretOut()))
    created_at = Time(data_key="createdAt")


class MadeWebhookOut(Answer):
    """A webhook that was made, with its secret."""

    webhook = ma.fields.Nested(WebhookOut())
    secret = ma.fields.Nested(PlainSecretOut())


class WebhooksOut(Answer):
    """All webhooks."""

    data = ma.fields.List(ma.fields.Nested(WebhookOut()))


class AttemptOut(Answer):
    """One attempt: the status that was answered and how the answer begins, or why there was none."""

    at = Time()
    milliseconds = ma.fields.Integer()
    status = ma.fields.Integer(allow_none=True)
    answer = ma.fields.String(allow_none=True)
    error = ma.fields.String(allow_none=True)


class DeliveryOut(Answer):
    """What became of an event at a webhook."""

    event = ma.fields.String()
    type = ma.fields.String()
    state = ma.fields.Enum(DeliveryState, by_value=True)
    next_at = Time(data_key="nextAttemptAt", allow_none=True)
    attempts = ma.fields.List(ma.fields.Nested(AttemptOut()))


class DeliveriesOut(Answer):
    """A page of deliveries."""

    data = ma.fields.List(ma.fields.Nested(DeliveryOut()))
    next = Cursor(data_key="nextCursor", allow_none=True)
