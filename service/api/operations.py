"""For those who run it: is it alive, is it ready, what does it count; and the page at /docs."""

from importlib.resources import files
from pathlib import Path

import flask
import marshmallow as ma
from flask import Response, render_template, send_from_directory

from service import metrics
from service.api.auth import guarded
from service.api.context import context
from service.api.endpoints import doc, refuses, response
from service.api.schemas.fields import Answer
from service.model.callers import Operator
from service.model.errors import StoreUnavailable
from service.times import now

api = flask.Blueprint("operations", __name__)
pages = flask.Blueprint("pages", __name__, template_folder="templates", static_folder=None)

HERE = Path(__file__).parent
SWAGGER = str(files("flask_swagger_ui") / "dist")


class HealthOut(Answer):
    """That all is well; what is not well is a problem."""

    status = ma.fields.Constant("ok", metadata={"type": "string", "enum": ["ok"]})


@api.get("/healthz")
@doc(security=[])
@response(200, HealthOut())
@refuses(414)
def healthz() -> dict[str, str]:
    """Show that the process answers."""
    return {}


@api.get("/readyz")
@doc(security=[])
@response(200, HealthOut())
@refuses(414, 503)
def readyz() -> dict[str, str]:
    """Show that the store is reachable and its schema current."""
    context().store.database.ping()
    context().schema.require()
    return {}


def _metrics(_: Operator) -> Response:
    store, at = context().store, now()
    try:
        of_all = (
            metrics.Webhooks(store.webhooks.health(), at),
            metrics.Searches(store.searches.states(), at),
            metrics.Duplicates(store.comparing.behind().values(), at),
        )
    except StoreUnavailable:
        # What was counted is asked for most when the store is away.
        body, content_type = metrics.exposition()
    else:
        body, content_type = metrics.exposition(*of_all)
    return Response(body, content_type=content_type)


pages.add_url_rule("/metrics", "metrics", guarded(_metrics, (Operator,)))


@pages.get("/docs")
def docs() -> str:
    """Show the API, with scripts and styles that we serve ourselves."""
    return render_template("docs.html")


@pages.get("/docs/start.js")
def docs_start() -> Response:
    """Serve the script that begins the page."""
    return send_from_directory(HERE / "static", "start.js")


@pages.get("/docs/<path:name>")
def docs_asset(name: str) -> Response:
    """Serve what the page is made of."""
    return send_from_directory(SWAGGER, name)
