"""Whatever happens in whatever order, the service does what the model of the rules says, and
``resolve`` said so before."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from service.store import Store
from service.store.tables import TABLES, Keys, Sessions
from service.times import DAY
from tests.support.model import UNVERIFIED, VERIFIED, Claim, Decision, Device, Model, Person, Session, Thread
from tests.support.signing import hmac_key, hmac_of, identity_key, proof_of
from tests.support.tenants import Tenant

# Few of each, so that they meet.
user_ids = st.sampled_from([None, "u-1", "u-2", "U-1"])
emails = st.sampled_from([None, "a@x.example", "A@x.example", "b@x.example"])
names = st.sampled_from([None, None, "Ann", "Bo"])
claims = st.builds(Claim, user_ids, emails, names)
nobody = st.builds(Claim, st.none(), st.none(), names)
# Of what a run has made so far, one is taken by a number.
numbers = st.integers(0, 5)
OWN_DEVICES = ("device-of-ours-1", "device-of-ours-2")


def body_of(claim: Claim) -> dict[str, str | None]:
    return {"userId": claim.user_id, "email": claim.email, "name": claim.name}


class Run(RuleBasedStateMachine):
    """One app, and one model of it."""

    tenant: Tenant
    store: Store

    def __init__(self, tenant: Callable[[], Tenant], store: Store) -> None:
        super().__init__()
        self.tenant = tenant()
        self.store = store
        self.model = Model()
        self.is_off = False
        _, self.secret = identity_key(self.tenant)
        _, self.hmac_secret = hmac_key(self.tenant)

    @initialize(
        policy=st.sampled_from(["keep", "clear", "merge", "merge-once"]),
        scope=st.sampled_from(["user", "device"]),
        is_off=st.booleans(),
    )
    def set_up(self, policy: str, scope: str, is_off: bool) -> None:
        self.the_operator_changes_settings(policy, scope, is_off)

    # Log in

    @rule(claim=claims, which=numbers)
    def the_backend_logs_somebody_in(self, claim: Claim, which: int) -> None:
        id = self._device_id(which)
        self._resolve_and_log_in(body_of(claim), claim, id)

    @rule(which=numbers, claim=nobody)
    def a_widget_logs_nobody_in(self, which: int, claim: Claim) -> None:
        self._log_in(self.tenant.pk, body_of(claim), claim, self._device_id(which), VERIFIED)

    @precondition(lambda self: self.is_off)
    @rule(claim=claims, which=numbers)
    def a_widget_claims_to_be_somebody(self, claim: Claim, which: int) -> None:
        self._log_in(self.tenant.pk, body_of(claim), claim, self._device_id(which), UNVERIFIED)

    @precondition(lambda self: not self.is_off)
    @rule(claim=claims.filter(lambda claim: not claim.is_anonymous), which=numbers)
    def a_widget_claims_to_be_somebody_in_vain(self, claim: Claim, which: int) -> None:
        answer = self._try(self.tenant.pk, body_of(claim), self._device_id(which))

        assert (answer.status_code, answer.json["code"]) == (401, "proof-required")

    @rule(
        proven=claims.filter(lambda claim: not claim.is_anonymous),
        beside=claims,
        by_backend=st.booleans(),
        which=numbers,
    )
    def somebody_comes_with_a_jwt(self, proven: Claim, beside: Claim, by_backend: bool, which: int) -> None:
        members = {"sub": proven.user_id, "email": proven.email, "name": proven.name}
        given = {name: value for name, value in members.items() if value is not None}
        body = body_of(beside) | {"proof": proof_of(self.tenant, self.secret, **given)}
        believed = Claim(proven.user_id, proven.email, proven.name or beside.name)
        fits = beside.user_id in (None, proven.user_id) and (beside.email or "").lower() in (
            "",
            (proven.email or "").lower(),
        )

        self._log_in_with_proof(body, believed if fits else None, self._device_id(which), by_backend)

    @rule(
        claim=claims.filter(lambda claim: not claim.is_anonymous),
        is_signed=st.booleans(),
        by_backend=st.booleans(),
        which=numbers,
    )
    def somebody_comes_with_an_hmac(
        self, claim: Claim, is_signed: bool, by_backend: bool, which: int
    ) -> None:
        signed = hmac_of(claim.user_id or claim.email or "", self.hmac_secret if is_signed else "another")
        body = body_of(claim) | {"proof": signed}
        # It covers one identifier; what a widget says beside it is ignored.
        is_ignored = claim.user_id is not None and not by_backend
        believed = Claim(claim.user_id, None if is_ignored else claim.email, claim.name)

        self._log_in_with_proof(body, believed if is_signed else None, self._device_id(which), by_backend)

    @rule(claim=claims.filter(lambda claim: claim.user_id is not None), which=numbers)
    def a_backend_sends_an_email_that_is_none_beside_a_user_id(self, claim: Claim, which: int) -> None:
        believed = Claim(claim.user_id, None, claim.name)

        self._resolve_and_log_in(body_of(claim) | {"email": "jane"}, believed, self._device_id(which))

    @rule(
        claim=claims,
        which=numbers,
        wrong=st.sampled_from([{"userId": "null"}, {"userId": None, "email": "jane"}]),
    )
    def a_backend_sends_what_is_refused(self, claim: Claim, which: int, wrong: dict[str, str]) -> None:
        answer = self._try(self.tenant.sk, body_of(claim) | wrong, self._device_id(which))

        assert answer.status_code == 422

    # Log out, wait, forget

    @rule(which=numbers)
    def a_device_logs_out(self, which: int) -> None:
        device = self.model.devices.get(self._device_id(which) or "")
        if device is None or device.session is None:
            return
        token = device.session.token or ""
        assert self.tenant.call("POST", "/v1/logout", token).status_code == 204
        device.session = None
        assert self.tenant.call("GET", "/v1/me", token).status_code == 401

    @precondition(lambda self: self.model.people)
    @rule(which=numbers, by_user_id=st.booleans())
    def the_backend_logs_a_user_out(self, which: int, by_user_id: bool) -> None:
        person = self._person(which)
        named: dict[str, str | None] = {"user": person.ids[0]}
        meant = [person]
        if by_user_id and person.user_id is not None:
            named = {"userId": person.user_id}
            meant = [one for one in self.model.people if person.user_id in (one.user_id, *one.aliases)]
        assert self.tenant.call("POST", "/v1/logout", self.tenant.sk, named).status_code == 204
        for one in meant:
            self.model.log_out(one)

    @rule()
    def eight_days_pass(self) -> None:
        past = {"began_at": Sessions.began_at - 8 * DAY, "used_at": Sessions.used_at - 8 * DAY}
        self.store.database.change(Sessions.update(**past).where(Sessions.app == self.tenant.id))
        for device in self.model.devices.values():
            if device.session is not None:
                device.session.has_expired = True

    @rule(which=numbers, clears=st.booleans(), by_backend=st.booleans())
    def a_device_is_told_to_clear(self, which: int, clears: bool, by_backend: bool) -> None:
        id = self._device_id(which)
        device = self.model.devices.get(id or "")
        if id is not None and by_backend:
            key, body = self.tenant.sk, {"deviceId": id, "clear": clears}
            device = self.model.devices.setdefault(id, Device())
        elif device is not None and device.session is not None and not device.session.has_expired:
            key, body = device.session.token or "", {"clear": clears}
        else:
            return
        answer = self.tenant.call("POST", "/v1/clearAnonymousUser", key, body)

        assert answer.json == {"clearAnonymousUser": clears}
        device.clears = clears

    @rule(
        policy=st.sampled_from(["keep", "clear", "merge", "merge-once"]),
        scope=st.sampled_from(["user", "device"]),
        is_off=st.booleans(),
    )
    def the_operator_changes_settings(self, policy: str, scope: str, is_off: bool) -> None:
        self.tenant.set(
            anonymousOnLogin=policy,
            conversationScope=scope,
            identityVerification="off" if is_off else "required",
        )
        self.model.policy, self.model.scope, self.is_off = policy, scope, is_off

    # Users

    @precondition(lambda self: self.model.people)
    @rule(
        which=numbers,
        changes=st.fixed_dictionaries({}, optional={"email": emails, "name": names}),
    )
    def the_backend_corrects_a_user(self, which: int, changes: dict[str, str | None]) -> None:
        person = self._person(which)
        answer = self.tenant.call("PATCH", f"/v1/users/{person.ids[-1]}", self.tenant.sk, changes)
        conflict = self.model.change(person, changes)

        assert answer.status_code == (409 if conflict else 200), answer.text
        if conflict:
            assert answer.json["code"] == conflict

    @precondition(lambda self: self.model.people)
    @rule(which=numbers)
    def the_backend_erases_a_user(self, which: int) -> None:
        person = self._person(which)
        assert self.tenant.call("DELETE", f"/v1/users/{person.ids[-1]}", self.tenant.sk).status_code == 204
        ended = [
            device.session.token
            for device in self.model.devices.values()
            if device.session is not None and device.session.person is person
        ]
        gone = [thread.id for thread in self.model.threads if thread.owner is person]
        self.model.erase(person)

        for token in ended:
            assert self.tenant.call("GET", "/v1/me", token or "").status_code == 401
        for path in [f"users/{id}" for id in person.ids] + [f"conversations/{id}" for id in gone]:
            assert self.tenant.call("GET", f"/v1/{path}", self.tenant.sk).status_code == 404

    # Conversations

    @rule(which=numbers)
    def a_device_begins_a_conversation(self, which: int) -> None:
        device = self.model.devices.get(self._device_id(which) or "")
        if device is None or device.session is None or device.session.has_expired:
            return
        id = self.tenant.begin(device.session.token or "", "First")
        self.model.threads.append(Thread(id, device.session.person, device, ["First"]))

    @precondition(lambda self: self.model.people)
    @rule(which=numbers)
    def an_agent_begins_a_conversation(self, which: int) -> None:
        person = self._person(which)
        id = self.tenant.begin(self.tenant.sk, "From us", user=person.ids[-1])
        self.model.threads.append(Thread(id, person, None, ["From us"]))

    @precondition(lambda self: self.model.threads)
    @rule(which=numbers, thread=numbers)
    def a_device_writes(self, which: int, thread: int) -> None:
        device = self.model.devices.get(self._device_id(which) or "")
        if device is None or device.session is None:
            return
        told = self.model.threads[thread % len(self.model.threads)]
        body = f"Message {len(told.bodies)}"
        answer = self.tenant.call(
            "POST", f"/v1/conversations/{told.id}/messages", device.session.token or "", {"body": body}
        )

        sees = self.model.sees(device.session, device, told)
        assert answer.status_code == (401 if device.session.has_expired else 201 if sees else 404)
        if answer.status_code == 201:
            told.bodies.append(body)

    @rule(which=numbers)
    def a_device_looks(self, which: int) -> None:
        device = self.model.devices.get(self._device_id(which) or "")
        if device is not None and device.session is not None:
            self._look(device, device.session)

    # What always holds

    @invariant()
    def the_users_are_those_of_the_model(self) -> None:
        listed = self.tenant.call("GET", "/v1/users?limit=100", self.tenant.sk).json["data"]

        found = {user["id"]: shown(user) for user in listed}
        assert found == {person.ids[0]: described(person) for person in self.model.people}

    def teardown(self) -> None:
        for device in self.model.devices.values():
            if device.session is not None:
                self._look(device, device.session)
        for person in self.model.people:
            for id in person.ids:
                answer = self.tenant.call("GET", f"/v1/users/{id}", self.tenant.sk)
                assert answer.json["id"] == person.ids[0]
                told = self.tenant.call("GET", f"/v1/conversations?user={id}&limit=100", self.tenant.sk)
                assert ids(told) == {thread.id for thread in self.model.threads if thread.owner is person}

    # How it is done

    def _device_id(self, which: int) -> str | None:
        """Take a device: one that a backend names, one that was issued, or none."""
        issued = [id for id in self.model.devices if id not in OWN_DEVICES]
        return [None, *OWN_DEVICES, *issued][which % (3 + len(issued))]

    def _person(self, which: int) -> Person:
        return self.model.people[which % len(self.model.people)]

    def _try(self, key: str, body: dict[str, Any], device_id: str | None) -> Any:
        return self.tenant.call("POST", "/v1/login", key, body | {"deviceId": device_id})

    def _log_in_with_proof(
        self, body: dict[str, Any], believed: Claim | None, device_id: str | None, by_backend: bool
    ) -> None:
        key = self.tenant.sk if by_backend else self.tenant.pk
        if believed is None:
            answer = self._try(key, body, device_id)
            assert (answer.status_code, answer.json["code"]) == (401, "proof-invalid")
        elif by_backend:
            self._resolve_and_log_in(body, believed, device_id)
        else:
            self._log_in(key, body, believed, device_id, VERIFIED)

    def _resolve_and_log_in(self, body: dict[str, Any], claim: Claim, device_id: str | None) -> None:
        before = self._rows()
        answer = self.tenant.call("POST", "/v1/resolve", self.tenant.sk, body | {"deviceId": device_id})

        assert self._rows() == before
        told = answer.json
        decision = self.model.decide(claim, self.model.devices.get(device_id or ""), VERIFIED)
        found = decision.person
        assert (told["rule"], told["then"]) == (decision.rule, decision.then)
        assert set(told["changes"]) == decision.changes
        assert (told["user"] and told["user"]["id"]) == (found and found.ids[0])
        assert told["user"] is None or shown(told["user"]) == described(found)
        login = self._log_in(self.tenant.sk, body, claim, device_id, VERIFIED)
        assert login["resolution"] == {name: told[name] for name in ("rule", "because", "changes", "ignored")}

    def _log_in(
        self, key: str, body: dict[str, Any], claim: Claim, device_id: str | None, world: str
    ) -> dict[str, Any]:
        answer = self._try(key, body, device_id)
        is_known = device_id is None or device_id in self.model.devices
        if key == self.tenant.pk and not is_known:
            assert (answer.status_code, answer.json["code"]) == (422, "unknown-device")
            return {}
        login: dict[str, Any] = answer.json
        device = self.model.devices.setdefault(login["deviceId"], Device())
        assert device_id in (None, login["deviceId"])
        decision, session = self.model.log_in(claim, device, world)
        session.token = login["session"]["token"]
        assert login["session"]["verified"] is session.is_verified
        if session.claim is not None:
            self._is_told_what_it_said(answer, decision, session)
        else:
            self._is_told_the_user(answer, decision, session.person)
        return login

    def _is_told_what_it_said(self, answer: Any, decision: Decision, session: Session) -> None:
        """An unproven login learns nothing; of whom it made, the backend tells us the id."""
        assert (answer.status_code, set(answer.json)) == (200, {"user", "session", "deviceId"})
        assert session.claim is not None
        assert answer.json["user"] == body_of(session.claim)
        if decision.then == "create":
            known = {person.ids[0] for person in self.model.people if person is not session.person}
            listed = self.tenant.call("GET", "/v1/users?limit=100", self.tenant.sk).json["data"]
            (made,) = {user["id"] for user in listed} - known
            session.person.ids.insert(0, made)

    def _is_told_the_user(self, answer: Any, decision: Decision, person: Person) -> None:
        user, made = answer.json["user"], decision.then == "create"
        assert (answer.status_code, answer.json["created"]) == (201 if made else 200, made), answer.text
        assert answer.json["resolution"]["rule"] == decision.rule
        assert set(answer.json["resolution"]["changes"]) == decision.changes
        if made:
            assert user["id"] not in [id for one in self.model.people for id in one.ids]
            person.ids.insert(0, user["id"])
            person.user_id = person.user_id or (user["userId"] if person.is_anonymous else None)
        assert user["id"] == person.ids[0]
        assert shown(user | {"verified": person.world == VERIFIED}) == described(person)

    def _look(self, device: Device, session: Session) -> None:
        token = session.token or ""
        me = self.tenant.call("GET", "/v1/me", token)
        if session.has_expired:
            assert me.status_code == 401
            return
        if session.claim is not None:
            assert me.json["user"] == body_of(session.claim)
        else:
            assert me.json["user"]["id"] == session.person.ids[0]
        assert me.json["session"]["verified"] is session.is_verified
        seen = [thread for thread in self.model.threads if self.model.sees(session, device, thread)]
        assert ids(self.tenant.call("GET", "/v1/conversations?limit=100", token)) == {
            thread.id for thread in seen
        }
        for thread in self.model.threads:
            told = self.tenant.call("GET", f"/v1/conversations/{thread.id}/messages?limit=100", token)
            if thread in seen:
                assert [message["body"] for message in told.json["data"]] == thread.bodies
            else:
                assert told.status_code == 404

    def _rows(self) -> list[list[str]]:
        """Read all that the app owns; when its keys were used is noted whatever they are used for."""
        return [
            sorted(map(repr, self.store.database.rows(table.select().where(table.app == self.tenant.id))))
            for table in TABLES
            if table is not Keys
        ]


def shown(user: dict[str, Any]) -> tuple[Any, ...]:
    return (
        user["userId"],
        user["email"],
        user["name"],
        user["anonymous"],
        user["verified"],
        set(user["aliases"]),
    )


def described(person: Person | None) -> tuple[Any, ...]:
    assert person is not None
    return (
        person.user_id,
        person.email,
        person.name,
        person.is_anonymous,
        person.world == VERIFIED,
        set(person.aliases),
    )


def ids(answer: Any) -> set[str]:
    return {conversation["id"] for conversation in answer.json["data"]}


def test_whatever_happens_the_service_does_what_the_rules_say(client, store):
    def tenant() -> Tenant:
        return Tenant.create(client, "ak_" + "a" * 40)

    run(
        lambda: Run(tenant, store),
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
