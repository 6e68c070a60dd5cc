"""Whatever honest people, agents and an attacker do in whatever order, nobody is shown what another said,
unless an agent, the app's backend or a proof of one's own made the two one.

The attacker holds the publishable key and true proofs of her own names, and knows every identifier of
everybody; she knows no device ID, no token and no proof of theirs.
"""

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from service.store import Store
from tests.support.attacker import (
    ACCOUNTS,
    ATTACKER,
    CLIENTS,
    DEVICES,
    EMAILS,
    OWNERS,
    PEOPLE,
    RC_ACTIONS,
    TOKENS,
    AttackedApp,
    By,
    Session,
)
from tests.support.chance import how_often
from tests.support.tenants import Tenant

HONEST = tuple(person for person in PEOPLE if person != ATTACKER)
HERS = tuple(device for device, person in DEVICES.items() if person == ATTACKER)

# Of what a run has made so far, one is taken by a number.
numbers = st.integers(0, 30)
devices = st.sampled_from(tuple(DEVICES))
hers = st.sampled_from(HERS)
victims = st.sampled_from(HONEST)
anybody = st.sampled_from(tuple(PEOPLE))
OTHERS_ACCOUNTS = (*(ACCOUNTS[person] for person in HONEST), ("revenuecat", TOKENS["vera"]))
accounts = st.sampled_from((*ACCOUNTS.values(), ("revenuecat", TOKENS["vera"])))
# Anybody's identifiers, the attacker's as often as all others.
ids = st.sampled_from(HONEST) | st.sampled_from(PEOPLE[ATTACKER])
proven = st.sampled_from((By.BACKEND, By.JWT, By.HMAC))
pairs = st.sampled_from(tuple(permutations(("vera", "emil", ATTACKER), 2)))
comings = st.sampled_from(["by ID", "by ID", "by email", None])
switches = st.sampled_from(("on", "on", "on", "off"))
policies = st.sampled_from(("keep", "keep", "merge", "merge-once", "clear"))
restoring = st.sampled_from(("alias", "alias", "transfer", "keep"))
verification = st.sampled_from(("required", "required", "off"))

STEPS = 15

# What a run is about. What is about something else happens in it too, but more seldom.
SUBJECTS = ("proofs", "merges", "purchases", "subscribers")


def about(subject: str) -> Any:
    """Have a rule be one of a subject."""
    return precondition(lambda self: self.subject == subject or self.steps % 4 == 0)


def seldom(every: int) -> Any:
    """Have a rule be possible in some steps only."""
    return precondition(lambda self: self.steps % every == 0)


