"""Whatever happens in whatever order, the service does what the model of the rules says, and ``resolve``
said so before. In the end every merge is undone."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from service.store import Store
from service.store.tables import Sessions
from service.times import DAY
from tests.support.chance import how_often
from tests.support.identity_records import Claim, Device, is_anonymous
from tests.support.identity_run import DEVICES, IdentityRun
from tests.support.signing import hmac_of, proof_of
from tests.support.tenants import Tenant

# Few of each, so that they meet.
user_ids = st.sampled_from([None, None, "u-1", "u-2", "U-1", "u-3"])
emails = st.sampled_from([None, "a@x.example", "A@x.example", "b@x.example"])
names = st.sampled_from([None, None, "Ann", "Bo"])
values = st.sampled_from([None, None, True, False, 1, 0, "x", 0.5])
described = st.dictionaries(st.sampled_from(["plan", "seats"]), values, max_size=2).map(
    lambda said: tuple(said.items())
)
claims = st.builds(Claim, user_ids, emails, names, st.just(()) | described)
somebody = claims.filter(lambda claim: claim.names_somebody)
nobody = st.builds(Claim, st.none(), st.none(), names, described)
corrections = st.fixed_dictionaries(
    {}, optional={"email": emails, "name": names, "attributes": described.map(dict)}
)
contacts = st.fixed_dictionaries(
    {}, optional={"email": emails, "phone": st.sampled_from([None, "112", "030 1"]), "name": names}
)
policies = st.sampled_from(["keep", "clear", "merge", "merge-once"])
scopes = st.sampled_from(["user", "user", "device"])
behaviors = st.sampled_from(["alias", "alias", "transfer", "keep"])
accounts = st.sampled_from(["apple-1", "apple-2"])
# Of what a run has made so far, one is taken by a number.
numbers = st.integers(0, 20)
pairs = st.lists(st.sampled_from(tuple(permutations(range(7), 2))), min_size=1, max_size=3)
# Somebody of each kind.
STRANGERS = [
    Claim(),
    Claim(name="Bo"),
    Claim("u-1", "a@x.example"),
    Claim("u-2", "a@x.example"),
    Claim("u-3", name="Ann"),
    Claim(email="b@x.example"),
]

there_are_users = precondition(lambda self: self.model.users)
there_are_conversations = precondition(lambda self: self.model.conversations)


class Run(IdentityRun):
    """What may happen in an app."""

    @initialize(
        policy=policies,
        scope=scopes,
        is_off=st.booleans(),
        order=st.permutations(STRANGERS) | st.just([]),
        merged=st.just([]) | pairs,
    )
    def strangers_come(
        self, policy: str, scope: str, is_off: bool, order: list[Claim], merged: list[tuple[int, int]]
    ) -> None:
        """In some runs somebody of each kind was there and has written, and some are one."""
        self.the_operator_changes_settings("keep", scope, "alias", is_off)
        for number, claim in enumerate(order):
            self.the_backend_logs_some_in([(claim, 1 + number % len(DEVICES))])
            self.a_device_begins_a_conversation(1 + number % len(DEVICES))
        if order:
            self.an_agent_merges(merged)
        self.the_operator_changes_settings(policy, scope, "alias", is_off)

    # Log in

    @rule(coming=st.lists(st.tuples(claims, numbers), min_size=1, max_size=4))
    def the_backend_logs_some_in(self, coming: list[tuple[Claim, int]]) -> None:
        for claim, which in coming:
            self.resolve_and_log_in(claim.as_described(), claim, self.device_id(which))
            self.compare_users()

    @rule(which=numbers, claim=nobody)
    def a_widget_logs_nobody_in(self, which: int, claim: Claim) -> None:
        # Of attributes a widget is believed nothing.
        believed = replace(claim, attributes=())
        self.log_in(self.tenant.pk, claim.as_described(), believed, self.device_id(which))

    @rule(claim=somebody, which=numbers)
    def a_widget_claims_to_be_somebody(self, claim: Claim, which: int) -> None:
        if self.is_off:
            believed, device = replace(claim, attributes=()), self.device_id(which)
            self.log_in(self.tenant.pk, claim.as_described(), believed, device, proven=False)
        else:
            self.require_refused(401, "proof-required", self.tenant.pk, claim.as_described(), which)

    @rule(proven=somebody, beside=claims, by_backend=st.booleans(), which=numbers)
    def somebody_comes_with_a_jwt(self, proven: Claim, beside: Claim, by_backend: bool, which: int) -> None:
        members = {"sub": proven.user_id, "email": proven.email, "name": proven.name}
        given: dict[str, Any] = {name: value for name, value in members.items() if value is not None}
        given["attributes"] = dict(proven.attributes)
        body = beside.as_described() | {"proof": proof_of(self.tenant, self.jwt_secret, **given)}
        fits_id = beside.user_id in (None, proven.user_id)
        fits_email = (beside.email or "").lower() in ("", (proven.email or "").lower())
        also = dict(beside.attributes) if by_backend else {}
        said = tuple((also | dict(proven.attributes)).items())
        believed = replace(proven, name=proven.name or beside.name, attributes=said)

        self.log_in_with_proof(body, believed if fits_id and fits_email else None, which, by_backend)

    @rule(claim=somebody, is_signed=st.booleans(), by_backend=st.booleans(), which=numbers)
    def somebody_comes_with_an_hmac(
        self, claim: Claim, is_signed: bool, by_backend: bool, which: int
    ) -> None:
        own = self.email_secret if claim.user_id is None else self.hmac_secret
        secret = own if is_signed else "another"
        body = claim.as_described() | {"proof": hmac_of(claim.user_id or claim.email or "", secret)}
        # It covers one identifier; what a widget says beside it is ignored.
        is_ignored = claim.user_id is not None and not by_backend
        said = claim.attributes if by_backend else ()
        believed = replace(claim, email=None if is_ignored else claim.email, attributes=said)

        self.log_in_with_proof(body, believed if is_signed else None, which, by_backend)

    @rule(claim=claims.filter(lambda claim: claim.user_id is not None), which=numbers)
    def a_backend_sends_an_email_that_is_none_beside_a_user_id(self, claim: Claim, which: int) -> None:
        believed = replace(claim, email=None)

        self.resolve_and_log_in(claim.as_described() | {"email": "jane"}, believed, self.device_id(which))

    @rule(
        claim=claims,
        which=numbers,
        wrong=st.sampled_from([{"userId": "null"}, {"userId": None, "email": "jane"}]),
    )
    def a_backend_sends_what_is_refused(self, claim: Claim, which: int, wrong: dict[str, str]) -> None:
        self.require_refused(422, "refused", self.tenant.sk, claim.as_described() | wrong, which)

    # Log out, wait, forget

    @rule(which=numbers)
    def a_device_logs_out(self, which: int) -> None:
        session = self.model.devices.get(self.device_id(which) or "", Device()).session
        if session is not None:
            self.do("POST", "logout", key=session.token)
            assert self.call("GET", "me", key=session.token).status_code == 401

    @there_are_users
    @rule(which=numbers, by_user_id=st.booleans())
    def the_backend_logs_a_user_out(self, which: int, by_user_id: bool) -> None:
        record = self.record(which)
        user_id = self.model.users[self.model.one(record)].primary
        self.do("POST", "logout", {"userId": user_id} if by_user_id and user_id else {"user": record})

    @rule()
    def eight_days_pass(self) -> None:
        past = {"began_at": Sessions.began_at - 8 * DAY, "used_at": Sessions.used_at - 8 * DAY}
        self.store.database.change(Sessions.update(**past).where(Sessions.app == self.tenant.id))
        for id, device in self.model.devices.items():
            if device.session is not None:
                expired = replace(device.session, has_expired=True)
                self.model.devices[id] = replace(device, session=expired)

    @rule(which=numbers, clears=st.booleans(), by_backend=st.booleans())
    def a_device_is_told_to_clear(self, which: int, clears: bool, by_backend: bool) -> None:
        id, session = self.device_id(which), self.session(which)
        if id is not None and by_backend:
            self.do("POST", "clearAnonymousUser", {"deviceId": id, "clear": clears})
        elif session is not None:
            self.do("POST", "clearAnonymousUser", {"clear": clears}, session.token)

    @rule(policy=policies, scope=scopes, behavior=behaviors, is_off=st.booleans())
    def the_operator_changes_settings(self, policy: str, scope: str, behavior: str, is_off: bool) -> None:
        self.tenant.set(
            anonymousOnLogin=policy,
            conversationScope=scope,
            restoreBehavior=behavior,
            identityVerification="off" if is_off else "required",
        )
        self.model.policy, self.model.scope, self.model.behavior = policy, scope, behavior
        self.is_off = is_off

    # Users

    @rule(claim=claims)
    def the_backend_adds_a_user(self, claim: Claim) -> None:
        self.do("POST", "users", claim.as_described())

    @there_are_users
    @rule(which=numbers, changes=corrections)
    def the_backend_corrects_a_user(self, which: int, changes: dict[str, Any]) -> None:
        self.do("PATCH", f"users/{self.record(which)}", changes)

    @there_are_users
    @rule(which=numbers, chance=numbers)
    def the_backend_erases_a_user(self, which: int, chance: int) -> None:
        if chance % 4 == 0:
            self.erase(self.record(which))

    @there_are_users
    @rule(which=numbers, user_id=user_ids, anonymous=numbers)
    def the_backend_adds_an_id(self, which: int, user_id: str | None, anonymous: int) -> None:
        generated = [one.value for one in self.model.user_ids if is_anonymous(one.value)]
        if user_id is None and generated:
            user_id = take(generated, anonymous)
        record = self.record(which)
        world = self.model.users[self.model.one(record)].proven
        leads = self.model.home_of(user_id or "", proven=world)
        if user_id is not None and not (is_anonymous(user_id) and leads is None):
            self.do("POST", f"users/{record}/aliases", {"userId": user_id})

    @there_are_users
    @rule(which=numbers, user_id=user_ids, theirs=numbers)
    def the_backend_takes_an_id_away(self, which: int, user_id: str | None, theirs: int) -> None:
        record = self.record(which)
        own = self.model.ids_of(self.model.one(record))
        user_id = user_id or (take(own, theirs) if own else "u-1")
        self.do("DELETE", f"users/{record}/aliases", {"userId": user_id})

    @there_are_users
    @rule(which=numbers, user_id=user_ids.filter(bool), keep=st.booleans())
    def the_backend_corrects_an_id(self, which: int, user_id: str, keep: bool) -> None:
        self.do("PUT", f"users/{self.record(which)}/userId", {"userId": user_id, "keep": keep})

    # Merges

    @there_are_users
    @rule(merged=pairs)
    def an_agent_merges(self, merged: list[tuple[int, int]]) -> None:
        for who, whom in merged:
            self.do("POST", "merges", {"from": self.record(who), "into": self.record(whom)})
            self.compare_users()

    @rule(which=numbers)
    def two_visitors_are_one_who_is_known_by_an_id_of_the_one_who_went(self, which: int) -> None:
        """Who stays is a visitor again by an undo, wherever somebody came by the email."""
        email = f"{self.next('e')}@x.example"
        self.the_backend_logs_some_in([(Claim(), 0), (Claim(), 0)])
        *_, target, source = self.model.users
        self.do("POST", "merges", {"from": source, "into": target})
        self.do("POST", f"users/{source}/aliases", {"userId": self.next("u-of-a-visitor")})
        self.do("PATCH", f"users/{target}", {"email": email})
        self.the_backend_logs_some_in([(Claim(email=email), which)])

    @precondition(lambda self: self.model.merges)
    @rule(which=numbers, again=st.booleans())
    def a_merge_is_undone(self, which: int, again: bool) -> None:
        merge = take(list(self.model.merges), which)
        self.undo(merge)
        if again:
            self.undo(merge)

    @precondition(lambda self: self.model.user_ids)
    @rule(account=accounts, who=numbers, restores=st.booleans())
    def somebody_buys_or_restores(self, account: str, who: int, restores: bool) -> None:
        user_id = take(self.model.user_ids, who).value
        if any(self.model.home_of(user_id, proven=world) for world in (True, False)):
            body = {"userId": user_id, "storeAccount": {"store": "app_store", "account": account}}
            bought = {} if restores else {"product": "pro", "transaction": self.next("t")}
            self.do("POST", "restore" if restores else "purchases", body | bought)

    # Conversations

    @rule(which=numbers)
    def a_device_begins_a_conversation(self, which: int) -> None:
        session = self.session(which)
        if session is not None:
            self.do("POST", "conversations", {"message": self.next("m")}, session.token)

    @there_are_users
    @rule(which=numbers)
    def an_agent_begins_a_conversation(self, which: int) -> None:
        self.do("POST", "conversations", {"message": self.next("m"), "user": self.record(which)})

    @there_are_conversations
    @rule(which=numbers, conversation=numbers, reads=st.booleans())
    def a_device_writes_or_reads(self, which: int, conversation: int, reads: bool) -> None:
        session = self.session(which)
        if session is not None:
            self._write_or_read(conversation, reads, session.token)

    @there_are_conversations
    @rule(conversation=numbers, reads=st.booleans())
    def an_agent_writes_or_reads(self, conversation: int, reads: bool) -> None:
        self._write_or_read(conversation, reads, self.tenant.sk)

    def _write_or_read(self, conversation: int, reads: bool, key: str) -> None:
        path = f"conversations/{take(list(self.model.conversations), conversation)}"
        if reads:
            self.do("POST", f"{path}/read", key=key)
        else:
            self.do("POST", f"{path}/messages", {"body": self.next("m")}, key)

    @rule(which=numbers, said=contacts)
    def a_device_leaves_a_contact(self, which: int, said: dict[str, str | None]) -> None:
        session = self.session(which)
        if session is not None:
            self.do("PUT", "me/contact", said, session.token)

    @rule(which=numbers)
    def a_device_looks(self, which: int) -> None:
        self.look(self.device_id(which) or "")

    # What always holds

    @invariant()
    def the_users_are_those_of_the_model(self) -> None:
        self.compare_users()

    def teardown(self) -> None:
        self.compare_everything()
        for merge in reversed(list(self.model.merges)):
            self.undo(merge)
            self.compare_users()
        self.compare_everything()
        for id in list(self.model.devices):
            self.log_in(self.tenant.pk, {}, Claim(), id)
        self.compare_everything()
        self.require_sound()


def take(things: Sequence[Any], which: int) -> Any:
    return things[which % len(things)]


def test_whatever_happens_the_service_does_what_the_rules_say(client, store: Store) -> None:
    def tenant() -> Tenant:
        return Tenant.create(client, "ak_" + "a" * 40)

    run(
        lambda: Run(tenant, store),
        settings=settings(
            max_examples=how_often(60),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
