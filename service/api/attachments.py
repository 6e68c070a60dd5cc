"""Attachments: files are sent, and fetched by whoever sees the message that names one."""

from contextlib import ExitStack
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Request, Response
from werkzeug.datastructures import ContentRange
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import parse_range_header

from service.api.context import context, serving, store_of
from service.api.endpoints import alt_response, doc, open_to, query, refuses, response
from service.api.idempotency_keys import NAME as KEY
from service.api.idempotency_keys import key_for, read_key, takes_key
from service.api.schemas.attachments import AttachmentIn, AttachmentOut
from service.api.transfers import pieces_of
from service.desk import attachments as desk
from service.model.attachments import Attachment
from service.model.callers import Backend, EndUser
from service.model.errors import FieldError, Refused
from service.model.idempotency_keys import IdempotencyKey
from service.rules.file_types import SHOWN, TEXT

api = Blueprint("attachments", __name__, url_prefix="/v1")

Caller = EndUser | Backend

ANY = "application/octet-stream"
BYTES = {"required": True, "content": {ANY: {"schema": {"type": "string", "format": "binary"}}}}
FILE = {"description": "The bytes of the file, or a range of them.", "content": {"*/*": {}}}
# A browser that shows it all the same runs nothing in it, loads nothing, and lets no page frame it.
POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


@api.post("/conversations/<id>/attachments")
@open_to(EndUser, Backend)
@query(AttachmentIn())
@takes_key
@doc(requestBody=BYTES)
@response(201, AttachmentOut())
@alt_response(200, AttachmentOut())
@refuses(400, 404, 408, 409, 413, 422, 501)
def upload(caller: Caller, params: dict[str, str], id: str) -> Any:
    """Send a file into a conversation, for a message that will name it.

    The bytes are the body, whatever its `Content-Type` says. 200 if the same `Idempotency-Key` came with the
    same file before.
    """
    attachment, is_new = receive(caller, id, params)
    return attachment, 201 if is_new else 200


@api.post("/attachments")
@open_to(EndUser, Backend)
@query(AttachmentIn())
@takes_key
@doc(requestBody=BYTES)
@response(201, AttachmentOut())
@alt_response(200, AttachmentOut())
@refuses(400, 404, 408, 409, 413, 422, 501)
def upload_first(caller: Caller, params: dict[str, str]) -> Any:
    """Send a file before there is a conversation, for a message that will name it.

    As into a conversation. Until then it belongs to the device of a user, or to the app's agents.
    """
    attachment, is_new = receive(caller, None, params)
    return attachment, 201 if is_new else 200


@api.get("/attachments/<id>")
@open_to(EndUser, Backend)
@doc(responses={200: FILE, 206: FILE})
@refuses(404, 416, 501)
def download(caller: Caller, id: str) -> Response:
    """Fetch a file: of a message that the caller sees, or one that they sent and no message names yet."""
    return file_of(caller, id)


def receive(caller: Caller, conversation: str | None, params: dict[str, str]) -> tuple[Attachment, bool]:
    """Keep this request's body as a file; return it, and whether it is new. Raises as ``desk.upload``."""
    request, most = serving().request, context().config.attachment_bytes
    _require_bytes(request)
    with ExitStack() as room:
        # Many may be on their way at once: room is for those that are there.
        begin = partial(room.enter_context, context().transfers.upload())
        return desk.upload(
            store_of(caller),
            caller,
            conversation,
            name=params["name"],
            pieces=pieces_of(request, most, begin),
            key_of=_keys_of(caller, params),
        )


def file_of(caller: Caller, id: str) -> Response:
    """Answer a file, or the range of it that this request asks for. Raises NotFound."""
    store = store_of(caller)
    attachment = desk.show(store, caller, id)
    request = serving().request
    part = _range_of(request, attachment)
    start, end = part or (0, attachment.size)
    answer = Response(status=206 if part else 200, headers=_headers(attachment))
    if part:
        answer.content_range = ContentRange("bytes", start, end, attachment.size)
    answer.content_length = end - start
    if request.method != "HEAD":
        read = partial(store.files.read, attachment.id, start, end - start)
        answer.response = context().transfers.download(read)
    return answer


def _require_bytes(request: Request) -> None:
    """Raise Refused for a form, which would be kept as it is, with the file somewhere in it."""
    if request.mimetype == "multipart/form-data":
        raise Refused(FieldError("", "form", "Send the bytes of the file as the body, without a form."))


def _keys_of(caller: Caller, params: dict[str, str]) -> desk.KeyOf:
    """Return what makes a key of this call's; it is read before the file is."""
    text = read_key(serving().request.headers.get(KEY), KEY)

    def key_of(sha256: str) -> IdempotencyKey | None:
        return None if text is None else key_for(caller, text, params | {"sha256": sha256})

    return key_of


def _range_of(request: Request, attachment: Attachment) -> tuple[int, int] | None:
    """Return where the bytes begin and end that are asked for, if it is one range of the file as it is.
    Raises what becomes 416."""
    size = attachment.size
    asked = parse_range_header(request.headers.get("Range"))
    if asked is None or asked.units != "bytes" or len(asked.ranges) > 1 or not _is_same(request, attachment):
        return None
    ((start, end),) = asked.ranges
    start = max(size + start, 0) if start < 0 else start
    if start >= size:
        raise RequestedRangeNotSatisfiable(size)
    return start, min(size if end is None else end, size)


def _is_same(request: Request, attachment: Attachment) -> bool:
    """Return whether a client has another part of this file already, if it says so."""
    part_of = request.if_range
    return part_of.date is None and part_of.etag in (None, attachment.sha256)


def _headers(attachment: Attachment) -> dict[str, str]:
    how = "inline" if attachment.type in SHOWN else "attachment"
    # Old clients read the first name, which is one of letters that no header has to quote.
    plain = "".join(
        one if one.isascii() and (one.isalnum() or one in "-_. ") else "_" for one in attachment.name
    )
    name = f"filename=\"{plain}\"; filename*=UTF-8''{quote(attachment.name, safe='')}"
    return {
        "Content-Type": f"{TEXT}; charset=utf-8" if attachment.type == TEXT else attachment.type,
        "Content-Disposition": f"{how}; {name}",
        "Content-Security-Policy": POLICY,
        "Accept-Ranges": "bytes",
        "ETag": f'"{attachment.sha256}"',
    }
