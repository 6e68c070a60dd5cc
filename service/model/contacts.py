"""How somebody said that they can be reached: nobody proved it, and no login looks at it."""

import re
import unicodedata
from dataclasses import dataclass

from service import texts
from service.model.identifiers import Malformed, email, email_key

MAX_PHONE = 64
MIN_DIGITS, MAX_DIGITS = 3, 20

NO_PHONE = "This is not a phone number: digits, spaces and + ( ) - . / with an extension, if there is one."

# A number, and an extension behind it as people write one.
_PHONE = re.compile(r"(\+?[0-9 ().\-/]+?)(?: *(?:;ext=|ext\.?|x|#) *[0-9]{1,8})?", re.IGNORECASE)
_NO_DIGIT = re.compile(r"[^0-9]")
# The digit that is dialled within the country only.
_TRUNK = re.compile(r"(?<=[0-9 ])\(0\)")


# By what a contact is found: the key of an email, or of a phone number.
ContactKey = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Contact:
    """An email, a phone number and a name that somebody left; each may be missing, but never all. ``home`` is
    the user under whose ID or email their session began, ``at`` when they said it last."""

    email: str | None = None
    phone: str | None = None
    name: str | None = None
    home: str = ""
    at: int = 0

    @property
    def said(self) -> tuple[str | None, str | None, str | None]:
        """What was said: an email, a phone number, a name."""
        return self.email, self.phone, self.name

    @property
    def says_something(self) -> bool:
        """Whether it says how to reach anybody."""
        return any(self.said)


def phone(text: str) -> str | None:
    """Return a phone number as it is shown, or ``None`` where nothing can be seen: at most 64 code points, in
    digits, spaces and ``+ ( ) - . /``, with an extension if there is one. Digits of any script, dashes and
    spaces of any kind are put in ASCII.

    Raises ``Malformed``: ``too-long``, ``invalid-phone``.
    """
    stripped = texts.strip(text)
    if not stripped:
        return None
    if len(stripped) > MAX_PHONE:
        raise Malformed("too-long", f"A phone number has at most {MAX_PHONE} characters.")
    shown = stripped
    if not stripped.isascii():
        shown = "".join(map(_plain, unicodedata.normalize("NFKC", stripped)))
    if not MIN_DIGITS <= len(phone_key(shown)) <= MAX_DIGITS:
        raise Malformed("invalid-phone", NO_PHONE)
    return shown


def phone_key(phone: str) -> str:
    """Return what a phone number is found by: its digits, without an extension and without what stands for
    the + before them. Nothing, if it is none."""
    found = _PHONE.fullmatch(phone)
    if not found:
        return ""
    number = found[1].strip()
    is_whole = number.startswith(("+", "00"))
    digits = _NO_DIGIT.sub("", _TRUNK.sub("", number) if is_whole else number)
    return digits.removeprefix("00")


def contact_key(text: str) -> ContactKey:
    """Return by which key of an email, or else of a phone number, a contact is found.

    Raises ``Malformed``: ``invalid-contact``.
    """
    try:
        found = email(text) if "@" in text else phone(text)
    except Malformed:
        found = None
    if found is None:
        raise Malformed("invalid-contact", "This is an email or a phone number.")
    return (email_key(found), None) if "@" in found else (None, phone_key(found))


def _plain(character: str) -> str:
    """Return the digit, the dash or the space that a character is, or else the character."""
    kind = unicodedata.category(character)
    if kind == "Nd":
        return str(unicodedata.decimal(character))
    return {"Pd": "-", "Zs": " "}.get(kind, character)
