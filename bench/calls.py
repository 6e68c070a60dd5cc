"""The calls that are measured, on a store that holds a few people."""

import json
import time
from dataclasses import dataclass

from flask.testing import FlaskClient

from bench.load import Call, Request
from service.api.schemas.conversations import PageIn
from tests.support.servers import ADMIN_KEY
from tests.support.signing import identity_key, proof_of
from tests.support.tenants import Tenant

USERS, WRITERS = 200, 50
# So that there is a page more than the first.
CONVERSATIONS = 30
# How long a proof holds: longer than all rounds take, in seconds.
HOURS = 6 * 60 * 60

NOTHING = Call("a Flask endpoint that does nothing", (Request("GET", "/"),))


@dataclass(frozen=True)
class Candidate:
    """A call, and its target as a ratio to the endpoint that does nothing. One that is not ``hot`` is
    there to explain the others."""

    call: Call
    target: float | None = None
    hot: bool = True


def candidates(client: FlaskClient, users: int = USERS, writers: int = WRITERS) -> list[Candidate]:
    """Make an app with people who have logged in, and of whom some have written; answer what they do next."""
    tenant = Tenant.create(client, ADMIN_KEY)
    _, secret = identity_key(tenant)
    people = [_person(number) for number in range(users)]
    devices = [tenant.login(**person)["deviceId"] for person in people]
    tokens = [tenant.session(**person) for person in people[:writers]]
    begun = [[tenant.begin(token) for _ in range(CONVERSATIONS)] for token in tokens]
    expires = int(time.time()) + HOURS
    proofs = [
        proof_of(tenant, secret, sub=f"u-{number}", **_beside_the_id(number), exp=expires)
        for number in range(users)
    ]

    def logins(key: str, sent: list[dict[str, str]]) -> tuple[Request, ...]:
        return tuple(Request("POST", "/v1/login", key, json.dumps(body)) for body in sent)

    known = [{"deviceId": device} | person for device, person in zip(devices, people, strict=True)]
    proved = [{"deviceId": device, "proof": proof} for device, proof in zip(devices, proofs, strict=True)]
    new = [{"userId": "n-{new}", "email": "n-{new}@example.org", "name": "Somebody New"}]
    written = tuple(
        Request("POST", f"/v1/conversations/{ids[0]}/messages", token, json.dumps({"body": "Where is it?"}))
        for token, ids in zip(tokens, begun, strict=True)
    )
    return [
        Candidate(Call("`GET /healthz`", (Request("GET", "/healthz"),)), hot=False),
        Candidate(Call("login of a known user", logins(tenant.sk, known)), 0.50),
        Candidate(Call("the same from a widget, with a proof", logins(tenant.pk, proved)), hot=False),
        Candidate(Call("login of a new user", logins(tenant.sk, new), 201), 0.30),
        Candidate(Call("who is logged in", _gets("/v1/me", tokens))),
        Candidate(Call(f"list of {_page()} conversations", _gets("/v1/conversations", tokens)), 0.45),
        Candidate(Call("message", written, 201), 0.40),
    ]


def _person(number: int) -> dict[str, str]:
    return {"userId": f"u-{number}"} | _beside_the_id(number)


def _beside_the_id(number: int) -> dict[str, str]:
    return {"email": f"u-{number}@example.org", "name": f"User {number}"}


def _gets(path: str, tokens: list[str]) -> tuple[Request, ...]:
    return tuple(Request("GET", path, token) for token in tokens)


def _page() -> int:
    size: int = PageIn().fields["limit"].load_default
    return size
