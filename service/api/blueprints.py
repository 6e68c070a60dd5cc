"""What our endpoints are made of, and how they are written into the OpenAPI document."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

import flask_smorest
import marshmallow as ma
from flask import Response
from flask_smorest.utils import prepare_response

from service.api.auth import SCHEMES, guarded
from service.api.bodies import JSON, as_json, read
from service.api.context import serving
from service.api.problems import CONTENT_TYPE
from service.model.callers import Caller

# Headers that an answer of a status has, as the OpenAPI document tells them.
HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    429: {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1, "maximum": 60}}},
    503: {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}},
}


class FieldErrorOut(ma.Schema):
    """One member that was refused."""

    pointer = ma.fields.String(required=True, metadata={"description": "A JSON pointer (RFC 6901)."})
    code = ma.fields.String(required=True)
    detail = ma.fields.String(required=True)


class ProblemOut(ma.Schema):
    """What went wrong (RFC 9457)."""

    type = ma.fields.String(required=True, metadata={"pattern": "^urn:usher:problem:"})
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True, metadata={"minimum": 400, "maximum": 599})
    code = ma.fields.String(required=True)
    request_id = ma.fields.String(required=True, data_key="requestId")
    errors = ma.fields.List(ma.fields.Nested(FieldErrorOut()), metadata={"minItems": 1})


class Api(flask_smorest.Api):  # type: ignore[misc]
    """Documents every error as a problem; ``problems`` answers them."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """Leave the errors to ``problems``: the library's own handler drops headers."""

    def _register_responses(self) -> None:
        for status in HTTPStatus:
            response = {"description": status.phrase, "schema": ProblemOut}
            response["headers"] = HEADERS.get(status, {})
            prepare_response(response, self.spec, CONTENT_TYPE)
            self.spec.components.response(status.name, response, lazy=True)

    def _register_pagination_header(self) -> None:
        """Leave out the library's own pages: ours are ``nextCursor``."""


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """A resource: its endpoints read strictly and name the errors that they answer."""

    @staticmethod
    def doc(**said: Any) -> Callable[[Any], Any]:
        """Describe an endpoint."""
        return _described(flask_smorest.Blueprint.doc(**said))

    def response(self, status: int, shape: ma.Schema | None = None, **said: Any) -> Callable[[Any], Any]:
        """Answer what an endpoint returns in a shape, or nothing if there is none; with this status, unless
        it returns another beside it. A response is answered as it is."""
        describe = _described(super().response(status, shape, **said))

        def decorate(view: Any) -> Any:
            @wraps(describe(view))
            def answering(*args: Any, **kwargs: Any) -> Response:
                told = view(*args, **kwargs)
                if isinstance(told, Response):
                    return told
                told, code = told if type(told) is tuple else (told, status)
                if shape is None:
                    return Response(status=code, mimetype=JSON)
                return as_json(shape.dump(told), code)

            return answering

        return decorate

    def alt_response(self, status: int, *said: Any, **more: Any) -> Callable[[Any], Any]:
        """Name another status that an endpoint answers."""
        return _described(super().alt_response(status, *said, **more))

    def open_to(self, *kinds: type[Caller], by_hand: bool = False) -> Callable[[Any], Any]:
        """Let these call an endpoint, and give it the caller first; ``by_hand`` if it sees to that itself."""
        security: list[dict[str, list[str]]] = [{SCHEMES[kind][0]: []} for kind in kinds]
        describe = self.doc(security=security)

        def decorate(view: Any) -> Any:
            return describe(view) if by_hand else guarded(describe(view), kinds)

        return self._refusing(decorate, 401, 403, 414, 503)

    def body(self, shape: ma.Schema, *, required: bool = True, by_hand: bool = False) -> Callable[[Any], Any]:
        """Give an endpoint what its body says; not ``required`` if no member is, ``by_hand`` if the endpoint
        reads it itself."""
        if by_hand:
            describe = _described(self.arguments(shape, location="json", required=required))
            return self._refusing(describe, 400, 413, 415, 422)
        return self._reading(shape, "json", required, 400, 413, 415, 422)

    def query(self, shape: ma.Schema) -> Callable[[Any], Any]:
        """Give an endpoint what its query string says."""
        return self._reading(shape, "query", False, 400, 422)

    def refuses(self, *statuses: int) -> Callable[[Any], Any]:
        """Name the errors that an endpoint answers, besides those of its credential and body."""
        return self._refusing(lambda view: view, *statuses)

    def _reading(
        self, shape: ma.Schema, location: str, required: bool, *refused: int
    ) -> Callable[[Any], Any]:
        describe = _described(self.arguments(shape, location=location, required=required))

        def decorate(view: Any) -> Any:
            @wraps(describe(view))
            def reading(*args: Any, **kwargs: Any) -> Any:
                return view(*args, read(shape, serving().request, location), **kwargs)

            return reading

        return self._refusing(decorate, *refused)

    def _refusing(self, decorate: Callable[[Any], Any], *statuses: int) -> Callable[[Any], Any]:
        def both(view: Any) -> Any:
            for status in statuses:
                view = self.alt_response(status, HTTPStatus(status).name)(view)
            return decorate(view)

        return both


def _described(decorate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Take of one of the library's decorators only what it says: of its wrappers, a dozen around each
    endpoint, most do nothing."""

    def describe(view: Any) -> Any:
        view._apidoc = decorate(view)._apidoc
        return view

    return describe
