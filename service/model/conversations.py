"""Conversations and their messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.model.attachments import Attachment


class Status(StrEnum):
    """Where a conversation stands."""

    OPEN = "open"
    RESOLVED = "resolved"


class Side(StrEnum):
    """Who writes, and who reads."""

    USER = "user"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A thread as one side sees it: ``unread`` counts the other side's messages, ``messages`` all. ``user``
    is None for those who may not know."""

    id: str
    user: str | None
    subject: str | None
    status: Status
    unread: int
    messages: int
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a message; an agent has no id."""

    kind: Side
    name: str | None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``number`` counts within its conversation, in the order of commits. ``body`` is empty if
    it has attachments alone, or was erased."""

    id: str
    number: int
    author: Author
    body: str
    verified: bool
    created_at: int
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a conversation begins with. ``user`` is whom an agent writes to, and ``attachments`` are what the
    first message names, by their ids; ``body`` may be empty beside them."""

    user: str | None
    subject: str | None
    body: str
    agent_name: str | None
    attachments: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """Which of its app's conversations a caller may see: one side's, one user's, one device's.

    ``and_agents`` adds what agents began, which belongs to no device. ``authors`` are the users whose
    messages it shows: a conversation that went back whole may hold another's.
    """

    side: Side
    user: str | None = None
    device: str | None = None
    and_agents: bool = True
    authors: tuple[str, ...] | None = None

    def includes(self, user: str, device: str | None) -> bool:
        """Return whether a user's conversation is in it, by the device where it was begun, None if an agent
        did; the store's queries ask the same."""
        if self.user not in (None, user):
            return False
        return self.device in (None, device) or (device is None and self.and_agents)


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation with all its messages."""

    conversation: Conversation
    messages: tuple[Message, ...]
