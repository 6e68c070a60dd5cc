"""Subscribers as RevenueCat's clients read them."""

from operator import itemgetter
from typing import Any

from service.desk.subscribers import Subscriber
from service.model.purchases import Purchase
from service.times import written_in_seconds


def shown(subscriber: Subscriber, at: int) -> dict[str, Any]:
    """Write a subscriber as of a time, in milliseconds."""
    return {
        "request_date": written_in_seconds(at),
        "request_date_ms": at,
        "subscriber": {
            "original_app_user_id": subscriber.original,
            "original_application_version": None,
            "original_purchase_date": None,
            "first_seen": written_in_seconds(subscriber.first_seen),
            "last_seen": written_in_seconds(at),
            "management_url": None,
            "entitlements": {},
            "subscriptions": _subscriptions(subscriber.purchases),
            "non_subscriptions": _non_subscriptions(subscriber.purchases),
            "other_purchases": {},
        },
    }


def _subscriptions(purchases: tuple[Purchase, ...]) -> dict[str, Any]:
    """Write what ends, by product; of several the one that ends last."""
    ending = sorted(((p.expires_at, p) for p in purchases if p.expires_at is not None), key=itemgetter(0))
    return {
        purchase.product: _purchase(purchase)
        | {
            "expires_date": written_in_seconds(end),
            "grace_period_expires_date": None,
            "unsubscribe_detected_at": None,
            "billing_issues_detected_at": None,
            "refunded_at": None,
            "auto_resume_date": None,
            "period_type": "normal",
            "ownership_type": "PURCHASED",
        }
        for end, purchase in ending
    }


def _non_subscriptions(purchases: tuple[Purchase, ...]) -> dict[str, Any]:
    """Write what never ends, by product."""
    shown: dict[str, Any] = {}
    for purchase in purchases:
        if purchase.expires_at is None:
            shown.setdefault(purchase.product, []).append({"id": purchase.id} | _purchase(purchase))
    return shown


def _purchase(purchase: Purchase) -> dict[str, Any]:
    return {
        "purchase_date": written_in_seconds(purchase.purchased_at),
        "original_purchase_date": written_in_seconds(purchase.purchased_at),
        "store": purchase.store,
        "store_transaction_id": purchase.transaction,
        "is_sandbox": False,
    }
