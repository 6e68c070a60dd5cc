"""Users, and what was said of them."""

from dataclasses import dataclass

from service.model.identifiers import is_of_a_device
from service.model.purchases import Purchase


@dataclass(frozen=True, slots=True)
class User:
    """One person's record in one app.

    ``user_id`` is the primary one; an anonymous user's is generated. ``aliases`` are further ones,
    oldest first. ``verified`` is false for devices' anonymous users, and for those of the world of claims
    that nobody proved. ``purchases`` are there where somebody asked for them. ``version`` is another after
    each change of all else.
    """

    id: str
    user_id: str | None
    email: str | None
    name: str | None
    aliases: tuple[str, ...]
    created_at: int
    verified: bool = True
    purchases: tuple[Purchase, ...] | None = None
    version: int = 1

    @property
    def user_ids(self) -> tuple[str, ...]:
        """All user IDs, the primary one first."""
        return self.aliases if self.user_id is None else (self.user_id, *self.aliases)

    @property
    def is_unproven(self) -> bool:
        """Whether somebody only claimed to be this user; nobody claims to be a device's anonymous one."""
        return not self.verified and not is_of_a_device(self.user_id)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who a login says it is; every member may be missing."""

    user_id: str | None = None
    email: str | None = None
    name: str | None = None

    @property
    def names_somebody(self) -> bool:
        """Whether it claims an identity; a name alone is none."""
        return self.user_id is not None or self.email is not None


@dataclass(frozen=True, slots=True)
class Attribute:
    """What was said of a user by a name, and when: under an ID of ``home``, who may be part of another. No
    value is one that was removed."""

    home: str
    name: str
    value: str | None
    at: int


# What an email or a name is that somebody took away: nothing is shown then, whatever was said before.
REMOVED = ""


@dataclass(frozen=True, slots=True)
class Field:
    """What was last said of ``home``, who is one with others, by the name of a member: ``email`` or ``name``.
    ``value`` is None if nothing was; ``rank`` tells what is shown, as in ``rules.fields``."""

    home: str
    name: str
    value: str | None
    rank: int
