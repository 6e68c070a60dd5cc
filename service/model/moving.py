"""What is moved from one installation to another: people with all that is theirs, whole or not at all."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

# The values of one row.
Row = tuple[Any, ...]


class BadLine(Exception):
    """A line, or what belongs together, is not what it has to be; the message says why, and nothing of what
    it says."""


@dataclass(frozen=True)
class Person:
    """One person: a user and all who were ever one with them by a merge, each after whom they are part of,
    with all that is theirs: ``rows`` by the name of their kind.

    ``anonymous`` are the devices, by their digests, whose anonymous user is one of them, each with that user.
    """

    users: tuple[str, ...]
    rows: Mapping[str, Sequence[Row]]
    anonymous: Sequence[tuple[str, str]] = ()


class Claim(Enum):
    """What only one user may have."""

    USER_ID = auto()
    EMAIL = auto()
    STORE_ACCOUNT = auto()
    DEVICE = auto()
    ID = auto()


# Of each claim what is claimed, or what somebody has.
Claims = Mapping[Claim, set[Any]]


@dataclass(frozen=True)
class Prepared:
    """A person as they are written: the rows of each table, by the name of its kind; what only one user may
    have; the emails to lock; and which devices have to be there, and since when if they are not."""

    person: Person
    written: Mapping[str, Sequence[Row]]
    claims: Claims
    emails: tuple[str, ...]
    devices: Mapping[str, int]


def no_claims() -> dict[Claim, set[Any]]:
    """Return that nothing is claimed."""
    return defaultdict(set)
