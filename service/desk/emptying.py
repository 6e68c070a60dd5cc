"""Erase what there may be much of with a user or an app, a piece at a time, so that nobody who writes waits
for long.

Each piece of a user is a transaction, and leaves a store in which all holds: conversations that are shorter,
lines and events that say less, and fewer sessions, IDs and purchases. The user is there until the rest is
erased, and their sessions end before it is begun. An app is gone before the first piece.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from service.desk.removing import at_once
from service.desk.sessions import tell_ended
from service.desk.transactions import one_transaction
from service.desk.users import show
from service.model.events import Ended
from service.model.users import User
from service.store import AppStore, Store
from service.store.forgetting import Key, Step
from service.times import now

# How many rows are erased in one transaction.
PIECE = 100

# Takes a piece of a user and of all who are part of them, and returns how much that was.
Erase = Callable[[AppStore, User, Sequence[str]], int]


def is_much(store: AppStore, id: str) -> bool:
    """Return whether there is more than a piece of a user. Raises NotFound if there is no such user."""
    return store.amounts.exceeds(PIECE, *_whom(store, id))


def empty(store: AppStore, id: str, rest: Callable[[], None] = at_once) -> None:
    """End the sessions of a user and of all who became part of them; then erase all their IDs but one, which
    each piece would read else, what they have written and bought, what the history and events say of them,
    and what was answered to webhooks. Raises NotFound if there is no such user.

    ``rest`` is called after each piece.
    """
    for erase in (
        _end_sessions,
        _remove_aliases,
        _erase_conversations,
        _forget_history,
        _scrub_events,
        _forget_keys,
        _erase_purchases,
        _forget_contacts,
    ):
        while _take(store, id, erase) >= PIECE:
            rest()
    # Nobody waits while they are looked for.
    users, told = _whom(store, id)
    for blank, found in (
        (store.conversations.blank, store.conversations.written_with(users, told)),
        (store.webhooks.blank, store.webhooks.answered(told)),
    ):
        for first in range(0, len(found), PIECE):
            _take(store, id, partial(_blank, blank, found[first : first + PIECE]))
            rest()


def empty_app(store: Store, id: str, rest: Callable[[], None] = at_once) -> None:
    """Erase an app that is gone for everybody, and all that is in it. Whoever does so after somebody who was
    cut off goes on.

    ``rest`` is called between two pieces; what it raises ends it all.
    """
    own = store.of(id)
    while _erase_some_conversations(own) >= PIECE:
        rest()
    each_page(rest, _separate, store, id)
    for table in store.apps.paged():
        each_page(rest, _erase_page, store, id, table)
    _erase_last(store, id)


def each_page(rest: Callable[[], None], step: Callable[..., Step], *about: object) -> int:
    """Forget what is to be forgotten of each page, with a rest before it; return how much that was."""
    total = 0
    after: Key | None = ()
    while after is not None:
        rest()
        done, after = step(*about, after)
        total += done
    return total


@one_transaction
def _erase_some_conversations(store: AppStore) -> int:
    store.database.expect_many()
    return store.conversations.erase_some(None, PIECE)


@one_transaction
def _separate(store: Store, id: str, after: Key) -> Step:
    store.database.expect_many()
    return store.apps.separate(id, after)


@one_transaction
def _erase_page(store: Store, id: str, table: object, after: Key) -> Step:
    store.database.expect_many()
    return store.apps.erase_page(id, table, after)


@one_transaction
def _erase_last(store: Store, id: str) -> None:
    store.apps.erase_last(id)


def _whom(store: AppStore, id: str) -> tuple[Sequence[str], Sequence[str]]:
    """Return a user and all who are part of them, and these with all who were ever one with them."""
    user = show(store, id)
    users = (user.id, *store.users.part_of(user.id))
    return users, store.merges.ever_one_with(users)


@one_transaction
def _take(store: AppStore, id: str, erase: Erase) -> int:
    """Take one piece, while nobody becomes part of the user, or stands again."""
    store.database.expect_many()
    user = show(store, id)
    store.users.lock(user, to_change=True)
    return erase(store, user, (user.id, *store.users.part_of(user.id)))


def _end_sessions(store: AppStore, _user: User, users: Sequence[str]) -> int:
    ended = store.sessions.end_of_users(*users, limit=PIECE)
    tell_ended(store, ended, Ended.ERASE, now())
    return len(ended)


def _erase_conversations(store: AppStore, _user: User, users: Sequence[str]) -> int:
    return store.conversations.erase_some(users, PIECE)


def _forget_history(store: AppStore, _user: User, users: Sequence[str]) -> int:
    return store.history.forget(users, PIECE)


def _scrub_events(store: AppStore, _user: User, users: Sequence[str]) -> int:
    return store.events.scrub(store.merges.ever_one_with(users), PIECE)


def _forget_keys(store: AppStore, _user: User, users: Sequence[str]) -> int:
    return store.idempotency_keys.forget(users, PIECE)


def _erase_purchases(store: AppStore, _user: User, users: Sequence[str]) -> int:
    return store.purchases.erase(users, PIECE)


def _forget_contacts(store: AppStore, _user: User, users: Sequence[str]) -> int:
    return store.contacts.erase(users, PIECE)


def _remove_aliases(store: AppStore, user: User, _users: Sequence[str]) -> int:
    return store.users.remove_aliases(user, PIECE)


def _blank(
    blank: Callable[[Any], None], some: Sequence[Any], _store: AppStore, _user: User, _users: Sequence[str]
) -> int:
    blank(some)
    return len(some)
