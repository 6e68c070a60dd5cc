"""Deliver events: who does it for which webhook, and what comes of each attempt.

Several may do so at once. Each leases one webhook for a time, which outlasts every attempt, and nobody else
delivers there meanwhile: so they come in order. Whoever is killed leaves the lease behind, and the next one
goes on after what was noted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SQL, Case, fn

from service.model.webhooks import Attempt, DeliveryState, Disabled, Webhook
from service.store.database import Database
from service.store.feed import Place, settled
from service.store.tables import Attempts, Deliveries, Events, Webhooks
from service.store.webhooks import WEBHOOK, as_webhook

# An endpoint whose last attempt took longer than this, in milliseconds, is slow.
SLOW = 1000


@dataclass(frozen=True, slots=True)
class Leased:
    """A webhook that somebody delivers to, and up to which event each has been tried; ``is_slow`` if it may
    fail, or take its time."""

    webhook: Webhook
    lease: str
    place: Place
    rests_until: int
    failures: int
    is_slow: bool


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that is to be made, once more or for the first time."""

    event: str
    type: str
    at: int
    user: str | None
    attempts: int
    failures: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt changes: of its delivery, and of its webhook, up to which event each has been tried by
    then, and until when no new one is."""

    attempt: Attempt
    state: DeliveryState
    due: int | None
    place: Place
    rests_until: int
    disabled: Disabled | None


class DeliveryStore:
    """The deliveries of an app's events."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def is_waiting(self, at: int, *, quick: bool) -> bool:
        """Return whether there is anything to lease."""
        return self._database.row(self._waiting(at, quick)) is not None

    def lease(self, lease: str, at: int, until: int, *, quick: bool) -> Leased | None:
        """Lease a webhook for which something is to be delivered, if there is one that nobody has leased; of
        those that answer quickly, if asked to."""
        query = self._database.locked(self._waiting(at, quick), "UPDATE SKIP LOCKED", of=Webhooks)
        row = self._database.row(query)
        if row is None:
            return None
        webhook, rest = as_webhook(row[: len(WEBHOOK)]), row[len(WEBHOOK) :]
        xid, event, rests_until, failures, milliseconds = rest
        change = Webhooks.update(lease=lease, leased_until=until)
        self._database.change(change.where((Webhooks.app == self._app) & (Webhooks.id == webhook.id)))
        is_slow = failures > 0 or milliseconds > SLOW
        return Leased(webhook, lease, (xid, event), rests_until, failures, is_slow)

    def release(self, leased: Leased, at: int) -> None:
        """End a lease. Whoever was left alone for longer comes first."""
        self._database.change(Webhooks.update(leased_until=at).where(self._held(leased)))

    def due(self, webhook: str, at: int) -> Due | None:
        """Return what is to be tried again by now, the longest due first."""
        row = self._database.row(
            Deliveries.select(
                Deliveries.event,
                Deliveries.type,
                Deliveries.at,
                Deliveries.user,
                Deliveries.attempts,
                Deliveries.failures,
            )
            .where((Deliveries.app == self._app) & (Deliveries.webhook == webhook) & (Deliveries.due <= at))
            .order_by(Deliveries.due)
            .limit(1)
        )
        return None if row is None else Due(*row)

    def give_up(self, webhook: str, event: str) -> None:
        """Try an event no more."""
        which = (Deliveries.app == self._app) & (Deliveries.webhook == webhook) & (Deliveries.event == event)
        self._database.change(Deliveries.update(state=DeliveryState.GIVEN_UP.value, due=None).where(which))

    def skip(self, leased: Leased, place: Place) -> None:
        """Note that nothing up to a place is to be delivered."""
        xid, event = place
        self._database.change(Webhooks.update(xid=xid, event=event).where(self._held(leased)))

    def note(self, leased: Leased, due: Due, outcome: Outcome, until: int) -> Webhook | None:
        """Write an attempt down, and go on with the lease until a time; return the webhook as it is by now.

        If the lease is not held any more, nothing is written, and it is None: somebody else tries the same,
        or the webhook is gone.
        """
        attempt, succeeded = outcome.attempt, outcome.attempt.succeeded
        since = Case(None, [(Webhooks.failing_since.is_null(), attempt.at)], Webhooks.failing_since)
        xid, event = outcome.place
        change = Webhooks.update(
            xid=xid,
            event=event,
            leased_until=until,
            failures=0 if succeeded else Webhooks.failures + 1,
            failing_since=None if succeeded else since,
            rests_until=outcome.rests_until,
            milliseconds=attempt.milliseconds,
            disabled=fn.COALESCE(Webhooks.disabled, outcome.disabled),
        )
        row = self._database.row(change.where(self._held(leased)).returning(*WEBHOOK))
        if row is None:
            return None
        self._put(leased.webhook.id, due, outcome)
        return as_webhook(row)

    def _put(self, webhook: str, due: Due, outcome: Outcome) -> None:
        attempt = outcome.attempt
        failures = 0 if attempt.succeeded else due.failures + 1
        row: dict[str, Any] = {"app": self._app, "webhook": webhook, "event": due.event, "type": due.type}
        row |= {"at": due.at, "user": due.user, "state": outcome.state.value, "due": outcome.due}
        self._database.put(Deliveries, [row | {"attempts": due.attempts + 1, "failures": failures}])
        self._database.change(
            Attempts.insert(
                app=self._app,
                webhook=webhook,
                event=due.event,
                number=due.attempts + 1,
                at=attempt.at,
                milliseconds=attempt.milliseconds,
                status=attempt.status,
                answer=attempt.answer,
                error=attempt.error,
            )
        )

    def oldest(self, webhook: str) -> int | None:
        """Return when the oldest event was that is to be delivered to a webhook and has not been."""
        theirs = (Deliveries.app == self._app) & (Deliveries.webhook == webhook)
        again = Deliveries.select(fn.MIN(Deliveries.at)).where(theirs & Deliveries.due.is_null(False))
        times = [at for (at,) in self._database.rows(again)]
        place = Webhooks.select(Webhooks.xid, Webhooks.event, Webhooks.types)
        its = (Webhooks.app == self._app) & (Webhooks.id == webhook)
        for xid, event, types in self._database.rows(place.where(its)):
            times += [at for (at,) in self._database.rows(self._next((xid, event), types.split(",")))]
        return min((at for at in times if at is not None), default=None)

    def _next(self, place: Place, types: Sequence[str]) -> Any:
        query = settled(self._database.is_sqlite, self._app, *place, Events.at)
        if types != [""]:
            query = query.where(Events.type.in_(types))
        return query.order_by(Events.xid, Events.id).limit(1)

    def _held(self, leased: Leased) -> Any:
        is_it = (Webhooks.app == self._app) & (Webhooks.id == leased.webhook.id)
        return is_it & (Webhooks.lease == leased.lease)

    def _waiting(self, at: int, quick: bool) -> Any:
        """Select the webhooks for which there is something to do, the longest left alone first."""
        place = Webhooks.xid, Webhooks.event
        # Each part names the app by itself: of a subquery in an OR, Citus finds the machine by that alone.
        new = settled(self._database.is_sqlite, self._app, *place, SQL("1"))
        again = Deliveries.select(SQL("1")).where(
            (Deliveries.app == self._app) & (Deliveries.webhook == Webhooks.id) & (Deliveries.due <= at)
        )
        is_due = fn.EXISTS(again) | ((Webhooks.rests_until <= at) & fn.EXISTS(new))
        how = Webhooks.rests_until, Webhooks.failures, Webhooks.milliseconds
        query = Webhooks.select(*WEBHOOK, *place, *how).where(
            (Webhooks.app == self._app) & Webhooks.disabled.is_null() & (Webhooks.leased_until <= at) & is_due
        )
        if quick:
            query = query.where((Webhooks.failures == 0) & (Webhooks.milliseconds <= SLOW))
        return query.order_by(Webhooks.leased_until, Webhooks.id).limit(1)
