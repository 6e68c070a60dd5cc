"""Webhooks: where events are delivered, with which secrets they are signed, and what became of them.

An app's agents see them at /console/webhooks, and the operator at /console/apps/<app>/webhooks. A secret
stands on one page, in the answer to the form that made it, and never again.
"""

import secrets
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from flask import Blueprint, Response, g, redirect, request, url_for

from service.api.context import context, store_of
from service.api.schemas.conversations import cursor as text_of
from service.api.schemas.events import TYPES
from service.api.schemas.webhooks import DeliveriesIn, WebhookIn
from service.console.forms import field, fields, key_of_form, read_fields
from service.console.guard import guarded_for_all
from service.console.rendering import page
from service.desk import webhooks as desk
from service.desk.apps import show_app
from service.model.callers import Backend, Operator
from service.model.errors import NotFound, Refused
from service.model.idempotency_keys import IdempotencyKey
from service.model.webhooks import MAX_SECRETS, Webhook, WebhookSecret
from service.store import AppStore
from service.texts import strip

pages = Blueprint("webhooks", __name__)

WEBHOOK, DELIVERIES = WebhookIn(), DeliveriesIn()


def of_an_app(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let a page be seen by an agent, or by the operator where the address names an app; and give it the
    app's store. For the others there is no such page."""

    @guarded_for_all
    @wraps(view)
    def seen(caller: Backend | Operator, app: str | None = None, **which: str) -> Any:
        g.app_shown = None
        match caller:
            case Backend() if app is None:
                return view(store_of(caller), **which)
            case Operator() if app is not None:
                g.app_shown = show_app(context().store, app)
                return view(context().store.of(app), **which)
            case _:
                raise NotFound

    return seen


@pages.url_defaults
def _of_the_same_app(_endpoint: str, values: dict[str, Any]) -> None:
    """Let the pages of an app lead to one another."""
    shown = g.get("app_shown")
    if shown is not None:
        values.setdefault("app", shown.id)


def _page(name: str, status: int = 200, **values: Any) -> Response:
    return page(name, status, app=g.app_shown, **values)


@pages.get("/webhooks")
@of_an_app
def show_all(store: AppStore) -> Response:
    """Show all webhooks, and since when each owes something."""
    found = desk.list_webhooks(store).data
    return _page("webhooks", found=[(one, desk.oldest_undelivered(store, one.id)) for one in found])


@pages.get("/webhooks/new")
@of_an_app
def ask(_: AppStore) -> Response:
    """Ask where events are to be delivered."""
    return _asked(None, "", ())


@pages.post("/webhooks")
@of_an_app
def create(store: AppStore) -> Any:
    """Have events delivered, and show the secret; not again where the form is sent again."""
    try:
        said = _said()
        made = desk.create_webhook(store, context().webhook_encryption, **said, key=_key(said))
    except Refused as refused:
        return _asked(None, field("url"), fields("types"), refused)
    return _secret_shown(made.webhook, made.secret) if made.is_new else _to(made.webhook.id, "made-before")


@pages.get("/webhooks/<id>")
@of_an_app
def show(store: AppStore, id: str) -> Response:
    """Show a webhook with its deliveries."""
    webhook = desk.show_webhook(store, id)
    which = read_fields(DELIVERIES, cursor=request.args.get("cursor", ""))
    found = desk.list_deliveries(store, id, **which)
    return _page(
        "webhook",
        webhook=webhook,
        oldest=desk.oldest_undelivered(store, id),
        may_have_another_secret=len(webhook.secrets) < MAX_SECRETS,
        deliveries=found.data,
        next=found.next and text_of(*found.next),
        key=secrets.token_urlsafe(16),
    )


@pages.get("/webhooks/<id>/change")
@of_an_app
def ask_to_change(store: AppStore, id: str) -> Response:
    """Ask where a webhook's events are to go from now on, and which."""
    webhook = desk.show_webhook(store, id)
    return _asked(webhook, webhook.url, webhook.types)


@pages.post("/webhooks/<id>/change")
@of_an_app
def change(store: AppStore, id: str) -> Any:
    """Set where a webhook's events go, and which they are."""
    webhook = desk.show_webhook(store, id)
    try:
        desk.change_webhook(store, id, **_said())
    except Refused as refused:
        return _asked(webhook, field("url"), fields("types"), refused)
    return _to(id, "changed")


@pages.post("/webhooks/<id>/switch")
@of_an_app
def switch(store: AppStore, id: str) -> Any:
    """Switch a webhook on, or off."""
    is_on = field("to") == "on"
    desk.change_webhook(store, id, enabled=is_on)
    return _to(id, "switched-on" if is_on else "switched-off")


@pages.get("/webhooks/<id>/remove")
@of_an_app
def ask_to_remove(store: AppStore, id: str) -> Response:
    """Ask whether a webhook is to be removed."""
    return _page("webhook_remove", webhook=desk.show_webhook(store, id), secret=None)


@pages.post("/webhooks/<id>/remove")
@of_an_app
def remove(store: AppStore, id: str) -> Any:
    """Remove a webhook."""
    desk.delete_webhook(store, id)
    return redirect(url_for(".show_all", done="webhook-removed"), 303)


@pages.post("/webhooks/<id>/secrets")
@of_an_app
def add_secret(store: AppStore, id: str) -> Any:
    """Add a second secret, and show it; not again where the form is sent again."""
    secret, is_new = desk.add_secret(store, context().webhook_encryption, id, _key({}))
    return _secret_shown(desk.show_webhook(store, id), secret) if is_new else _to(id, "made-before")


@pages.get("/webhooks/<id>/secrets/<secret>/remove")
@of_an_app
def ask_to_remove_secret(store: AppStore, id: str, secret: str) -> Response:
    """Ask whether a secret is to be removed."""
    webhook = desk.show_webhook(store, id)
    found = next((one for one in webhook.secrets if one.id == secret), None)
    if found is None:
        raise NotFound
    return _page("webhook_remove", webhook=webhook, secret=found)


@pages.post("/webhooks/<id>/secrets/<secret>/remove")
@of_an_app
def remove_secret(store: AppStore, id: str, secret: str) -> Any:
    """Remove a secret; nothing is signed with it from now on."""
    desk.delete_secret(store, id, secret)
    return _to(id, "secret-removed")


@pages.post("/webhooks/<id>/test")
@of_an_app
def send_test(store: AppStore, id: str) -> Any:
    """Have a test delivered."""
    desk.send_test(store, id, _key({}))
    return _to(id, "tested")


@pages.post("/webhooks/<id>/deliveries/<event>")
@of_an_app
def send_again(store: AppStore, id: str, event: str) -> Any:
    """Have an event delivered once more."""
    desk.send_again(store, id, event)
    return _to(id, "sent-again")


def _key(said: dict[str, Any]) -> IdempotencyKey | None:
    return key_of_form(g.agent.caller, said)


def _said() -> dict[str, Any]:
    """Read where events are to go, and which. Raises Refused."""
    said: dict[str, Any] = read_fields(WEBHOOK, url=strip(field("url")), types=fields("types"))
    desk.require_reachable(said["url"], loopback=context().config.webhook_loopback == "on")
    return said


def _asked(
    webhook: Webhook | None, url: str, types: Sequence[str], refused: Refused | None = None
) -> Response:
    return _page(
        "webhook_form",
        422 if refused else 200,
        webhook=webhook,
        url=url,
        ticked=types,
        types=TYPES,
        key=secrets.token_urlsafe(16),
        errors=refused.errors if refused else (),
    )


def _secret_shown(webhook: Webhook, secret: WebhookSecret) -> Response:
    return _page("webhook_secret", 201, webhook=webhook, secret=secret.plain)


def _to(id: str, done: str) -> Any:
    return redirect(url_for(".show", id=id, done=done), 303)
