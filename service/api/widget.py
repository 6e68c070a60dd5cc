"""widget.js, which the pages of apps embed, and whether its tag is right: any page may load these two."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import flask
from flask import Response, request

from service.api.auth import may_call_from_this_page, whoever_calls
from service.api.context import context
from service.model.errors import InvalidCredential

pages = flask.Blueprint("widget", __name__)

SCRIPT = (Path(__file__).parent / "static" / "widget.js").read_bytes()
# The names that stand in it for what the settings say.
LIVE_URL, ATTACHMENT_BYTES = b"LIVE_URL", b"ATTACHMENT_BYTES"
CACHED_SECONDS = 300
# How long a browser does not ask again whether a tag is right.
CHECKED_SECONDS = 600


@dataclass(frozen=True)
class Script:
    """The script in both forms, and what tells it from another."""

    plain: bytes
    zipped: bytes
    etag: str


@lru_cache(maxsize=8)
def script_for(live_url: str, attachment_bytes: int) -> Script:
    """Return the script that knows where streams are, at an origin or nowhere, and how large a file may be;
    0 where there is no place for files."""
    plain = SCRIPT.replace(LIVE_URL, b'"%s"' % live_url.encode())
    plain = plain.replace(ATTACHMENT_BYTES, b"%d" % attachment_bytes)
    return Script(plain, gzip.compress(plain, mtime=0), hashlib.sha256(plain).hexdigest()[:32])


@pages.get("/widget.js")
def widget() -> Response:
    """Serve the script, compressed for those who can read that."""
    config = context().config
    script = script_for(config.live_url, config.attachment_bytes if config.files_url else 0)
    zipped = request.accept_encodings.quality("gzip") > 0
    response = Response(
        script.zipped if zipped else script.plain, content_type="text/javascript; charset=utf-8"
    )
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    # Weak, as it stands for the script in either form.
    response.set_etag(script.etag, weak=True)
    response.cache_control.public = True
    response.cache_control.max_age = CACHED_SECONDS
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    # For tags with `integrity`, and modules: browsers let a page run those only if it may read them.
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.make_conditional(request)
    return response


@pages.get("/widget/check")
def check() -> Response:
    """Tell any page what is wrong with its tag: ``{"mistake": null}``, ``"key"`` or ``"origin"``."""
    mistake = mistake_of(request.args.get("key", ""))
    response = flask.jsonify(mistake=mistake)
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.vary.add("Origin")
    right = f"private, max-age={CHECKED_SECONDS}"
    response.headers["Cache-Control"] = "no-store" if mistake else right
    return response


def mistake_of(key: str) -> str | None:
    """Return what keeps the page that asks from using this key, if anything does."""
    # No other is looked up, so this says nothing of secrets.
    if not key.startswith("pk_"):
        return "key"
    try:
        caller = whoever_calls(key)
    except InvalidCredential:
        return "key"
    return None if may_call_from_this_page(caller) else "origin"
