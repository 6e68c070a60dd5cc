"""The OpenAPI document, written from what the decorators of ``endpoints`` say of each endpoint."""

import json
import re
from http import HTTPStatus
from inspect import getdoc
from typing import Any

import marshmallow as ma
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask, Response
from werkzeug.routing import Rule

from service.api.auth import SCHEMES
from service.api.bodies import JSON
from service.api.problems import CONTENT_TYPE

# Headers that an answer of a status has.
HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    429: {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1, "maximum": 60}}},
    503: {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}},
}

# A parameter in a path as Flask writes it, without a converter.
_PARAMETER = re.compile(r"<(\w+)>")


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
    detail = ma.fields.String(metadata={"description": "What the operator has to know."})
    errors = ma.fields.List(ma.fields.Nested(FieldErrorOut()), metadata={"minItems": 1})


def describe(view: Any, *, responses: dict[int, Any] | None = None, **parts: Any) -> Any:
    """Add parts of an OpenAPI operation to what is said of an endpoint, and return the endpoint.

    Schemas stand in them as they are. A response that is a string is the problem of a status of that name.
    """
    said = getattr(view, "operation", {})
    if "parameters" in parts:
        parts["parameters"] = [*parts["parameters"], *said.get("parameters", [])]
    view.operation = said | parts | {"responses": said.get("responses", {}) | (responses or {})}
    return view


def register(app: Flask) -> None:
    """Serve the document of all endpoints that an application has until now."""
    text = json.dumps(document(app), indent=2)
    app.add_url_rule("/openapi.json", "openapi", lambda: Response(text, mimetype=JSON))


def document(app: Flask) -> dict[str, Any]:
    """Write the document of an application's endpoints, as far as they are described."""
    spec = APISpec("Usher", "v1", "3.1.0", plugins=[MarshmallowPlugin()])
    for name, description in SCHEMES.values():
        spec.components.security_scheme(
            name, {"type": "http", "scheme": "bearer", "description": description}
        )
    for status in HTTPStatus:
        problem = {
            "description": status.phrase,
            "content": {CONTENT_TYPE: {"schema": ProblemOut}},
            "headers": HEADERS.get(status, {}),
        }
        # Those that no endpoint names are left out.
        spec.components.response(status.name, problem, lazy=True)
    tags = []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if hasattr(view, "operation"):
            tags.append(rule.endpoint.partition(".")[0])
            _add(spec, rule, view, tags[-1])
    for tag in dict.fromkeys(tags):
        spec.tag({"name": tag, "description": ""})
    return spec.to_dict()


def _add(spec: APISpec, rule: Rule, view: Any, tag: str) -> None:
    """Add the operation of one rule, whose docstring is its summary and, from the third line on, more."""
    summary, _, more = (getdoc(view) or "").partition("\n\n")
    operation = {"summary": summary, **({"description": more} if more else {}), "tags": [tag]}
    (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
    spec.path(
        _PARAMETER.sub(r"{\1}", rule.rule),
        operations={method.lower(): view.operation | operation},
        parameters=[
            {"in": "path", "name": name, "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in _PARAMETER.findall(rule.rule)
        ],
    )
