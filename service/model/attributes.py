"""What is said of a user by name: which names and values there may be, which of two values are one, and what
of all that was said is shown.

This module knows no HTTP, no schema library and no store, as ``identifiers``.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from service.model.errors import FieldError, pointer_to
from service.model.identifiers import Malformed, optional_text

MAX_ATTRIBUTES = 50
MAX_ATTRIBUTE_NAME = 64
MAX_ATTRIBUTE = 1000
# The whole numbers up to here are those that every reader of JSON keeps as they are (RFC 8259, section 6).
MAX_NUMBER = 2**53 - 1

_NAME = re.compile(r"[A-Za-z0-9_.$-]+")

# What JSON says of somebody by a name.
Value = str | int | float | bool
# What is said of somebody, by name; None removes it.
Said = Mapping[str, Value | None]


@dataclass(frozen=True, slots=True)
class Attribute:
    """What was said of a user by a name, and when: under an ID of ``home``, who may be part of another. No
    value is one that was removed; ``rank`` tells before what else it is shown, as in
    ``rules.attributes``."""

    home: str
    name: str
    value: Value | None
    at: int
    rank: int = 0


def attribute_name(text: str) -> str:
    """Return the name of an attribute, unchanged: 1 to 64 of ``A-Za-z0-9_.$-``.

    Raises ``Malformed``: ``empty``, ``too-long``, ``forbidden-character``.
    """
    if not text:
        raise Malformed("empty", "An attribute's name has at least one character.")
    if len(text) > MAX_ATTRIBUTE_NAME:
        raise Malformed("too-long", f"An attribute's name has at most {MAX_ATTRIBUTE_NAME} characters.")
    if not _NAME.fullmatch(text):
        raise Malformed("forbidden-character", "An attribute's name holds letters, digits and _ . $ - only.")
    return text


def attribute_value(value: object) -> Value | None:
    """Return what may be said by a name: text, a number, or a boolean. A text of which nothing can be seen
    says nothing, as None does.

    Raises ``Malformed``: ``not-a-value``, ``too-long``, ``forbidden-character``, ``out-of-range``.
    """
    match value:
        case None | bool():
            return value
        case str():
            return optional_text(value, MAX_ATTRIBUTE)
        case int() | float():
            return _number(value)
        case _:
            raise Malformed("not-a-value", "This is a string, a number or a boolean; null removes it.")


def _number(value: float) -> float:
    if not abs(value) <= MAX_NUMBER:
        raise Malformed("out-of-range", f"A number is at most {MAX_NUMBER}, and at least as much below 0.")
    # JSON has one kind of number: 7.0 is 7, and nothing is less than nought by nothing.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def read_attributes(members: object) -> tuple[dict[str, Value | None], dict[str, Malformed]]:
    """Return what of the members of an object may be said of somebody; and of the others why it may not.

    Raises ``Malformed``: ``not-an-object``.
    """
    if not isinstance(members, dict):
        raise Malformed("not-an-object", "This is a JSON object.")
    said: dict[str, Value | None] = {}
    unusable: dict[str, Malformed] = {}
    for name, value in members.items():
        try:
            said[attribute_name(name)] = attribute_value(value)
        except Malformed as malformed:
            unusable[name] = malformed
    return said, unusable


def attributes_or_why_not(members: object) -> tuple[dict[str, Value | None], list[FieldError]]:
    """As ``read_attributes``, with nothing said by None; what can't be used is left out, each by its pointer
    in a body, and nothing is raised."""
    try:
        said, unusable = ({}, {}) if members is None else read_attributes(members)
    except Malformed as why:
        return {}, [FieldError("/attributes", why.code, why.detail)]
    errors = [
        FieldError(pointer_to("/attributes", name), why.code, why.detail) for name, why in unusable.items()
    ]
    return said, errors


def is_same(one: Value | None, other: Value | None) -> bool:
    """Return whether two values are one to whoever reads JSON, to whom true is not 1."""
    return type(one) is type(other) and one == other


_in_one_way = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def as_text(attributes: Said) -> str | None:
    """Write attributes as JSON, always in one way, or None if there are none; what is removed is none."""
    kept = {name: value for name, value in attributes.items() if value is not None}
    return _in_one_way(kept) if kept else None


def shown(said: Iterable[Attribute]) -> dict[str, Value]:
    """Return what is shown of the one of whom all this was said: the latest by each name, in the order of
    names. Of more than MAX_ATTRIBUTES, which a merge may bring together, those that were said last."""
    latest = sorted(_latest(said), key=lambda one: (one.at, one.name), reverse=True)
    there = {one.name: one.value for one in latest if one.value is not None}
    return dict(sorted(islice(there.items(), MAX_ATTRIBUTES)))


def shown_of(said: Iterable[Attribute]) -> dict[str, Value | None]:
    """Return the latest by each name, as many as there are; None is what was removed."""
    return {one.name: one.value for one in _latest(said)}


def in_order(said: Iterable[Attribute]) -> list[Attribute]:
    """Return what was said, of each name what is shown last."""
    # A former release ranks nothing, so times decide there.
    return sorted(said, key=lambda one: (one.rank, one.at, one.home))


def _latest(said: Iterable[Attribute]) -> Iterable[Attribute]:
    return {one.name: one for one in in_order(said)}.values()
