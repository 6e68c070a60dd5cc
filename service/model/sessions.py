"""Devices, and who is logged in there; and who is signed in to the console."""

from dataclasses import dataclass, field
from typing import NamedTuple

from service.model.apps import Settings
from service.model.users import Claim
from service.times import DAY


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """An agent at the console. ``name`` is what users see of who writes to them."""

    name: str | None
    began_at: int


@dataclass(frozen=True, slots=True)
class Device:
    """One installation. ``digest`` is the SHA-256 of its device ID; ``anonymous`` its anonymous
    user's id; ``clears`` the sticky flag of clearAnonymousUser; ``sharing`` that of
    allowSharingStoreAccount, None while nobody set it."""

    digest: str
    anonymous: str | None
    clears: bool
    sharing: bool | None = None


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
