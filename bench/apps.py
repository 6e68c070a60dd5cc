"""An app, made as an operator does, and what its people do before anything is measured."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from bench.servers import HERE, Checkout, command


@dataclass(frozen=True)
class App:
    """An app, with a secret, a publishable and an identity key."""

    id: str
    sk: str
    pk: str
    ik: str

    @classmethod
    def create(cls, database_url: str, checkout: Checkout = HERE) -> "App":
        """Make an app in a migrated store."""
        printed = command(database_url, "apps", "create", "Bench", checkout=checkout).split()
        id, sk, pk = (line.partition("=")[2] for line in printed)
        ik = command(database_url, "keys", "create", id, "identity", checkout=checkout)
        return cls(id, sk, pk, ik.strip().partition("=")[2])


def post(
    connection: HTTPConnection,
    path: str,
    credential: str,
    body: Mapping[str, Any],
    key: str = "",
    method: str = "POST",
) -> Any:
    """Send a body to a server, with an idempotency key if one is given; return the one of the answer."""
    headers = {"Authorization": f"Bearer {credential}", "Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    connection.request(method, path, json.dumps(body), headers)
    response = connection.getresponse()
    answer = response.read()
    assert response.status < 300, answer
    return json.loads(answer) if answer else None
