"""The frozen things that travel between the rooms; all times are epoch milliseconds, UTC."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from service.errors import FieldError
from service.frozen import quick
from service.identifiers import is_of_a_device
from service.times import DAY

Item = TypeVar("Item")


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


@quick
@dataclass(frozen=True)
class App:
    """A tenant: one product whose users are supported."""

    id: str
    name: str
    settings: Settings
    created_at: int


class KeyKind(StrEnum):
    """What a key of an app is for."""

    SECRET = "secret"  # noqa: S105 - the word of the API, no secret
    PUBLISHABLE = "publishable"
    IDENTITY = "identity"


class ProofKind(StrEnum):
    """How proofs are made with an identity key. A JWT's signature is an HMAC, so no key is made for both;
    those that are older than this choice may be."""

    JWT = "jwt"
    HMAC = "hmac"
    BOTH = "both"


# What a new identity key may be for.
ONE_WAY = (ProofKind.JWT, ProofKind.HMAC)


@quick
@dataclass(frozen=True)
class Key:
    """A key of an app. ``plain`` is there in the answer that made it, and never again; ``proof`` is there
    for identity keys."""

    id: str
    kind: KeyKind
    created_at: int
    last_used_at: int | None = None
    proof: ProofKind | None = None
    plain: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ConsoleSession:
    """An agent at the console. ``name`` is what users see of who writes to them."""

    name: str | None
    began_at: int


@quick
@dataclass(frozen=True)
class Actor:
    """Where a change comes from: by whom, and in which request; ``proven`` if the app's backend vouches for
    it, or a proof."""

    by: str
    request: str
    proven: bool = False


@dataclass(frozen=True)
class Operator:
    """Who calls with the admin key."""


@quick
@dataclass(frozen=True)
class Backend:
    """Who calls with an app's secret key: its backend, or an agent's tool. Whom it logs in is looked up
    together with its key."""

    app: App
    actor: Actor
    arrival: "Arrival | None" = None


@quick
@dataclass(frozen=True)
class Widget:
    """Who calls with an app's publishable key."""

    app: App
    actor: Actor


@quick
@dataclass(frozen=True)
class EndUser:
    """Who calls with a session token: one user on one device."""

    app: App
    user: "User"
    session: "Session"
    actor: Actor


Caller = Operator | Backend | Widget | EndUser


# --- users, devices, sessions --------------------------------------------------------------------


@quick
@dataclass(frozen=True)
class User:
    """One person's record in one app.

    ``user_id`` is the primary one; an anonymous user's is generated. ``aliases`` are further ones,
    oldest first. ``verified`` is false for devices' anonymous users, and for those of the world of claims
    that nobody proved. ``purchases`` are there where somebody asked for them.
    """

    id: str
    user_id: str | None
    email: str | None
    name: str | None
    aliases: tuple[str, ...]
    created_at: int
    verified: bool = True
    purchases: "tuple[Purchase, ...] | None" = None

    @property
    def user_ids(self) -> tuple[str, ...]:
        """All user IDs, the primary one first."""
        return self.aliases if self.user_id is None else (self.user_id, *self.aliases)

    @property
    def is_unproven(self) -> bool:
        """Whether somebody only claimed to be this user; nobody claims to be a device's anonymous one."""
        return not self.verified and not is_of_a_device(self.user_id)


@quick
@dataclass(frozen=True)
class Arrival:
    """Who comes to a device, as a backend says, the device's digest, and who that is, with the user to whom
    the ID was given: nobody, unless the device is known and has no anonymous user."""

    user_id: str
    device_id: str = field(repr=False)
    device: str
    found: tuple[User, str] | None = None


@dataclass(frozen=True)
class Device:
    """One installation. ``digest`` is the SHA-256 of its device ID; ``anonymous`` its anonymous
    user's id; ``clears`` the sticky flag of clearAnonymousUser; ``sharing`` that of
    allowSharingStoreAccount, None while nobody set it."""

    digest: str
    anonymous: str | None
    clears: bool
    sharing: bool | None = None


