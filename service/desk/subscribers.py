"""RevenueCat's use cases, over the same rules, and purchases only.

A publishable key has RevenueCat's trust, not ours: whoever knows an ID is believed. So its calls find, make,
join and describe users of the unproven world only, as a login without proof does; a backend's act in the
proven world, as all its calls do.

The rules are those of every other call, and ``rules/subscribing.py`` for what is peculiar to these clients.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from service.desk.aliases import alias
from service.desk.attributes import describe_late
from service.desk.editing import give_user_id
from service.desk.erasing import erase
from service.desk.history import AuditLog
from service.desk.limits import Limits
from service.desk.merging import merge
from service.desk.purchasing import Bought, Claimant, record, settle
from service.desk.transactions import one_transaction
from service.model.attributes import Attribute
from service.model.callers import Backend, Widget
from service.model.errors import NotFound, Refused
from service.model.history import Event
from service.model.identifiers import is_anonymous, new_id
from service.model.purchases import Purchase, StoreAccount
from service.model.users import User
from service.rules import anonymous as anonymous_rules
from service.rules import believing, subscribing
from service.rules import login as login_rules
from service.rules.anonymous import Act as Outcome
from service.rules.login import Attach, Create, Use
from service.rules.restoring import shares
from service.rules.subscribing import Identify, Make, Names
from service.store import AppStore
from service.times import now

Caller = Backend | Widget
# What is said of somebody by a name, None to remove it, and when, in milliseconds; None is now.
Said = tuple[str | None, int | None]

# A user, and the user to whom the ID was given that led to them: that one, or somebody who is part of them.
Found = tuple[User, str]

# Under which store's name the accounts of these clients are kept.
STORE = "revenuecat"


@dataclass(frozen=True)
class Subscriber:
    """A user as RevenueCat's clients see one: the ID first seen, and purchases."""

    original: str
    first_seen: int
    purchases: tuple[Purchase, ...]


@one_transaction
def get_or_create(store: AppStore, caller: Caller, limits: Limits, id: str) -> tuple[Subscriber, bool]:
    """Return whoever has an ID, and whether they were made for it."""
    world = _World(store, caller, limits)
    found = world.find(id)
    user, _ = found or world.create(id)
    return world.subscriber(id, user), found is None


@one_transaction
def identify(store: AppStore, caller: Caller, limits: Limits, id: str, new: str) -> tuple[Subscriber, bool]:
    """Log in as ``new`` where ``id`` was until now; return them, and whether they were made for it.

    Whoever logs in as themselves changes nothing, not even where nobody has seen them yet. Raises Refused for
    the ID of another anonymous user, which nobody logs in as.
    """
    world = _World(store, caller, limits)
    before, found = world.find(id), world.find(new)
    is_same = id == new or (before is not None and found is not None and before[0].id == found[0].id)
    rule = subscribing.identify(new, is_same=is_same)
    match rule.then:
        case Identify.NOTHING:
            return (world.subscriber(new, found[0]) if found else world.unseen(id)), False
        case Identify.REFUSE:
            raise Refused.member("new_app_user_id", "reserved", rule.because)
        case Identify.LOGIN:
            before = before or world.first_seen(id, Names.WHO_WAS_THERE)
            return world.subscriber(new, world.log_in(before, found, new)), found is None
        case never:
            assert_never(never)


@one_transaction
def add_alias(store: AppStore, caller: Caller, limits: Limits, id: str, new: str) -> tuple[Subscriber, bool]:
    """Link a further ID to whoever has ``id``; return them, and whether it is new.

    Raises NotFound, and Conflict for the ID of another identified user.
    """
    world = _World(store, caller, limits)
    found = world.find(id) or world.first_seen(id, Names.WHO_WAS_THERE)
    if found is None:
        raise NotFound
    if world.find(new) is None:
        world.first_seen(new, Names.ALIAS)
    user, is_new = alias(store, world.log, *found, new)
    return world.subscriber(id, user), is_new


@one_transaction
def receive(
    store: AppStore,
    caller: Caller,
    limits: Limits,
    id: str,
    token: str,
    product: str | None,
    *,
    restores: bool,
) -> Subscriber:
    """Make the store account that a token stands for that of whoever has an ID; with a product it is a
    purchase. Raises Conflict where the account stays another's."""
    world = _World(store, caller, limits)
    user, home = world.find(id) or world.create(id)
    account = StoreAccount(STORE, token)
    claimant = Claimant(user, home, restores, shares(None, user))
    _, user = settle(store, caller.app, account, claimant, world.log)
    if product is not None:
        record(store, user, home, account, Bought(product, token), world.log)
    return world.subscriber(id, user)


