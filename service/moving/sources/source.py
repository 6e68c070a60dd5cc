"""What a table of another desk's words holds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from service.moving.sources.talk import Talk
from service.rules.records import Who

_BETWEEN = re.compile(r"[\s_-]+")


class Ours(StrEnum):
    """What we know of somebody, as ``--map`` calls it."""

    USER_ID = "user_id"
    EMAIL = "email"
    NAME = "name"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    PHONE = "phone"
    CREATED = "created_at"


@dataclass(frozen=True)
class Source:
    """What one desk calls things: its columns, or the members of its JSON, those within others with dots
    between.

    ``means`` is what of it we know, the better one first where two mean one thing; ``who`` what tells who
    somebody is, by its values; ``proves`` which say that an email was proven, or None where whoever writes
    the file vouches for all of it. All else is an attribute, without the first of ``within`` that it begins
    with, unless it stands in ``left``, or begins with one that ends in a dot. ``lists`` are where
    people stand in a page of its API, and by all of the columns in ``signs`` a CSV is known to be its.
    ``own_ids`` are the desk's own IDs of somebody, by any of which its conversations in ``talk`` name them.
    """

    name: str
    means: Mapping[str, Ours]
    who: Mapping[str, Mapping[str, Who]] = field(default_factory=dict)
    proves: Mapping[str, frozenset[str]] | None = None
    within: tuple[str, ...] = ()
    left: frozenset[str] = frozenset()
    lists: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    own_ids: frozenset[str] = frozenset({"id"})
    talk: Talk | None = None


def plain(name: str) -> str:
    """Return what a name is compared by: a column may be called User ID, user_id or userId."""
    return _BETWEEN.sub("", name).casefold()
