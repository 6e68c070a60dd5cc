"""What surrounds every request: its id, the length of its URL, its log line and its numbers.

A log line holds a route's pattern and never a URL, which may hold an email or a user ID.
"""

import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response
from flask.globals import request_ctx
from uuid_utils import uuid7
from werkzeug.exceptions import RequestURITooLarge
from werkzeug.routing import MapAdapter

from service import admission, logs, metrics, threads
from service.api import cors
from service.api.context import NAME, SERVING, Context, Serving, serving
from service.model.callers import Caller, Operator

MAX_URL = 16 * 1024  # bytes


class Usher(Flask):
    """The application. At each step of a request the framework asks who has registered for it, of which
    blueprint, whether it is asynchronous, and for a session: here all of that is known."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function itself: none is asynchronous."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what finds the endpoint of a request, and makes URLs in it; whatever host it names.

        Raises SecurityError for what is no host.
        """
        if request is None:
            return None
        return self.url_map.bind(
            request.host,
            request.root_path,
            url_scheme=request.scheme,
            default_method=request.method,
            path_info=request.path,
            query_args=request.query_string.decode(errors="replace"),
        )

    def preprocess_request(self) -> Response | None:
        """Begin a request: answer it here, or leave that to its endpoint."""
        return _begin(self.extensions[NAME])

    def process_response(self, response: Response) -> Response:
        """Finish an answer. Only pages have steps of their own before that."""
        is_call = request_ctx.request.path.startswith("/v1/")
        return _finish(response if is_call else super().process_response(response))

    def do_teardown_request(self, *_: Any) -> None:
        """Forget a request."""
        _end()

    def do_teardown_appcontext(self, *_: Any) -> None:
        """Do nothing: all of it is forgotten with the request."""


def _begin(surroundings: Context) -> Response | None:
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
    rule = {} if current.rule is None else {"rule": current.rule}
    note_answer(request.method, route, response.status_code, seconds, current.caller, **rule)
    _note_caller(current.caller, response.status_code)
    return response


def _note_caller(caller: Caller | None, status: int) -> None:
    """Remember with whom the next request of whoever calls waits when there are too many."""
    request = serving().request
    header = request.headers.get(admission.header_of(request.path), "")
    if caller is not None:
        admission.known.add(header, "" if isinstance(caller, Operator) else caller.app.id)
    elif status == 401:
        admission.known.remove(header)


def note_answer(
    method: str, route: str | None, status: int, seconds: float, caller: Caller | None, **members: str
) -> None:
    """Count an answer, and write its line into the log: who called, by kind and app, and further members."""
    metrics.request_answered(method, route, status, seconds)
    logs.get_logger().info(
        "answered",
        method=method if method in metrics.METHODS else "other",
        route=route,
        status=status,
        milliseconds=round(seconds * 1000, 1),
        **_who(caller),
        **members,
    )


def _end() -> None:
    current = serving()
    # What this thread does before its next request belongs to none.
    SERVING.set(current.within)
    logs.REQUEST.set(current.within.id if current.within else None)
    current.context.store.database.end_deadline()


def _who(caller: Caller | None) -> dict[str, str]:
    if caller is None:
        return {}
    kind = {"caller": type(caller).__name__.lower()}
    return kind if isinstance(caller, Operator) else kind | {"app": caller.app.id}
