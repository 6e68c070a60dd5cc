"""Users who are probably one person: by what they are compared, and what was found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from service.model.users import User


class Source(StrEnum):
    """From where something is known by which a user is compared with others."""

    EMAIL = "email"
    CONTACT = "contact"
    PHONE = "phone"
    DEVICE = "device"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Trait:
    """Something by which a user is compared: who shares its ``key`` may be the same person. ``value`` is an
    email as it was given, by its comparison key; ``home`` of whom it is known, the user or part of them."""

    key: str
    source: Source
    value: str = ""
    home: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A user as they are compared, with their traits by key."""

    user: User
    traits: Mapping[str, Trait] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why two users are taken for one person, or less so: the name of a signal, and what it says."""

    signal: str
    detail: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two users, by our ids, the lower one first; ``likelihood`` is in hundredths."""

    users: tuple[str, str]
    likelihood: int
    reasons: tuple[Reason, ...]

    @property
    def score(self) -> float:
        """How likely it is that they are one person, from 0 to 1."""
        return self.likelihood / 100


@dataclass(frozen=True, slots=True)
class Dismissal:
    """That somebody said of two users that they are not the same, and when."""

    users: tuple[str, str]
    at: int
