"""Users who are probably one person."""

from typing import Any

import marshmallow as ma

from service.api.schemas.conversations import Cursor
from service.api.schemas.fields import Answer, List, Shape, Text, Time
from service.api.schemas.logins import as_sent
from service.model.duplicates import Source
from service.model.errors import Refused


class ReasonOut(Answer):
    """Why two users are taken for one person, or less so."""

    signal = ma.fields.String()
    detail = ma.fields.String()


class DuplicateOut(Answer):
    """Two users who are probably one person; ``score`` is from 0 to 1."""

    users = ma.fields.List(ma.fields.String(), metadata={"minItems": 2, "maxItems": 2})
    score = ma.fields.Float(metadata={"minimum": 0, "maximum": 1})
    reasons = ma.fields.List(ma.fields.Nested(ReasonOut()))


class DuplicatesOut(Answer):
    """A page of pairs."""

    data = ma.fields.List(ma.fields.Nested(DuplicateOut()))
    next = Cursor(data_key="nextCursor", allow_none=True)


class TraitOut(Answer):
    """By what a user is compared with others, and from where that is known."""

    source = ma.fields.Enum(Source, by_value=True)
    key = ma.fields.String()


class DismissalIn(Shape):
    """Two users who are not the same."""

    users = List(
        Text(as_sent),
        required=True,
        metadata={"minItems": 2, "maxItems": 2, "uniqueItems": True},
    )

    def made(self, members: dict[str, Any]) -> tuple[str, str]:
        """Take the two. Raises Refused where they are one."""
        users = members["users"]
        if len(users) != 2 or users[0] == users[1]:
            raise Refused.member("users", "not-two", "These are two different users.")
        return users[0], users[1]


class DismissalOut(Answer):
    """Two users of whom somebody said that they are not the same, and when."""

    users = ma.fields.List(ma.fields.String(), metadata={"minItems": 2, "maxItems": 2})
    at = Time(data_key="createdAt")
