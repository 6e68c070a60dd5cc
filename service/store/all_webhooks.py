"""How the webhooks of all apps do, for whoever runs Usher."""

from typing import Any

from peewee import Case, fn

from service.model.webhooks import Disabled, WebhookHealth, WebhookState
from service.store.database import Database
from service.store.feed import follows
from service.store.tables import Deliveries, Events, Webhooks


class AllWebhooks:
    """The webhooks of all apps, which nobody sees as such."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def health(self) -> tuple[WebhookHealth, ...]:
        """Return how many webhooks there are of each state, and what is the oldest that those have not taken.

        For each that is on two indexes are looked into, however many events and deliveries there are.
        """
        return tuple(
            WebhookHealth(_state(disabled, is_failing=bool(is_failing)), count, pending, untried)
            for disabled, is_failing, count, pending, untried in self._database.rows(_HEALTH)
        )


def _state(disabled: str | None, *, is_failing: bool) -> WebhookState:
    if disabled is not None:
        return WebhookState.GIVEN_UP if disabled == Disabled.FAILING else WebhookState.OFF
    return WebhookState.FAILING if is_failing else WebhookState.ANSWERING


def _oldest(of: Any) -> Any:
    """Select the least of a time that each webhook has, if it is on."""
    return fn.MIN(Case(None, [(Webhooks.disabled.is_null(), of)]))


# What was not taken and is tried again; and what is next, whether or not its turn has come: that of a
# transaction before which others still run, too.
_PENDING = (
    Deliveries.select(Deliveries.at)
    .where(
        (Deliveries.app == Webhooks.app) & (Deliveries.webhook == Webhooks.id) & Deliveries.due.is_null(False)
    )
    .order_by(Deliveries.at)
    .limit(1)
)
_UNTRIED = (
    Events.select(Events.at)
    .where((Events.app == Webhooks.app) & follows(Webhooks.xid, Webhooks.event))
    .order_by(Events.xid, Events.id)
    .limit(1)
)
_IS_FAILING = Webhooks.failing_since.is_null(False)
_HEALTH = Webhooks.select(
    Webhooks.disabled, _IS_FAILING, fn.COUNT(Webhooks.id), _oldest(_PENDING), _oldest(_UNTRIED)
).group_by(Webhooks.disabled, _IS_FAILING)