@quick
@dataclass(frozen=True)
class Session:
    """What a device is logged in as. ``claim`` is what an unverified login of somebody said; ``home`` is
    the user whose ID it logged in with, who may be part of ``user`` now."""

    device: str
    user: str
    verified: bool
    began_at: int
    used_at: int
    claim: "Claim | None" = None
    home: str = ""

    def expires_at(self, settings: Settings) -> int:
        """Answer when it ends if nothing more happens, by the settings as they are now."""
        return min(self.began_at + settings.session_days * DAY, self.used_at + settings.idle_days * DAY)


@quick
@dataclass(frozen=True)
class Claim:
    """Who a login says it is; every member may be missing."""

    user_id: str | None = None
    email: str | None = None
    name: str | None = None

    @property
    def names_somebody(self) -> bool:
        """Whether it claims an identity; a name alone is none."""
        return self.user_id is not None or self.email is not None


@quick
@dataclass(frozen=True)
class LoginSent:
    """What a login sends: a claim, a device, and perhaps what shows that the claim is true.

    ``email_as_sent`` is the email before it was made comparable, which is what an HMAC covers. ``ignored``
    are the members that are no part of the claim, as they can't be used, with why.
    """

    claim: Claim
    device_id: str | None = field(default=None, repr=False)
    proof: str | None = field(default=None, repr=False)
    email_as_sent: str | None = None
    ignored: tuple[FieldError, ...] = ()


@quick
@dataclass(frozen=True)
class Resolution:
    """Which rule decided a login, why, what it changed on a user who was there before, and what was left
    out, as it could not be used."""

    rule: str
    because: str
    changes: tuple[str, ...]
    ignored: tuple[FieldError, ...] = ()


@dataclass(frozen=True)
class Candidates:
    """Whom a login looks at, by our ids: who has the user ID, and all who have the email."""

    user_id: str | None
    email: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """What a login would do, and why."""

    rule: str
    because: str
    then: str
    user: User | None
    changes: tuple[str, ...]
    candidates: Candidates
    ignored: tuple[FieldError, ...] = ()


@quick
@dataclass(frozen=True)
class SessionShown:
    """A session as its holder is told of it; ``token`` is there in the login's answer only."""

    expires_at: int
    verified: bool
    token: str | None = field(default=None, repr=False)


@quick
@dataclass(frozen=True)
class Login:
    """What a login answers. ``device_id`` is a secret, as the session's token is. Where nobody proved
    anything, ``user`` is the claim, and nothing is told of what was found."""

    user: User | Claim
    session: SessionShown
    device_id: str = field(repr=False)
    created: bool
    resolution: Resolution


@dataclass(frozen=True)
class Me:
    """Who is logged in; for an unverified session of somebody, what its login said."""

    user: User | Claim
    session: SessionShown


# --- what happened to a user ---------------------------------------------------------------------


class Event(StrEnum):
    """What can happen to a user."""

    CREATED = "created"
    USER_ID_ATTACHED = "user-id-attached"
    USER_ID_REMOVED = "user-id-removed"
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


@dataclass(frozen=True)
class Entry:
    """One line of a user's history; ``before`` and ``after`` hold the members that changed."""

    id: str
    at: int
    event: Event
    rule: str | None
    actor: Actor
    before: Members | None
    after: Members | None


# --- conversations -------------------------------------------------------------------------------


class Status(StrEnum):
    """Where a conversation stands."""

    OPEN = "open"
    RESOLVED = "resolved"


class Side(StrEnum):
    """Who writes, and who reads."""

    USER = "user"
    AGENT = "agent"


@quick
@dataclass(frozen=True)
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


@quick
@dataclass(frozen=True)
class Author:
    """Who wrote a message; an agent has no id."""

    kind: Side
    name: str | None
    id: str | None = None


@quick
@dataclass(frozen=True)
class Message:
    """One message. ``number`` counts within its conversation, in the order of commits."""

    id: str
    number: int
    author: Author
    body: str
    verified: bool
    created_at: int


