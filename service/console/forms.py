"""Read what a form or an address says, by the shapes that the API reads."""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from itertools import chain
from typing import Any

import marshmallow as ma
from flask import g, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from service.api.bodies import LARGEST, read_bytes, read_pairs, taken
from service.api.idempotency_keys import key_for, read_key
from service.api.transfers import pieces_of
from service.model.callers import Backend, Operator
from service.model.idempotency_keys import IdempotencyKey

MAX_FIELDS = 20
CONTENT_TYPE = "application/x-www-form-urlencoded"
WITH_FILE = "multipart/form-data"


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


def takes_file(most: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a form have a file of so many bytes behind its fields. Only they are read before somebody asks for
    the file."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def take(*args: Any, **kwargs: Any) -> Any:
            g.most = most
            return view(*args, **kwargs)

        return take

    return decorate


def file_of_form() -> Iterator[bytes]:
    """Return the bytes of the form's file, piece by piece; none if it has no file. Raises what becomes 400,
    408 or 413."""
    _form()
    pieces: Iterator[bytes] = g.get("file", iter(()))
    return pieces


def _read() -> list[tuple[str, str]]:
    if request.mimetype == WITH_FILE and "most" in g:
        events = _events(g.most + LARGEST)
        g.file = _file(events)
        return _fields_before_file(events)
    data = read_bytes(request, LARGEST)
    if data and request.mimetype != CONTENT_TYPE:
        raise UnsupportedMediaType
    pairs = read_pairs(data, MAX_FIELDS)
    # A browser ends each line of a text with two characters, and nobody typed the first of them.
    return [(name, value.replace("\r\n", "\n")) for name, value in pairs]


def _events(most: int) -> Iterator[Event]:
    """Return what a form with a file consists of, as it comes."""
    boundary = request.mimetype_params.get("boundary", "").encode("latin-1", "replace")
    decoder = MultipartDecoder(boundary, LARGEST, max_parts=MAX_FIELDS)
    try:
        for piece in chain(pieces_of(request, most), [None]):
            decoder.receive_data(piece)
            while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
                yield event
    except ValueError:
        raise BadRequest from None


def _fields_before_file(events: Iterator[Event]) -> list[tuple[str, str]]:
    found: list[tuple[str, bytes]] = []
    for event in events:
        if isinstance(event, File):
            break
        if isinstance(event, Field):
            found.append((event.name, b""))
        if isinstance(event, Data):
            name, value = found.pop()
            found.append((name, value + event.data))
            if sum(len(value) for _, value in found) > LARGEST:
                raise RequestEntityTooLarge
    try:
        return [(name, value.decode()) for name, value in found]
    except UnicodeDecodeError:
        raise BadRequest from None


def _file(events: Iterator[Event]) -> Iterator[bytes]:
    """Return the file's bytes; what comes after it is read, so that all of the form is there."""
    is_whole = False
    for event in events:
        if isinstance(event, Data) and not is_whole:
            is_whole = not event.more_data
            yield event.data
