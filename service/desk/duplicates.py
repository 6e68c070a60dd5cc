"""Pairs of users who are probably one person, for people to look at: nobody is merged by it."""

from dataclasses import dataclass

from service.desk.idempotency_keys import made_before, note_made
from service.desk.transactions import one_transaction
from service.desk.users import show
from service.model.duplicates import Dismissal, Pair
from service.model.errors import Conflict, StaleState
from service.model.idempotency_keys import IdempotencyKey
from service.model.pages import Page, Position
from service.model.users import User
from service.rules import duplicates as rules
from service.store import AppStore
from service.store.duplicates import Found
from service.times import now

# How many of a user's likely duplicates are shown with them.
MAX_OF_USER = 3


@dataclass(frozen=True)
class Likeness:
    """A pair, with both users; ``other`` is the one whom somebody did not ask about, if they asked."""

    pair: Pair
    user: User
    other: User


def find(store: AppStore, *, cursor: Position | None, limit: int) -> Page[Pair]:
    """Return pairs of users who are probably one person, the likeliest first."""
    found = tuple(map(_pair, store.duplicates.page(cursor, limit + 1)))
    return Page.of(found, limit, lambda pair: (100 - pair.likelihood, "".join(pair.users)))


def find_with_users(store: AppStore, *, cursor: Position | None, limit: int) -> Page[Likeness]:
    """As ``find``, with the users as they are now."""
    page = find(store, cursor=cursor, limit=limit)
    return Page(_with_users(store, page.data), page.next)


def of_user(store: AppStore, id: str) -> tuple[Likeness, ...]:
    """Return who is probably the same person as a user, the likeliest first: a few of them."""
    pairs = tuple(map(_pair, store.duplicates.of_user(id, MAX_OF_USER)))
    found = _with_users(store, pairs)
    return tuple(one if one.user.id == id else Likeness(one.pair, one.other, one.user) for one in found)


@one_transaction
def dismiss(
    store: AppStore, ids: tuple[str, str], key: IdempotencyKey | None = None
) -> tuple[Dismissal, bool]:
    """Remember that two users are not the same, so that they are shown as a pair no more, whoever becomes
    part of one of them; return that, and whether it is new. The id of who was merged means whom they became.

    Raises NotFound, Conflict where both are one user, and Refused for an idempotency key that was used for
    something else.
    """
    at = now()
    before = made_before(store, key, at)
    if before is not None:
        first, second, since = before.split(" ")
        return Dismissal((first, second), int(since)), False
    one, other = sorted(show(store, id).id for id in ids)
    if one == other:
        raise Conflict("one-user", "both are one user")
    for id in (one, other):
        # Whoever makes one of them part of another, or compares them for the first time, sees it, or is seen
        # here.
        if store.users.find_and_lock(id, to_change=True) is None:
            raise StaleState
    traits = store.duplicates.traits_of((one, other))
    # Whoever compares the two meanwhile sees it too.
    store.duplicates.lock(trait.key for trait in traits[one])
    is_new = store.duplicates.dismiss((one, other), at)
    at = store.duplicates.dismissed((one,))[one, other]
    note_made(store, key, f"{one} {other} {at}", one)
    return Dismissal((one, other), at), is_new


def _pair(found: Found) -> Pair:
    users, likelihood, signals = found
    return Pair(users, likelihood, rules.reasons(signals))


def _with_users(store: AppStore, pairs: tuple[Pair, ...]) -> tuple[Likeness, ...]:
    """Return pairs with their users; one of whom somebody has gone since is left out."""
    found = {user.id: user for user in store.users.with_ids({id for pair in pairs for id in pair.users})}
    return tuple(
        Likeness(pair, found[pair.users[0]], found[pair.users[1]])
        for pair in pairs
        if found.keys() >= {*pair.users}
    )
