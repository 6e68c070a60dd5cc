"""An app as its owner holds it: keys, and the calls that tests make most."""

from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.api.context import NAME
from service.desk.apps import PREFIXES
from service.model.apps import App, Key, KeyKind, Settings
from service.model.identifiers import digest, new_credential, new_id
from service.store import Store
from service.times import now


@dataclass(frozen=True)
class Tenant:
    """One app, with a secret and a publishable key."""

    client: FlaskClient
    admin_key: str
    id: str
    sk: str
    pk: str

    @classmethod
    def create(cls, client: FlaskClient, admin_key: str, **settings: Any) -> "Tenant":
        """Make an app, in the store itself where that is within reach: nearly every test needs one."""
        if not isinstance(client, FlaskClient):
            return cls._create_by_calls(client, admin_key, settings)
        store: Store = client.application.extensions[NAME].store
        app = App(new_id("app"), "Shop", Settings(), now())
        keys = [
            Key(new_id("key"), kind, app.created_at, plain=new_credential(PREFIXES[kind], app.id))
            for kind in (KeyKind.SECRET, KeyKind.PUBLISHABLE)
        ]
        with store.transaction():
            store.apps.create(app)
            for key in keys:
                store.keys.create(app.id, key, digest(key.plain or ""), None)
        tenant = cls(client, admin_key, app.id, *(key.plain or "" for key in keys))
        if settings:
            tenant.set(**settings)
        return tenant

    @classmethod
    def _create_by_calls(cls, client: Any, admin_key: str, settings: dict[str, Any]) -> "Tenant":
        as_admin = {"Authorization": f"Bearer {admin_key}"}
        made = client.post("/v1/apps", json={"name": "Shop", "settings": settings}, headers=as_admin)
        assert made.status_code == 201, made.text
        id = made.json["id"]
        keys = [
            client.post(f"/v1/apps/{id}/keys", json={"kind": kind}, headers=as_admin).json["key"]
            for kind in ("secret", "publishable")
        ]
        return cls(client, admin_key, id, *keys)

    def call(self, method: str, path: str, key: str, json: Any = None, **headers: str) -> TestResponse:
        """Make any call with any credential."""
        sent = {"Authorization": f"Bearer {key}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return self.client.open(path, method=method, json=json, headers=sent)

    def set(self, **settings: Any) -> None:
        """Change settings of the app."""
        changed = self.call("PATCH", f"/v1/apps/{self.id}", self.admin_key, {"settings": settings})
        assert changed.status_code == 200, changed.text

    def try_login(self, *, key: str | None = None, **claim: Any) -> TestResponse:
        """Log in, as the backend unless another key is given."""
        return self.call("POST", "/v1/login", key or self.sk, claim)

    def login(self, **claim: Any) -> dict[str, Any]:
        """Log in as the backend, and answer the body."""
        response = self.try_login(**claim)
        assert response.status_code in (200, 201), response.text
        body: dict[str, Any] = response.json
        return body

    def session(self, **claim: Any) -> str:
        """Log in as the backend, and answer the session's token."""
        token: str = self.login(**claim)["session"]["token"]
        return token

    def begin(self, key: str, message: str = "Hello", **members: Any) -> str:
        """Begin a conversation, and answer its id."""
        made = self.call("POST", "/v1/conversations", key, {"message": message, **members})
        assert made.status_code == 201, made.text
        id: str = made.json["id"]
        return id

    def merge(self, source: str, target: str) -> str:
        """Make a user part of another, and answer the merge's id."""
        made = self.call("POST", "/v1/merges", self.sk, {"from": source, "into": target})
        assert made.status_code == 201, made.text
        id: str = made.json["id"]
        return id

    def undo(self, merge: str) -> None:
        """Undo a merge."""
        undone = self.call("DELETE", f"/v1/merges/{merge}", self.sk)
        assert undone.status_code == 200, undone.text

    def conversations(self, key: str) -> list[str]:
        """List the ids of the conversations that a credential sees."""
        listed = self.call("GET", "/v1/conversations", key)
        assert listed.status_code == 200, listed.text
        return [conversation["id"] for conversation in listed.json["data"]]
