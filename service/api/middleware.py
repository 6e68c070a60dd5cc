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
    asked = request_ctx.request
    here = Serving(surroundings, asked, uuid7().hex, time.perf_counter(), SERVING.get())
    SERVING.set(here)
    logs.REQUEST.set(here.id)
    surroundings.store.database.start_deadline(threads.waited())
    if len(asked.environ.get("RAW_URI") or asked.environ.get("REQUEST_URI") or asked.full_path) > MAX_URL:
        raise RequestURITooLarge
    if asked.path.startswith(("/v1/", "/console")):
        # Nothing is served from a schema that nobody has looked at: the store was away at the start.
        surroundings.schema.require()
    return cors.preflight(asked)


def _finish(response: Response) -> Response:
    here = serving()
    asked = here.request
    response.headers.add("X-Request-Id", here.id)
    cors.secure(asked, response)
    seconds = time.perf_counter() - here.began
    route = asked.url_rule.rule if asked.url_rule else None
    metrics.request_answered(asked.method, route, response.status_code, seconds)
    logs.get_logger().info(
        "answered",
        method=asked.method if asked.method in metrics.METHODS else "other",
        route=route,
        status=response.status_code,
        milliseconds=round(seconds * 1000, 1),
        **_who(here),
    )
    return response


def _end(_error: BaseException | None) -> None:
    here = serving()
    # What this thread does before its next request belongs to none.
    SERVING.set(here.within)
    logs.REQUEST.set(here.within.id if here.within else None)
    here.context.store.database.end_deadline()


def _who(here: Serving) -> dict[str, str]:
    """Say the caller's kind and app, and the rule that decided, where there was one."""
    said: dict[str, str] = {}
    if here.caller is not None:
        said["caller"] = type(here.caller).__name__.lower()
        if not isinstance(here.caller, Operator):
            said["app"] = here.caller.app.id
    if here.rule is not None:
        said["rule"] = here.rule
    return said
