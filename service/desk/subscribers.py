"""RevenueCat's use cases, over the same rules: whoever knows an ID is believed, and sees purchases only.

A login follows ``merge-once``: an anonymous user becomes part of the one who logs in, once. It never
makes two identified users one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from service.desk.aliases import alias
from service.desk.attributes import set_attributes
from service.desk.editing import give_user_id
from service.desk.erasing import erase
from service.desk.history import Scribe
from service.desk.merging import merge
from service.desk.purchasing import Bought, Claimant, find_by_user_id, record, settle
from service.desk.transactions import one_transaction
from service.errors import LostRace, NotFound, Refused
from service.identifiers import is_anonymous, is_client_made, new_id
from service.nouns import Attribute, Backend, Event, Purchase, StoreAccount, User, Widget
from service.store import Store
from service.times import now

Caller = Backend | Widget
# What is said of somebody by a name, None to remove it, and when, in milliseconds; None is now.
Said = tuple[str | None, int | None]

# The rules by whose names this is known in a user's history.
NEW, ATTACH, ANONYMOUS, MERGE_ONCE = "new-user-id", "attach-user-id", "anonymous", "merge-once"

# Under which store's name the accounts of these clients are kept.
STORE = "revenuecat"


@dataclass(frozen=True)
class Subscriber:
    """A user as RevenueCat's clients see one: the ID first seen, and purchases."""

    original: str
    first_seen: int
    purchases: tuple[Purchase, ...]


@one_transaction
def get_or_create(store: Store, caller: Caller, id: str) -> tuple[Subscriber, bool]:
    """Answer whoever has an ID, and whether they were made for it."""
    scribe = _scribe(store, caller)
    user, _, is_new = _find_or_create(store, caller.app.id, id, scribe)
    return _subscriber(store, caller.app.id, user), is_new


@one_transaction
def identify(store: Store, caller: Caller, id: str, new: str) -> tuple[Subscriber, bool]:
    """Log in as ``new`` where ``id`` was until now; answer them, and whether they were made for it.

    Whoever logs in as themselves changes nothing, not even where nobody has seen them yet. Raises Refused for
    the ID of another anonymous user, which nobody logs in as.
    """
    app, scribe = caller.app.id, _scribe(store, caller)
    before, user = _find(store, app, id), _find(store, app, new)
    if id == new or (before and user and before.id == user.id):
        return (_subscriber(store, app, user) if user else _unseen(id, scribe)), False
    if is_anonymous(new):
        raise Refused.member("new_app_user_id", "reserved", "Nobody logs in as an anonymous user.")
    before = before or _first_seen(store, app, id, scribe)
    if user is None:
        return _subscriber(store, app, _become(store, app, before, new, scribe)), True
    if before and is_anonymous(before.user_id) and not any(is_anonymous(alias) for alias in user.aliases):
        user = merge(store, app, before, user, MERGE_ONCE, scribe)[1]
    return _subscriber(store, app, user), False


@one_transaction
def add_alias(store: Store, caller: Caller, id: str, new: str) -> tuple[Subscriber, bool]:
    """Have a further ID lead to whoever has ``id``; answer them, and whether it is new.

    Raises NotFound, and Conflict for the ID of another identified user.
    """
    app, scribe = caller.app.id, _scribe(store, caller)
    user = _find(store, app, id) or _first_seen(store, app, id, scribe)
    if user is None:
        raise NotFound
    if is_client_made(new) and _find(store, app, new) is None:
        _create(store, app, new, scribe)
    user, is_new = alias(store, scribe, app, user, user.id, new)
    return _subscriber(store, app, user), is_new


