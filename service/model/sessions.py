"""Devices, and who is logged in there; and who is signed in to the console."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from service.model.apps import Settings
from service.model.users import Claim
from service.times import DAY


class Colour(StrEnum):
    """By which people are told apart on a page."""

    BLUE = "blue"
    GREEN = "green"
    ORANGE = "orange"
    RED = "red"
    PURPLE = "purple"
    TEAL = "teal"
    PINK = "pink"
    BROWN = "brown"


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """An agent at the console. ``name`` is what users see of who writes to them; ``colour`` the one they
    chose, which other agents see."""

    name: str | None
    began_at: int
    colour: Colour | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """An agent who is signed in by the ``digest`` of what their browser holds, the conversation that they
    looked at last, and when. ``writes`` tells whether they were writing there."""

    digest: str
    name: str | None
    colour: Colour | None
    conversation: str | None
    at: int
    writes: bool


@dataclass(frozen=True, slots=True)
class Company:
    """Who else looks at a conversation, and the colours that agents chose, by their names."""

    others: tuple[Look, ...]
    colours: Mapping[str, Colour]


@dataclass(frozen=True, slots=True)
class Device:
    """One installation. ``digest`` is the SHA-256 of its device ID; ``anonymous`` its anonymous
    user's id; ``clears`` the sticky flag of clearAnonymousUser; ``sharing`` that of
    allowSharingStoreAccount, None while nobody set it; ``last_user`` who logged in there last, by the id of
    the user to whom their ID was given, of those who say who they are."""

    digest: str
    anonymous: str | None
    clears: bool
    sharing: bool | None = None
    last_user: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """What a device is logged in as. ``claim`` is what an unverified login of somebody said; ``home`` is
    the user whose ID it logged in with, who may be part of ``user`` now; ``user_id_digest`` is of that ID, if
    there was one."""

    device: str
    user: str
    verified: bool
    began_at: int
    used_at: int
    claim: Claim | None = None
    home: str = ""
    user_id_digest: str | None = None

    def expires_at(self, settings: Settings) -> int:
        """Return when it ends if nothing more happens, by the settings as they are now."""
        return min(self.began_at + settings.session_days * DAY, self.used_at + settings.idle_days * DAY)


class Token(NamedTuple):
    """A session's token, by what is kept of it: the digests of its device and of the token."""

    device: str
    digest: str


@dataclass(frozen=True, slots=True)
class SessionShown:
    """A session as its holder is told of it; ``token`` is there in the login's answer only."""

    expires_at: int
    verified: bool
    token: str | None = field(default=None, repr=False)
