"""Races: each has an app of its own, in which somebody has been before, and calls that come at once. An
order, one call after the other, has to explain what was answered and what is left behind."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from service.model.identifiers import digest
from service.store import Store
from service.store.tables import Conversations, Devices, Messages, Sessions, UserIds, Users
from tests.support.identity import Identity
from tests.support.identity_calls import after
from tests.support.linearizability import order_of
from tests.support.processes import Call, Request, make
from tests.support.tenants import Tenant


@dataclass
class Race:
    """An app, the model of it before the calls that come at once, and what was answered until then."""

    tenant: Tenant
    model: Identity
    calls: list[Call] = field(default_factory=list)

    def request(
        self,
        path: str,
        credential: str | None = None,
        *,
        method: str | None = None,
        key: str | None = None,
        **sent: Any,
    ) -> Request:
        """Describe a call, as the app's backend unless another credential is given."""
        if method is None:
            method = "GET" if path == "me" else "DELETE" if path.startswith("merges/") else "POST"
        return Request(method, f"/v1/{path}", credential or self.tenant.sk, sent or None, key)

    def login(self, **claim: Any) -> Request:
        """Describe a login."""
        return self.request("login", **claim)

    def before(self, request: Request) -> Any:
        """Make a call before the race, and return its body."""
        call = make(self.tenant.client.open, request)
        model = after(self.model, call)
        assert model is not None, f"not as the rules say: {in_words([call])}"
        self.model = model
        self.calls.append(call)
        return call.body

    def user(self, **claim: Any) -> str:
        """Log somebody in before the race, and return our id of them."""
        id: str = self.before(self.login(**claim))["user"]["id"]
        return id

    def tokens(self) -> list[str]:
        """Return the tokens that were given before the race, the newest last."""
        return [body["session"]["token"] for body in logins(self.calls)]

    def require_order(self, store: Store, calls: Sequence[Call]) -> None:
        """Require that some order explains what was answered at once and what is left behind."""
        assert max(call.status for call in calls) < 500, in_words(calls)
        left_behind = _left_behind(store, self.tenant.id, [*self.calls, *calls])
        order = order_of(calls, self.model, lambda model: _facts(model) == left_behind)
        assert order is not None, f"no order explains\n{in_words(calls)}\nwhich left behind\n{left_behind}"


def _facts(model: Identity) -> dict[str, Any]:
    """Tell what is the case in a model, as a store would."""
    users = {
        id: (
            model.users[id].primary,
            model.shown(id, "email"),
            model.shown(id, "name"),
            frozenset(model.ids_of(id)),
            model.users[id].cleared,
            model.attributes(id),
        )
        for id in model.standing()
    }
    sessions = {
        id: (device.session.token, device.session.home, model.one(device.session.home))
        for id, device in model.devices.items()
        if device.session is not None
    }
    return {
        "users": users,
        "merges": {merge.source: merge.target for merge in model.merges.values()},
        "devices": {id: (device.anonymous, device.clears) for id, device in model.devices.items()},
        "sessions": sessions,
        "conversations": {
            id: (model.one(told.home), told.home, sorted(body for _, body in told.messages))
            for id, told in model.conversations.items()
        },
    }


def _left_behind(store: Store, app: str, calls: Sequence[Call]) -> dict[str, Any]:
    """Read the same in the store. Secrets are known by what was sent and answered."""

    def rows(table: Any, *columns: Any) -> list[tuple[Any, ...]]:
        return store.database.rows(table.select(*columns).where(table.app == app))

    sent = [(call.request.json or {}).get("deviceId") for call in calls]
    answered = [secret for body in logins(calls) for secret in (body["deviceId"], body["session"]["token"])]
    plain = {digest(secret): secret for secret in (*sent, *answered) if secret}
    ids = rows(UserIds, UserIds.user, UserIds.value)
    shown = Users.user_id, Users.email, Users.name, Users.cleared_at, Users.merged_into
    users = {id: told for id, *told in rows(Users, Users.id, *shown)}
    found = {id: store.of(app).users.with_id(id) for id in users}
    texts = rows(Messages, Messages.conversation, Messages.body)
    return {
        "users": {
            id: (
                user_id,
                email,
                name,
                frozenset(value for user, value in ids if user == id),
                cleared is not None,
                json.dumps(user.attributes, sort_keys=True),
            )
            for id, (user_id, email, name, cleared, _) in users.items()
            if (user := found[id])
        },
        "merges": {id: into for id, (*_, into) in users.items() if into is not None},
        "devices": {
            plain[device]: (anonymous, bool(clears))
            for device, anonymous, clears in rows(Devices, Devices.digest, Devices.anonymous, Devices.clears)
        },
        "sessions": {
            plain[device]: (plain[token], home, user)
            for device, token, home, user in rows(
                Sessions, Sessions.device, Sessions.secret, Sessions.home, Sessions.user
            )
        },
        "conversations": {
            id: (user, home, sorted(body for conversation, body in texts if conversation == id))
            for id, user, home in rows(
                Conversations, Conversations.id, Conversations.user, Conversations.home
            )
        },
    }


def in_words(calls: Sequence[Call]) -> str:
    """Tell calls in the order in which they ended, for whoever reads a failure."""
    return "\n".join(
        f"{call.began:.4f}–{call.ended:.4f} {call.request.method} {call.request.path}"
        f" {call.request.credential[-4:]} {call.request.json or {}} → {call.status} {call.body}"
        for call in sorted(calls, key=lambda call: call.ended)
    )


def logins(calls: Sequence[Call]) -> list[dict[str, Any]]:
    """Return what the logins among some calls were answered."""
    return [call.body for call in calls if call.request.path == "/v1/login" and call.status < 300]