class Run(RuleBasedStateMachine):
    """One app, in which everybody meets."""

    def __init__(self, tenant: Callable[[], Tenant], store: Store, subject: str) -> None:
        super().__init__()
        self.app = AttackedApp(tenant(), store)
        self.subject = subject
        self.steps = 0

    @initialize(
        policy=policies,
        restoring=restoring,
        verification=verification,
        merged=pairs | st.none(),
    )
    def everybody_is_there(
        self,
        policy: str,
        restoring: str,
        verification: str,
        merged: tuple[str, str] | None,
    ) -> None:
        """All but Nora have come and have written; Vera has bought, and two may be one."""
        self.app.tenant.set(
            anonymousOnLogin=policy,
            restoreBehavior=restoring,
            identityVerification=verification,
            revenuecat="on",
            clientPurchases="on",
        )
        self.app.log_in("vera", By.BACKEND, "vera", EMAILS["vera"][0])
        self.app.log_in("emil", By.BACKEND, None, EMAILS["emil"][0])
        self.app.log_in("una", By.CLAIM)
        self.app.log_in("mallory", By.JWT, "mallory", EMAILS[ATTACKER][0])
        self.app.log_in("mallory's other", By.CLAIM)
        for session in self.app.sessions.values():
            self.app.begin(session)
        self._buy("vera", ACCOUNTS["vera"])
        self.app.rc("receive", "vera", "", TOKENS["vera"], by_backend=True)
        if self.subject == "merges" and merged is not None:
            self.app.merge(*map(self._user_of, merged), at_console=False)

    # Log in and out

    @rule(device=devices, by=proven, which=numbers, has_id=st.booleans(), has_email=st.booleans())
    def somebody_logs_in(self, device: str, by: By, which: int, has_id: bool, has_email: bool) -> None:
        person = DEVICES[device]
        user_id = take(PEOPLE[person], which) if has_id or person == "nora" else None
        email = take(EMAILS[person], which) if has_email or user_id is None else None
        self.app.log_in(device, by, user_id, email)
        self._write(device)

    @seldom(2)
    @rule(device=devices)
    def somebody_comes_as_a_visitor(self, device: str) -> None:
        self.app.log_in(device, By.CLAIM)
        self._write(device)

    @about("proofs")
    @rule(device=devices, whom=ids, email=st.none() | victims)
    def somebody_claims_to_be_somebody(self, device: str, whom: str, email: str | None) -> None:
        """An honest person claims to be themselves, where that is enough."""
        if DEVICES[device] != ATTACKER:
            whom, email = PEOPLE[DEVICES[device]][0], None
        self.app.log_in(device, By.CLAIM, whom, EMAILS[email][0] if email else None)
        self._write(device)

    @seldom(2)
    @rule(device=devices, by_backend=st.booleans())
    def somebody_logs_out(self, device: str, by_backend: bool) -> None:
        session = self.app.sessions.pop(device, None)
        if session is not None and by_backend:
            self.app.call("POST", "logout", {"deviceId": self.app.devices[device]})
        elif session is not None:
            self.app.call("POST", "logout", session=session)

    @about("proofs")
    @rule(device=hers, victim=victims, way=numbers)
    def the_attacker_logs_in_with_what_proves_nothing(self, device: str, victim: str, way: int) -> None:
        """She names somebody beside a proof of her own, or beside one that she made up."""
        app, user_id, email = self.app, PEOPLE[victim][0], EMAILS[victim][0]
        own, own_email = PEOPLE[ATTACKER][0], EMAILS[ATTACKER][0]
        bodies: list[dict[str, Any]] = [
            {"proof": app.forged(sub=user_id)},
            {"proof": app.forged(email=email)},
            {"proof": app.forged(sub=own, email=email)},
            {"userId": user_id, "proof": app.proof(sub=own)},
            {"email": email, "proof": app.proof(sub=own)},
            {"userId": user_id, "proof": app.hmac(own)},
            {"email": email, "proof": app.hmac(own)},
            {"email": email, "proof": app.hmac(email)},
            {"userId": user_id, "email": own_email, "proof": app.hmac(own_email)},
        ]
        app.log_in_falsely(device, take(bodies, way))
        self._write(device)

    # Write

    @rule(device=devices, which=st.none() | numbers)
    def somebody_writes(self, device: str, which: int | None) -> None:
        """They begin a conversation, or write into anybody's: the attacker knows the ids of all."""
        if which is None:
            self._write(device)
        elif device in self.app.sessions:
            self.app.write(take(list(self.app.conversations), which), self.app.sessions[device])

    @seldom(2)
    @rule(which=numbers, begins=st.booleans())
    def an_agent_writes(self, which: int, begins: bool) -> None:
        if begins:
            self.app.begin_as_agent(self._user(which))
        else:
            self.app.write_as_agent(take(list(self.app.conversations), which))

    # Who is one with whom

    @about("merges")
    @rule(who=numbers, whom=numbers, at_console=st.booleans())
    def an_agent_merges(self, who: int, whom: int, at_console: bool) -> None:
        self.app.merge(self._user(who), self._user(whom), at_console=at_console)

    @about("merges")
    @rule(who=numbers, visitor=numbers, at_console=st.booleans())
    def an_agent_takes_a_visitor_for_somebody(self, who: int, visitor: int, at_console: bool) -> None:
        """As the visitor says to be somebody, the agent merges that one into the visitor."""
        visitors = [user for user, selves in self.app.users.items() if "$anon:" in "".join(selves)]
        self.app.merge(self._user(who), take(visitors, visitor), at_console=at_console)

    @about("merges")
    @rule(pair=pairs, come=comings, at_console=st.booleans())
    def an_agent_merges_two_by_mistake(
        self, pair: tuple[str, str], come: str | None, at_console: bool
    ) -> None:
        """Both come meanwhile, the one who became part the last, and then it is undone."""
        before = set(self.app.merges())
        self.app.merge(*map(self._user_of, pair), at_console=at_console)
        for merge in set(self.app.merges()) - before:
            self._undo(merge, come, pair[::-1], at_console)

    @about("merges")
    @rule(which=numbers, come=comings, turned=st.booleans(), at_console=st.booleans())
    def an_agent_undoes_a_merge(self, which: int, come: str | None, turned: bool, at_console: bool) -> None:
        merges = self.app.merges()
        if merges:
            merge = take(merges, -1 - which)
            people = self.app.joined.get(merge, frozenset()) & PEOPLE.keys()
            self._undo(merge, come, sorted(people, reverse=turned), at_console)

    def _undo(self, merge: str, come: str | None, people: Sequence[str], at_console: bool) -> None:
        """Before that, those who were merged may come again: by ID with another email, or by email."""
        for person in people if come else ():
            user_id = PEOPLE[person][0] if come == "by ID" else None
            self.app.log_in(person, By.JWT, user_id, EMAILS[person][1 if user_id else 0])
            self._write(person)
        self.app.undo(merge, at_console=at_console)

    @about("merges")
    @rule(whom=numbers, user_id=ids, visitor=st.none() | numbers)
    def the_backend_adds_an_id(self, whom: int, user_id: str, visitor: int | None) -> None:
        if visitor is not None:
            user_id = self._visitor(visitor)
        self.app.add_alias(self._user(whom), user_id)

    @about("merges")
    @rule(person=anybody, which=numbers, has_id=st.booleans(), has_email=st.booleans())
    def the_backend_adds_a_user(self, person: str, which: int, has_id: bool, has_email: bool) -> None:
        user_id = take(PEOPLE[person], which) if has_id or person == "nora" else None
        email = take(EMAILS[person], which) if has_email or user_id is None else None
        self.app.add_user(person, user_id, email)

    @about("merges")
    @rule(whom=numbers, which=numbers, come=st.booleans())
    def the_backend_takes_an_id_away(self, whom: int, which: int, come: bool) -> None:
        """Whoever it is by nature may come by it at once."""
        user = self._user(whom)
        shown = self.app.call("GET", f"users/{user}").json
        theirs = [id for id in (shown.get("userId"), *shown.get("aliases", ())) if id]
        if theirs:
            user_id = take(theirs, which)
            self.app.take_id_away(user, user_id)
            if come and user_id in OWNERS:
                self._come_again(OWNERS[user_id], user_id)

    @about("merges")
    @rule(whom=numbers, user_id=ids, keep=st.booleans(), come=st.booleans())
    def the_backend_corrects_an_id(self, whom: int, user_id: str, keep: bool, come: bool) -> None:
        user = self._user(whom)
        self.app.correct_id(user, user_id, keep=keep)
        if come:
            self._come_again(OWNERS[user_id], user_id)

    @about("merges")
    @rule(whom=numbers, which=st.sampled_from(["email", "name", None]), other=st.booleans())
    def an_agent_corrects_a_user(self, whom: int, which: str | None, other: bool) -> None:
        user = self._user(whom)
        person = self.app.people[user]
        if which == "name":
            self.app.correct(user, "name", self.app.mark(person, self.app.users[user]))
        else:
            self.app.correct(user, "email", EMAILS[person][other] if which else None)

    @about("proofs")
    @rule(device=devices, which=numbers)
    def somebody_links_an_id_of_theirs(self, device: str, which: int) -> None:
        if device in self.app.sessions:
            user_id = take(PEOPLE[DEVICES[device]], which)
            proof = self.app.proof(sub=user_id)
            self.app.add_own_alias(self.app.sessions[device], user_id, proof, is_true=True)

    @about("proofs")
    @rule(
        device=hers, victim=victims, visitor=st.none() | numbers, way=st.sampled_from(["false", "own", None])
    )
    def the_attacker_links_an_id_of_somebody(
        self, device: str, victim: str, visitor: int | None, way: str | None
    ) -> None:
        if device in self.app.sessions:
            user_id = PEOPLE[victim][0] if visitor is None else self._visitor(visitor)
            own = self.app.whose(user_id) == self.app.sessions[device].sees
            proofs = {"false": self.app.forged(sub=user_id), "own": self.app.proof(sub=PEOPLE[ATTACKER][0])}
            proof = proofs.get(way or "")
            self.app.add_own_alias(self.app.sessions[device], user_id, proof, is_true=own)
            self._come_again(victim)

    # Purchases

    @about("purchases")
    @rule(device=devices, buys=st.booleans())
    def somebody_buys_or_restores(self, device: str, buys: bool) -> None:
        self._buy(device, ACCOUNTS[DEVICES[device]], buys=buys)

    def _buy(self, device: str, account: tuple[str, str], *, buys: bool = True) -> None:
        session = self.app.sessions.get(device)
        if session is not None:
            proof = self._proof_of_account(session, account)
            self.app.buy_oneself(session, account, self._transaction(buys), proof, is_true=True)

    @about("purchases")
    @rule(device=hers, way=st.sampled_from(["false", "own", "login", None]), buys=st.booleans())
    def the_attacker_restores_what_is_somebody_elses(self, device: str, way: str | None, buys: bool) -> None:
        for account in OTHERS_ACCOUNTS:
            session = self.app.sessions.get(device)
            if session is None:
                break
            named = {"sub": session.user_id, "storeAccount": {"store": account[0], "account": account[1]}}
            proofs = {
                "false": self.app.forged(**named),
                "own": self._proof_of_account(session, ACCOUNTS[ATTACKER]),
                "login": self.app.proof(sub=session.user_id or PEOPLE[ATTACKER][0]),
            }
            transaction = self._transaction(buys)
            self.app.buy_oneself(session, account, transaction, proofs.get(way or ""), is_true=False)
        self._come_again(ATTACKER)

    @about("purchases")
    @rule(whom=ids, visitor=st.none() | numbers, account=accounts, buys=st.booleans())
    def the_backend_buys_or_restores(
        self, whom: str, visitor: int | None, account: tuple[str, str], buys: bool
    ) -> None:
        user_id = whom if visitor is None else self._visitor(visitor)
        self.app.buy(user_id, account, self._transaction(buys))

    # RevenueCat's calls

    @about("subscribers")
    @rule(action=st.sampled_from(RC_ACTIONS), person=victims, is_new=st.booleans())
    def an_honest_client_calls(self, action: str, person: str, is_new: bool) -> None:
        id, other = PEOPLE[person][0], CLIENTS[person]
        if is_new:
            id, other = other, id
        if action != "forget":
            self.app.rc(action, id, other, TOKENS[person], by_backend=False)

    @about("subscribers")
    @rule(own=numbers, victim=victims)
    def the_attacker_adds_ids(self, own: int, victim: str) -> None:
        """Each of the others' IDs to one of hers, and hers to each of theirs."""
        self._attack("alias", own, victim)

    @about("subscribers")
    @rule(own=numbers, victim=victims)
    def the_attacker_identifies(self, own: int, victim: str) -> None:
        """As each of the others from one of her IDs, and from each of theirs as hers."""
        self._attack("identify", own, victim)

    @about("subscribers")
    @rule(own=numbers, victim=victims, action=st.sampled_from(["restore", "receive"]))
    def the_attacker_restores(self, own: int, victim: str, action: str) -> None:
        """By everybody's receipts, for one of her IDs."""
        hers = take(self._ids(own=True), own)
        for token in TOKENS.values():
            self.app.rc(action, hers, "", token, by_backend=False)
        self._come_again(ATTACKER, hers)
        self._come_again(victim)

    def _attack(self, action: str, own: int, victim: str) -> None:
        hers = take(self._ids(own=True), own)
        for theirs in self._ids(own=False):
            self.app.rc(action, theirs, hers, "", by_backend=False)
            self.app.rc(action, hers, theirs, "", by_backend=False)
        self._come_again(ATTACKER, hers)
        self._come_again(victim)

    @about("subscribers")
    @rule(action=st.sampled_from(["receive", "get", "describe", "forget"]), victim=numbers, token=anybody)
    def the_attacker_names_somebody(self, action: str, victim: int, token: str) -> None:
        id = take(self._ids(own=False), victim)
        self.app.rc(action, id, "", TOKENS[token], by_backend=False)

    @about("subscribers")
    @rule(
        action=st.sampled_from(RC_ACTIONS[:-1]), one=numbers, other=numbers, own=st.booleans(), token=anybody
    )
    def the_backend_calls(self, action: str, one: int, other: int, own: bool, token: str) -> None:
        id, new = take(self._ids(own=own), one), take(self._ids(own=not own), other)
        self.app.rc(action, id, new, TOKENS[token], by_backend=True)

    # What is seldom

    @seldom(4)
    @rule(device=devices, value=st.booleans(), by_backend=st.booleans())
    def a_device_is_told_something(self, device: str, value: bool, by_backend: bool) -> None:
        session = None if by_backend else self.app.sessions.get(device)
        named = {} if session else {"deviceId": self.app.devices.get(device)}
        self.app.call("POST", "clearAnonymousUser", {"clear": value, **named}, session)
        self.app.call("POST", "allowSharingStoreAccount", {"allow": value, **named}, session)

    @seldom(4)
    @rule(
        policy=policies,
        restoring=restoring,
        verification=verification,
        purchases=switches,
        subscribers=switches,
    )
    def the_operator_changes_settings(
        self, policy: str, restoring: str, verification: str, purchases: str, subscribers: str
    ) -> None:
        self.app.tenant.set(
            anonymousOnLogin=policy,
            restoreBehavior=restoring,
            identityVerification=verification,
            clientPurchases=purchases,
            revenuecat=subscribers,
        )

    @seldom(8)
    @rule(whom=numbers)
    def the_backend_erases_a_user(self, whom: int) -> None:
        self.app.call("DELETE", f"users/{self._user(whom)}")

    # What always holds

    @invariant()
    def nobody_is_shown_what_is_anothers(self) -> None:
        """The attacker looks after each step, the others now and then and at the end."""
        self.steps += 1
        self.app.look(DEVICES if self.steps % 3 == 0 else HERS)

    def teardown(self) -> None:
        self.app.look(DEVICES)

    # How it is done

    def _write(self, device: str) -> None:
        if device in self.app.sessions:
            self.app.begin(self.app.sessions[device])

    def _come_again(self, person: str, user_id: str = "") -> None:
        """Have somebody log in with a proof of an ID of theirs, if it is one, and write."""
        user_ids = PEOPLE[person]
        self.app.log_in(person, By.JWT, user_id if user_id in user_ids else user_ids[0])
        self._write(person)

    def _user(self, which: int) -> str:
        return take(list(self.app.users), which)

    def _user_of(self, person: str) -> str:
        return next(user for user, known in self.app.people.items() if known == person)

    def _visitor(self, which: int) -> str:
        return take([id for id in self.app.ids if id.startswith("$anon:")], which)

    def _ids(self, *, own: bool) -> list[str]:
        """List what the attacker can name: of her own, or of the others."""
        visitors = [id for id in self.app.ids if id.startswith("$anon:")]
        known = [*OWNERS, *visitors, CLIENTS["vera"], CLIENTS[ATTACKER]]
        return [id for id in known if (self._owner(id) == ATTACKER) is own]

    def _owner(self, id: str) -> str:
        by_client = {client: person for person, client in CLIENTS.items()}
        visitor = next(iter(self.app.ids.get(id, {""}))).partition(" ")[0]
        return OWNERS.get(id) or by_client.get(id) or visitor

    def _proof_of_account(self, session: Session, account: tuple[str, str]) -> str:
        named = {"store": account[0], "account": account[1]}
        return self.app.proof(sub=session.user_id, storeAccount=named)

    def _transaction(self, buys: bool) -> str | None:
        return f"transaction-{self.steps}" if buys else None


def take(things: Sequence[Any], which: int) -> Any:
    return things[which % len(things)]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_nobody_is_shown_what_is_anothers_whatever_an_attacker_does(client, store, subject, database_url):
    def tenant() -> Tenant:
        return Tenant.create(client, "ak_" + "a" * 40)

    run(
        lambda: Run(tenant, store, subject),
        settings=settings(
            # What an engine decides is tried on both; what the rules let through is found on either.
            max_examples=how_often(60 if database_url.startswith("sqlite:") else 25),
            stateful_step_count=STEPS,
            deadline=None,
            # What is found is short enough to be read; making it shorter would take minutes.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )
