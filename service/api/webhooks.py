"""Where an app's events are delivered, and what became of them."""

from typing import Any

from flask import Blueprint

from service.api.context import context, store_of
from service.api.endpoints import alt_response, body, open_to, query, refuses, response
from service.api.idempotency_keys import once
from service.api.schemas.webhooks import (
    DeliveriesIn,
    DeliveriesOut,
    DeliveryOut,
    MadeWebhookOut,
    PlainSecretOut,
    WebhookChangeIn,
    WebhookIn,
    WebhookOut,
    WebhooksOut,
)
from service.desk import webhooks as desk
from service.encryption import Encryption
from service.model.callers import Backend
from service.model.idempotency_keys import IdempotencyKey
from service.model.pages import Page
from service.model.webhooks import Delivery, Webhook

api = Blueprint("webhooks", __name__, url_prefix="/v1/webhooks")


@api.post("")
@open_to(Backend)
@body(WebhookIn())
@once
@response(201, MadeWebhookOut())
@alt_response(200, MadeWebhookOut())
@refuses(404)
def create(caller: Backend, content: dict[str, Any], key: IdempotencyKey | None) -> Any:
    """Have events delivered from now on, and show the secret that they are signed with."""
    _require_reachable(content["url"])
    made = desk.create_webhook(store_of(caller), _encryption(), **content, key=key)
    return made, 201 if made.is_new else 200


@api.get("")
@open_to(Backend)
@response(200, WebhooksOut())
def list_webhooks(caller: Backend) -> Page[Webhook]:
    """List webhooks, the oldest first."""
    return desk.list_webhooks(store_of(caller))


@api.get("/<id>")
@open_to(Backend)
@response(200, WebhookOut())
@refuses(404)
def show(caller: Backend, id: str) -> Webhook:
    """Show a webhook."""
    return desk.show_webhook(store_of(caller), id)


@api.patch("/<id>")
@open_to(Backend)
@body(WebhookChangeIn(), required=False)
@response(200, WebhookOut())
@refuses(404)
def change(caller: Backend, content: dict[str, Any], id: str) -> Webhook:
    """Change a webhook, or switch it off or on again."""
    if "url" in content:
        _require_reachable(content["url"])
    return desk.change_webhook(store_of(caller), id, **content)


@api.delete("/<id>")
@open_to(Backend)
@response(204)
@refuses(404)
def delete(caller: Backend, id: str) -> None:
    """Delete a webhook."""
    desk.delete_webhook(store_of(caller), id)


@api.post("/<id>/secrets")
@open_to(Backend)
@once
@response(201, PlainSecretOut())
@alt_response(200, PlainSecretOut())
@refuses(404, 409)
def add_secret(caller: Backend, id: str, key: IdempotencyKey | None) -> Any:
    """Add a second secret, with which deliveries are signed too."""
    secret, is_new = desk.add_secret(store_of(caller), _encryption(), id, key)
    return secret, 201 if is_new else 200


@api.delete("/<id>/secrets/<secret>")
@open_to(Backend)
@response(204)
@refuses(404, 409)
def delete_secret(caller: Backend, id: str, secret: str) -> None:
    """Delete a secret; nothing is signed with it from now on."""
    desk.delete_secret(store_of(caller), id, secret)


@api.post("/<id>/test")
@open_to(Backend)
@once
@response(201, DeliveryOut())
@alt_response(200, DeliveryOut())
@refuses(404)
def send_test(caller: Backend, id: str, key: IdempotencyKey | None) -> Any:
    """Have a test delivered, as soon as may be."""
    delivery, is_new = desk.send_test(store_of(caller), id, key)
    return delivery, 201 if is_new else 200


@api.get("/<id>/deliveries")
@open_to(Backend)
@query(DeliveriesIn())
@response(200, DeliveriesOut())
@refuses(404)
def deliveries(caller: Backend, params: dict[str, Any], id: str) -> Page[Delivery]:
    """List deliveries with their attempts, the latest event first."""
    return desk.list_deliveries(store_of(caller), id, **params)


@api.post("/<id>/deliveries/<event>")
@open_to(Backend)
@once
@response(200, DeliveryOut())
@refuses(404, 410)
def send_again(caller: Backend, id: str, event: str, key: IdempotencyKey | None) -> Delivery:
    """Have an event delivered once more, as soon as may be."""
    return desk.send_again(store_of(caller), id, event, key)


def _require_reachable(url: str) -> None:
    desk.require_reachable(url, loopback=context().config.webhook_loopback == "on")


def _encryption() -> Encryption:
    return context().webhook_encryption
