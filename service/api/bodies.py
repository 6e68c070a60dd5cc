"""Read what was sent, strictly: JSON as RFC 8259 has it and nothing that a parser lets pass besides."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import marshmallow as ma
from flask import Request
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from service.errors import FieldError, Refused

LARGEST = 64 * 1024  # bytes
DEEPEST = 16  # levels
LONGEST_POINTER = 100  # characters of a member's name


class Parser(FlaskParser):
    """Reads bodies and query strings for the schemas, and refuses as the contract says."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": ma.RAISE}

    def load_json(self, req: Request, schema: ma.Schema) -> Any:  # noqa: ARG002 - webargs' signature
        """Read the body. Raises what becomes 400, 413 or 415."""
        return read_json(req)

    def handle_error(self, error: ma.ValidationError, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Tell what a schema refused, by member."""
        (messages,) = error.messages_dict.values()
        raise Refused(*_field_errors(messages, "")) from None


def read_json(req: Request) -> Any:
    """Read a request's body as JSON; none at all is an object without members."""
    data = _read(req)
    if not data:
        return {}
    if req.mimetype != "application/json" or req.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
        raise UnsupportedMediaType
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_not_a_number
        )
    except (ValueError, RecursionError):
        # A byte order mark, another encoding, NaN, a number too long to read: none of it is JSON here.
        raise BadRequest from None
    if _depth(value) > DEEPEST:
        raise BadRequest
    return value


def _read(req: Request) -> bytes:
    # A chunked body says no length, so the bytes themselves are counted.
    if (req.content_length or 0) > LARGEST:
        raise RequestEntityTooLarge
    data = req.stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise RequestEntityTooLarge
    return data


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _not_a_number(_text: str) -> NoReturn:
    raise ValueError


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


def _field_errors(messages: Any, pointer: str) -> list[FieldError]:
    """Walk marshmallow's tree of messages, whose leaves are ``{"code", "detail"}``."""
    if isinstance(messages, Mapping):
        return [
            error
            for name, below in messages.items()
            for error in _field_errors(below, pointer if name == "_schema" else f"{pointer}/{_escaped(name)}")
        ]
    return [FieldError(pointer, message["code"], message["detail"]) for message in messages]


def _escaped(name: object) -> str:
    return str(name)[:LONGEST_POINTER].replace("~", "~0").replace("/", "~1")
