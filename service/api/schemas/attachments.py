"""Attachments, and what they are called."""

from typing import Any

import marshmallow as ma

from service.api.schemas.fields import Answer, Shape, Text
from service.model.attachments import UNNAMED, file_name

NAME = {"description": "What it is called. A path before it is left out.", "example": "parcel.jpg"}


class AttachmentIn(Shape):
    """What a file is called."""

    name = Text(file_name, metadata=NAME)

    def made(self, members: dict[str, Any]) -> dict[str, Any]:
        """Call it something."""
        return {"name": UNNAMED} | members


class AttachmentOut(Answer):
    """A file that goes with a message; ``type`` is what its bytes are."""

    id = ma.fields.String()
    name = ma.fields.String()
    type = ma.fields.String()
    size = ma.fields.Integer(metadata={"description": "In bytes.", "minimum": 1})
    sha256 = ma.fields.String(metadata={"pattern": "^[0-9a-f]{64}$"})
