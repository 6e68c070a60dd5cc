"""widget.js, which the pages of apps embed: the one thing here that pages of any origin may load."""

import gzip
import hashlib
from pathlib import Path

import flask
from flask import Response, request

pages = flask.Blueprint("widget", __name__)

SCRIPT = (Path(__file__).parent / "static" / "widget.js").read_bytes()
ZIPPED = gzip.compress(SCRIPT, mtime=0)
ETAG = hashlib.sha256(SCRIPT).hexdigest()[:32]
CACHED_SECONDS = 300


@pages.get("/widget.js")
def widget() -> Response:
    """Serve the script, compressed for those who can read that."""
    zipped = request.accept_encodings.quality("gzip") > 0
    response = Response(ZIPPED if zipped else SCRIPT, content_type="text/javascript; charset=utf-8")
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    # Weak, as it stands for the script in either form.
    response.set_etag(ETAG, weak=True)
    response.cache_control.public = True
    response.cache_control.max_age = CACHED_SECONDS
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.make_conditional(request)
    return response
