"""Files: an agent sends one for a reply, or to begin with, and fetches those of messages.

They are fetched as over the API, so that nothing in a file runs as if it were the console's.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from flask import Blueprint, Response, request

from service.api import attachments as api
from service.api.bodies import as_json
from service.api.context import store_of
from service.api.schemas.attachments import AttachmentIn, AttachmentOut
from service.console.forms import read_fields
from service.console.guard import guarded
from service.desk import attachments as desk
from service.model.attachments import Attachment
from service.model.callers import Backend
from service.model.errors import NotFound

pages = Blueprint("attachments", __name__)

FILE, SENT = AttachmentIn(), AttachmentOut()

# What a file is called, percent-encoded: no address holds it.
NAME_HEADER = "X-File-Name"


@pages.post("/conversations/<id>/attachments")
@guarded
def upload(caller: Backend, id: str) -> Any:
    """Keep a file, whose bytes are the body, for a reply that will name it."""
    return _receive(caller, id)


@pages.post("/attachments")
@guarded
def upload_first(caller: Backend) -> Any:
    """Keep a file, whose bytes are the body, for a conversation that will begin with it."""
    return _receive(caller, None)


def _receive(caller: Backend, conversation: str | None) -> Any:
    name = unquote(request.headers.get(NAME_HEADER, ""))
    attachment, is_new = api.receive(caller, conversation, read_fields(FILE, name=name))
    return as_json(SENT.dump(attachment), 201 if is_new else 200)


@pages.get("/attachments/<id>")
@guarded
def download(caller: Backend, id: str) -> Response:
    """Fetch a file."""
    return api.file_of(caller, id)


def shown(caller: Backend, ids: Sequence[str]) -> list[Attachment]:
    """Return what was sent for a message; of what is not there, nothing."""
    found = []
    for id in ids:
        with suppress(NotFound):
            found.append(desk.show(store_of(caller), caller, id))
    return found
