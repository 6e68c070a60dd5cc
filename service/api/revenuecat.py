"""RevenueCat's wire format, so that its real clients can be pointed here; on by the app's setting.

With a publishable key it has RevenueCat's trust: whoever knows an ID is believed. So it shows purchases, and
never a conversation, a name or an email, and changes nothing of anybody whom a backend or a proof made.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import PathConverter

from service.api import problems
from service.api.auth import bearer, require_page, whoever_calls
from service.api.bodies import as_json, read_json
from service.api.context import serving, store_of
from service.api.limits import limits
from service.api.paths import is_text
from service.api.revenuecat_format import is_spoken_at, key_of
from service.api.schemas.subscribers import shown
from service.desk import subscribers as desk
from service.model import errors
from service.model.apps import Switch
from service.model.attributes import MAX_ATTRIBUTE, MAX_ATTRIBUTES, attribute_name
from service.model.callers import Backend, Widget
from service.model.identifiers import (
    Malformed,
    is_of_a_device,
    optional_text,
    subscriber_id,
    text,
)
from service.times import now

api = Blueprint("revenuecat", __name__, url_prefix="/v1")

MAX_TOKEN = 4096  # code points

Parsed = TypeVar("Parsed")


class AnyId(PathConverter):
    """Whatever stands where an ID does, also with line feeds, and with slashes behind its first character: it
    is refused as an ID then, and is no path that leads nowhere."""

    regex = "(?s:[^/].*?)"


# Recorded before the routes that name it.
api.record_once(lambda state: state.app.url_map.converters.update(any_id=AnyId))


def answering(view: Callable[..., Any]) -> Callable[..., Any]:
    """Give an endpoint its caller, where the app has this format on."""

    @wraps(view)
    def answer(**ids: str) -> Any:
        caller = _caller()
        if isinstance(caller, Widget):
            limits(caller).count_login()
        if not is_text(serving().request):
            raise errors.Refused.member("app_user_id", "forbidden-character", "An ID is text in UTF-8.")
        return view(caller, **ids)

    return answer


def _caller() -> Backend | Widget:
    """Return who calls, where their app has this format on. Raises InvalidCredential, and NotFound."""
    caller = whoever_calls(key_of(bearer()))
    if not isinstance(caller, Backend | Widget):
        raise errors.InvalidCredential
    require_page(caller)
    if caller.app.settings.revenuecat is Switch.OFF:
        raise errors.NotFound
    return caller


@api.get("/subscribers/<any_id:id>")
@answering
def get_or_create(caller: Backend | Widget, id: str) -> Response:
    """Return a subscriber, made on first sight."""
    return _answer(*desk.get_or_create(store_of(caller), caller, limits(caller), _id(caller, id)))


@api.post("/subscribers/identify")
@answering
def log_in(caller: Backend | Widget) -> Response:
    """Log in as another ID; 201 if it was made for it."""
    body = _body("app_user_id", "new_app_user_id")
    first, second = _id(caller, body["app_user_id"]), _id(caller, body["new_app_user_id"])
    return _answer(*desk.identify(store_of(caller), caller, limits(caller), first, second))


@api.get("/subscribers/<any_id:id>/offerings")
@answering
def list_offerings(caller: Backend | Widget, id: str) -> Response:
    """List what is for sale, which is nothing here; clients ask for it when they start."""
    _id(caller, id)
    return as_json({"current_offering_id": None, "offerings": []})


@api.post("/subscribers/<any_id:id>/alias")
@answering
def add_alias(caller: Backend | Widget, id: str) -> Response:
    """Link a further ID to a subscriber."""
    new = _id(caller, _body("new_app_user_id")["new_app_user_id"])
    return _answer(*desk.add_alias(store_of(caller), caller, limits(caller), _id(caller, id), new))


@api.post("/subscribers/<any_id:id>/attributes")
@answering
def describe(caller: Backend | Widget, id: str) -> Response:
    """Keep what is said of a subscriber by name."""
    id, said = _id(caller, id), _attributes(read_json(request).get("attributes"))
    return _answer(*desk.describe(store_of(caller), caller, limits(caller), id, said))


@api.post("/receipts")
@answering
def receive(caller: Backend | Widget) -> Response:
    """Take a purchase, or restore what was bought."""
    body = _body("app_user_id", "fetch_token")
    product, restores = body.get("product_id"), body.get("is_restore", False)
    if not isinstance(restores, bool) or not isinstance(product, str | None):
        raise errors.Refused
    id, token = _id(caller, body["app_user_id"]), _parsed(text, body["fetch_token"], MAX_TOKEN)
    product = None if product is None else _parsed(text, product, MAX_TOKEN)
    subscriber = desk.receive(store_of(caller), caller, limits(caller), id, token, product, restores=restores)
    return _answer(subscriber, False)


@api.delete("/subscribers/<any_id:id>")
@answering
def forget(caller: Backend | Widget, id: str) -> Response:
    """Erase a subscriber."""
    if not isinstance(caller, Backend):
        raise errors.InvalidCredential
    desk.forget(store_of(caller), caller, _id(caller, id))
    return as_json({"app_user_id": id})


@api.app_errorhandler(MethodNotAllowed)
def _no_such_method(error: MethodNotAllowed) -> Response | HTTPException:
    """Where the app has this format off nothing is here, whatever the method; nobody else is told so."""
    is_off = is_spoken_at(serving().request.path) and _has_it_off()
    return problems.answer(errors.NotFound()) if is_off else problems.of_the_framework(error)


def _has_it_off() -> bool:
    try:
        _caller()
    except errors.NotFound:
        return True
    except errors.UsherError:
        pass
    return False


def _body(*required: str) -> dict[str, Any]:
    body = read_json(request)
    if not all(isinstance(body.get(name), str) for name in required):
        raise errors.Refused
    return dict(body)


def _id(caller: Backend | Widget, value: str) -> str:
    """Read an ID. Raises Refused, also for a device's anonymous user unless a backend names it."""
    try:
        id = subscriber_id(value)
    except Malformed as malformed:
        raise errors.Refused.member("app_user_id", malformed.code, malformed.detail) from None
    if isinstance(caller, Widget) and is_of_a_device(id):
        raise errors.Refused.member("app_user_id", "reserved", "Only a backend names this user.")
    return id


def _attributes(attributes: Any) -> dict[str, desk.Said]:
    if not isinstance(attributes, dict) or not 0 < len(attributes) <= MAX_ATTRIBUTES:
        raise errors.Refused
    return {_parsed(attribute_name, name): _said(one) for name, one in attributes.items()}


def _said(attribute: Any) -> desk.Said:
    """Read one attribute; a value of which nothing can be seen removes it, as null does."""
    if not isinstance(attribute, dict) or "value" not in attribute:
        raise errors.Refused
    value, at = attribute["value"], attribute.get("updated_at_ms")
    # A boolean is a whole number to Python.
    if not isinstance(value, str | None) or type(at) not in (int, type(None)) or (at or 0) < 0:
        raise errors.Refused
    return (None if value is None else _parsed(optional_text, value, MAX_ATTRIBUTE)), at


def _parsed(parse: Callable[..., Parsed], *arguments: Any) -> Parsed:
    """Read a text that is no ID. Raises Refused, of no member, for one that is malformed."""
    try:
        return parse(*arguments)
    except Malformed:
        raise errors.Refused from None


def _answer(subscriber: desk.Subscriber, created: bool) -> Response:
    return as_json(shown(subscriber, now()), 201 if created else 200)