@one_transaction
def receive(
    store: Store, caller: Caller, id: str, token: str, product: str | None, *, restores: bool
) -> Subscriber:
    """Have the store account that a token stands for lead to whoever has an ID; with a product it is a
    purchase. Raises Conflict where the account stays another's."""
    app, scribe = caller.app.id, _scribe(store, caller)
    user, home, _ = _find_or_create(store, app, id, scribe)
    account = StoreAccount(STORE, token)
    claimant = Claimant(user, home, restores, shares=is_anonymous(user.user_id))
    _, user = settle(store, caller.app, account, claimant, scribe)
    if product is not None:
        record(store, app, user, account, Bought(product, token), scribe)
    return _subscriber(store, app, user)


@one_transaction
def describe(store: Store, caller: Caller, id: str, said: Mapping[str, Said]) -> tuple[Subscriber, bool]:
    """Keep what is said by name of whoever has an ID; answer them, and whether they were made for it.

    Nothing was said in the future: a clock that is fast would else keep everybody else from saying anything.
    Raises Refused, with nothing changed, where it were too much.
    """
    app, scribe = caller.app.id, _scribe(store, caller)
    user, home, is_new = _find_or_create(store, app, id, scribe)
    attributes = [
        Attribute(home, name, value, scribe.at if at is None else min(at, scribe.at))
        for name, (value, at) in said.items()
    ]
    set_attributes(store, app, user, home, attributes, scribe)
    return _subscriber(store, app, user), is_new


def forget(store: Store, caller: Backend, id: str) -> None:
    """Erase whoever has an ID. Raises NotFound."""
    user = _find(store, caller.app.id, id)
    if user is None:
        raise NotFound
    erase(store, caller, user.id)


def _find(store: Store, app: str, id: str) -> User | None:
    found = find_by_user_id(store, app, id)
    return found[0] if found else None


def _find_or_create(store: Store, app: str, id: str, scribe: Scribe) -> tuple[User, str, bool]:
    """Find who has an ID and to whom it was given, or make somebody; say whether they were made."""
    found = find_by_user_id(store, app, id)
    if found is not None:
        return *found, False
    user = _create(store, app, id, scribe)
    return user, user.id, True


def _first_seen(store: Store, app: str, id: str, scribe: Scribe) -> User | None:
    """Register an anonymous ID on first sight, as clients make them; of any other that is unknown, nobody.

    Raises Refused for an anonymous ID that no client makes.
    """
    _require_possible(id)
    return _create(store, app, id, scribe) if is_client_made(id) else None


def _become(store: Store, app: str, before: User | None, new: str, scribe: Scribe) -> User:
    """Give an anonymous user the unknown ID; beside an identified one, make a user of their own."""
    if before is None or not is_anonymous(before.user_id):
        return _create(store, app, new, scribe)
    if store.users.hold(app, before.id, to_change=True) != before:
        raise LostRace
    return give_user_id(store, app, before, before.id, new, scribe, ATTACH)


def _create(store: Store, app: str, id: str, scribe: Scribe) -> User:
    """Make a user with an ID. Raises Refused for an anonymous ID that no client makes."""
    _require_possible(id)
    user = User(new_id("usr"), id, None, None, (), scribe.at, verified=not is_anonymous(id))
    store.users.create(app, user)
    scribe.note(user.id, Event.CREATED, ANONYMOUS if is_anonymous(id) else NEW, after={"userId": id})
    return user


def _require_possible(id: str) -> None:
    """Raise Refused for an ID that nobody has and nobody can be given."""
    if is_anonymous(id) and not is_client_made(id):
        raise Refused.member("app_user_id", "reserved", "No anonymous user has this ID.")


def _subscriber(store: Store, app: str, user: User) -> Subscriber:
    first = store.users.first_user_id(app, user.id)
    original, seen = first or (user.user_id or "", user.created_at)
    return Subscriber(original, seen, store.purchases.of_user(app, user.id))


def _unseen(id: str, scribe: Scribe) -> Subscriber:
    """Say how somebody would look who is seen for the first time; nobody is made."""
    _require_possible(id)
    return Subscriber(id, scribe.at, ())


def _scribe(store: Store, caller: Caller) -> Scribe:
    return Scribe(store, caller.app.id, caller.origin, now())
