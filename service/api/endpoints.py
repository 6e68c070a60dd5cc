"""What stands above an endpoint: who may call it, what it reads, how it answers, and which errors."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

import marshmallow as ma
from flask import Response

from service.api.auth import SCHEMES, guarded
from service.api.bodies import JSON, as_json, read
from service.api.context import serving
from service.api.openapi import describe
from service.desk.credentials import Ahead
from service.model.callers import Caller

View = Callable[..., Any]
Decorator = Callable[[View], View]


def open_to(*kinds: type[Caller], by_hand: bool = False, ahead: Ahead | None = None) -> Decorator:
    """Let these call an endpoint, and give it the caller first; ``by_hand`` if it sees to that itself. What
    an end user asks ``ahead`` is asked of the store together with who it is."""
    security: list[dict[str, list[str]]] = [{SCHEMES[kind][0]: []} for kind in kinds]

    def decorate(view: View) -> View:
        described = doc(security=security)(refuses(401, 403, 414, 503)(view))
        return described if by_hand else guarded(described, kinds, ahead)

    return decorate


def body(shape: ma.Schema, *, required: bool = True, by_hand: bool = False) -> Decorator:
    """Give an endpoint what its body says; not ``required`` if no member is, ``by_hand`` if the endpoint
    reads it itself."""
    content = {"required": required, "content": {JSON: {"schema": shape}}}

    def decorate(view: View) -> View:
        described = doc(requestBody=content)(refuses(400, 413, 415, 422)(view))
        return described if by_hand else _reading(described, shape, "json")

    return decorate


def query(shape: ma.Schema) -> Decorator:
    """Give an endpoint what its query string says."""
    described = doc(parameters=[{"in": "query", "schema": shape}])
    return lambda view: _reading(described(refuses(400, 422)(view)), shape, "query")


def response(status: int, shape: ma.Schema | None = None) -> Decorator:
    """Answer what an endpoint returns in a shape, or nothing if there is none; with this status, unless it
    returns another beside it. A response is answered as it is."""

    def decorate(view: View) -> View:
        @wraps(alt_response(status, shape)(view))
        def answering(*args: Any, **kwargs: Any) -> Response:
            result = view(*args, **kwargs)
            if isinstance(result, Response):
                return result
            result, code = result if type(result) is tuple else (result, status)
            if shape is None:
                return Response(status=code, mimetype=JSON)
            return as_json(shape.dump(result), code)

        return answering

    return decorate


def alt_response(status: int, shape: ma.Schema | None = None) -> Decorator:
    """Name another status that an endpoint answers."""
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if shape is not None:
        answer["content"] = {JSON: {"schema": shape}}
    return lambda view: describe(view, responses={status: answer})


def refuses(*statuses: int) -> Decorator:
    """Name the errors that an endpoint answers, besides those of its credential and body."""
    return lambda view: describe(view, responses={status: HTTPStatus(status).name for status in statuses})


def doc(**parts: Any) -> Decorator:
    """Say something else of an endpoint in the OpenAPI document, in its own words."""
    return lambda view: describe(view, **parts)


def _reading(view: View, shape: ma.Schema, location: str) -> View:
    @wraps(view)
    def reading(*args: Any, **kwargs: Any) -> Any:
        return view(*args, read(shape, serving().request, location), **kwargs)

    return reading
