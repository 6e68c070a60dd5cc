"""Who somebody might be: the users who left the same contact, and those who have it as an email.

Looking changes nothing and merges nobody. What is looked for is personal, so it stands in a form and in no
address.
"""

from flask import Blueprint, Response

from service.api.context import store_of
from service.api.schemas.users import UsersIn
from service.console.forms import field, read_fields
from service.console.guard import guarded
from service.console.merges import in_order
from service.console.rendering import page
from service.desk import users as desk
from service.model.callers import Backend
from service.model.contacts import contact_key
from service.model.identifiers import Malformed
from service.model.pages import Page
from service.model.users import User

pages = Blueprint("contacts", __name__)

FOUND = UsersIn()
# How many users of each kind are shown at once.
LIMIT = "100"


@pages.post("/users/<id>/contacts")
@guarded
def look(caller: Backend, id: str) -> Response:
    """Show who a user might be who left an email or a phone number."""
    user = desk.show(store_of(caller), id)
    email, phone = field("email"), field("phone")
    by_email = who_left(caller, email, limit=LIMIT)
    by_phone = who_left(caller, phone, limit=LIMIT)
    having = _who_has(caller, email)
    return page(
        "contact",
        user=user,
        email=email,
        phone=phone,
        same=_pairs(user, by_email, by_phone),
        having=_pairs(user, having),
        is_more=any(found.next for found in (by_email, by_phone, having)),
    )


def who_left(caller: Backend, text: str, **which: str) -> Page[User]:
    """Return a page of those who left an email or a phone number; of nobody, if the text is neither.

    Raises Refused for a page that is none.
    """
    try:
        contact_key(text)
    except Malformed:
        return Page((), None)
    return desk.find(store_of(caller), **read_fields(FOUND, contact=text, **which))


def _who_has(caller: Backend, email: str) -> Page[User]:
    if not email:
        return Page((), None)
    return desk.find(store_of(caller), **read_fields(FOUND, email=email, limit=LIMIT))


def _pairs(user: User, *found: Page[User]) -> list[tuple[User, User, User]]:
    """Return whom was found beside the user, each once, with who of the two would become part of whom."""
    others = {other.id: other for one in found for other in one.data if other.id != user.id}
    return [(other, *in_order(user, other)) for other in others.values()]
