"""Webhooks: an app says where its events are to be delivered, and sees what became of them."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import replace

from service.desk.idempotency_keys import made_before, note_made
from service.desk.transactions import one_transaction
from service.encryption import Encryption
from service.model.errors import Conflict, EventGone, NotFound, Refused
from service.model.events import EventType
from service.model.idempotency_keys import IdempotencyKey
from service.model.identifiers import is_id, new_id
from service.model.pages import Item, Page, Position
from service.model.webhooks import (
    MAX_SECRETS,
    TEST,
    Delivery,
    Disabled,
    MadeWebhook,
    Webhook,
    WebhookSecret,
    may_be_reached,
)
from service.store import AppStore
from service.times import now


@one_transaction
def create_webhook(
    store: AppStore,
    encryption: Encryption,
    url: str,
    types: Sequence[EventType],
    key: IdempotencyKey | None = None,
) -> MadeWebhook:
    """Have events delivered that come from now on; return the webhook with its oldest secret.

    Raises Refused for an idempotency key that made something else, and NotFound where what it made is gone.
    """
    at, id = now(), new_id("whk")
    made = made_before(store, key, at, makes=id)
    if made is not None:
        webhook = show_webhook(store, made)
        secret = _secret(store, encryption, webhook, webhook.secrets[0].id)
        return MadeWebhook(webhook, secret, is_new=False)
    webhook = Webhook(id, url, tuple(types), at)
    store.webhooks.create(webhook, store.feed.end())
    secret = _add_secret(store, encryption, id, at)
    webhook = replace(webhook, secrets=(replace(secret, plain=None),))
    return MadeWebhook(webhook, secret, is_new=True)


def list_webhooks(store: AppStore) -> Page[Webhook]:
    """Return all of an app's webhooks, the oldest first."""
    return Page(store.webhooks.all(), None)


def show_webhook(store: AppStore, id: str) -> Webhook:
    """Return a webhook. Raises NotFound."""
    return _there(store.webhooks.with_id(id) if is_id("whk", id) else None)


def oldest_undelivered(store: AppStore, id: str) -> int | None:
    """Return when the oldest event was that a webhook has not been told of, if there is any; one that is off
    too, as it is told when it is on again. What was given up counts no more."""
    return store.deliveries.oldest(id)


@one_transaction
def change_webhook(
    store: AppStore,
    id: str,
    *,
    url: str | None = None,
    types: Sequence[EventType] | None = None,
    enabled: bool | None = None,
) -> Webhook:
    """Set where a webhook's events go, which they are, or whether they are delivered, as far as it is given;
    what failed before counts no more. Raises NotFound."""
    webhook = _lock(store, id)
    disabled = webhook.disabled
    if enabled is not None:
        disabled = None if enabled else Disabled.BY_REQUEST
    types = webhook.types if types is None else tuple(types)
    changed = replace(webhook, url=url or webhook.url, types=types, disabled=disabled, failing_since=None)
    store.webhooks.update(changed)
    return changed


@one_transaction
def delete_webhook(store: AppStore, id: str) -> None:
    """Delete a webhook, and what is kept of its deliveries. Raises NotFound."""
    _lock(store, id)
    store.webhooks.delete(id)


@one_transaction
def add_secret(
    store: AppStore, encryption: Encryption, id: str, key: IdempotencyKey | None = None
) -> tuple[WebhookSecret, bool]:
    """Add a second secret, with which everything is signed as well; return it, and whether it is new.

    Raises NotFound, Conflict where there are two, and Refused for an idempotency key that made something
    else.
    """
    at = now()
    made = made_before(store, key, at)
    webhook = _lock(store, id)
    if made is not None:
        return _secret(store, encryption, webhook, made), False
    if len(webhook.secrets) >= MAX_SECRETS:
        raise Conflict("two-secrets", "a webhook has two secrets at most")
    secret = _add_secret(store, encryption, id, at)
    note_made(store, key, secret.id, None)
    return secret, True


