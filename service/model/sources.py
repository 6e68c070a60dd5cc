"""What another desk knew of people, in our words."""

from dataclasses import dataclass

from service.model.contacts import Contact
from service.model.errors import FieldError
from service.model.users import Claim


@dataclass(frozen=True, slots=True)
class Known:
    """One person: who it is and what is said of them; what nobody proved, by which they can be reached; and
    since when they were known there. ``ignored`` is what can't be used, and was left out."""

    claim: Claim
    contact: Contact = Contact()
    created_at: int | None = None
    ignored: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """Which user somebody is, by our id, by which rule of a login and why; whether they were made, or
    changed; and what of that which was said had no room."""

    user: str
    rule: str
    because: str
    created: bool
    changed: bool
    ignored: tuple[FieldError, ...] = ()
