"""Look at who may be one person: whoever is added, and again when something changed by which users are
compared.

Whoever works follows who was added, so that no login waits for it. What a change takes is done when its
transaction ends, after all else, so that its locks come last. Whoever shares something is found by an index;
what a great many share is told from the first few of them, and says nothing. Nobody is merged, and no login
looks at any of it.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from itertools import combinations

from service.desk.transactions import one_transaction
from service.model.duplicates import Known, Source, Trait
from service.model.sessions import Device
from service.model.users import User
from service.rules import duplicates as rules
from service.store import AppStore

# What is known by what a user has and left, and not by what they once did.
SAID = {Source.EMAIL, Source.CONTACT, Source.PHONE}
# By so many traits somebody is compared; who has used more devices in turn with others has one that many use.
MAX_TRAITS = 50
# How many events one step follows at most, and how many users it compares who have but an email: they and all
# by which they are compared are locked until it ends, and each may share it with as many as say anything.
EVENTS, AT_ONCE = 100, 10


class Looking:
    """Collects who is to be looked at when a transaction ends."""

    def __init__(self, store: AppStore) -> None:
        self._store = store
        self._again: set[str] = set()

    def again(self, *users: str) -> None:
        """Look at users again, or at whom they are part of then."""
        if not self._again:
            self._store.at_the_end(self._look)
        self._again |= {*users}

    def _look(self) -> None:
        again, self._again = self._again, set()
        look_again(self._store, again)


@one_transaction
def compare_some(store: AppStore) -> bool:
    """Compare some of those who were added with others; return whether there may be more to do. If somebody
    else does, nothing is done.

    Nobody is missed of whom the event is forgotten before: whoever tidies compares all who were not, and
    forgets events after that.
    """
    if not store.comparing.try_lock():
        return False
    events = store.comparing.added_after(store.comparing.place(), EVENTS)
    if not events:
        return False
    adding = [number for number, (_, id) in enumerate(events) if id is not None]
    followed = events[: adding[AT_ONCE] if len(adding) > AT_ONCE else EVENTS]
    look_at_new(store, [id for _, id in followed if id is not None])
    store.comparing.put_place(followed[-1][0])
    # Few that come one by one are better compared together, a little later.
    return len(events) == EVENTS or len(followed) < len(events)


def look_at_new(store: AppStore, ids: Collection[str]) -> None:
    """Compare those of some users who were never compared, and are part of nobody else and not erased: all
    that is known of them is an email, as whatever else is said of somebody has them compared."""
    emails = store.comparing.lock_new(ids) if ids else {}
    new = [(id, one) for id, email in emails.items() for one in rules.traits(id, [email], ()).values()]
    if not new:
        return
    keys = {trait.key for _, trait in new}
    store.duplicates.lock(keys)
    store.duplicates.put(new)
    _compare(store, (), keys)


def note_use(store: AppStore, device: Device, user: User, home: str | None) -> None:
    """Note who logs in on a locked device: ``home``, who is the user or part of them, or None if they do not
    say who they are. Who did so before them may be the same person.

    Raises StaleState if whoever that was has changed since they were seen.
    """
    if home is None or device.last_user == home:
        return
    store.devices.set_last_user(device.digest, home)
    before = store.users.survivor(device.last_user) if device.last_user else None
    if before is None or before.id == user.id:
        return
    # What they are compared by is of whom they are part of until this is done.
    store.users.lock(before, to_change=False)
    used = {before.id: device.last_user or "", user.id: home}
    traits = store.duplicates.traits_of(used)
    new = [(id, rules.device(device.digest, used[id])) for id in used if len(traits[id]) < MAX_TRAITS]
    if store.duplicates.put(new):
        store.at_the_end(partial(look_again, store, {*used}))


def look_again(store: AppStore, ids: Iterable[str]) -> None:
    """Compare users anew, or whom they are part of, by what is known of them now."""
    named = {*ids}
    users = {user.id: user for user in store.users.with_ids(named)}
    beside = named - users.keys()
    erased = store.users.erased(beside) if beside else set()
    above = [store.users.survivor(id) for id in beside - erased]
    users |= {user.id: user for user in above if user is not None}
    everyone = named | users.keys()
    kept, wanted = store.duplicates.traits_of(everyone), _wanted(store, users) if users else {}
    keys = {trait.key for traits in kept.values() for trait in traits}
    keys.update(key for traits in wanted.values() for key in traits)
    store.duplicates.lock(keys)
    new = []
    for id in everyone:
        there = {trait.key: trait for trait in kept[id]}
        gone = [trait for trait in kept[id] if id not in users or _is_gone(trait, wanted[id])]
        store.duplicates.remove(id, gone)
        missing = wanted.get(id, {}).keys() - (there.keys() - {trait.key for trait in gone})
        new += [(id, wanted[id][key]) for key in missing]
    store.duplicates.put(new)
    _compare(store, everyone, keys)


def _is_gone(trait: Trait, wanted: Mapping[str, Trait]) -> bool:
    """Whether a trait is no more, or is known by something else."""
    now = wanted.get(trait.key)
    if trait.source not in SAID:
        return False
    return now is None or (now.source, now.value) != (trait.source, trait.value)


def _wanted(store: AppStore, users: Mapping[str, User]) -> dict[str, dict[str, Trait]]:
    contacts, accounts = store.contacts.of_users(users), store.purchases.digests_of(users)
    found = {}
    for id, user in users.items():
        traits = rules.traits(id, user.emails[:MAX_TRAITS], contacts[id][:MAX_TRAITS])
        of_accounts = [rules.account(digest, home) for digest, home in accounts[id][:MAX_TRAITS]]
        found[id] = traits | {trait.key: trait for trait in of_accounts}
    return found


def _compare(store: AppStore, users: Collection[str], keys: Iterable[str]) -> None:
    """Find the pairs among those who share one of these locked keys, and all of some users, anew."""
    sharing = store.duplicates.sharing(keys, rules.MOST)
    # Where one more shares a key than says anything, the others were pairs until then.
    groups = [group for group in sharing.values() if len(group) <= rules.MOST + 1]
    pairs = {(one, other) for group in groups for one, other in combinations(sorted(group), 2)}
    if not pairs:
        store.duplicates.replace(users, (), ())
        return
    people = {id for pair in pairs for id in pair}
    known = _known(store, people)
    # While a deploy rolls, a former release leaves keys behind of who is part of another.
    living = {pair for pair in pairs if known.keys() >= {*pair}}
    shared = [known[one].traits.keys() & known[other].traits.keys() for one, other in living]
    sharing |= store.duplicates.sharing({key for keys in shared for key in keys} - sharing.keys(), rules.MOST)
    many = {key: len(group) for key, group in sharing.items()}
    dismissed = store.duplicates.dismissed(people)
    assessed = [rules.assess(known[a], known[b], many) for a, b in living - dismissed.keys()]
    store.duplicates.replace(users, pairs, [pair for pair in assessed if pair is not None])


def _known(store: AppStore, ids: Iterable[str]) -> dict[str, Known]:
    traits = store.duplicates.traits_of(ids)
    users = store.users.with_ids(traits)
    return {user.id: Known(user, {trait.key: trait for trait in traits[user.id]}) for user in users}
