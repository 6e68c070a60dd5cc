"""Pages that show what is new by themselves, and keep what is written there: what their scripts are told.

They are told the ticket by which to follow the stream, and the key by which this browser keeps drafts.
"""

from typing import Any

from flask import Response, g, request

from service.api.context import context
from service.console.guard import COOKIE
from service.console.rendering import CONNECTING, page
from service.desk.tickets import issue_ticket
from service.encryption import Encryption


def live_page(name: str, here: str, status: int = 200, **values: Any) -> Response:
    """Make a page of a template as ``page`` does; ``here`` is the address at which it is fetched anew."""
    config, app = context().config, g.agent.caller.app.id
    live = {
        "url": config.live_url,
        "page": here,
        "ticket": issue_ticket(config.secret_key, app, request.cookies[COOKIE]) if config.live_url else "",
    }
    shown = page(name, status, live=live, drafts=_drafts(), **values)
    shown.headers["Content-Security-Policy"] = f"{CONNECTING} {config.live_url}".rstrip()
    return shown


def _drafts() -> dict[str, str]:
    """Return whose drafts a page may read: of all who sign in with the same key of the app. Who signs in with
    another is told another key."""
    caller = g.agent.caller
    whose = f"{caller.app.id} {caller.actor.by}"
    key = Encryption(context().config.secret_key, "console drafts").secret_of(whose)
    return {"scope": caller.actor.by, "key": key}
