"""Read what a form or an address says, by the shapes that the API reads."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import g, request
from werkzeug.exceptions import UnsupportedMediaType

from service.api.bodies import LARGEST, read_bytes, read_pairs, taken
from service.api.idempotency_keys import key_for, read_key
from service.model.callers import Backend, Operator
from service.model.idempotency_keys import IdempotencyKey

MAX_FIELDS = 20
CONTENT_TYPE = "application/x-www-form-urlencoded"


def field(name: str) -> str:
    """Return what a field of this request's form says; "" if there is none.

    Raises what becomes 400, 413 or 415.
    """
    form: dict[str, str] = dict(_form())
    return form.get(name, "")


def fields(name: str) -> list[str]:
    """Return what each of the fields of a name says, as of boxes that are ticked. Raises as ``field``."""
    return [value for its_name, value in _form() if its_name == name]


def read_fields(shape: ma.Schema, **members: str | list[str]) -> Any:
    """Read members by a shape; one that is blank is missing. Raises Refused."""
    return taken(shape, {name: value for name, value in members.items() if value})


def key_of_form(caller: Backend | Operator, said: Mapping[str, Any]) -> IdempotencyKey | None:
    """Return the key that a form was shown with, if any: sent twice, it is done once. Raises Refused for a
    malformed one."""
    text = read_key(field("key") or None, "key")
    return None if text is None else key_for(caller, text, said)


def _form() -> list[tuple[str, str]]:
    if "form" not in g:
        g.form = _read()
    form: list[tuple[str, str]] = g.form
    return form


def _read() -> list[tuple[str, str]]:
    data = read_bytes(request, LARGEST)
    if data and request.mimetype != CONTENT_TYPE:
        raise UnsupportedMediaType
    pairs = read_pairs(data, MAX_FIELDS)
    # A browser ends each line of a text with two characters, and nobody typed the first of them.
    return [(name, value.replace("\r\n", "\n")) for name, value in pairs]
