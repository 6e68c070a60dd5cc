"""Fill the index of what was written: follow what changes, and go through what was there before, a little
at a time."""

from service.desk.transactions import one_transaction
from service.store import AppStore
from service.store.feed import BEGINNING

# How many events one step follows at most, or how many conversations it goes through; and how many messages
# it puts in: on SQLite nobody else writes meanwhile.
EVENTS, CONVERSATIONS, MESSAGES = 500, 50, 50


@one_transaction
def index_some(store: AppStore) -> bool:
    """Put some of what was written in an app into its index; return whether there may be more to do. If
    somebody else does, nothing is done.

    All that an event tells of is there when it is followed, and what is in the index stays as it is; so it
    does no harm to look at a conversation twice.
    """
    if not store.search.try_lock():
        return False
    progress = store.search.progress()
    if progress is None or progress.is_lost:
        return _begin(store)
    place, filled = progress.place, progress.filled
    if events := store.search.events_after(place, EVENTS):
        found = [id for _, id in events if id is not None]
        place = events[-1][0]
    elif filled is not None:
        found = store.search.conversations_after(filled, CONVERSATIONS)
        filled = found[-1] if found else None
    else:
        return False
    if not store.search.add(found, MESSAGES):
        return True
    store.search.put_progress(place, filled)
    # Few that come one by one are better put in together, a little later.
    return filled is not None or len(events) == EVENTS


def _begin(store: AppStore) -> bool:
    """Begin with all that is there, and follow what comes from now on."""
    place = store.feed.end()
    if place == BEGINNING:
        return False
    store.search.put_progress(place, "")
    return True
