"""How to reach whoever is logged in."""

from flask import Blueprint

from service.api.context import store_of
from service.api.endpoints import body, open_to, response
from service.api.schemas.contacts import ContactIn
from service.api.schemas.people import LeftContactOut
from service.desk.contacts import leave_contact
from service.model.callers import EndUser
from service.model.contacts import Contact

api = Blueprint("contacts", __name__, url_prefix="/v1")


@api.put("/me/contact")
@open_to(EndUser)
@body(ContactIn(), required=False)
@response(200, LeftContactOut())
def leave(caller: EndUser, contact: Contact) -> Contact:
    """Leave an email, a phone number or a name by which agents can reach the one who is logged in.

    It takes the place of what was left before, and nothing at all removes that. It proves nothing: no login
    looks at it, and nobody is told who else left it.
    """
    return leave_contact(store_of(caller), caller, contact)
