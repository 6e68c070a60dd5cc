"""Find or make the users whom another desk knew, a great many in one transaction, by the rules of a login.

All are looked up together, and those who are new are written together, under the locks of a login. Whoever is
there and changes is decided once more, as a login would, so that there is one way in which people change.
Nobody is told: no event is written, as by ``moving``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from service.desk.adding import NO_DEVICE
from service.desk.attributes import left_out
from service.desk.history import SilentLog
from service.desk.resolver import carry_out, resolve
from service.desk.transactions import one_transaction
from service.model.apps import App
from service.model.attributes import Attribute
from service.model.callers import Actor
from service.model.contacts import Contact
from service.model.history import Entry, Event, Members
from service.model.identifiers import email_key, new_id
from service.model.sources import Known, Placed
from service.model.users import Claim, User
from service.rules import login as login_rules
from service.rules.login import Create, Decision, Evidence, Use
from service.store import AppStore
from service.times import now

# At how many who share an email it is looked, to know what would happen.
MAX_SHARING = 100
ACTOR = Actor("import", "", proven=True)

# Whether something was said before of a user, by our id.
WasSaid = Callable[[str], bool]
# What else is done in the transaction, with what became of each.
Also = Callable[[Sequence[Placed]], None]


def nothing_else(_: Sequence[object]) -> None:
    """Do nothing else."""


@dataclass
class _Found:
    """What the store knows of all who are claimed: who has a user ID; who is unclaimed and has an email, by
    its key; who of them is one with others; and of which emails more has to be asked."""

    by_user_id: dict[str, User]
    unclaimed: dict[str, User]
    several: set[str]
    to_ask: set[str]


@dataclass
class _New:
    """Who is to be added, with what is said of them."""

    users: list[User] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    history: list[tuple[str, Entry]] = field(default_factory=list)


@one_transaction
def place(
    store: AppStore, app: App, people: Sequence[Known], was_said: WasSaid, also: Also = nothing_else
) -> list[Placed]:
    """Return which user each of these is, who all name another; make those who are not there, and say of each
    what is known, unless something was said of that user before, or of another of these who is the same."""
    placing = _Placing(store, app, _look_up(store, people, locks=True), was_said)
    placed = [placing.place(one) for one in people]
    placing.leave_contacts()
    new = placing.new
    store.newcomers.add(new.users, new.attributes, new.contacts, new.history)
    also(placed)
    return placed


def placed_before(store: AppStore, app: App, people: Sequence[Known]) -> list[str | None]:
    """Return which user each of these is who were placed before, by our id; None for whoever is not there any
    more. Nothing is changed: whatever was said of them since stays."""
    placing = _Placing(store, app, _look_up(store, people, locks=False), lambda _: True)
    return [placing.find(one.claim) for one in people]


def concerned(store: AppStore, people: Sequence[Known]) -> set[str]:
    """Return all by our ids at whom ``place`` would look."""
    found = _look_up(store, people, locks=False)
    shared = (store.users.with_email(key, verified=True, limit=MAX_SHARING) for key in found.to_ask)
    asked = *found.by_user_id.values(), *found.unclaimed.values(), *chain.from_iterable(shared)
    return {user.id for user in asked}


def _look_up(store: AppStore, people: Sequence[Known], *, locks: bool) -> _Found:
    ids = [one.claim.user_id for one in people if one.claim.user_id is not None]
    by_user_id = store.users.with_user_ids(ids, verified=True)
    asked = [one.claim for one in people if one.claim.user_id not in by_user_id and one.claim.email]
    emails = [claim.email or "" for claim in asked]
    if locks:
        store.users.lock_emails(*emails)
    unclaimed = store.users.unclaimed(emails, verified=True)
    without_id = [email_key(claim.email or "") for claim in asked if claim.user_id is None]
    shared = store.newcomers.had(without_id, verified=True) - unclaimed.keys()
    to_ask = store.newcomers.said_of_several(map(email_key, emails)) | shared
    several = store.newcomers.several(user.id for user in (*by_user_id.values(), *unclaimed.values()))
    return _Found(by_user_id, unclaimed, several, to_ask)


class _Placing:
    """Places one after the other in one transaction."""

    def __init__(self, store: AppStore, app: App, found: _Found, was_said: WasSaid) -> None:
        self.new = _New()
        self._store = store
        self._app = app
        self._found = found
        self._was_said = was_said
        self._said: set[str] = set()
        self._log = SilentLog(store, ACTOR, now())
        self._contacts: dict[str, tuple[User, Contact]] = {}

    def place(self, one: Known) -> Placed:
        """Decide who somebody is, and carry it out."""
        decision = login_rules.decide(one.claim, self._evidence(one.claim))
        match decision.plan:
            case Create() as plan:
                return _placed(self._create(one, plan, decision.rule.name), decision, created=True)
            case Use(user) if user.id in self._said or self._was_said(user.id):
                return _placed(user, replace(decision, surplus=()))
            case Use(user) if not decision.changes and user.id not in self._found.several:
                return self._leave(one, user, decision)
            case _:
                return self._change(one)

    def find(self, claim: Claim) -> str | None:
        """Return whom a claim leads to; None if to nobody who is there."""
        plan = login_rules.decide(claim, self._evidence(claim)).plan
        return None if isinstance(plan, Create) else plan.user.id

    def _evidence(self, claim: Claim) -> Evidence:
        found, key = self._found, email_key(claim.email or "")
        if claim.user_id in found.by_user_id:
            return Evidence(found.by_user_id[claim.user_id])
        if claim.email is not None and key in found.to_ask:
            return Evidence(by_email=self._store.users.with_email(claim.email, verified=True))
        unclaimed = found.unclaimed.get(key)
        # Another of these may have given them a user ID by now.
        return Evidence(by_email=() if unclaimed is None or unclaimed.id in self._said else (unclaimed,))

    def _change(self, one: Known) -> Placed:
        """Place somebody as a login would, alone."""
        again = resolve(self._store, self._app, one.claim, NO_DEVICE, verified=True, at=self._log.at)
        user = carry_out(self._store, again, self._log, verified=True)
        return self._leave(one, user, again.decision, again.home, changed=bool(again.changes))

    def _leave(
        self, one: Known, user: User, decision: Decision, home: str | None = None, *, changed: bool = False
    ) -> Placed:
        """Remember that something was said of who is there, and by what they can be reached; it was said of
        ``home``, who may be part of them."""
        self._said.add(user.id)
        if one.contact.says_something:
            contact = replace(one.contact, home=home or user.id, at=self._log.at)
            self._contacts[contact.home] = user, contact
        return _placed(user, decision, changed=changed)

    def _create(self, one: Known, plan: Create, rule: str) -> User:
        at, new = self._log.at, self.new
        since = at if one.created_at is None else min(one.created_at, at)
        said = {name: value for name, value in plan.attributes.items() if value is not None}
        named = plan.user_id, plan.email, plan.name
        user = User(new_id("usr"), *named, (), since, attributes=said)
        new.users.append(user)
        after = dict(zip(("userId", "email", "name"), named, strict=True))
        new.history.append((user.id, self._line(Event.CREATED, rule, after)))
        if said:
            new.attributes += [Attribute(user.id, name, value, at) for name, value in said.items()]
            names = {"set": [*said]}
            new.history.append((user.id, self._line(Event.ATTRIBUTES_CHANGED, rule, names)))
        if one.contact.says_something:
            new.contacts.append(replace(one.contact, home=user.id, at=at))
        return user

    def _line(self, event: Event, rule: str, after: Members) -> Entry:
        return Entry(new_id("hst"), self._log.at, event, rule, ACTOR, None, after)

    def leave_contacts(self) -> None:
        """Leave by what can be reached who was there, and left nothing themselves."""
        for home in self._contacts.keys() - self._store.newcomers.reachable(self._contacts):
            user, contact = self._contacts[home]
            self._store.users.lock(user, to_change=True)
            self._store.contacts.put(user, contact, "")


def _placed(user: User, decision: Decision, *, created: bool = False, changed: bool = False) -> Placed:
    rule = decision.rule
    return Placed(user.id, rule.name, rule.because, created, changed, left_out(decision.surplus))
