"""What is peculiar to RevenueCat's wire format: its paths, keys, headers, and errors with their numbers."""

import json

from flask import Response
from werkzeug.datastructures import Headers

from service.api.paths import section

# What stands behind /v1/ in its paths.
SECTIONS = frozenset({"subscribers", "receipts"})

# What the clients insist on before a key; the longer one first.
KEY_PREFIXES = ("rcb_sb_", "rcb_", "test_")

# What the web client (1.63.1) sends from a page; the last two where it is part of another client.
CLIENT_HEADERS = "X-Platform, X-Version, X-Is-Sandbox, X-Platform-Flavor, X-Platform-Flavor-Version"

# A status, RevenueCat's number, and what it says.
Error = tuple[int, int, str]

INVALID_ID: Error = (400, 7220, "The app user ID is not valid.")
TAKEN: Error = (409, 7102, "The store account belongs to another subscriber.")
ALIAS_REFUSED: Error = (409, 7255, "The ID belongs to another subscriber.")
INVALID_KEY: Error = (401, 7225, "The API key is not valid.")
BAD_REQUEST: Error = (400, 7226, "The request is not valid.")
NOT_FOUND: Error = (404, 7259, "There is no such subscriber.")
TOO_MANY: Error = (429, 7638, "There are too many requests; try again later.")
FAULT: Error = (500, 7110, "Something went wrong here; try again later.")
UNAVAILABLE: Error = (503, 7101, "The service is not available; try again.")

# By the code that a problem has elsewhere; any other keeps its status, and is a bad request.
ERRORS: dict[str, Error] = {
    "refused": BAD_REQUEST,
    "invalid-credential": INVALID_KEY,
    "not-allowed": INVALID_KEY,
    "not-found": NOT_FOUND,
    "alias-taken": ALIAS_REFUSED,
    "merge-conflict": ALIAS_REFUSED,
    "store-account-taken": TAKEN,
    "too-many-requests": TOO_MANY,
    "internal-error": FAULT,
    "store-unavailable": UNAVAILABLE,
    "outcome-unknown": UNAVAILABLE,
    "contended": UNAVAILABLE,
    "overloaded": UNAVAILABLE,
    "not-ready": UNAVAILABLE,
}


def is_spoken_at(path: str) -> bool:
    """Return whether whatever is answered at a path has RevenueCat's shape."""
    return section(path) in SECTIONS


def key_of(credential: str) -> str:
    """Return a key without what its clients insist on before it."""
    prefix = next((prefix for prefix in KEY_PREFIXES if credential.startswith(prefix)), "")
    return credential.removeprefix(prefix)


def problem(status: int, code: str, headers: Headers | None, *, is_of_an_id: bool) -> Response:
    """Return the response to an error, by the status and the code that it has elsewhere."""
    said = INVALID_ID if is_of_an_id else _error(status, code)
    response = Response(json.dumps(_body(said)), said[0], headers)
    response.content_type = "application/json"
    return response


def members(status: int, code: str) -> dict[str, object]:
    """Return the members of an error, by the status and the code that it has elsewhere."""
    return _body(_error(status, code))


def _error(status: int, code: str) -> Error:
    return ERRORS.get(code, (status, *BAD_REQUEST[1:]))


def _body(error: Error) -> dict[str, object]:
    return {"code": error[1], "message": error[2]}
