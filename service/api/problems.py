"""Every error becomes one shape: ``application/problem+json`` (RFC 9457), or RevenueCat's under its paths.

No value that was sent comes back, and no word of a library or a database.
"""

import json

from flask import Flask, Response, request
from uuid_utils import uuid7
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from service.api import revenuecat_format
from service.api.context import serving
from service.api.headers import HEADERS
from service.logs import get_logger
from service.model import errors

CONTENT_TYPE = "application/problem+json"

STATUS: dict[type[errors.UsherError], int] = {
    errors.Refused: 422,
    errors.InvalidCredential: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooMany: 429,
    errors.StoreUnavailable: 503,
    errors.NotReady: 503,
}

# Until when a client may wait before it asks a store anew that was away, in seconds.
RETRY_AFTER = 2

# What the framework raises, in the words that our answers use for it.
CODES = {
    400: "bad-request",
    404: errors.NotFound.code,
    405: "method-not-allowed",
    413: "too-large",
    414: "url-too-long",
    415: "not-json",
    416: "no-such-range",
    417: "expectation-failed",
    431: "headers-too-large",
}


def register(app: Flask) -> None:
    """Answer every error of an application as a problem."""
    app.register_error_handler(errors.UsherError, answer)
    app.register_error_handler(HTTPException, of_the_framework)
    app.register_error_handler(Exception, _unforeseen)


def problem(
    status: int, code: str, fields: tuple[errors.FieldError, ...] = (), headers: Headers | None = None
) -> Response:
    """Make an answer of a status and a code, and of the members that were refused.

    Every error passes here, so here alone its shape is decided, by the path: who asks for what is not there
    reached no endpoint whose errors could be told apart.
    """
    if revenuecat_format.is_spoken_at(serving().request.path):
        return revenuecat_format.problem(status, code, headers, is_of_an_id=bool(fields))
    body = _members(status, code, serving().id)
    if fields:
        body["errors"] = [
            {"pointer": field.pointer, "code": field.code, "detail": field.detail} for field in fields
        ]
    response = Response(json.dumps(body), status, headers)
    response.content_type = CONTENT_TYPE
    return response


def as_bytes(status: int) -> bytes:
    """Write a whole answer to what is no HTTP, and so never becomes a request."""
    request_id = uuid7().hex
    body = json.dumps(_members(status, CODES.get(status, "error"), request_id)).encode()
    headers = [
        ("Connection", "close"),
        ("Content-Type", CONTENT_TYPE),
        ("Content-Length", str(len(body))),
        ("X-Request-Id", request_id),
        *HEADERS,
    ]
    lines = [f"HTTP/1.1 {status:d} {HTTP_STATUS_CODES[status]}", *map(": ".join, headers), "", ""]
    return "\r\n".join(lines).encode() + body


def _members(status: int, code: str, request_id: str) -> dict[str, object]:
    return {
        "type": f"urn:usher:problem:{code}",
        # Python's own words change from one version to the next.
        "title": HTTP_STATUS_CODES[status],
        "status": int(status),
        "code": code,
        "requestId": request_id,
    }


def answer(error: errors.UsherError) -> Response:
    """Return one of our own errors."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    headers = Headers()
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="usher"'
    if isinstance(error, errors.TooMany):
        headers["Retry-After"] = str(error.retry_after)
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER)
        get_logger().warning("unavailable", code=error.code, path=_route(), exc_info=error)
    fields = error.errors if isinstance(error, errors.Refused) else ()
    return problem(status, error.code, fields, headers)


def of_the_framework(error: HTTPException) -> Response:
    """Return an error of HTTP itself, such as a path that leads nowhere.

    A redirection of the framework's does not come here: Flask answers with it itself.
    """
    status = error.code or 500
    # Allow, Retry-After and their like; the content type is that of a page which is not sent.
    headers = Headers((name, value) for name, value in error.get_headers() if name != "Content-Type")
    return problem(status, CODES.get(status, "error"), headers=headers)


def _unforeseen(error: Exception) -> Response:
    get_logger().error("unforeseen", path=_route(), exc_info=error)
    return problem(500, "internal-error")


def _route() -> str:
    return request.url_rule.rule if request.url_rule else ""
