"""The frozen things that travel between the rooms; all times are epoch milliseconds, UTC."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

Item = TypeVar("Item")


def now() -> int:
    """Answer the time, in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


DAY = 24 * 60 * 60 * 1000
MINUTE = 60 * 1000


# --- apps and credentials ------------------------------------------------------------------------


class AnonymousPolicy(StrEnum):
    """What becomes of a device's anonymous user when somebody logs in there."""

    KEEP = "keep"
    CLEAR = "clear"
    MERGE = "merge"
    MERGE_ONCE = "merge-once"


class Verification(StrEnum):
    """Whether a publishable key needs a proof for an identity."""

    REQUIRED = "required"
    OFF = "off"


class ConversationScope(StrEnum):
    """Whether a user sees conversations on all devices, or only where each was started."""

    USER = "user"
    DEVICE = "device"


class RestoreBehavior(StrEnum):
    """What a restore does with another identified user's store account."""

    ALIAS = "alias"
    TRANSFER = "transfer"
    KEEP = "keep"


class Switch(StrEnum):
    """A setting that is on or off."""

    ON = "on"
    OFF = "off"


@dataclass(frozen=True)
class Settings:
    """An app's settings, with their defaults."""

    identity_verification: Verification = Verification.REQUIRED
    anonymous_on_login: AnonymousPolicy = AnonymousPolicy.KEEP
    conversation_scope: ConversationScope = ConversationScope.USER
    restore_behavior: RestoreBehavior = RestoreBehavior.ALIAS
    client_purchases: Switch = Switch.OFF
    revenuecat: Switch = Switch.OFF
    origins: tuple[str, ...] = ()
    session_days: int = 30
    idle_days: int = 7


@dataclass(frozen=True)
class App:
    """A tenant: one product whose users are supported."""

    id: str
    name: str
    settings: Settings
    created_at: int


class KeyKind(StrEnum):
    """What a key of an app is for."""

    SECRET = "secret"  # noqa: S105 - the word of the contract, no secret
    PUBLISHABLE = "publishable"
    IDENTITY = "identity"


@dataclass(frozen=True)
class Key:
    """A key of an app. ``plain`` is there in the answer that made it, and never again."""

    id: str
    kind: KeyKind
    created_at: int
    last_used_at: int | None = None
    plain: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Operator:
    """Who calls with the admin key."""


@dataclass(frozen=True)
class Backend:
    """Who calls with an app's secret key: its backend, or an agent's tool."""

    app: App


@dataclass(frozen=True)
class Widget:
    """Who calls with an app's publishable key."""

    app: App


@dataclass(frozen=True)
class Visitor:
    """Who calls with a session token: one user on one device."""

    app: App
    user: "User"
    session: "Session"


Caller = Operator | Backend | Widget | Visitor


# --- users, devices, sessions --------------------------------------------------------------------


@dataclass(frozen=True)
class User:
    """One person's record in one app.

    ``user_id`` is the primary one; an anonymous user's is generated. ``aliases`` are further ones,
    oldest first.
    """

    id: str
    user_id: str | None
    email: str | None
    name: str | None
    aliases: tuple[str, ...]
    created_at: int


@dataclass(frozen=True)
class Device:
    """One installation. ``digest`` is the SHA-256 of its device ID; ``anonymous`` its anonymous
    user's id; ``clears`` the sticky flag of clearAnonymousUser."""

    digest: str
    anonymous: str | None
    clears: bool


@dataclass(frozen=True)
class Session:
    """What a device is logged in as."""

    device: str
    user: str
    verified: bool
    began_at: int
    used_at: int

    def expires_at(self, settings: Settings) -> int:
        """Answer when it ends if nothing more happens, by the settings as they are now."""
        return min(self.began_at + settings.session_days * DAY, self.used_at + settings.idle_days * DAY)


@dataclass(frozen=True)
class Claim:
    """Who a login says it is, and what is to show it; every member may be missing."""

    user_id: str | None = None
    email: str | None = None
    name: str | None = None
    proof: str | None = field(default=None, repr=False)

    @property
    def names_somebody(self) -> bool:
        """Whether it claims an identity; a name alone is none."""
        return self.user_id is not None or self.email is not None


@dataclass(frozen=True)
class Resolution:
    """Which rule decided a login, why, and what it changed on a user who was there before."""

    rule: str
    because: str
    changes: tuple[str, ...]


@dataclass(frozen=True)
class SessionShown:
    """A session as its holder is told of it; ``token`` is there in the login's answer only."""

    expires_at: int
    verified: bool
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Login:
    """What a login answers. ``device_id`` is a secret, as the session's token is."""

    user: User
    session: SessionShown
    device_id: str = field(repr=False)
    created: bool
    resolution: Resolution


@dataclass(frozen=True)
class Me:
    """Who is logged in."""

    user: User
    session: SessionShown


# --- conversations -------------------------------------------------------------------------------


class Status(StrEnum):
    """Where a conversation stands."""

    OPEN = "open"
    RESOLVED = "resolved"


class Side(StrEnum):
    """Who writes, and who reads."""

    USER = "user"
    AGENT = "agent"


@dataclass(frozen=True)
class Conversation:
    """A thread as one side sees it: ``unread`` counts the other side's messages."""

    id: str
    user: str
    subject: str | None
    status: Status
    unread: int
    created_at: int
    updated_at: int


@dataclass(frozen=True)
class Author:
    """Who wrote a message; an agent has no id."""

    kind: Side
    name: str | None
    id: str | None = None


@dataclass(frozen=True)
class Message:
    """One message. ``number`` counts within its conversation, in the order of commits."""

    id: str
    number: int
    author: Author
    body: str
    verified: bool
    created_at: int


@dataclass(frozen=True)
class View:
    """Which conversations of an app a caller may see: one side's, one user's, one device's."""

    app: str
    side: Side
    user: str | None = None
    device: str | None = None


# Where a page ends: a time or a number, and an id among those that share it.
Position = tuple[int, str]


@dataclass(frozen=True)
class Page(Generic[Item]):
    """One page of a list, and where it ends if there is more."""

    data: tuple[Item, ...]
    next: Position | None

    @classmethod
    def of(cls, found: tuple[Item, ...], limit: int, position: Callable[[Item], Position]) -> "Page[Item]":
        """Make a page of up to ``limit`` + 1 items, of which the last only tells that there is more."""
        data = found[:limit]
        return cls(data, position(data[-1]) if len(found) > limit else None)
