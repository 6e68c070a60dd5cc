"""Read what a form or an address says, by the shapes that the API reads."""

from typing import Any

import marshmallow as ma
from flask import g, request
from werkzeug.exceptions import UnsupportedMediaType

from service.api.bodies import LARGEST, read_bytes, read_pairs, taken

MAX_FIELDS = 20
CONTENT_TYPE = "application/x-www-form-urlencoded"


def field(name: str) -> str:
    """Return what a field of this request's form says; "" if there is none.

    Raises what becomes 400, 413 or 415.
    """
    if "form" not in g:
        g.form = _read()
    form: dict[str, str] = g.form
    return form.get(name, "")


def read_fields(shape: ma.Schema, **members: str) -> Any:
    """Read members by a shape; one that is blank is missing. Raises Refused."""
    return taken(shape, {name: value for name, value in members.items() if value})


def _read() -> dict[str, str]:
    data = read_bytes(request, LARGEST)
    if data and request.mimetype != CONTENT_TYPE:
        raise UnsupportedMediaType
    pairs = read_pairs(data, MAX_FIELDS)
    # A browser ends each line of a text with two characters, and nobody typed the first of them.
    return {name: value.replace("\r\n", "\n") for name, value in pairs}
