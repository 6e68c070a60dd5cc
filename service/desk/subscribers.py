"""RevenueCat's use cases, over the same rules, and purchases only.

A publishable key has RevenueCat's trust, not ours: whoever knows an ID is believed. So its calls find, make,
join and describe users of the unproven world only, as a login without proof does; a backend's act in the
proven world, as all its calls do.

A login follows ``merge-once``: an anonymous user becomes part of the one who logs in, once. It never
makes two identified users one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from service.desk.aliases import alias
from service.desk.attributes import set_attributes
from service.desk.editing import give_user_id
from service.desk.erasing import erase
from service.desk.history import AuditLog
from service.desk.merging import merge
from service.desk.purchasing import Bought, Claimant, record, settle
from service.desk.transactions import one_transaction
from service.model.callers import Backend, Widget
from service.model.errors import NotFound, Refused
from service.model.history import Event
from service.model.identifiers import is_anonymous, is_client_made, is_of_a_device, new_id
from service.model.purchases import Purchase, StoreAccount
from service.model.users import Attribute, User
from service.store import Store
from service.times import now

Caller = Backend | Widget
# What is said of somebody by a name, None to remove it, and when, in milliseconds; None is now.
Said = tuple[str | None, int | None]

# A user, and the user to whom the ID was given that led to them: that one, or somebody who is part of them.
Found = tuple[User, str]

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
    world = _World(store, caller)
    found = world.find(id)
    user, _ = found or world.create(id)
    return world.subscriber(id, user), found is None


@one_transaction
def identify(store: Store, caller: Caller, id: str, new: str) -> tuple[Subscriber, bool]:
    """Log in as ``new`` where ``id`` was until now; answer them, and whether they were made for it.

    Whoever logs in as themselves changes nothing, not even where nobody has seen them yet. Raises Refused for
    the ID of another anonymous user, which nobody logs in as.
    """
    world = _World(store, caller)
    before, found = world.find(id), world.find(new)
    if id == new or (before and found and before[0].id == found[0].id):
        return (world.subscriber(new, found[0]) if found else world.unseen(id)), False
    if is_anonymous(new):
        raise Refused.member("new_app_user_id", "reserved", "Nobody logs in as an anonymous user.")
    before = before or world.first_seen(id)
    if found is None:
        return world.subscriber(new, world.become(before, new)), True
    user, home = found
    if before and is_anonymous(before[0].user_id) and not any(map(is_anonymous, user.aliases)):
        user = world.merge_once(before[0], user, home)
    return world.subscriber(new, user), False


@one_transaction
def add_alias(store: Store, caller: Caller, id: str, new: str) -> tuple[Subscriber, bool]:
    """Have a further ID lead to whoever has ``id``; answer them, and whether it is new.

    Raises NotFound, and Conflict for the ID of another identified user.
    """
    world = _World(store, caller)
    found = world.find(id) or world.first_seen(id)
    if found is None:
        raise NotFound
    if is_client_made(new) and world.find(new) is None:
        world.create(new)
    user, is_new = alias(store, world.log, world.app, *found, new)
    return world.subscriber(id, user), is_new


@one_transaction
def receive(
    store: Store, caller: Caller, id: str, token: str, product: str | None, *, restores: bool
) -> Subscriber:
    """Have the store account that a token stands for lead to whoever has an ID; with a product it is a
    purchase. Raises Conflict where the account stays another's."""
    world = _World(store, caller)
    user, home = world.find(id) or world.create(id)
    account = StoreAccount(STORE, token)
    claimant = Claimant(user, home, restores, shares=is_anonymous(user.user_id))
    _, user = settle(store, caller.app, account, claimant, world.log)
    if product is not None:
        record(store, world.app, user, home, account, Bought(product, token), world.log)
    return world.subscriber(id, user)