@one_transaction
def describe(
    store: AppStore, caller: Caller, limits: Limits, id: str, said: Mapping[str, Said]
) -> tuple[Subscriber, bool]:
    """Keep what is said by name of whoever has an ID; return them, and whether they were made for it.

    Nothing was said in the future: a clock that is fast would else keep everybody else from saying anything.
    Raises Refused, with nothing changed, where it were too much.
    """
    world = _World(store, caller, limits)
    found = world.find(id)
    user, home = found or world.create(id)
    at_most = world.log.at
    attributes = [
        Attribute(home, name, value, at_most if at is None else min(at, at_most))
        for name, (value, at) in said.items()
    ]
    describe_late(store, user, home, attributes, world.log)
    return world.subscriber(id, user), found is None


def forget(store: AppStore, caller: Backend, id: str) -> None:
    """Erase whoever has an ID, in either world. Raises NotFound where nobody has it."""
    found = [store.users.with_user_id(id, verified=world) for world in (True, False)]
    if not any(found):
        raise NotFound
    for user in filter(None, found):
        erase(store, caller.actor, user.id)


class _World:
    """The users whom a caller's calls are about: for who is believed those of the proven world, for anybody
    else those of whom somebody only said who they are."""

    def __init__(self, store: AppStore, caller: Caller, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        who = believing.Caller.BACKEND if isinstance(caller, Backend) else believing.Caller.REVENUECAT
        self._is_proven = believing.is_word_believed(who, caller.app.settings.identity_verification)
        self.log = AuditLog(store, caller.actor, now())

    def find(self, id: str) -> Found | None:
        """Find who has an ID."""
        return self._store.users.with_user_id_and_home(id, verified=self._is_proven)

    def create(self, id: str) -> Found:
        """Make a user with an ID that nobody has. Raises Refused for an anonymous ID that no client makes."""
        _require_possible(id)
        user = User(new_id("usr"), id, None, None, (), self.log.at, verified=self._is_proven)
        self._store.users.create(user)
        rule = login_rules.rule_of_creation(None if is_anonymous(id) else id)
        self._limits.count_new_user()
        self.log.note(user.id, Event.CREATED, rule.name, after={"userId": id}, shown=user)
        return user, user.id

    def first_seen(self, id: str, names: Names) -> Found | None:
        """Make a user with an ID that nobody has, if it makes one to be seen. Raises as ``create``."""
        return None if subscribing.see(id, names).then is Make.NOBODY else self.create(id)

    def log_in(self, before: Found | None, found: Found | None, new: str) -> User:
        """Log in as whoever has the new ID, where somebody else was before, if anybody. An anonymous user who
        was cleared counts as nobody."""
        before = None if before is None or before[0].cleared else before
        was, known = (None if one is None else one[0] for one in (before, found))
        decision = login_rules.decide_identify(new, known, was)
        match decision.plan:
            case Attach() if before is not None:
                return self._attach(*before, new, decision.rule.name)
            case Attach() | Create() | Use():
                user, home = found or self.create(new)
            case never:
                assert_never(never)
        return user if was is None else self._take_in(was, user, home)

    def _attach(self, anonymous: User, home: str, user_id: str, rule: str) -> User:
        self._store.users.lock(anonymous, to_change=True)
        return give_user_id(self._store, anonymous, home, user_id, self.log, rule)

    def _take_in(self, before: User, user: User, home: str) -> User:
        """Have who was there become part of who logs in by an ID that ``home`` was given, or leave them."""
        rule = anonymous_rules.decide_identify(
            identified_before=not is_anonymous(before.user_id),
            absorbed=any(map(is_anonymous, user.aliases)),
        )
        match rule.then:
            case Outcome.MERGE:
                return merge(self._store, before, user, rule.name, self.log, home)[1]
            case Outcome.KEEP | Outcome.CLEAR:
                # There is no device that could be cleared.
                return user
            case never:
                assert_never(never)

    def subscriber(self, id: str, user: User) -> Subscriber:
        """Show the user whom an ID led to. Whoever knows an ID may read what was bought under it."""
        first = self._store.users.first_user_id(user.id)
        return Subscriber(*(first or (id, user.created_at)), self._bought(id, user))

    def unseen(self, id: str) -> Subscriber:
        """Return how somebody would look who is seen for the first time; nobody is made."""
        _require_possible(id)
        return Subscriber(id, self.log.at, self._bought(id))

    def _bought(self, id: str, user: User | None = None) -> tuple[Purchase, ...]:
        """Return a user's purchases, and those of the proven user who has an ID, the oldest first."""
        proven = self._store.users.with_user_id(id, verified=True)
        bought = [
            purchase
            for owner in {one.id for one in (user, proven) if one}
            for purchase in self._store.purchases.of_user(owner)
        ]
        return tuple(sorted(bought, key=lambda one: (one.purchased_at, one.id)))


def _require_possible(id: str) -> None:
    """Raise Refused for an ID that nobody has and nobody can be given."""
    rule = subscribing.see(id, Names.SUBSCRIBER)
    if rule.then is Make.REFUSE:
        raise Refused.member("app_user_id", "reserved", rule.because)
