"""Users, and what was said of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from service.model.attributes import Said, Value
from service.model.contacts import Contact
from service.model.identifiers import email_key, is_of_a_device
from service.model.purchases import Purchase


@dataclass(frozen=True, slots=True)
class User:
    """One person's record in one app.

    ``user_id`` is the primary one; an anonymous user's is generated. ``aliases`` are further ones,
    oldest first. ``email`` is the primary one; ``further_emails`` were last said of others who are part of
    the user, the latest first, and are None where they were not asked for: then the attributes lack as well.
    ``verified`` is false for devices' anonymous users, and for those of the world of claims that nobody
    proved. ``cleared`` is true of those anonymous users whom no end user can be again. ``purchases`` and
    ``contacts`` are there where somebody asked for them. ``version`` differs after each change of all else.
    """

    id: str
    user_id: str | None
    email: str | None
    name: str | None
    aliases: tuple[str, ...]
    created_at: int
    verified: bool = True
    cleared: bool = False
    purchases: tuple[Purchase, ...] | None = None
    version: int = 1
    further_emails: tuple[str, ...] | None = ()
    attributes: Mapping[str, Value] = field(default_factory=dict)
    contacts: tuple[Contact, ...] | None = None

    @property
    def emails(self) -> tuple[str, ...]:
        """All emails that are known, the primary one first. Raises TypeError where the further ones were not
        asked for, so that nobody is shown without them."""
        if self.further_emails is None:
            raise TypeError("what was said of who is part of this user was not asked for")
        return () if self.email is None else (self.email, *self.further_emails)

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
    """Who a login says it is, and what else of them; every member may be missing."""

    user_id: str | None = None
    email: str | None = None
    name: str | None = None
    attributes: Said = field(default_factory=dict)

    @property
    def names_somebody(self) -> bool:
        """Whether it claims an identity; a name alone is none."""
        return self.user_id is not None or self.email is not None


@dataclass(frozen=True, slots=True)
class UserChange:
    """What is corrected of a user: ``fields`` are their email and name, as far as they change, and None to
    remove one; ``attributes`` those that change, or are removed with all others."""

    fields: Mapping[str, str | None]
    attributes: Said = field(default_factory=dict)
    removes_attributes: bool = False


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


def emails_said(fields: Iterable[Field]) -> tuple[Field, ...]:
    """Return what was said of one of whom all these fields are that is an email of theirs, the latest first:
    all that counts, and was said since an email was removed."""
    counted = [field for field in fields if field.name == "email" and field.rank >= 0]
    latest_first = sorted(counted, key=lambda field: field.rank, reverse=True)
    since = takewhile(lambda field: field.value != REMOVED, latest_first)
    return tuple(field for field in since if field.value is not None)


def emails_of(fields: Iterable[Field]) -> tuple[str, ...]:
    """Return the emails of one of whom all these fields are, each once, the primary one first."""
    found: dict[str, str] = {}
    for said in emails_said(fields):
        found.setdefault(email_key(said.value or ""), said.value or "")
    return tuple(found.values())
