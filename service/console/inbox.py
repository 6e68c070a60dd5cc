"""The inbox: the list of conversations, as the browser wants it, beside the one that is open."""

import secrets
from typing import Any

from flask import Response, g, request, url_for

from service.api.context import context, store_of
from service.api.schemas.conversations import PageIn, position
from service.api.schemas.conversations import cursor as text_of
from service.api.schemas.fields import Enum, Text
from service.console.forms import read_fields
from service.console.guard import PATH
from service.console.live import live_page
from service.console.people import beside
from service.console.sealing import unseal
from service.desk import conversations as desk
from service.desk import inbox, looking, users
from service.desk.apps import keys_to_rotate
from service.desk.inbox import MAX_COUNTED, Order, Place
from service.desk.searching import search
from service.model.callers import Backend
from service.model.conversations import Conversation, Status
from service.times import DAY

# How many conversations and messages a page shows; the rest is loaded on demand.
ROWS, MESSAGES = "50", "50"

# Holds what comes first in the list.
COOKIE, MAX_AGE = "usher_console_order", 365 * DAY // 1000

_UNREAD, _READ = "u", "r"


def place(value: str) -> Place:
    """Read where a page of the list ended. Raises Malformed for anything that ``_text_of_place`` did not
    write."""
    at, id = position(value)
    return Place(id.startswith(_UNREAD), (at, id[1:]))


def _text_of_place(place: Place) -> str:
    at, id = place.at
    return text_of(at, f"{_UNREAD if place.unread else _READ}{id}")


class ListIn(PageIn):
    """Which conversations, from where on."""

    cursor = Text(place)
    status = Enum(Status)


LIST, PAGE = ListIn(), PageIn()


def show_list(caller: Backend) -> Response:
    """Make the page of the list alone."""
    cursor = request.args.get("cursor")
    here = url_for("console.conversations.home", cursor=cursor or None, **_kept_here())
    shown = live_page("inbox", here, **_list(caller, cursor or ""))
    if request.args.get("order") in set(Order):
        shown.set_cookie(COOKIE, _order(), MAX_AGE, path=PATH, httponly=True, samesite="Strict")
    return shown


def show_conversation(caller: Backend, id: str, before: str, status: int = 200, **values: Any) -> Response:
    """Make the page of a conversation beside the list: its latest messages, or those before some."""
    store, conversation = store_of(caller), desk.show(store_of(caller), caller, id)
    asked = read_fields(PAGE, limit=MESSAGES, cursor=before)
    found = inbox.list_latest(store, caller, id, before=asked["cursor"], limit=asked["limit"])
    return live_page(
        "inbox",
        url_for("console.conversations.show", id=id, before=before or None, **_kept_here()),
        status,
        conversation=conversation,
        messages=found.data,
        earlier=found.next and text_of(*found.next),
        later=bool(before),
        company=looking.look(store, g.agent.digest, id),
        key=secrets.token_urlsafe(16),
        largest=context().config.attachment_bytes,
        **({"typed": "", "attached": ()} | _list(caller) | beside(caller, conversation.user) | values),
    )


def kept() -> dict[str, Any]:
    """Return what addresses say of the list, so that it stays what it is: nothing of those that wait."""
    status = _status()
    return {
        "status": None if status == Status.OPEN.value else status,
        "search": request.args.get("search") or None,
    }


def _kept_here() -> dict[str, Any]:
    """… of a page that is fetched anew: what was searched is not searched each time."""
    return kept() | ({"list": "no"} if request.args.get("search") else {})


def _status() -> str:
    return request.args.get("status", Status.OPEN.value)


def _order() -> Order:
    said = request.args.get("order", request.cookies.get(COOKIE, ""))
    return Order(said) if said in set(Order) else Order.UNREAD


def _list(caller: Backend, cursor: str = "") -> dict[str, Any]:
    store, sought = store_of(caller), unseal(caller, request.args.get("search", ""))
    shown = {
        "which": "all" if sought else _status(),
        "kept": kept(),
        "order": _order().value,
        "sought": sought,
        "unread": inbox.count_unread(store),
        "most": MAX_COUNTED,
        "keys_to_rotate": keys_to_rotate(store),
    }
    if request.args.get("list") == "no":
        return shown
    found, after = _search(caller, sought, cursor) if sought else _conversations(caller, cursor)
    return shown | {
        "found": [(_place_of(one, not sought and _order() is Order.UNREAD), one) for one in found],
        "next": after,
        "users": users.show_several(store, {one.user or "" for one in found}),
    }


def _conversations(caller: Backend, cursor: str) -> tuple[tuple[Conversation, ...], str | None]:
    status = _status()
    asked = read_fields(LIST, limit=ROWS, status="" if status == "all" else status, cursor=cursor)
    found, after = inbox.list_inbox(store_of(caller), caller, order=_order(), **asked)
    return found, None if after is None else _text_of_place(after)


def _search(caller: Backend, sought: str, cursor: str) -> tuple[tuple[Conversation, ...], str | None]:
    asked = read_fields(PAGE, limit=ROWS, cursor=cursor)
    found = search(store_of(caller), sought, **asked)
    return found.data, found.next and text_of(*found.next)


def _place_of(one: Conversation, unread_first: bool) -> str:
    """Write a place in the list so that the later of two comes first in it."""
    return f"{int(unread_first and one.unread > 0)}{one.updated_at:015}{one.id}"
