"""What a login says and answers."""

from dataclasses import dataclass, field, replace

from service.model.errors import FieldError
from service.model.sessions import SessionShown
from service.model.users import Claim, User


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """What a login sends: a claim, a device, and perhaps what shows that the claim is true.

    ``email_as_sent`` is the email before it was made comparable, which is what an HMAC covers. ``ignored``
    are the members that are no part of the claim, as they can't be used, with why.
    """

    claim: Claim
    device_id: str | None = field(default=None, repr=False)
    proof: str | None = field(default=None, repr=False)
    email_as_sent: str | None = None
    ignored: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class ComingBack:
    """Somebody known, who is one with nobody, and logs in on a known device, by its digest, so that nothing
    changes but its session: they have this user ID in the verified or the unverified world, and their email,
    name and attributes, as far as they are given, are these; the attributes as JSON.

    ``token`` is the digest of the new session's; ``claim`` what the session keeps of an unproven login.
    """

    user_id: str
    verified: bool
    device: str
    email: str | None
    name: str | None
    attributes: str | None
    token: str
    claim: Claim | None
    at: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """Which rule decided a login, why, what it changed on a user who was there before, and what was left
    out, as it could not be used."""

    rule: str
    because: str
    changes: tuple[str, ...]
    ignored: tuple[FieldError, ...] = ()

    def ignoring(self, ignored: tuple[FieldError, ...]) -> "Resolution":
        """Return it with more that was left out, before what was."""
        return replace(self, ignored=ignored + self.ignored)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Whom a login looks at, by our ids: who has the user ID, and all who have the email."""

    user_id: str | None
    email: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a login would do, and why."""

    rule: str
    because: str
    then: str
    user: User | None
    changes: tuple[str, ...]
    candidates: Candidates
    ignored: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class Login:
    """What a login answers. ``device_id`` is a secret, as the session's token is. Where nobody proved
    anything, ``user`` is the claim, and nothing is told of what was found. ``repeats`` is whether all but
    the session was answered before."""

    user: User | Claim
    session: SessionShown
    device_id: str = field(repr=False)
    created: bool
    resolution: Resolution
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Added:
    """What adding somebody answers: who it is, whether they are new, and why; ``repeats`` is whether that was
    answered before."""

    user: User
    created: bool
    resolution: Resolution
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Me:
    """Who is logged in; for an unverified session of somebody, what its login said."""

    user: User | Claim
    session: SessionShown


@dataclass(frozen=True, slots=True)
class Restored:
    """What a purchase or a restore answers."""

    user: User
    resolution: Resolution
