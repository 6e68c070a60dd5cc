"""One app and its model: acts over HTTP that are compared with what the model answers, and all that can be
seen of both."""

from collections.abc import Callable
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from service.store import Store
from service.store.checks import CHECKS
from service.store.tables import TABLES, Keys
from tests.support.identity import Identity
from tests.support.identity_calls import after, login_of, user_of
from tests.support.identity_records import Claim, Device, Merge, Session
from tests.support.processes import Call, Request, make
from tests.support.races import in_words
from tests.support.signing import email_key, hmac_key, identity_key
from tests.support.tenants import Tenant

DEVICES = tuple(f"device-of-ours-{number}" for number in range(3))


class IdentityRun(RuleBasedStateMachine):
    """An app, and the model of it."""

    def __init__(self, tenant: Callable[[], Tenant], store: Store) -> None:
        super().__init__()
        self.tenant, self.store, self.model = tenant(), store, Identity()
        self.is_off = False
        self.count = 0
        # Of each device, the token that it was given last.
        self.tokens: dict[str, str] = {}
        _, self.jwt_secret = identity_key(self.tenant)
        _, self.hmac_secret = hmac_key(self.tenant)
        _, self.email_secret = email_key(self.tenant)

    def call(self, method: str, path: str, json: Any = None, key: str | None = None) -> Any:
        """Make a call, as the backend unless another credential is given."""
        return self.tenant.call(method, f"/v1/{path}", key or self.tenant.sk, json)

    def next(self, kind: str) -> str:
        """Name something new."""
        self.count += 1
        return f"{kind}-{self.count}"

    def do(self, method: str, path: str, json: Any = None, key: str | None = None) -> Call:
        """Make a call that the model answers as well, and has to answer so."""
        request = Request(method, f"/v1/{path}", key or self.tenant.sk, json)
        call = make(self.tenant.client.open, request)
        model = after(self.model, call)
        assert model is not None, f"not as the rules say: {in_words([call])}"
        self.model = model
        self._learn_merges()
        return call

    def device_id(self, which: int) -> str | None:
        """Take a device: one that a backend names, one that was issued, or none."""
        issued = [id for id in self.model.devices if id not in DEVICES]
        return [None, *DEVICES, *issued][which % (1 + len(DEVICES) + len(issued))]

    def session(self, which: int) -> Session | None:
        """Return the session of a device, if it has one that has not expired."""
        session = self.model.devices.get(self.device_id(which) or "", Device()).session
        return None if session is None or session.has_expired else session

    def record(self, which: int) -> str:
        """Take a user, or one who is part of another."""
        return list(self.model.users)[which % len(self.model.users)]

    # Log in

    def try_login(self, key: str, body: dict[str, Any], device_id: str | None) -> Any:
        """Log in, or be refused."""
        return self.call("POST", "login", body | {"deviceId": device_id}, key)

    def require_refused(self, status: int, code: str, key: str, body: dict[str, Any], which: int) -> None:
        """Require that a login is refused."""
        answer = self.try_login(key, body, self.device_id(which))
        assert (answer.status_code, answer.json["code"]) == (status, code), answer.text

    def log_in_with_proof(
        self, body: dict[str, Any], believed: Claim | None, which: int, by_backend: bool
    ) -> None:
        """Log in with a proof; None is believed where it shows nothing."""
        key = self.tenant.sk if by_backend else self.tenant.pk
        if believed is None:
            self.require_refused(401, "proof-invalid", key, body, which)
        elif by_backend:
            self.resolve_and_log_in(body, believed, self.device_id(which))
        else:
            self.log_in(key, body, believed, self.device_id(which))

    def resolve_and_log_in(self, body: dict[str, Any], claim: Claim, device_id: str | None) -> None:
        """Log in as the backend, who was told before what comes of it; being told it changes nothing."""
        before = self.rows()
        told = self.call("POST", "resolve", body | {"deviceId": device_id}).json
        assert self.rows() == before
        decision = self.model.decide(claim, device_id, proven=True)
        assert (told["rule"], told["then"]) == (decision.rule, decision.then)
        assert set(told["changes"]) == decision.changes
        found = told["user"] and user_of(told["user"], verified=told["user"]["verified"])
        assert found == (decision.user and self.model.user(decision.user))
        login = self.log_in(self.tenant.sk, body, claim, device_id)
        assert login["resolution"] == {name: told[name] for name in ("rule", "because", "changes", "ignored")}

    def log_in(
        self,
        key: str,
        body: dict[str, Any],
        claim: Claim,
        device_id: str | None,
        *,
        proven: bool = True,
    ) -> dict[str, Any]:
        """Log in as who is believed, or only claimed."""
        answer = self.try_login(key, body, device_id)
        login: dict[str, Any] = answer.json
        if key == self.tenant.pk and device_id is not None and device_id not in self.model.devices:
            assert (answer.status_code, login["code"]) == (422, "unknown-device")
            return login
        assert device_id in (None, login["deviceId"])
        told = {"token": login["session"]["token"], "userId": login["user"]["userId"]}
        self.tokens[login["deviceId"]] = told["token"]
        told |= {"id": login["user"].get("id") or self._made()}
        expected = self.model.log_in(claim, login["deviceId"], proven=proven, told=told)
        assert login_of(answer.status_code, login) == expected
        self._learn_merges()
        return login

    def _made(self) -> str:
        """Return whom a login made that is told nothing, or nobody."""
        return next((user["id"] for user in self._listed() if user["id"] not in self.model.users), "")

    # Merges

    def _learn_merges(self) -> None:
        """Learn the ids of merges that nobody asked for."""
        known = {name for name in self.model.merges if name.startswith("mrg_")} | self.model.undone
        for name in self.model.merges.keys() - known:
            merge = self.model.merges[name]
            told = self.call("GET", f"users/{merge.source}/history?limit=100").json["data"]
            made = {one["after"]["merge"] for one in told if one["event"] == "merged"}
            (id,) = (id for id in made - known if self._is_of(id, merge))
            merges = self.model.merges.items()
            self.model.merges = {id if other == name else other: merge for other, merge in merges}

    def _is_of(self, id: str, merge: Merge) -> bool:
        record = self.call("GET", f"merges/{id}").json
        return (record["from"], record["into"]) == (merge.source, merge.target)

    def undo(self, merge: str) -> None:
        """Undo a merge; a refusal changes nothing."""
        before = self.rows()
        if self.do("DELETE", f"merges/{merge}").status == 409:
            assert self.rows() == before

    def erase(self, record: str) -> None:
        """Erase a user; then nothing leads to them."""
        model = self.model
        gone = model.all_of(model.one(record))
        tokens = [
            one.session.token for one in model.devices.values() if one.session and one.session.home in gone
        ]
        paths = [f"conversations/{id}" for id, told in model.conversations.items() if told.home in gone]
        self.do("DELETE", f"users/{record}")
        for token in tokens:
            assert self.call("GET", "me", key=token).status_code == 401
        for path in paths + [f"users/{id}" for id in gone]:
            assert self.call("GET", path).status_code == 404

    # What is seen

    def compare_users(self) -> None:
        """Require that the users are those of the model."""
        listed = {user["id"]: user_of(user, verified=user["verified"]) for user in self._listed()}
        expected = {id: self.model.user(id) for id in self.model.standing()}
        differ = {id: (listed.get(id), expected.get(id)) for id in listed.keys() | expected.keys()}
        differ = {id: both for id, both in differ.items() if both[0] != both[1]}
        assert not differ, f"as the service and as the model has them: {differ}"

    def _listed(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.call("GET", "users?limit=100").json["data"]
        return listed

    def compare_everything(self) -> None:
        """Require that each device and the backend are shown what the model shows them."""
        self.compare_users()
        for id in self.model.devices:
            self.look(id)
        for record in self.model.users:
            one = self.model.one(record)
            shown = self.call("GET", f"users/{record}").json
            assert shown["id"] == one
            bought = {purchase["transaction"] for purchase in shown["purchases"]}
            assert bought == self.model.purchases(one)
            left = {(told["email"], told["phone"], told["name"]) for told in shown["contacts"]}
            assert left == self.model.contacts_of(one)
        listed = self.call("GET", "conversations?limit=100").json["data"]
        assert {told["id"]: (told["user"], told["unread"]) for told in listed} == {
            id: (self.model.one(told.home), told.unread_by_agents)
            for id, told in self.model.conversations.items()
        }
        for id, told in self.model.conversations.items():
            messages = self.call("GET", f"conversations/{id}/messages?limit=100").json["data"]
            authors = [(message["author"].get("id"), message["body"]) for message in messages]
            assert authors == list(told.messages)

    def look(self, device_id: str) -> None:
        """Require that a device is shown what it may see, and nothing else."""
        session = self.model.devices.get(device_id, Device()).session
        if session is None:
            token = self.tokens.get(device_id)
            assert token is None or self.call("GET", "me", key=token).status_code == 401
            return
        if self.do("GET", "me", key=session.token).status == 401:
            return
        user = self.model.one(session.home)
        model = self.model
        seen = {id: told for id, told in model.conversations.items() if model.sees(device_id, told)}
        listed = self.call("GET", "conversations?limit=100", key=session.token).json["data"]
        assert {told["id"]: told["unread"] for told in listed} == {
            id: told.unread_by_user for id, told in seen.items()
        }
        for id, told in model.conversations.items():
            answer = self.call("GET", f"conversations/{id}/messages?limit=100", key=session.token)
            if id in seen:
                assert [one["body"] for one in answer.json["data"]] == model.texts(told, user)
            else:
                assert answer.status_code == 404

    def require_sound(self) -> None:
        """Require what always holds of a store."""
        violated = {asks.__name__: list(asks(self.store.of(self.tenant.id))) for asks in CHECKS}
        assert violated == dict.fromkeys(violated, [])

    def rows(self) -> list[list[str]]:
        """Read all that the app owns; when its keys were used is noted whatever they are used for."""
        return [
            sorted(map(repr, self.store.database.rows(table.select().where(table.app == self.tenant.id))))
            for table in TABLES
            if table is not Keys
        ]
