"""Where an app's events are delivered, and what became of each: for the app to see and to change.

What delivers them is in ``deliveries``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from peewee import JOIN

from service.model.events import EventType
from service.model.revocations import Revoked
from service.model.webhooks import Attempt, Delivery, DeliveryState, Disabled, Webhook, WebhookSecret
from service.store.database import Database
from service.store.tables import Attempts, Deliveries, Events, Webhooks, WebhookSecrets

WEBHOOK = (
    Webhooks.id,
    Webhooks.url,
    Webhooks.types,
    Webhooks.created_at,
    Webhooks.disabled,
    Webhooks.failing_since,
)
_DELIVERY = (Deliveries.event, Deliveries.type, Deliveries.state, Deliveries.due)
_ATTEMPT = (
    Attempts.at,
    Attempts.milliseconds,
    Attempts.status,
    Attempts.answer,
    Attempts.error,
)


class WebhookStore:
    """The webhooks of an app."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def create(self, webhook: Webhook, place: tuple[int, str]) -> None:
        """Add a webhook, without a secret, for the events that come after a place."""
        xid, event = place
        self._database.change(
            Webhooks.insert(
                app=self._app,
                id=webhook.id,
                url=webhook.url,
                types=",".join(webhook.types),
                xid=xid,
                event=event,
                leased_until=0,
                failures=0,
                rests_until=0,
                milliseconds=0,
                created_at=webhook.created_at,
            )
        )

    def all(self) -> tuple[Webhook, ...]:
        """Return all webhooks, the oldest first."""
        rows = self._database.rows(Webhooks.select(*WEBHOOK).where(Webhooks.app == self._app))
        found = [self._with_secrets(as_webhook(row)) for row in rows]
        return tuple(sorted(found, key=lambda webhook: webhook.id))

    def with_id(self, id: str) -> Webhook | None:
        """Find a webhook."""
        row = self._database.row(Webhooks.select(*WEBHOOK).where(self._one(id)))
        return None if row is None else self._with_secrets(as_webhook(row))

    def lock(self, id: str) -> Webhook | None:
        """Find a webhook, and keep others from changing it until the transaction ends."""
        row = self._database.row(self._database.locked(Webhooks.select(*WEBHOOK).where(self._one(id))))
        return None if row is None else self._with_secrets(as_webhook(row))

    def update(self, webhook: Webhook) -> None:
        """Set where a webhook's events go, which they are, and whether it is switched off. What failed before
        counts no more."""
        change = Webhooks.update(
            url=webhook.url,
            types=",".join(webhook.types),
            disabled=webhook.disabled,
            failures=0,
            failing_since=None,
            rests_until=0,
        )
        self._database.change(change.where(self._one(webhook.id)))

    def delete(self, id: str) -> None:
        """Delete a webhook, with all that is kept of it."""
        for table in (Attempts, Deliveries, WebhookSecrets):
            self._database.change(table.delete().where((table.app == self._app) & (table.webhook == id)))
        self._database.change(Webhooks.delete().where(self._one(id)))
        self._database.revoke(Revoked.WEBHOOK_DELETED, self._app, id)

    def add_secret(self, webhook: str, secret: WebhookSecret, sealed: str) -> None:
        """Add a secret, encrypted."""
        row = {"app": self._app, "webhook": webhook, "id": secret.id, "sealed": sealed}
        self._database.change(WebhookSecrets.insert(**row, created_at=secret.created_at))

    def sealed(self, webhook: str) -> tuple[tuple[str, str], ...]:
        """Return a webhook's secrets by id, encrypted, the oldest first."""
        rows = self._database.rows(
            WebhookSecrets.select(WebhookSecrets.id, WebhookSecrets.sealed)
            .where((WebhookSecrets.app == self._app) & (WebhookSecrets.webhook == webhook))
            .order_by(WebhookSecrets.id)
        )
        return tuple((id, sealed) for id, sealed in rows)

    def delete_secret(self, webhook: str, id: str) -> None:
        """Delete a secret, which is there."""
        which = (WebhookSecrets.app == self._app) & (WebhookSecrets.webhook == webhook)
        self._database.change(WebhookSecrets.delete().where(which & (WebhookSecrets.id == id)))
        self._database.revoke(Revoked.WEBHOOK_SECRET_DELETED, self._app, id)

    def deliver(self, webhook: str, event: str, type: str, at: int, user: str | None, due: int) -> None:
        """Have an event delivered when it is due, or once more."""
        row = {"app": self._app, "webhook": webhook, "event": event, "type": type, "at": at, "user": user}
        self._database.change(
            Deliveries.insert(
                **row, state=DeliveryState.PENDING.value, due=due, attempts=0, failures=0
            ).on_conflict(
                conflict_target=[Deliveries.app, Deliveries.webhook, Deliveries.event],
                update={
                    Deliveries.state: DeliveryState.PENDING.value,
                    Deliveries.due: due,
                    Deliveries.failures: 0,
                },
            )
        )

    def delivery(self, webhook: str, event: str) -> Delivery | None:
        """Find what became of an event at a webhook."""
        row = self._database.row(
            Deliveries.select(*_DELIVERY).where(self._of(webhook) & (Deliveries.event == event))
        )
        return None if row is None else self._with_attempts(webhook, [row])[0]

    def deliveries(self, webhook: str, before: str | None, limit: int) -> tuple[Delivery, ...]:
        """Return up to ``limit`` deliveries of a webhook, the latest event first, of events before one."""
        query = Deliveries.select(*_DELIVERY).where(self._of(webhook))
        if before is not None:
            query = query.where(Deliveries.event < before)
        rows = self._database.rows(query.order_by(Deliveries.event.desc()).limit(limit))
        return self._with_attempts(webhook, rows)

    def event(self, id: str) -> tuple[str, int, str] | None:
        """Return the type of an event, when it was, and whom it is about, if it is kept."""
        row = self._database.row(
            Events.select(Events.type, Events.at, Events.user).where(
                (Events.app == self._app) & (Events.id == id)
            )
        )
        return None if row is None else (row[0], row[1], row[2])

    def answered(self, users: Sequence[str]) -> list[tuple[str, str, int]]:
        """Return the attempts to deliver events about these users to which something was answered: of which
        webhook, event and number they are."""
        columns = Attempts.webhook, Attempts.event, Attempts.number
        return list(self._database.rows(answered(self._app, users, *columns)))

    def blank(self, attempts: Iterable[tuple[str, str, int]]) -> None:
        """Forget what was answered to attempts: it may tell of somebody."""
        numbered = groupby(sorted(attempts, key=_webhook_and_number), _webhook_and_number)
        for (webhook, number), same in numbered:
            which = _of_events(Attempts, self._app, webhook, [event for _, event, _ in same])
            self._database.change(Attempts.update(answer=None).where(which & (Attempts.number == number)))

    def forget_before(self, at: int, limit: int) -> int:
        """Forget some of the deliveries of events from before a time that are over, and return how many."""
        old = (Deliveries.app == self._app) & (Deliveries.at < at) & Deliveries.due.is_null()
        rows = self._database.rows(
            Deliveries.select(Deliveries.webhook, Deliveries.event)
            .where(old)
            .order_by(Deliveries.at)
            .limit(limit)
        )
        for webhook, same in groupby(sorted(rows), itemgetter(0)):
            events = [event for _, event in same]
            for table in (Attempts, Deliveries):
                self._database.change(table.delete().where(_of_events(table, self._app, webhook, events)))
        return len(rows)

    def _one(self, id: str) -> Any:
        return (Webhooks.app == self._app) & (Webhooks.id == id)

    def _of(self, webhook: str) -> Any:
        return (Deliveries.app == self._app) & (Deliveries.webhook == webhook)

    def _with_secrets(self, webhook: Webhook) -> Webhook:
        rows = self._database.rows(
            WebhookSecrets.select(WebhookSecrets.id, WebhookSecrets.created_at)
            .where((WebhookSecrets.app == self._app) & (WebhookSecrets.webhook == webhook.id))
            .order_by(WebhookSecrets.id)
        )
        return replace(webhook, secrets=tuple(WebhookSecret(id, at) for id, at in rows))

    def _with_attempts(self, webhook: str, rows: list[tuple[Any, ...]]) -> tuple[Delivery, ...]:
        which = (Attempts.app == self._app) & (Attempts.webhook == webhook)
        found = self._database.rows(
            Attempts.select(Attempts.event, *_ATTEMPT)
            .where(which & Attempts.event.in_([event for event, *_ in rows]))
            .order_by(Attempts.event, Attempts.number)
        )
        attempts: dict[str, list[Attempt]] = {}
        for event, *columns in found:
            attempts.setdefault(event, []).append(Attempt(*columns))
        return tuple(
            Delivery(event, type, DeliveryState(state), due, tuple(attempts.get(event, ())))
            for event, type, state, due in rows
        )


def answered(app: str, users: Sequence[str], *columns: Any) -> Any:
    """Ask for the attempts to deliver events about these users to which something was answered."""
    same = (Attempts.webhook == Deliveries.webhook) & (Attempts.event == Deliveries.event)
    return (
        # In this order, or SQLite would begin with all attempts.
        Deliveries.select(*columns)
        .join(Attempts, JOIN.CROSS)
        .where((Deliveries.app == app) & Deliveries.user.in_(users))
        .where((Attempts.app == app) & same & Attempts.answer.is_null(False))
    )


def _webhook_and_number(attempt: tuple[str, str, int]) -> tuple[str, int]:
    webhook, _, number = attempt
    return webhook, number


def _of_events(table: Any, app: str, webhook: str, events: Sequence[str]) -> Any:
    return (table.app == app) & (table.webhook == webhook) & table.event.in_(events)


def as_webhook(row: tuple[Any, ...]) -> Webhook:
    """Make a webhook of its columns, without its secrets."""
    id, url, types, created_at, disabled, failing_since = row
    words = tuple(map(EventType, types.split(","))) if types else ()
    return Webhook(id, url, words, created_at, disabled and Disabled(disabled), failing_since)
