"""What surrounds every request: its id, the length of its URL, its log line and its numbers.

A log line holds a route's pattern and never a URL, which may hold an email or a user ID.
"""

import time

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars
from uuid_utils import uuid7
from werkzeug.exceptions import RequestURITooLarge

from service import metrics, threads
from service.api.context import context
from service.logs import get_logger
from service.nouns import Operator

LONGEST_URL = 16 * 1024  # bytes


def register(app: Flask) -> None:
    """Do what surrounds every request of an application."""
    app.before_request(_begin)
    app.before_request(_limit_url)
    app.before_request(_require_schema)
    app.after_request(_finish)
    app.teardown_request(_end)


def _begin() -> None:
    g.began = time.perf_counter()
    g.request_id = uuid7().hex
    clear_contextvars()
    bind_contextvars(requestId=g.request_id)
    context().store.database.start_clock(threads.waited())


def _limit_url() -> None:
    url = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.full_path
    if len(url) > LONGEST_URL:
        raise RequestURITooLarge


def _require_schema() -> None:
    """Serve nothing from a schema that nobody has looked at: the store was away at the start."""
    if request.path.startswith(("/v1/", "/console")):
        context().schema.require()


def _finish(response: Response) -> Response:
    seconds = time.perf_counter() - g.began
    route = request.url_rule.rule if request.url_rule else None
    metrics.request_answered(request.method, route, response.status_code, seconds)
    get_logger().info(
        "answered",
        method=request.method if request.method in metrics.METHODS else "other",
        route=route,
        status=response.status_code,
        milliseconds=round(seconds * 1000, 1),
        **_who(),
    )
    response.headers["X-Request-Id"] = g.request_id
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _end(_error: BaseException | None) -> None:
    context().store.database.stop_clock()
    # What this thread logs before its next request belongs to none.
    clear_contextvars()


def _who() -> dict[str, str]:
    """Say the caller's kind and app, and the rule that decided, where there was one."""
    said: dict[str, str] = {}
    caller = g.get("caller")
    if caller is not None:
        said["caller"] = type(caller).__name__.lower()
        if not isinstance(caller, Operator):
            said["app"] = caller.app.id
    if "rule" in g:
        said["rule"] = g.rule
    return said
