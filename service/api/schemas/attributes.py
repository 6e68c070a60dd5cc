"""What is said of a user by name, as a login says it, as a backend corrects it, and as it is answered."""

from typing import Any

import marshmallow as ma

from service.api.schemas.fields import problem
from service.model.attributes import (
    MAX_ATTRIBUTE,
    MAX_NUMBER,
    attributes_or_why_not,
    read_attributes,
)
from service.model.identifiers import Malformed

# How the OpenAPI document describes attributes.
ATTRIBUTES = {
    "description": (
        "What the app knows of the person, by name: text of at most 1,000 code points, a number or a boolean;"
        " null, or text of which nothing can be seen, removes one. Those that are not given stay."
    ),
    "propertyNames": {"pattern": "^[A-Za-z0-9_.$-]{1,64}$"},
    "additionalProperties": {
        "anyOf": [
            {"type": "string", "maxLength": MAX_ATTRIBUTE},
            {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER},
            {"type": ["boolean", "null"]},
        ]
    },
    "example": {"plan": "gold", "seats": 7, "trial": False},
}


class Attributes(ma.fields.Dict):
    """Attributes by name; each that is none is refused by its own name, and null removes all."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_none=True, metadata=ATTRIBUTES, **kwargs)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        try:
            said, unusable = read_attributes(value)
        except Malformed as why:
            raise ma.ValidationError(problem(why.code, why.detail)) from None
        if unusable:
            raise ma.ValidationError({name: problem(why.code, why.detail) for name, why in unusable.items()})
        return said


class OptionalAttributes(Attributes):
    """Attributes that lock nobody out: those that are none are read as the errors that say why, beside the
    others."""

    def deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        """Read a member."""
        # As elsewhere in a login, a text that is empty is as a member that is missing.
        return attributes_or_why_not(None if value in (ma.missing, "") else value)
