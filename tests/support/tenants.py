"""An app as its owner holds it: keys, and the calls that tests make most."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Barrier
from typing import Any
from urllib.parse import urlencode

from flask import Flask
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
                store.of(app.id).keys.create(key, digest(key.plain or ""), None)
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

    def get(self, path: str, key: str | None = None, **query: Any) -> TestResponse:
        """Make a GET with parameters, as the backend unless another key is given."""
        return self.call("GET", f"{path}?{urlencode(query)}" if query else path, key or self.sk)

    def on(self, app: Flask) -> "Tenant":
        """Call another application that serves the same store."""
        return replace(self, client=app.test_client())

    def at_once(self, *calls: Callable[["Tenant"], Any]) -> list[Any]:
        """Make calls at the same moment, each with a client of its own; return what each returned."""
        gate = Barrier(len(calls), timeout=60)

        def run(call: Callable[["Tenant"], Any]) -> Any:
            own = self.on(self.client.application)
            gate.wait()
            return call(own)

        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(run, calls))

    def set(self, **settings: Any) -> None:
        """Change settings of the app."""
        changed = self.call("PATCH", f"/v1/apps/{self.id}", self.admin_key, {"settings": settings})
        assert changed.status_code == 200, changed.text

    def try_login(self, *, key: str | None = None, **claim: Any) -> TestResponse:
        """Log in, as the backend unless another key is given."""
        return self.call("POST", "/v1/login", key or self.sk, claim)

    def login(self, **claim: Any) -> dict[str, Any]:
        """Log in as the backend, and return the body."""
        response = self.try_login(**claim)
        assert response.status_code in (200, 201), response.text
        body: dict[str, Any] = response.json
        return body

    def session(self, **claim: Any) -> str:
        """Log in as the backend, and return the session's token."""
        token: str = self.login(**claim)["session"]["token"]
        return token

    def known(self, **claim: Any) -> str:
        """Log somebody in as the backend, and return our id of them."""
        id: str = self.login(**claim)["user"]["id"]
        return id

    def claimed(self, user_id: str) -> str:
        """Have somebody claim a user ID without a proof, and return our id of them."""
        self.set(identityVerification="off")
        self.try_login(key=self.pk, userId=user_id)
        return next(user["id"] for user in self.find(userId=user_id) if not user["verified"])

    def user(self, id: str) -> dict[str, Any]:
        """Show a user."""
        shown = self.get(f"/v1/users/{id}")
        assert shown.status_code == 200, shown.text
        user: dict[str, Any] = shown.json
        return user

    def find(self, **query: Any) -> list[dict[str, Any]]:
        """Find users, the oldest first."""
        return self._listed(self.get("/v1/users", **query))

    def history(self, id: str) -> list[dict[str, Any]]:
        """List what happened to a user."""
        return self._listed(self.get(f"/v1/users/{id}/history", limit=100))

    def list_keys(self) -> list[dict[str, Any]]:
        """List the keys of the app."""
        return self._listed(self.get(f"/v1/apps/{self.id}/keys", self.admin_key))

    def messages(self, id: str, key: str | None = None, **query: Any) -> list[dict[str, Any]]:
        """List the messages of a conversation, as agents see them unless another key is given."""
        return self._listed(self.get(f"/v1/conversations/{id}/messages", key, **query))

    @staticmethod
    def _listed(response: TestResponse) -> list[dict[str, Any]]:
        assert response.status_code == 200, response.text
        data: list[dict[str, Any]] = response.json["data"]
        return data

    def write(self, id: str, key: str | None = None, body: str = "Hello", **members: Any) -> dict[str, Any]:
        """Add a message to a conversation, as an agent unless another key is given."""
        path = f"/v1/conversations/{id}/messages"
        written = self.call("POST", path, key or self.sk, {"body": body, **members})
        assert written.status_code == 201, written.text
        message: dict[str, Any] = written.json
        return message

    def begin(self, key: str, message: str = "Hello", **members: Any) -> str:
        """Begin a conversation, and return its id."""
        made = self.call("POST", "/v1/conversations", key, {"message": message, **members})
        assert made.status_code == 201, made.text
        id: str = made.json["id"]
        return id

    def alias(self, id: str, user_id: str) -> TestResponse:
        """Give a user a further user ID."""
        return self.call("POST", f"/v1/users/{id}/aliases", self.sk, {"userId": user_id})

    def remove_id(self, id: str, user_id: str) -> TestResponse:
        """Take a user ID away from a user."""
        return self.call("DELETE", f"/v1/users/{id}/aliases", self.sk, {"userId": user_id})

    def correct_id(self, id: str, user_id: str, **members: Any) -> TestResponse:
        """Correct the primary user ID of a user."""
        return self.call("PUT", f"/v1/users/{id}/userId", self.sk, {"userId": user_id, **members})

    def change(self, id: str, **changes: Any) -> TestResponse:
        """Correct a user."""
        return self.call("PATCH", f"/v1/users/{id}", self.sk, changes)

    def erase(self, id: str) -> TestResponse:
        """Erase a user."""
        return self.call("DELETE", f"/v1/users/{id}", self.sk)

    def merge(self, source: str, target: str) -> str:
        """Make a user part of another, and return the merge's id."""
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
        return [conversation["id"] for conversation in self._listed(self.get("/v1/conversations", key))]
