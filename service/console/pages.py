"""The console as a whole: all its pages, and what its errors say."""

from flask import Blueprint, Flask, Response, g

from service.api.problems import answer
from service.console import (
    agents,
    apps,
    attachments,
    contacts,
    conversations,
    corrections,
    duplicates,
    imports,
    keys,
    merges,
    origins,
    rendering,
    signing_in,
    users,
    webhooks,
)
from service.console.guard import PATH
from service.model.errors import Conflict

console = Blueprint("console", __name__, url_prefix=PATH, template_folder="templates", static_folder=None)
OF_AGENTS = (
    conversations,
    attachments,
    users,
    contacts,
    duplicates,
    merges,
    corrections,
    agents,
    webhooks,
)
OF_OPERATORS = (apps, keys, origins, imports)
for module in (signing_in, *OF_AGENTS, *OF_OPERATORS):
    console.register_blueprint(module.pages)
console.register_blueprint(webhooks.pages, name="app_webhooks", url_prefix="/apps/<app>")


@console.errorhandler(Conflict)
def _conflict(conflict: Conflict) -> Response:
    """Keep what is in the way, for the page to say."""
    g.detail = str(conflict)
    return answer(conflict)


def register(app: Flask) -> None:
    """Serve the console."""
    rendering.register(app)
    app.register_blueprint(console)