@one_transaction
def delete_secret(store: AppStore, id: str, secret: str) -> None:
    """Delete a secret; nothing is signed with it from now on. Raises NotFound, and Conflict for the last."""
    webhook = _lock(store, id)
    if secret not in [one.id for one in webhook.secrets]:
        raise NotFound
    if len(webhook.secrets) == 1:
        raise Conflict("last-secret", "a webhook keeps one secret")
    store.webhooks.delete_secret(id, secret)


def replace_secret(store: AppStore, encryption: Encryption, secret: str) -> bool:
    """Delete a secret of any webhook, in a transaction, and return whether there is one. In the place of the
    last one of a webhook comes another, which nobody knows."""
    for webhook in store.webhooks.all():
        if secret in [one.id for one in webhook.secrets]:
            if len(webhook.secrets) == 1:
                _add_secret(store, encryption, webhook.id, now())
            store.webhooks.delete_secret(webhook.id, secret)
            return True
    return False


@one_transaction
def send_test(store: AppStore, id: str, key: IdempotencyKey | None = None) -> tuple[Delivery, bool]:
    """Have a test delivered, which is no event; return the delivery, and whether it is new. Raises NotFound,
    and Refused for an idempotency key that made something else."""
    at, event = now(), new_id("evt")
    made = made_before(store, key, at, makes=event)
    _lock(store, id)
    if made is not None:
        return _delivery(store, id, made), False
    store.webhooks.deliver(id, event, TEST, at, None, at)
    return _delivery(store, id, event), True


@one_transaction
def send_again(store: AppStore, id: str, event: str, key: IdempotencyKey | None = None) -> Delivery:
    """Have an event delivered once more; return the delivery. Raises NotFound, also for an event of which the
    webhook was told nothing, and EventGone for one that is not kept."""
    at = now()
    if not is_id("evt", event):
        raise NotFound
    made = made_before(store, key, at, makes=event)
    _lock(store, id)
    found = _delivery(store, id, event)
    if made is not None:
        return found
    kept = store.webhooks.event(event)
    if kept is None and found.type != TEST:
        raise EventGone
    type, then, user = kept or (TEST, at, None)
    store.webhooks.deliver(id, event, type, then, user, at)
    return _delivery(store, id, event)


def list_deliveries(store: AppStore, id: str, *, cursor: Position | None, limit: int) -> Page[Delivery]:
    """Return what became of the events that a webhook was to be told, the latest first. Raises NotFound."""
    show_webhook(store, id)
    found = store.webhooks.deliveries(id, cursor[1] if cursor else None, limit + 1)
    return Page.of(found, limit, lambda delivery: (0, delivery.event))


def plain_secrets(store: AppStore, encryption: Encryption, id: str) -> list[str]:
    """Return a webhook's secrets, the oldest first, but those that were encrypted under another key."""
    plain = (encryption.decrypt(sealed) for _, sealed in store.webhooks.sealed(id))
    return [one for one in plain if one is not None]


def _lock(store: AppStore, id: str) -> Webhook:
    return _there(store.webhooks.lock(id) if is_id("whk", id) else None)


def _delivery(store: AppStore, id: str, event: str) -> Delivery:
    return _there(store.webhooks.delivery(id, event))


def _there(found: Item | None) -> Item:
    if found is None:
        raise NotFound
    return found


def _add_secret(store: AppStore, encryption: Encryption, webhook: str, at: int) -> WebhookSecret:
    plain = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    secret = WebhookSecret(new_id("whs"), at, plain)
    store.webhooks.add_secret(webhook, secret, encryption.encrypt(plain))
    return secret


def _secret(store: AppStore, encryption: Encryption, webhook: Webhook, id: str) -> WebhookSecret:
    secret = next((one for one in webhook.secrets if one.id == id), None)
    sealed = dict(store.webhooks.sealed(webhook.id)).get(id)
    if secret is None or sealed is None:
        raise NotFound
    return replace(secret, plain=encryption.decrypt(sealed))


def require_reachable(url: str, *, loopback: bool) -> None:
    """Raise Refused for a URL to which nothing is ever delivered, as far as it tells by itself."""
    if not may_be_reached(url, loopback=loopback):
        detail = "Events go to public addresses by https, and by http to loopback where it is allowed."
        raise Refused.member("url", "unreachable-url", detail)
