"""Identity secrets change while people log in: nobody notices, and what is deleted is dead at once."""

import itertools
import math
import time
from functools import partial

import pytest

from tests.support.load import Load
from tests.support.marks import at_once
from tests.support.processes import Request
from tests.support.servers import ADMITTING, serve
from tests.support.signing import delete_key, hmac_of, identity_key, proof_of

ROTATIONS = 3


@pytest.fixture(scope="module")
def server(database_url):
    with serve(database_url, application=ADMITTING) as server:
        yield server


class Secret:
    """An identity key that comes and goes. It proves until ``doomed``, and not from ``dead`` on; in between,
    either answer is right."""

    def __init__(self, tenant, proof):
        self.tenant, self.is_jwt = tenant, proof == "jwt"
        self.id, self.secret = identity_key(tenant, proof=proof)
        self.made, self.doomed, self.dead = time.monotonic(), math.inf, math.inf

    def login(self, number):
        user_id = f"u-{number % 6}"
        if self.is_jwt:
            claim = {"proof": proof_of(self.tenant, self.secret, sub=user_id)}
        else:
            claim = {"userId": user_id, "proof": hmac_of(user_id, self.secret)}
        return Request("POST", "/v1/login", self.tenant.pk, claim | {"name": self.id})

    def is_of(self, request):
        return request.json["name"] == self.id

    def delete(self):
        self.doomed = time.monotonic()
        delete_key(self.tenant, self.id)
        self.dead = time.monotonic()

    def is_right(self, call):
        if call.began > self.dead:
            return call.status == 401
        return call.status in ({200, 201} if call.ended < self.doomed else {200, 201, 401})


def test_secrets_change_under_load_and_no_login_notices(server):
    tenant = server.tenant()
    secrets = [Secret(tenant, "jwt")]

    with Load().on(server, lambda number: secrets[-2:][number // 2 % 2 - 1].login(number)) as load:
        for proof in itertools.islice(itertools.cycle(("hmac", "jwt")), ROTATIONS):
            old, new = secrets[-1], Secret(tenant, proof)
            load.wait(of=old.is_of)
            secrets.append(new)
            load.wait(of=new.is_of)
            load.wait(of=old.is_of, since=new.made)
            old.delete()
            load.wait(of=old.is_of, since=old.dead)
            load.wait(of=new.is_of, since=old.dead)

    for secret in secrets:
        theirs = [call for call in load.calls if secret.is_of(call.request)]
        assert [call for call in theirs if not secret.is_right(call)] == []
    assert [key["id"] for key in identity_keys(tenant)] == [secrets[-1].id]
    assert identity_keys(tenant)[0]["lastUsedAt"] is not None
    assert {line["status"] for line in server.log if line.get("route") == "/v1/login"} <= {200, 201, 401}


def test_each_user_is_one_whichever_secret_proved_them(server):
    tenant = server.tenant()
    proofs = [proof_of(tenant, identity_key(tenant)[1], sub="u-1") for _ in range(3)]

    answers = at_once(*(partial(tenant.try_login, key=tenant.pk, proof=proof) for proof in proofs))

    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    assert len({answer.json["user"]["id"] for answer in answers}) == 1
    assert all(key["lastUsedAt"] for key in identity_keys(tenant))


@pytest.mark.parametrize("what", ["key", "app"])
def test_what_is_deleted_proves_nothing_on_any_worker(server, what):
    tenant = server.tenant()
    id, secret = identity_key(tenant)
    connections = [server.connect() for _ in range(16)]
    log_in(connections, tenant, secret)

    if what == "key":
        delete_key(tenant, id)
    else:
        tenant.call("DELETE", f"/v1/apps/{tenant.id}", tenant.admin_key)
    statuses = log_in(connections, tenant, secret)

    for connection in connections:
        connection.close()
    assert statuses == {401}


def log_in(connections, tenant, secret):
    """Log in over each of many connections, which all workers serve."""
    claim = {"proof": proof_of(tenant, secret, sub="u-1")}
    headers = {"Authorization": f"Bearer {tenant.pk}"}
    return {
        connection.open("/v1/login", method="POST", json=claim, headers=headers).status_code
        for connection in connections
    }


def identity_keys(tenant):
    listed = tenant.call("GET", f"/v1/apps/{tenant.id}/keys", tenant.admin_key)
    return [key for key in listed.json["data"] if key["kind"] == "identity"]
