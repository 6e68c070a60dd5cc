"""What changed, for an app that follows it."""

from collections.abc import Sequence

from service.desk.transactions import one_transaction
from service.model.errors import EventGone
from service.model.events import EventType, Feed
from service.store import AppStore
from service.store.feed import BEGINNING

# How many deliveries are forgotten at a time, each with up to ten attempts.
DELIVERIES = 200


def follow(store: AppStore, *, after: str | None, types: Sequence[EventType], limit: int) -> Feed:
    """Return what changed after an event, in order, or from the oldest that is kept; of some types or all.

    Raises EventGone for an event that is not kept; whether there ever was such a one, nobody knows any more.
    """
    place = BEGINNING if after is None else store.feed.place_of(after)
    if place is None:
        raise EventGone
    found = store.feed.after(place, types, limit)
    return found if found.after is not None else Feed(found.data, after, found.more)


@one_transaction
def forget_some_events(store: AppStore, before: int) -> int:
    """Forget some of the events from before a time, and return how many; of none if there are no more."""
    return store.feed.forget_before(before)


@one_transaction
def forget_some_deliveries(store: AppStore, before: int) -> int:
    """As ``forget_some_events``, of what became of them at webhooks."""
    return store.webhooks.forget_before(before, DELIVERIES)
