"""Who is probably one person? By what users are compared, and what it counts (docs/duplicates.md).

A name alone never counts, and nobody is merged by any of this: it is for people to look at. What many share
says nothing of any two of them, so each signal is worth something up to so many people.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from rapidfuzz import fuzz

from service.model.contacts import Contact, phone_key
from service.model.duplicates import Known, Pair, Reason, Source, Trait
from service.model.identifiers import email_key
from service.rules.mailboxes import is_mistyped, mailbox


@dataclass(frozen=True)
class Signal:
    """What two users share, and how likely, in hundredths, that alone makes it that they are one person. It
    says nothing where more than ``at_most`` people share it."""

    name: str
    at_most: int
    likelihood: int
    detail: str


SAME_EMAIL = Signal("same-email", 4, 90, "Both have the same email.")
EMAIL_VARIANT = Signal(
    "email-variant",
    4,
    85,
    "Their emails lead to one mailbox: they differ in case, in dots or in a tag that the provider ignores.",
)
MISTYPED_EMAIL = Signal(
    "mistyped-email",
    4,
    60,
    "Their emails lead to one mailbox if a mistyped domain of one is mended.",
)
SAME_CONTACT = Signal("same-contact", 4, 70, "One email leads to both; nobody proved that it is theirs.")
STORE_ACCOUNT = Signal("store-account", 2, 60, "One store account was theirs, one after the other.")
SAME_PHONE = Signal("same-phone", 4, 60, "Both left the same phone number; nobody proved that it is theirs.")
SHARED_DEVICE = Signal("shared-device", 2, 50, "Both have used one device in turn, and nobody else has.")
SIGNALS = (
    *(SAME_EMAIL, EMAIL_VARIANT, SAME_CONTACT, MISTYPED_EMAIL),
    *(STORE_ACCOUNT, SAME_PHONE, SHARED_DEVICE),
)


@dataclass(frozen=True)
class Beside:
    """What makes a signal say more or less, and alone says nothing: ``raises`` is how likely, in hundredths,
    what is left to doubt is no doubt, and ``keeps`` how much is left of a likelihood."""

    name: str
    raises: int
    keeps: int
    detail: str


SIMILAR_NAMES = Beside("similar-names", 60, 100, "Their names are nearly equal.")
DIFFERENT_NAMES = Beside(
    "different-names", 0, 54, "Their names differ, as in a household or an office that shares things."
)
UNPROVEN = Beside("unproven", 0, 85, "One of the two never proved who they are.")
BESIDES = (SIMILAR_NAMES, DIFFERENT_NAMES, UNPROVEN)

# What is less likely is not shown.
LEAST = 50
# As many people as any signal allows.
MOST = max(signal.at_most for signal in SIGNALS)

DETAILS: Mapping[str, str] = {one.name: one.detail for one in (*SIGNALS, *BESIDES)}

# Names are nearly equal from here on, in hundredths, and differ below.
_ALIKE, _APART = 90, 84
_NO_LETTER = re.compile(r"[\W_]+")


class Names(Enum):
    """What two names say of each other."""

    ALIKE = "alike"
    APART = "apart"
    NOTHING = "nothing"


def traits(user: str, emails: Iterable[str], contacts: Iterable[Contact]) -> dict[str, Trait]:
    """Return by what a user is compared that they have, and that they left, by key."""
    found: dict[str, Trait] = {}
    for email in emails:
        _add(found, _of_email(email, Source.EMAIL, user))
    for contact in contacts:
        if contact.email:
            _add(found, _of_email(contact.email, Source.CONTACT, user))
        if contact.phone and (number := phone_key(contact.phone)):
            _add(found, Trait(f"phone {number}", Source.PHONE, home=user))
    return found


def device(digest: str, home: str) -> Trait:
    """Return the trait of whoever used a device."""
    return Trait(f"device {digest}", Source.DEVICE, home=home)


def account(digest: str, home: str) -> Trait:
    """Return the trait of whoever a store account belongs to, or did."""
    return Trait(f"account {digest}", Source.ACCOUNT, home=home)


def assess(one: Known, other: Known, sharing: Mapping[str, int]) -> Pair | None:
    """Return how likely it is that two users are one person, and why, or None if it is not likely.

    ``sharing`` tells how many people share each key.
    """
    found = {
        signal
        for key in one.traits.keys() & other.traits.keys()
        if sharing[key] <= (signal := _signal(one.traits[key], other.traits[key])).at_most
    }
    if not found:
        return None
    beside = [*_beside(one, other)]
    doubt = 1.0
    for weight in (*(signal.likelihood for signal in found), *(fact.raises for fact in beside)):
        doubt *= 1 - weight / 100
    likelihood = 1 - doubt
    for fact in beside:
        likelihood *= fact.keeps / 100
    if round(100 * likelihood) < LEAST:
        return None
    names = [*(signal.name for signal in SIGNALS if signal in found), *(fact.name for fact in beside)]
    first, second = sorted((one.user.id, other.user.id))
    return Pair((first, second), min(99, round(100 * likelihood)), reasons(names))


def reasons(names: Iterable[str]) -> tuple[Reason, ...]:
    """Return the reasons of these names."""
    return tuple(Reason(name, DETAILS[name]) for name in names)


def compare_names(one: str | None, other: str | None) -> Names:
    """Return what two names say of each other: nothing, if one is missing, or short for the other."""
    words, others = _words(one), _words(other)
    if not words or not others:
        return Names.NOTHING
    in_order = fuzz.ratio(" ".join(words), " ".join(others))
    likeness = max(in_order, fuzz.ratio(" ".join(sorted(words)), " ".join(sorted(others))))
    if likeness >= _ALIKE:
        return Names.ALIKE
    shorter, longer = sorted((words, others), key=len)
    if likeness >= _APART or all(_abbreviates(word, longer) for word in shorter):
        return Names.NOTHING
    return Names.APART


def _words(name: str | None) -> list[str]:
    return _NO_LETTER.sub(" ", (name or "").casefold()).split()


def _abbreviates(word: str, words: list[str]) -> bool:
    return any(one.startswith(word) or word.startswith(one) for one in words)


def _of_email(email: str, source: Source, user: str) -> Trait:
    key = email_key(email)
    return Trait(f"email {mailbox(key)}", source, key, user)


def _add(found: dict[str, Trait], trait: Trait) -> None:
    found.setdefault(trait.key, trait)


def _signal(one: Trait, other: Trait) -> Signal:
    sources = {one.source, other.source}
    if not sources.isdisjoint((Source.CONTACT, Source.EMAIL)) and is_mistyped(one.value, other.value):
        return MISTYPED_EMAIL
    if Source.CONTACT in sources:
        return SAME_CONTACT
    if Source.EMAIL in sources:
        return SAME_EMAIL if one.value == other.value else EMAIL_VARIANT
    return _BY_SOURCE[one.source]


_BY_SOURCE = {Source.PHONE: SAME_PHONE, Source.DEVICE: SHARED_DEVICE, Source.ACCOUNT: STORE_ACCOUNT}


def _beside(one: Known, other: Known) -> Iterator[Beside]:
    match compare_names(one.user.name, other.user.name):
        case Names.ALIKE:
            yield SIMILAR_NAMES
        case Names.APART:
            yield DIFFERENT_NAMES
    if one.user.is_unproven or other.user.is_unproven:
        yield UNPROVEN
