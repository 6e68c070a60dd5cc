"""What changed, as an app is told of it."""

import re
from collections.abc import Callable
from typing import Any

import marshmallow as ma

from service.api.schemas.conversations import ConversationOut, MessageOut
from service.api.schemas.fields import Answer, Digits, Shape, Text, Time
from service.api.schemas.merges import MergeOut
from service.api.schemas.people import KnownUserOut, PurchaseOut
from service.model.events import EventType, Told
from service.model.identifiers import Malformed, is_id
from service.model.purchases import Purchase
from service.times import rfc3339

TYPES = [type.value for type in EventType]
MAX_EVENTS = 100
SOME_TYPES = "^({0})(,({0}))*$".format("|".join(map(re.escape, TYPES)))
AFTER = {
    "description": "An event's id, or the `after` of the answer before.",
    "pattern": "^evt_[0-9a-f]{32}$",
}


def types(value: str) -> Any:
    """Read the types of events, with commas between. Raises Malformed for one that there is not."""
    words = value.split(",")
    if not set(words) <= set(TYPES):
        raise Malformed("unknown-choice", f"These are some of {', '.join(TYPES)}, with commas between.")
    return tuple(dict.fromkeys(map(EventType, words)))


def event_id(value: str) -> str:
    """Take the id of an event. Raises Malformed for what can't be one."""
    if not is_id("evt", value):
        raise Malformed("invalid-cursor", "This is the id of an event.")
    return value


class EventsIn(Shape):
    """Which events."""

    after = Text(event_id, metadata=AFTER)
    types = Text(types, metadata={"description": "Types, with commas between.", "pattern": SOME_TYPES})
    limit = Digits(1, MAX_EVENTS, load_default=MAX_EVENTS)

    def made(self, members: dict[str, Any]) -> dict[str, Any]:
        """Fill in what is missing."""
        return {"after": None, "types": ()} | members


class EndedSessionOut(Answer):
    """A session that is over; ``device`` is the SHA-256 of the device ID."""

    device = ma.fields.String()
    verified = ma.fields.Boolean()
    began_at = Time(data_key="beganAt")
    used_at = Time(data_key="lastUsedAt")


_WRITE: dict[str, Callable[[Any], Any]] = {
    "user": KnownUserOut().dump,
    "separated": KnownUserOut().dump,
    "conversation": ConversationOut().dump,
    "merge": MergeOut().dump,
    "session": EndedSessionOut().dump,
}
_MESSAGE, _PURCHASE = MessageOut(), PurchaseOut()


def written(told: Told) -> dict[str, Any]:
    """Write an event as an app is told of it, in a list or by a webhook: what it is about as every other
    answer has it, or its id alone."""
    event = told.event
    data: dict[str, Any] = {"user": {"id": event.user}}
    if event.conversation is not None:
        data["conversation"] = {"id": event.conversation}
    if event.message is not None:
        data["message"] = _MESSAGE.dump(told.message) if told.message else {"id": event.message}
    for name, record in (event.data or {}).items():
        if isinstance(record, Purchase):
            data[name] = _PURCHASE.dump(record) | {"active": record.active_at(event.at)}
        else:
            data[name] = _WRITE[name](record) if name in _WRITE else record
    at = rfc3339(event.at)
    return {"id": event.id, "type": event.type.value, "at": at, "app": told.app, "data": data}


class EventOut(Answer):
    """What changed; ``data`` says it as docs/webhooks.md has it."""

    id = ma.fields.String()
    type = ma.fields.String(metadata={"enum": TYPES})
    at = ma.fields.String(metadata={"format": "date-time"})
    app = ma.fields.String()
    data = ma.fields.Dict()

    def written(self, record: Told) -> dict[str, Any]:
        """Write one event."""
        return written(record)


class EventsOut(Answer):
    """Events in order, the one to go on ``after``, and whether there are more by now."""

    data = ma.fields.List(ma.fields.Nested(EventOut()))
    after = ma.fields.String(allow_none=True)
    more = ma.fields.Boolean()
