"""Read what was sent, strictly, and say by member what a schema refused; write what is answered."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import marshmallow as ma
import orjson
from flask import Request, Response
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    RequestEntityTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)

from service import strict_json, threads
from service.model.errors import FieldError, Refused, UsherError, pointer_to

JSON = "application/json"
# The longest message, of 10,000 characters: a form writes each in twelve bytes, as JSON may; and the rest.
LARGEST = 128 * 1024  # bytes


def read(shape: ma.Schema, request: Request, location: str = "json") -> Any:
    """Read a request's body by a shape, or its "query": of several parameters of a name the first. Who reads
    it again is told the same, as a body can be read but once.

    Raises Refused, and what becomes 400, 413 or 415.
    """
    before: dict[Any, Any] = request.environ.setdefault("usher.read", {})
    if shape not in before:
        try:
            members = read_query(request) if location == "query" else read_json(request)
            request.environ["usher.members"] = members
            before[shape] = taken(shape, members), None
        except (Refused, HTTPException) as refusal:
            before[shape] = None, refusal
    loaded, refused = before[shape]
    if refused:
        raise refused
    return loaded


def members_of(request: Request) -> dict[str, Any]:
    """Return the members that were read of a request, as they were sent; of one that reads none, none."""
    members: dict[str, Any] = request.environ.get("usher.members", {})
    return members


def taken(shape: ma.Schema, members: dict[str, Any]) -> Any:
    """Read members by a shape. Raises Refused."""
    try:
        return shape.load(members)
    except ma.ValidationError as error:
        raise Refused(*field_errors(error.messages_dict, "")) from None


# A line's end for whoever reads it in a terminal; and no record is written other than in a shape.
_WRITING = orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATACLASS


class _Written(Response):
    """An answer that has a body, as it is to be sent. The framework would look through its headers once more,
    and for what is to be done after it."""

    def get_wsgi_response(self, environ: dict[str, Any]) -> Any:
        """Return the body, the status and the headers."""
        if environ["REQUEST_METHOD"] == "HEAD":
            return super().get_wsgi_response(environ)
        return self.response, self.status, self.headers.to_wsgi_list()


def as_json(value: Any, status: int = 200) -> Response:
    """Answer JSON."""
    return _Written(orjson.dumps(value, option=_WRITING), status, content_type=JSON)


def read_query(req: Request) -> dict[str, str]:
    """Read the parameters of a URL; of several of a name the first. Raises what becomes 400."""
    members: dict[str, str] = {}
    for name, value in read_pairs(req.query_string):
        members.setdefault(name, value)
    return members


def read_pairs(data: bytes, most: int | None = None) -> list[tuple[str, str]]:
    """Read what a form or the query of a URL says, at most so many pairs of a name and a value. Raises what
    becomes 400, also for bytes that are no UTF-8: read in any other way, two texts could become one."""
    try:
        return parse_qsl(data.decode(), keep_blank_values=True, errors="strict", max_num_fields=most)
    except ValueError:
        raise BadRequest from None


def read_json(req: Request) -> Any:
    """Read a request's body as a JSON object; none at all is one without members."""
    data = read_bytes(req, LARGEST)
    if not data:
        return {}
    if not _is_json(req):
        raise UnsupportedMediaType
    try:
        value = strict_json.read(data)
    except ValueError:
        raise BadRequest from None
    if not isinstance(value, dict):
        raise BadRequest
    return value


def _is_json(req: Request) -> bool:
    if req.environ.get("CONTENT_TYPE") == JSON:
        return True
    return req.mimetype == JSON and req.mimetype_params.get("charset", "utf-8").lower() == "utf-8"


def read_bytes(req: Request, most: int) -> bytes:
    """Read a request's body. Raises what becomes 400, 408, and 413 for more bytes than ``most``; and
    Busy and FilesUnavailable."""
    try:
        length = int(req.environ.get("CONTENT_LENGTH") or 0)
        if length > most or not threads.has_body(most):
            raise RequestEntityTooLarge
        # Where the server says when the body ends, the framework has nothing to add.
        is_whole = req.environ.get("wsgi.input_terminated")
        stream = req.environ["wsgi.input"] if is_whole else req.stream
        # A chunked body says no length, so the bytes themselves are counted.
        data = stream.read(most + 1)
    except TimeoutError:
        raise RequestTimeout from None
    except (RequestEntityTooLarge, UsherError):
        raise
    except Exception:  # noqa: BLE001 - of a malformed chunk each server tells by an error of its own
        raise BadRequest from None
    if len(data) > most:
        raise RequestEntityTooLarge
    return data


def field_errors(messages: Any, pointer: str) -> list[FieldError]:
    """Walk marshmallow's tree of messages, whose leaves are ``{"code", "detail"}``."""
    if isinstance(messages, Mapping):
        return [
            error
            for name, below in messages.items()
            for error in field_errors(below, pointer if name == "_schema" else pointer_to(pointer, name))
        ]
    return [FieldError(pointer, message["code"], message["detail"]) for message in messages]
