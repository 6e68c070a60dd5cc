"""Apps, their settings and their keys."""

from dataclasses import dataclass, field
from enum import StrEnum


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


# The fewest days after which an app may have a session end.
MIN_SESSION_DAYS = 1


@dataclass(frozen=True, slots=True)
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


# Of an app that is being erased: each session was over a day before it began, for a former release too, and
# no page may call.
ERASED = Settings(session_days=-1, idle_days=-1)


@dataclass(frozen=True, slots=True)
class App:
    """A tenant: one product whose users are supported."""

    id: str
    name: str
    settings: Settings
    created_at: int

    @property
    def is_erased(self) -> bool:
        """Whether it is gone for everybody, though not all that was in it is."""
        return self.settings == ERASED


class KeyKind(StrEnum):
    """What a key of an app is for."""

    SECRET = "secret"  # noqa: S105 - the word of the API, no secret
    PUBLISHABLE = "publishable"
    IDENTITY = "identity"


class ProofKind(StrEnum):
    """How proofs are made with an identity key: JWTs, HMACs of user IDs, or HMACs of emails. A JWT's
    signature is an HMAC, and an HMAC does not say what it is of, so no key is made for several; those that
    are older than this choice may be."""

    JWT = "jwt"
    HMAC = "hmac"
    HMAC_EMAIL = "hmac-email"
    BOTH = "both"


# What a new identity key may be for.
ONE_WAY = (ProofKind.JWT, ProofKind.HMAC, ProofKind.HMAC_EMAIL)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of an app. ``plain`` is there in the answer that made it, and never again; ``proof`` is there
    for identity keys."""

    id: str
    kind: KeyKind
    created_at: int
    last_used_at: int | None = None
    proof: ProofKind | None = None
    plain: str | None = field(default=None, repr=False)
