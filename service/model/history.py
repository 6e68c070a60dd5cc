"""What happened to a user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.model.callers import Actor


class Event(StrEnum):
    """What can happen to a user."""

    CREATED = "created"
    USER_ID_ATTACHED = "user-id-attached"
    USER_ID_REMOVED = "user-id-removed"
    USER_ID_CHANGED = "user-id-changed"
    EMAIL_CHANGED = "email-changed"
    NAME_CHANGED = "name-changed"
    ATTRIBUTES_CHANGED = "attributes-changed"
    CLEARED = "cleared"
    ALIAS_ADDED = "alias-added"
    MERGED = "merged"
    UNMERGED = "unmerged"
    PURCHASE = "purchase"
    ERASED = "erased"


Members = Mapping[str, str | Sequence[str] | None]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a user's history; ``before`` and ``after`` hold the members that changed."""

    id: str
    at: int
    event: Event
    rule: str | None
    actor: Actor
    before: Members | None
    after: Members | None
