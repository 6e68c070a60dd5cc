"""Users who are probably one person: both side by side, with why; merge them, or say that they are not.

Nothing is merged by looking, and a merge is previewed as ever.
"""

from typing import Any

from flask import Blueprint, Response, redirect, request, url_for

from service.api.context import store_of
from service.api.schemas.conversations import PageIn
from service.api.schemas.conversations import cursor as text_of
from service.api.schemas.duplicates import DismissalIn
from service.console.forms import field, read_fields
from service.console.guard import guarded
from service.console.merges import in_order
from service.console.rendering import page
from service.desk import duplicates as desk
from service.model.callers import Backend
from service.model.users import User
from service.store import AppStore

pages = Blueprint("duplicates", __name__)

PAGE, DISMISSAL = PageIn(), DismissalIn()


@pages.get("/duplicates")
@guarded
def listed(caller: Backend) -> Response:
    """Show pairs of users who are probably one person, the likeliest first."""
    found = desk.find_with_users(store_of(caller), **read_fields(PAGE, cursor=request.args.get("cursor", "")))
    pairs = [(one, *in_order(one.user, one.other)) for one in found.data]
    return page("duplicates", likely=pairs, next=found.next and text_of(*found.next))


def likely(store: AppStore, user: User) -> list[tuple[desk.Likeness, User, User]]:
    """Return who is probably the same person as a user, for the template ``likely.html``: each with who of
    the two would become part of whom."""
    return [(one, *in_order(user, one.other)) for one in desk.of_user(store, user.id)]


@pages.post("/duplicates/dismiss")
@guarded
def dismiss(caller: Backend) -> Any:
    """Remember that two users are not the same; back to whose page it was, or to the list."""
    desk.dismiss(store_of(caller), read_fields(DISMISSAL, users=[field("one"), field("other")]))
    if field("back"):
        return redirect(url_for("console.users.show", id=field("back"), done="dismissed"), 303)
    return redirect(url_for("console.duplicates.listed", done="dismissed"), 303)
