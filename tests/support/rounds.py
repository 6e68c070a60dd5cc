"""The rounds of a race: each has an app of its own, in which somebody has been before."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask.testing import FlaskClient

from service.model.identifiers import digest
from service.store import Store
from service.store.tables import Devices, Sessions, UserIds, Users
from tests.support.linearizability import order_of
from tests.support.login_model import Device, Person, World, after
from tests.support.processes import Call, Request, make
from tests.support.tenants import Tenant


@dataclass
class Round:
    """An app, the world in it before the race, and what has been answered so far."""

    tenant: Tenant
    world: World
    calls: list[Call] = field(default_factory=list)

    def request(self, path: str, credential: str | None = None, **sent: Any) -> Request:
        """Describe a call, as the app's backend unless another credential is given."""
        method = "GET" if path == "/v1/me" else "POST"
        return Request(method, path, credential or self.tenant.sk, sent or None)

    def login(self, **claim: Any) -> Request:
        """Describe a login."""
        return self.request("/v1/login", **claim)

    def before(self, request: Request) -> Any:
        """Make a call before the race, and answer its body."""
        call = make(self.tenant.client.open, request)
        world = after(self.world, call)
        assert world is not None, f"not as the rules say: {told([call])}"
        self.world = world
        self.calls.append(call)
        return call.body


class Arena:
    """Makes rounds, and judges them."""

    def __init__(self, client: FlaskClient, store: Store, admin_key: str) -> None:
        self._client = client
        self._store = store
        self._admin_key = admin_key

    def round(self, policy: str = "keep") -> Round:
        """Make an app of its own for one round."""
        settings = {} if policy == "keep" else {"anonymousOnLogin": policy}
        return Round(Tenant.create(self._client, self._admin_key, **settings), World(policy))

    def judge(self, round: Round, calls: Sequence[Call]) -> None:
        """Require that some order explains a race, and that nobody was made twice."""
        assert max(call.status for call in calls) < 500, told(calls)
        left_behind = self._left_behind(round, calls)
        order = order_of(calls, round.world, left_behind)
        assert order is not None, f"no order explains\n{told(calls)}\nwhich left behind\n{left_behind}"
        created = Counter(_created([*round.calls, *calls]))
        assert max(created.values(), default=1) == 1, told(calls)
        assert len(created) == self.users(round), told(calls)

    def users(self, round: Round) -> int:
        """Count the users of an app, also those who became part of others."""
        return len(self._store.database.rows(Users.select(Users.id).where(Users.app == round.tenant.id)))

    def _left_behind(self, round: Round, calls: Sequence[Call]) -> World:
        """Tell what is in the store as the model would."""
        app, rows = round.tenant.id, self._store.database.rows
        known = _known([*round.calls, *calls])
        ids = rows(UserIds.select(UserIds.user, UserIds.value).where(UserIds.app == app))
        people = {
            id: Person(
                user_id,
                email,
                name,
                frozenset(value for user, value in ids if user == id and value != user_id),
                cleared_at is not None,
            )
            for id, user_id, email, name, cleared_at in rows(
                Users.select(Users.id, Users.user_id, Users.email, Users.name, Users.cleared_at).where(
                    (Users.app == app) & Users.merged_into.is_null()
                )
            )
        }
        devices = {
            known[hashed]: Device(anonymous, bool(clears))
            for hashed, anonymous, clears in rows(
                Devices.select(Devices.digest, Devices.anonymous, Devices.clears).where(Devices.app == app)
            )
        }
        for hashed, token, user in rows(
            Sessions.select(Sessions.device, Sessions.token, Sessions.user).where(Sessions.app == app)
        ):
            id = known[hashed]
            devices[id] = replace(devices[id], token=known[token], user=user)
        return World(round.world.policy, frozenset(people.items()), frozenset(devices.items()))


def told(calls: Sequence[Call]) -> str:
    """Tell calls in the order in which they ended, for whoever reads a failure."""
    return "\n".join(
        f"{call.began:.4f}–{call.ended:.4f} {call.request.path} {call.request.credential[-4:]}"
        f" {call.request.json or {}} → {call.status} {_in_short(call.body or {})}"
        for call in sorted(calls, key=lambda call: call.ended)
    )


def _in_short(body: dict[str, Any]) -> dict[str, Any]:
    if "resolution" not in body:
        return body
    shown = body["user"] | body["resolution"] | {"created": body["created"], "device": body["deviceId"]}
    return {name: value for name, value in shown.items() if name not in ("createdAt", "because")} | {
        "token": body["session"]["token"][-4:]
    }


def logins(calls: Sequence[Call]) -> list[dict[str, Any]]:
    """Answer what the logins among some calls were answered."""
    return [call.body for call in calls if call.request.path == "/v1/login" and call.status < 300]


def _created(calls: Sequence[Call]) -> list[str]:
    return [body["user"]["id"] for body in logins(calls) if body["created"]]


def _known(calls: Sequence[Call]) -> dict[str, str]:
    """Answer the secrets that were sent and answered, by what is stored of them."""
    sent = [(call.request.json or {}).get("deviceId") for call in calls]
    answered = [secret for body in logins(calls) for secret in (body["deviceId"], body["session"]["token"])]
    return {digest(secret): secret for secret in (*sent, *answered) if secret}
