"""Revoked is revoked: once it is answered, neither worker serves a request that begins later."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.load import Load, in_turn
from tests.support.processes import Request
from tests.support.servers import ADMITTING, Answer, Server, serve
from tests.support.tenants import Tenant

TIMES = 10
DEVICE = "the-only-device-here"


@pytest.fixture(scope="module")
def server(database_url: str) -> Iterator[Server]:
    with serve(database_url, application=ADMITTING) as server:
        yield server


def as_end_user(token: str) -> list[Request]:
    return [
        Request("GET", "/v1/me", token),
        Request("GET", "/v1/conversations", token),
        Request("POST", "/v1/conversations", token, {"message": "Hello"}),
        Request("POST", "/v1/clearAnonymousUser", token, {"clear": False}),
    ]


def as_backend(key: str, user: str) -> list[Request]:
    return [
        Request("POST", "/v1/login", key, {"userId": "u-2", "email": "jane@example.org"}),
        Request("GET", "/v1/conversations", key),
        Request("POST", "/v1/conversations", key, {"user": user, "message": "Hello"}),
        Request("POST", "/v1/logout", key, {"userId": "u-3"}),
        Request("POST", "/v1/login", key, {"email": "john@example.org"}),
    ]


def as_widget(key: str) -> list[Request]:
    return [Request("POST", "/v1/login", key, {"name": "Jane"})]


Revoke = Callable[[], Answer]


def logout_by_token(tenant: Tenant) -> tuple[list[Request], Revoke]:
    token = tenant.session(userId="u-1", deviceId=DEVICE)
    return as_end_user(token), lambda: tenant.call("POST", "/v1/logout", token)


def logout_by_device(tenant: Tenant) -> tuple[list[Request], Revoke]:
    token = tenant.session(userId="u-1", deviceId=DEVICE)
    return as_end_user(token), lambda: tenant.call("POST", "/v1/logout", tenant.sk, {"deviceId": DEVICE})


def logout_by_user(tenant: Tenant) -> tuple[list[Request], Revoke]:
    tokens = [tenant.session(userId="u-1") for _ in range(3)]
    requests = [request for token in tokens for request in as_end_user(token)]
    return requests, lambda: tenant.call("POST", "/v1/logout", tenant.sk, {"userId": "u-1"})


def login_of_somebody_else(tenant: Tenant) -> tuple[list[Request], Revoke]:
    token = tenant.session(userId="u-1", deviceId=DEVICE)
    return as_end_user(token), lambda: tenant.try_login(userId="u-2", deviceId=DEVICE)


def deletion_of_a_secret_key(tenant: Tenant) -> tuple[list[Request], Revoke]:
    id, key = new_key(tenant, "secret")
    user = tenant.login(userId="u-1")["user"]["id"]
    return as_backend(key, user), lambda: delete(tenant, f"/keys/{id}")


def deletion_of_a_publishable_key(tenant: Tenant) -> tuple[list[Request], Revoke]:
    id, key = new_key(tenant, "publishable")
    return as_widget(key), lambda: delete(tenant, f"/keys/{id}")


def deletion_of_the_app(tenant: Tenant) -> tuple[list[Request], Revoke]:
    body = tenant.login(userId="u-1")
    token, user = body["session"]["token"], body["user"]["id"]
    tenant.begin(token)
    return (
        [*as_end_user(token), *as_backend(tenant.sk, user), *as_widget(tenant.pk)],
        lambda: delete(tenant, ""),
    )


def new_key(tenant: Tenant, kind: str) -> tuple[str, str]:
    made = tenant.call("POST", f"/v1/apps/{tenant.id}/keys", tenant.admin_key, {"kind": kind}).json
    return made["id"], made["key"]


def delete(tenant: Tenant, path: str) -> Answer:
    return tenant.call("DELETE", f"/v1/apps/{tenant.id}{path}", tenant.admin_key)


REVOCATIONS = [
    logout_by_token,
    logout_by_device,
    logout_by_user,
    login_of_somebody_else,
    deletion_of_a_secret_key,
    deletion_of_a_publishable_key,
    deletion_of_the_app,
]


@pytest.mark.parametrize("revocation", REVOCATIONS, ids=lambda revocation: revocation.__name__)
def test_no_request_that_begins_after_the_answer_is_served(
    server: Server, revocation: Callable[[Tenant], tuple[list[Request], Revoke]]
) -> None:
    for _ in range(TIMES):
        requests, revoke = revocation(server.tenant())

        with Load().on(server, in_turn(requests)) as load:
            load.wait()
            answer = revoke()
            answered = time.monotonic()
            load.wait(since=answered)

        assert answer.status_code < 300, answer.text
        assert {call.status for call in load.begun(answered)} == {401}
        assert {200, 201} & {call.status for call in load.calls}
        assert not [call for call in load.calls if call.status >= 500]
