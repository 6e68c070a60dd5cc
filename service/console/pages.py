"""The console as a whole: all its pages, and what its errors say."""

from flask import Blueprint, Flask, Response, g

from service.api.problems import answer
from service.console import conversations, merges, rendering, signing_in, users
from service.console.guard import PATH
from service.model.errors import Conflict

console = Blueprint("console", __name__, url_prefix=PATH, template_folder="templates", static_folder=None)
for module in (signing_in, conversations, users, merges):
    console.register_blueprint(module.pages)


@console.errorhandler(Conflict)
def _conflict(conflict: Conflict) -> Response:
    """Keep what is in the way, for the page to say."""
    g.detail = str(conflict)
    return answer(conflict)


def register(app: Flask) -> None:
    """Serve the console."""
    rendering.register(app)
    app.register_blueprint(console)
