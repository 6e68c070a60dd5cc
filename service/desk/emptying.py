"""Erase what there may be much of with a user, a piece at a time, so that nobody who writes waits for long.

Each piece is a transaction, and leaves a store in which all holds: conversations that are shorter, and lines
and events that say less. The user is there until the rest is erased.
"""

from collections.abc import Callable, Sequence
from functools import partial

from service.desk.removing import at_once
from service.desk.transactions import one_transaction
from service.desk.users import show
from service.store import AppStore

# How many rows are erased in one transaction.
PIECE = 200


def empty(store: AppStore, id: str, rest: Callable[[], None] = at_once) -> None:
    """Erase what a user and all who became part of them have written, what the history and events say of
    them, and what was answered to webhooks. Raises NotFound if there is no such user.

    ``rest`` is called after each piece.
    """
    for erase in (_erase_conversations, _forget_history, _scrub_events):
        while _take(store, id, erase) == PIECE:
            rest()
    # Nobody waits while they are looked for.
    answered = store.webhooks.answered(store.merges.ever_one_with((id, *store.users.part_of(id))))
    for first in range(0, len(answered), PIECE):
        _take(store, id, partial(_blank, answered[first : first + PIECE]))
        rest()


@one_transaction
def _take(store: AppStore, id: str, erase: Callable[[AppStore, Sequence[str]], int]) -> int:
    """Take one piece, while nobody becomes part of the user, or stands again."""
    user = show(store, id)
    store.users.lock(user, to_change=True)
    return erase(store, (user.id, *store.users.part_of(user.id)))


def _erase_conversations(store: AppStore, users: Sequence[str]) -> int:
    return store.conversations.erase_some(users, PIECE)


def _forget_history(store: AppStore, users: Sequence[str]) -> int:
    return store.history.forget(users, PIECE)


def _scrub_events(store: AppStore, users: Sequence[str]) -> int:
    return store.events.scrub(store.merges.ever_one_with(users), PIECE)


def _blank(attempts: Sequence[tuple[str, str, int]], store: AppStore, _users: Sequence[str]) -> int:
    store.webhooks.blank(attempts)
    return len(attempts)
