"""Deliver events to webhooks: which is next, and what comes of an attempt.

To one webhook events go in their order, as long as it answers. One that was not taken is tried again by the
schedule, and meanwhile others go on. New ones have a rest after each failure, which is longer the more
attempts have failed in a row: so whatever is down when events come is told them in order when it is up again,
and one event that is never taken holds up the others for moments.
"""

from dataclasses import dataclass, replace

from service import metrics
from service.desk.transactions import one_transaction
from service.logs import get_logger
from service.model.events import Told
from service.model.identifiers import new_id
from service.model.webhooks import TEST, Attempt, DeliveryState, Disabled, Webhook
from service.store import AppStore
from service.store.deliveries import Due, Leased, Outcome
from service.store.feed import Place
from service.times import DAY, now

SECOND = 1000
HOUR = 60 * 60 * SECOND

# After each failure of a delivery, how long to wait before the next attempt, in milliseconds.
SCHEDULE = (5 * SECOND, 5 * 60 * SECOND, HOUR // 2, *(hours * HOUR for hours in (2, 5, 10, 14, 20, 24)))
# Who has failed for so long is switched off.
GIVEN_UP_AFTER = 5 * DAY
# How long new events rest after a failure, at first and at most; twice as long after each more.
REST, MAX_REST = 5 * SECOND, 5 * 60 * SECOND

# How long a lease lasts, in milliseconds: longer than any attempt.
LEASE = 30 * SECOND

log = get_logger()


@dataclass(frozen=True, slots=True)
class Job:
    """A delivery that is to be made: with what is told, which is nothing for a test; ``place`` is up to where
    each event has been tried then."""

    due: Due
    told: Told | None
    place: Place


@one_transaction
def lease(store: AppStore, *, quick: bool) -> Leased | None:
    """Lease a webhook for which there is something to do, if there is one; one that answers, if asked to."""
    at = now()
    return store.deliveries.lease(new_id("lse"), at, at + LEASE, quick=quick)


def next_job(store: AppStore, leased: Leased) -> tuple[Leased, Job | None]:
    """Return what is to be delivered now, if anything is: what is due again before what is new. What is of
    other types than the webhook's is passed over."""
    while due := store.deliveries.due(leased.webhook.id, now()):
        told = store.feed.with_id(due.event)
        if told is not None or due.type == TEST:
            return leased, Job(due, told, leased.place)
        _forget(store, leased, due)
    if leased.rests_until > now():
        return leased, None
    while True:
        found = store.feed.after(leased.place, leased.webhook.types, 1)
        if found.data:
            told = found.data[0]
            event = told.event
            due = Due(event.id, event.type.value, event.at, event.user, 0, 0)
            return leased, Job(due, told, store.feed.place_of(event.id) or leased.place)
        if found.after is None:
            return leased, None
        leased = _pass_over(store, leased, found.after)


@one_transaction
def _pass_over(store: AppStore, leased: Leased, event: str) -> Leased:
    place = store.feed.place_of(event) or leased.place
    store.deliveries.skip(leased, place)
    return replace(leased, place=place)


def _forget(store: AppStore, leased: Leased, due: Due) -> None:
    """Give up what is not kept any more."""
    _give_up(store, leased.webhook.id, due.event)
    metrics.GIVEN_UP.inc()


@one_transaction
def _give_up(store: AppStore, webhook: str, event: str) -> None:
    store.deliveries.give_up(webhook, event)


def note(store: AppStore, leased: Leased, job: Job, attempt: Attempt) -> Leased | None:
    """Write down what came of an attempt; return the lease with the webhook as it is then, or None if that is
    all for now."""
    outcome = _outcome(leased, job, attempt)
    webhook = _write(store, leased, job, outcome)
    if webhook is None:
        return None
    if outcome.state is DeliveryState.GIVEN_UP:
        metrics.GIVEN_UP.inc()
    if webhook.disabled is Disabled.FAILING:
        metrics.SWITCHED_OFF.inc()
        log.warning("webhook switched off", app=store.app_id, webhook=webhook.id)
    if not attempt.succeeded or not webhook.enabled:
        return None
    return replace(leased, webhook=webhook, place=job.place, rests_until=0, failures=0)


def _outcome(leased: Leased, job: Job, attempt: Attempt) -> Outcome:
    """Decide what an attempt changes."""
    failures = job.due.failures + 1
    rests_until, disabled = 0, None
    if attempt.succeeded:
        state, due = DeliveryState.DELIVERED, None
    elif failures > len(SCHEDULE):
        state, due = DeliveryState.GIVEN_UP, None
    else:
        state, due = DeliveryState.PENDING, now() + SCHEDULE[failures - 1]
    if not attempt.succeeded:
        rests_until = now() + min(REST * 2 ** min(leased.failures, 10), MAX_REST)
        since = leased.webhook.failing_since or attempt.at
        disabled = Disabled.FAILING if attempt.at - since >= GIVEN_UP_AFTER else None
    return Outcome(attempt, state, due, job.place, rests_until, disabled)


@one_transaction
def _write(store: AppStore, leased: Leased, job: Job, outcome: Outcome) -> Webhook | None:
    # After a failure it is another's turn.
    until = now() + (LEASE if outcome.attempt.succeeded else 0)
    webhook = store.deliveries.note(leased, job.due, outcome, until)
    if webhook is not None and outcome.attempt.succeeded and not webhook.enabled:
        store.deliveries.release(leased, now())
    return webhook


@one_transaction
def release(store: AppStore, leased: Leased) -> None:
    """End a lease: whoever comes next may have it."""
    store.deliveries.release(leased, now())
