"""Every error becomes one shape: ``application/problem+json`` (RFC 9457), or RevenueCat's under its paths.

No value that was sent comes back, and no word of a library or a database.
"""

import json

from flask import Flask, Response, request
from uuid_utils import uuid7
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from service import admission
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
    errors.EventGone: 410,
    errors.TooMany: 429,
    errors.TooManyStreams: 503,
    errors.StoreUnavailable: 503,
    errors.FilesUnavailable: 503,
    errors.Busy: 503,
    errors.Overloaded: 503,
    errors.NoFiles: 501,
    errors.NotReady: 503,
}

# Until when a client may wait before it asks a store anew that was away, in seconds.
RETRY_AFTER = 2

# What the framework raises, in the words that our answers use for it.
CODES = {
    400: "bad-request",
    404: errors.NotFound.code,
    405: "method-not-allowed",
    408: "too-slow",
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
    status: int,
    code: str,
    fields: tuple[errors.FieldError, ...] = (),
    headers: Headers | None = None,
    detail: str | None = None,
) -> Response:
    """Make an answer of a status and a code, of the members that were refused, and of what else there is to
    say.

    Every error passes here, so here alone its shape is decided, by the path: who asks for what is not there
    reached no endpoint whose errors could be told apart.
    """
    if revenuecat_format.is_spoken_at(serving().request.path):
        return revenuecat_format.problem(status, code, headers, is_of_an_id=bool(fields))
    body = members(status, code, serving().id)
    if detail:
        body["detail"] = detail
    if fields:
        body["errors"] = [
            {"pointer": field.pointer, "code": field.code, "detail": field.detail} for field in fields
        ]
    response = Response(json.dumps(body), status, headers)
    response.content_type = CONTENT_TYPE
    return response


def as_bytes(
    status: int,
    code: str | None = None,
    *more: tuple[str, str],
    path: str = "",
    request_id: str | None = None,
) -> bytes:
    """Write a whole answer, with more headers, to what never becomes a request of Flask's, in the shape that
    errors have at a path."""
    request_id, code = request_id or uuid7().hex, code or CODES.get(status, "error")
    content_type, said = CONTENT_TYPE, members(status, code, request_id)
    if revenuecat_format.is_spoken_at(path):
        content_type, said = "application/json", revenuecat_format.members(status, code)
    body = json.dumps(said).encode()
    headers = [
        ("Connection", "close"),
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("X-Request-Id", request_id),
        *HEADERS,
        *more,
    ]
    lines = [f"HTTP/1.1 {status:d} {HTTP_STATUS_CODES[status]}", *map(": ".join, headers), "", ""]
    return "\r\n".join(lines).encode() + body


def members(status: int, code: str, request_id: str) -> dict[str, object]:
    """Return the members that every problem has."""
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
    status, headers = status_of(error)
    if status == 503:
        get_logger().warning("unavailable", code=error.code, path=_route(), exc_info=error)
    fields = error.errors if isinstance(error, errors.Refused) else ()
    detail = error.detail if isinstance(error, errors.NoFiles) else None
    return problem(status, error.code, fields, Headers(headers), detail)


def status_of(error: errors.UsherError) -> tuple[int, dict[str, str]]:
    """Return the status of one of our own errors, and the headers that go with it."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if status == 401:
        return status, {"WWW-Authenticate": 'Bearer realm="usher"'}
    if isinstance(error, errors.TooMany):
        return status, {"Retry-After": str(error.retry_after)}
    if isinstance(error, errors.Overloaded):
        return status, {"Retry-After": str(admission.retry_after())}
    return status, {"Retry-After": str(RETRY_AFTER)} if status == 503 else {}


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
