"""What surrounds every request: its id, the length of its URL, its log line and its numbers.

A log line holds a route's pattern and never a URL, which may hold an email or a user ID.
"""

import time

from flask import Flask, Response, current_app
from flask.globals import request_ctx
from uuid_utils import uuid7
from werkzeug.exceptions import RequestURITooLarge

from service import logs, metrics, threads
from service.api import cors, headers
from service.api.context import NAME, SERVING, Context, Serving, serving
from service.model.callers import Operator

MAX_URL = 16 * 1024  # bytes


def register(app: Flask) -> None:
    """Do what surrounds every request of an application: in one step before it and one after, as each costs
    as much as the framework takes to find an endpoint."""
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_end)
    app.wsgi_app = headers.Secured(app.wsgi_app)  # type: ignore[method-assign]


def _begin() -> Response | None:
    surroundings: Context = current_app.extensions[NAME]
    request = request_ctx.request
    current = Serving(surroundings, request, uuid7().hex, time.perf_counter(), SERVING.get())
    SERVING.set(current)
    logs.REQUEST.set(current.id)
    surroundings.store.database.start_deadline(threads.waited())
    if (
        len(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.full_path)
        > MAX_URL
    ):
        raise RequestURITooLarge
    if request.path.startswith(("/v1/", "/console")):
        # Nothing is served from a schema that nobody has looked at: the store was away at the start.
        surroundings.schema.require()
    return cors.preflight(request)


def _finish(response: Response) -> Response:
    current = serving()
    request = current.request
    response.headers.add("X-Request-Id", current.id)
    cors.secure(request, response)
    seconds = time.perf_counter() - current.began
    route = request.url_rule.rule if request.url_rule else None
    metrics.request_answered(request.method, route, response.status_code, seconds)
    logs.get_logger().info(
        "answered",
        method=request.method if request.method in metrics.METHODS else "other",
        route=route,
        status=response.status_code,
        milliseconds=round(seconds * 1000, 1),
        **_who(current),
    )
    return response


def _end(_error: BaseException | None) -> None:
    current = serving()
    # What this thread does before its next request belongs to none.
    SERVING.set(current.within)
    logs.REQUEST.set(current.within.id if current.within else None)
    current.context.store.database.end_deadline()


def _who(current: Serving) -> dict[str, str]:
    """Say the caller's kind and app, and the rule that decided, where there was one."""
    members: dict[str, str] = {}
    if current.caller is not None:
        members["caller"] = type(current.caller).__name__.lower()
        if not isinstance(current.caller, Operator):
            members["app"] = current.caller.app.id
    if current.rule is not None:
        members["rule"] = current.rule
    return members
