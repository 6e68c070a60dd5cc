"""What browsers need and what keeps them safe: exact origins per app, and headers that say so.

A page may call with a publishable key or a session token if the app names its origin. A call from any
other page is refused before it does anything; our own pages are no strangers.
"""

from flask import Request, Response

from service.api.auth import bearer, page_of
from service.api.context import context, serving
from service.api.headers import TOLD_HEADERS
from service.api.paths import section
from service.api.revenuecat_format import CLIENT_HEADERS, SECTIONS, is_spoken_at, key_of
from service.model.apps import App
from service.model.callers import EndUser, Widget
from service.model.errors import InvalidCredential, StoreUnavailable
from service.model.identifiers import read_credential

# The page's library sets styles on its elements, and holds small images in its style sheet.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

# What widgets call, under /v1/.
FOR_PAGES = SECTIONS | frozenset(
    {
        "aliases",
        "purchases",
        "restore",
        "allowSharingStoreAccount",
        "login",
        "logout",
        "clearAnonymousUser",
        "me",
        "conversations",
        "attachments",
    }
)
METHODS = "GET, POST, PUT, PATCH"
ASKED_HEADERS = "Authorization, Content-Type, Idempotency-Key"
PREFLIGHT_SECONDS = "600"


def preflight(request: Request) -> Response | None:
    """Answer a browser that asks before it calls. It sends no credential yet, so no app is known; who
    may call is decided at the call itself."""
    asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    if not asks or not _is_for_pages(request):
        return None
    response = Response(status=204)
    response.headers["Access-Control-Allow-Methods"] = METHODS
    theirs = f", {CLIENT_HEADERS}" if is_spoken_at(request.path) else ""
    response.headers["Access-Control-Allow-Headers"] = ASKED_HEADERS + theirs
    response.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
    return _allowing(request, response)


def secure(request: Request, response: Response) -> None:
    """Set the headers of an answer that depend on what was asked."""
    if request.path == "/docs":
        response.headers["Content-Security-Policy"] = DOCS_POLICY
    if _is_for_pages(request):
        response.headers.add("Vary", "Origin")
        if request.method != "OPTIONS" and _is_allowed(request):
            _allowing(request, response)


def _allowing(request: Request, response: Response) -> Response:
    response.headers["Access-Control-Allow-Origin"] = page_of(request) or ""
    response.headers["Access-Control-Expose-Headers"] = TOLD_HEADERS
    return response


def _is_allowed(request: Request) -> bool:
    """Return whether the app of this request names the page's origin; also of a credential that is dead,
    so that a widget can read that it is."""
    origin = page_of(request)
    if origin is None:
        return False
    caller = serving().caller
    app = caller.app if isinstance(caller, Widget | EndUser) else _app_of_credential(request)
    return app is not None and origin in app.settings.origins


def _app_of_credential(request: Request) -> App | None:
    try:
        credential = bearer()
        parts = read_credential(key_of(credential) if is_spoken_at(request.path) else credential)
        return context().store.apps.with_id(parts[1]) if parts and parts[0] != "sk" else None
    except (InvalidCredential, StoreUnavailable):
        return None


def _is_for_pages(request: Request) -> bool:
    return section(request.path) in FOR_PAGES
