"""Webhooks: where events are delivered, with which secrets they are signed, and what became of them.

A secret stands on one page, in the answer to the form that made it, and never again.
"""

import secrets
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for

from service.api.context import context, store_of
from service.api.schemas.conversations import cursor as text_of
from service.api.schemas.events import TYPES
from service.api.schemas.webhooks import DeliveriesIn, WebhookIn
from service.console.forms import field, fields, key_of_form, read_fields
from service.console.guard import guarded
from service.console.rendering import page
from service.desk import webhooks as desk
from service.model.callers import Backend
from service.model.errors import NotFound, Refused
from service.model.webhooks import MAX_SECRETS, Webhook, WebhookSecret
from service.texts import strip

pages = Blueprint("webhooks", __name__)

WEBHOOK, DELIVERIES = WebhookIn(), DeliveriesIn()


@pages.get("/webhooks")
@guarded
def show_all(caller: Backend) -> Response:
    """Show all webhooks, and since when each owes something."""
    store = store_of(caller)
    found = desk.list_webhooks(store).data
    return page("webhooks", found=[(one, desk.oldest_undelivered(store, one.id)) for one in found])


@pages.get("/webhooks/new")
@guarded
def ask(_caller: Backend) -> Response:
    """Ask where events are to be delivered."""
    return _asked(None, "", ())


@pages.post("/webhooks")
@guarded
def create(caller: Backend) -> Any:
    """Have events delivered, and show the secret; not again where the form is sent again."""
    try:
        said = _said()
        made = desk.create_webhook(
            store_of(caller), context().webhook_encryption, **said, key=key_of_form(caller, said)
        )
    except Refused as refused:
        return _asked(None, field("url"), fields("types"), refused)
    return _secret_shown(made.webhook, made.secret) if made.is_new else _to(made.webhook.id, "made-before")


@pages.get("/webhooks/<id>")
@guarded
def show(caller: Backend, id: str) -> Response:
    """Show a webhook with its deliveries."""
    store = store_of(caller)
    webhook = desk.show_webhook(store, id)
    which = read_fields(DELIVERIES, cursor=request.args.get("cursor", ""))
    found = desk.list_deliveries(store, id, **which)
    return page(
        "webhook",
        webhook=webhook,
        oldest=desk.oldest_undelivered(store, id),
        may_have_another_secret=len(webhook.secrets) < MAX_SECRETS,
        deliveries=found.data,
        next=found.next and text_of(*found.next),
        key=secrets.token_urlsafe(16),
    )


@pages.get("/webhooks/<id>/change")
@guarded
def ask_to_change(caller: Backend, id: str) -> Response:
    """Ask where a webhook's events are to go from now on, and which."""
    webhook = desk.show_webhook(store_of(caller), id)
    return _asked(webhook, webhook.url, webhook.types)


@pages.post("/webhooks/<id>/change")
@guarded
def change(caller: Backend, id: str) -> Any:
    """Set where a webhook's events go, and which they are."""
    webhook = desk.show_webhook(store_of(caller), id)
    try:
        desk.change_webhook(store_of(caller), id, **_said())
    except Refused as refused:
        return _asked(webhook, field("url"), fields("types"), refused)
    return _to(id, "changed")


@pages.post("/webhooks/<id>/switch")
@guarded
def switch(caller: Backend, id: str) -> Any:
    """Switch a webhook on, or off."""
    is_on = field("to") == "on"
    desk.change_webhook(store_of(caller), id, enabled=is_on)
    return _to(id, "switched-on" if is_on else "switched-off")


@pages.get("/webhooks/<id>/remove")
@guarded
def ask_to_remove(caller: Backend, id: str) -> Response:
    """Ask whether a webhook is to be removed."""
    return page("webhook_remove", webhook=desk.show_webhook(store_of(caller), id), secret=None)


@pages.post("/webhooks/<id>/remove")
@guarded
def remove(caller: Backend, id: str) -> Any:
    """Remove a webhook."""
    desk.delete_webhook(store_of(caller), id)
    return redirect(url_for("console.webhooks.show_all", done="webhook-removed"), 303)


@pages.post("/webhooks/<id>/secrets")
@guarded
def add_secret(caller: Backend, id: str) -> Any:
    """Add a second secret, and show it; not again where the form is sent again."""
    store = store_of(caller)
    secret, is_new = desk.add_secret(store, context().webhook_encryption, id, key_of_form(caller, {}))
    return _secret_shown(desk.show_webhook(store, id), secret) if is_new else _to(id, "made-before")


@pages.get("/webhooks/<id>/secrets/<secret>/remove")
@guarded
def ask_to_remove_secret(caller: Backend, id: str, secret: str) -> Response:
    """Ask whether a secret is to be removed."""
    webhook = desk.show_webhook(store_of(caller), id)
    found = next((one for one in webhook.secrets if one.id == secret), None)
    if found is None:
        raise NotFound
    return page("webhook_remove", webhook=webhook, secret=found)


@pages.post("/webhooks/<id>/secrets/<secret>/remove")
@guarded
def remove_secret(caller: Backend, id: str, secret: str) -> Any:
    """Remove a secret; nothing is signed with it from now on."""
    desk.delete_secret(store_of(caller), id, secret)
    return _to(id, "secret-removed")


@pages.post("/webhooks/<id>/test")
@guarded
def send_test(caller: Backend, id: str) -> Any:
    """Have a test delivered."""
    desk.send_test(store_of(caller), id, key_of_form(caller, {}))
    return _to(id, "tested")


@pages.post("/webhooks/<id>/deliveries/<event>")
@guarded
def send_again(caller: Backend, id: str, event: str) -> Any:
    """Have an event delivered once more."""
    desk.send_again(store_of(caller), id, event)
    return _to(id, "sent-again")


def _said() -> dict[str, Any]:
    """Read where events are to go, and which. Raises Refused."""
    said: dict[str, Any] = read_fields(WEBHOOK, url=strip(field("url")), types=fields("types"))
    desk.require_reachable(said["url"], loopback=context().config.webhook_loopback == "on")
    return said


def _asked(
    webhook: Webhook | None, url: str, types: Sequence[str], refused: Refused | None = None
) -> Response:
    return page(
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
    return page("webhook_secret", 201, webhook=webhook, secret=secret.plain)


def _to(id: str, done: str) -> Any:
    return redirect(url_for("console.webhooks.show", id=id, done=done), 303)
