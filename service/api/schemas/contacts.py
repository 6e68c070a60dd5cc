"""How to reach somebody, as they say it."""

from typing import Any

from service.api.schemas.fields import Shape, Text
from service.api.schemas.logins import NAME
from service.model import contacts, identifiers
from service.model.contacts import Contact

PHONE = {
    "description": "3 to 20 digits, spaces and + ( ) - . / between them, and an extension if there is one.",
    "maxLength": contacts.MAX_PHONE,
    "example": "+49 30 901820",
}
EMAIL = {
    "description": "At most 254 bytes, and 64 before the @.",
    "anyOf": [{"format": "email"}, {"enum": [None, ""]}],
    "example": "jane@example.org",
}


class ContactIn(Shape):
    """How to reach somebody; null and "" are as a member that is missing."""

    email = Text(identifiers.email, blank_is_missing=True, metadata=EMAIL)
    phone = Text(contacts.phone, blank_is_missing=True, metadata=PHONE)
    name = Text(identifiers.name, blank_is_missing=True, metadata=NAME)

    def made(self, members: dict[str, Any]) -> Contact:
        """Return what was said."""
        return Contact(**members)
