"""What changed in an app, for the app to follow."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from enum import StrEnum
from typing import Any

from service.model.conversations import Conversation, Message
from service.model.merges import Filled, Merge, Moved
from service.model.purchases import Purchase
from service.model.users import User


class EventType(StrEnum):
    """What can happen that an app is told of."""

    USER_CREATED = "user.created"
    USER_UPDATED = "user.updated"
    USER_MERGED = "user.merged"
    USER_UNMERGED = "user.unmerged"
    USER_CLEARED = "user.cleared"
    USER_ERASED = "user.erased"
    CONVERSATION_CREATED = "conversation.created"
    CONVERSATION_RESOLVED = "conversation.resolved"
    CONVERSATION_REOPENED = "conversation.reopened"
    MESSAGE_CREATED = "message.created"
    PURCHASE_RECORDED = "purchase.recorded"
    SESSION_ENDED = "session.ended"


class Ended(StrEnum):
    """Why a session ended, where an app is told of it."""

    LOGOUT = "logout"
    REPLACEMENT = "replacement"
    ERASE = "erase"


# Records by the names of members, and what else is said, as JSON has it.
Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One change: whom it is about, in which conversation and by which message, by our ids; and in ``data``
    the records as they were then. Of somebody who was erased since there is none."""

    id: str
    type: EventType
    at: int
    user: str
    conversation: str | None = None
    message: str | None = None
    data: Data | None = None


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session that is over; as a ``Session``, and nothing personal."""

    device: str
    verified: bool
    began_at: int
    used_at: int


def _of(kind: Callable[..., Any]) -> Callable[[dict[str, Any]], Any]:
    """Return what makes a record of its members. One that is missing, as a former release knew none, is as it
    is by default, else None; one that is known no more is left out."""
    defaults = {field.name: _default(field) for field in fields(kind)}  # type: ignore[arg-type]
    return lambda members: kind(**{name: members.get(name, default) for name, default in defaults.items()})


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return None if field.default is MISSING else field.default


_merge, _moved, _filled = _of(Merge), _of(Moved), _of(Filled)


def _as_merge(members: dict[str, Any]) -> Merge:
    parts = {"moved": _moved(members["moved"]), "filled": _filled(members["filled"])}
    return _merge(members | parts)  # type: ignore[no-any-return]


def _as_session(members: dict[str, Any]) -> EndedSession:
    # SQLite knows no booleans.
    return EndedSession(**members | {"verified": bool(members["verified"])})


# What is kept of a record is its members; here is what makes a record of them again.
RECORDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "user": _of(User),
    "separated": _of(User),
    "conversation": _of(Conversation),
    "merge": _as_merge,
    "purchase": _of(Purchase),
    "session": _as_session,
}


def as_records(data: dict[str, Any]) -> Data:
    """Make records of what was kept of them; what is no record is as it is."""
    return {name: RECORDS[name](value) if name in RECORDS else value for name, value in data.items()}


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it is read: of which app, and with the message that it is of, while there is one."""

    app: str
    event: Event
    message: Message | None


@dataclass(frozen=True, slots=True)
class Feed:
    """A piece of what changed in an app; up to which event it goes, if any; and whether there is more."""

    data: tuple[Told, ...]
    after: str | None
    more: bool
