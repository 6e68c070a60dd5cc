"""Agents: the name and the colour of who is signed in, and who else looks at a conversation."""

from typing import Any

from flask import Blueprint, Response, g, redirect, request, url_for

from service.api.context import store_of
from service.api.schemas.fields import Enum, Shape, Text
from service.api.schemas.logins import NAME
from service.console.forms import field, read_fields
from service.console.guard import COOKIE, guarded
from service.console.rendering import page
from service.desk import console_sessions, conversations, looking
from service.model.callers import Backend
from service.model.identifiers import name
from service.model.sessions import Colour

pages = Blueprint("agents", __name__)


class AgentIn(Shape):
    """How an agent is called, and told from others."""

    name = Text(name, blank_is_missing=True, metadata=NAME)
    colour = Enum(Colour, load_default=None)


AGENT = AgentIn()


@pages.get("/you")
@guarded
def ask(_caller: Backend) -> Response:
    """Ask who is signed in."""
    return page("you", colours=Colour)


@pages.post("/you")
@guarded
def describe(caller: Backend) -> Any:
    """Note who is signed in."""
    said = read_fields(AGENT, name=field("name"), colour=field("colour"))
    console_sessions.describe(store_of(caller), request.cookies[COOKIE], said["name"], said["colour"])
    return redirect(url_for("console.agents.ask", done="described"), 303)


@pages.post("/conversations/<id>/looking")
@guarded
def look(caller: Backend, id: str) -> Response:
    """Note that the agent looks at a conversation, and return the part of a page that says who else does;
    or note that they left."""
    store, conversation = store_of(caller), conversations.show(store_of(caller), caller, id)
    if field("leaves"):
        looking.leave(store, g.agent.digest, id)
        return Response(status=204)
    company = looking.look(store, g.agent.digest, id, writes=bool(field("writes")))
    return page("looking", conversation=conversation, company=company)
