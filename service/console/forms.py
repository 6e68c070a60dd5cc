"""Read what a form or an address says, by the shapes that the API reads."""

from typing import Any
from urllib.parse import parse_qsl

import marshmallow as ma
from flask import g, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from service.api.bodies import read_bytes, taken

# A body of 10,000 characters of four bytes, each of which takes three in a form; and what is beside it.
LARGEST = 128 * 1024  # bytes
MOST_FIELDS = 20
CONTENT_TYPE = "application/x-www-form-urlencoded"


def sent(name: str) -> str:
    """Answer what a field of this request's form says; "" if there is none.

    Raises what becomes 400, 413 or 415.
    """
    if "form" not in g:
        g.form = _read()
    form: dict[str, str] = g.form
    return form.get(name, "")


def asked(shape: ma.Schema, **members: str) -> Any:
    """Read members by a shape; one that is blank is missing. Raises Refused."""
    return taken(shape, {name: value for name, value in members.items() if value})


def _read() -> dict[str, str]:
    data = read_bytes(request, LARGEST)
    if data and request.mimetype != CONTENT_TYPE:
        raise UnsupportedMediaType
    try:
        pairs = parse_qsl(
            data.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise BadRequest from None
    # A browser ends each line of a text with two characters, and nobody typed the first of them.
    return {name: value.replace("\r\n", "\n") for name, value in pairs}