@quick
@dataclass(frozen=True)
class Scope:
    """Which conversations of an app a caller may see: one side's, one user's, one device's.

    ``and_agents`` adds what agents began, which belongs to no device. ``authors`` are the users whose
    messages it shows: a conversation that went back whole may hold another's.
    """

    app: str
    side: Side
    user: str | None = None
    device: str | None = None
    and_agents: bool = True
    authors: tuple[str, ...] | None = None


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


@dataclass(frozen=True)
class Transcript:
    """A conversation with all its messages."""

    conversation: Conversation
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Profile:
    """A user with what surrounds them: ``parts`` are those who became part of them, ``sessions`` where
    they are logged in, ``merges`` what they had to do with."""

    user: User
    parts: tuple[str, ...]
    sessions: tuple[Session, ...]
    merges: tuple["Merge", ...]


@dataclass(frozen=True)
class Export:
    """All that is stored about a user. ``parts`` are those who became part of them."""

    user: User
    parts: tuple[str, ...]
    history: tuple[Entry, ...]
    sessions: tuple[Session, ...]
    conversations: tuple[Transcript, ...]
    idempotency_keys: tuple[str, ...]
    store_accounts: "tuple[StoreAccount, ...]"
    attributes: "tuple[Attribute, ...]"
    fields: "tuple[Field, ...]"
    merges: tuple["Merge", ...]


# --- attributes ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attribute:
    """What was said of a user by a name, and when: under an ID of ``home``, who may be part of another. No
    value is one that was removed."""

    home: str
    name: str
    value: str | None
    at: int


# --- fields --------------------------------------------------------------------------------------

# What an email or a name is that somebody took away: nothing is shown then, whatever was said before.
REMOVED = ""


@dataclass(frozen=True)
class Field:
    """What was last said of ``home``, who is one with others, by the name of a member: ``email`` or ``name``.
    ``value`` is None if nothing was; ``rank`` tells what is shown, as in ``rules.fields``."""

    home: str
    name: str
    value: str | None
    rank: int


# --- merges --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moved:
    """What goes from one user to another in a merge: user IDs, and ids of all else."""

    user_ids: tuple[str, ...]
    conversations: tuple[str, ...]
    purchases: tuple[str, ...]
    store_accounts: tuple[str, ...]


@dataclass(frozen=True)
class Filled:
    """The blank fields of the survivor that a merge fills, with what they are filled with."""

    user_id: str | None = None
    email: str | None = None
    name: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The members that were filled."""
        members = {"userId": self.user_id, "email": self.email, "name": self.name}
        return tuple(name for name, value in members.items() if value is not None)


@dataclass(frozen=True)
class Merge:
    """How ``source`` became part of ``target``; without an id and a time, how it would.

    ``parked`` are the user IDs that moved nowhere, as nobody ever proved them; ``devices`` are those
    whose anonymous user this ended.
    """

    id: str | None
    source: str
    target: str
    rule: str
    moved: Moved
    filled: Filled
    created_at: int
    parked: tuple[str, ...] = ()
    devices: tuple[tuple[str, str], ...] = ()
    undone_at: int | None = None


# --- store accounts ------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoreAccount:
    """The login of an app store under which things are bought: an opaque text of that store. Each world
    knows its own; ``verified`` is that of whoever brought it."""

    store: str
    account: str
    verified: bool = True


@dataclass(frozen=True)
class Purchase:
    """One purchase. ``active_at`` a time while its end lies ahead of it, or it has none. ``claimed`` where
    nobody proved whose it is."""

    id: str
    store: str
    product: str
    transaction: str
    purchased_at: int
    expires_at: int | None
    claimed: bool = False

    def active_at(self, at: int) -> bool:
        """Tell whether it holds at a time."""
        return self.expires_at is None or self.expires_at > at


@dataclass(frozen=True)
class Restored:
    """What a purchase or a restore answers."""

    user: User
    resolution: Resolution
