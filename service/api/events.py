"""What changed, for an app's backend to follow."""

from typing import Any

from flask import Blueprint

from service.api.context import store_of
from service.api.endpoints import open_to, query, refuses, response
from service.api.schemas.events import EventsIn, EventsOut
from service.desk.following import follow
from service.model.callers import Backend
from service.model.events import Feed

api = Blueprint("events", __name__, url_prefix="/v1")


@api.get("/events")
@open_to(Backend)
@query(EventsIn())
@response(200, EventsOut())
@refuses(410)
def list_events(caller: Backend, params: dict[str, Any]) -> Feed:
    """List what changed, in order, after an event.

    Go on after the `after` of the answer, also where there is nothing yet; `more` says whether there is more.
    """
    return follow(store_of(caller), **params)