@one_transaction
def describe(store: Store, caller: Caller, id: str, said: Mapping[str, Said]) -> tuple[Subscriber, bool]:
    """Keep what is said by name of whoever has an ID; answer them, and whether they were made for it.

    Nothing was said in the future: a clock that is fast would else keep everybody else from saying anything.
    Raises Refused, with nothing changed, where it were too much.
    """
    world = _World(store, caller)
    found = world.find(id)
    user, home = found or world.create(id)
    at_most = world.log.at
    attributes = [
        Attribute(home, name, value, at_most if at is None else min(at, at_most))
        for name, (value, at) in said.items()
    ]
    set_attributes(store, world.app, user, home, attributes, world.log)
    return world.subscriber(id, user), found is None


def forget(store: Store, caller: Backend, id: str) -> None:
    """Erase whoever has an ID, in either world. Raises NotFound where nobody has it."""
    found = [store.users.with_user_id(caller.app.id, id, verified=world) for world in (True, False)]
    if not any(found):
        raise NotFound
    for user in filter(None, found):
        erase(store, caller, user.id)


class _World:
    """The users whom a caller's calls are about: for a backend those of the proven world, for anybody else
    those of whom somebody only said who they are."""

    def __init__(self, store: Store, caller: Caller) -> None:
        self._store = store
        self._is_proven = isinstance(caller, Backend)
        self.app = caller.app.id
        self.log = AuditLog(store, self.app, caller.actor, now())

    def find(self, id: str) -> Found | None:
        """Find who has an ID."""
        return self._store.users.with_user_id_and_home(self.app, id, verified=self._is_proven)

    def create(self, id: str) -> Found:
        """Make a user with an ID. Raises Refused for an anonymous ID that no client makes."""
        _require_possible(id)
        user = User(new_id("usr"), id, None, None, (), self.log.at, verified=self._is_proven)
        self._store.users.create(self.app, user)
        rule = ANONYMOUS if is_anonymous(id) else NEW
        self.log.note(user.id, Event.CREATED, rule, after={"userId": id})
        return user, user.id

    def first_seen(self, id: str) -> Found | None:
        """Register an anonymous ID on first sight, as clients make them; of any other unknown one, nobody.

        Raises Refused for an anonymous ID that no client makes.
        """
        _require_possible(id)
        return self.create(id) if is_client_made(id) else None

    def become(self, before: Found | None, new: str) -> User:
        """Give an anonymous user the unknown ID; beside an identified one, make a user of their own.

        A device's anonymous user becomes part of that one: with the ID its session would be believed.
        """
        if before is None or not is_anonymous(before[0].user_id):
            return self.create(new)[0]
        anonymous, home = before
        if is_of_a_device(anonymous.user_id):
            return self.merge_once(anonymous, *self.create(new))
        self._store.users.lock(self.app, anonymous, to_change=True)
        return give_user_id(self._store, self.app, anonymous, home, new, self.log, ATTACH)

    def merge_once(self, before: User, user: User, home: str) -> User:
        """Have an anonymous user become part of one who absorbed nobody yet, by an ID that ``home`` was
        given."""
        return merge(self._store, self.app, before, user, MERGE_ONCE, self.log, home)[1]

    def subscriber(self, id: str, user: User) -> Subscriber:
        """Show the user whom an ID led to. Whoever knows an ID may read what was bought under it."""
        first = self._store.users.first_user_id(self.app, user.id)
        return Subscriber(*(first or (id, user.created_at)), self._bought(id, user))

    def unseen(self, id: str) -> Subscriber:
        """Say how somebody would look who is seen for the first time; nobody is made."""
        _require_possible(id)
        return Subscriber(id, self.log.at, self._bought(id))

    def _bought(self, id: str, user: User | None = None) -> tuple[Purchase, ...]:
        """Answer a user's purchases, and those of the proven user who has an ID, the oldest first."""
        proven = self._store.users.with_user_id(self.app, id, verified=True)
        bought = [
            purchase
            for owner in {one.id for one in (user, proven) if one}
            for purchase in self._store.purchases.of_user(self.app, owner)
        ]
        return tuple(sorted(bought, key=lambda one: (one.purchased_at, one.id)))


def _require_possible(id: str) -> None:
    """Raise Refused for an ID that nobody has and nobody can be given."""
    if is_anonymous(id) and not is_client_made(id):
        raise Refused.member("app_user_id", "reserved", "No anonymous user has this ID.")
