"""Who may call what: every route of the API with every kind of credential, dead, malformed and valid."""

import re
import time

import pytest
import time_machine

from tests.support.cases import cases
from tests.support.engines import one_engine
from tests.support.tenants import Tenant

DAY = 24 * 60 * 60
NOBODYS = "0" * 32
TAIL = f"{NOBODYS}_{'A' * 43}"

# Who may call each route. A route that is not in this table fails the tests.
ALLOWED = {
    ("GET", "/metrics"): {"ak"},
    ("POST", "/v1/login"): {"sk", "pk"},
    ("POST", "/v1/logout"): {"sk", "st"},
    ("POST", "/v1/clearAnonymousUser"): {"sk", "st"},
    ("GET", "/v1/me"): {"st"},
    ("PUT", "/v1/me/contact"): {"st"},
    ("POST", "/v1/conversations"): {"sk", "st"},
    ("GET", "/v1/conversations"): {"sk", "st"},
    ("GET", "/v1/conversations/<id>"): {"sk", "st"},
    ("PATCH", "/v1/conversations/<id>"): {"sk", "st"},
    ("GET", "/v1/conversations/<id>/messages"): {"sk", "st"},
    ("POST", "/v1/conversations/<id>/messages"): {"sk", "st"},
    ("POST", "/v1/conversations/<id>/read"): {"sk", "st"},
    ("POST", "/v1/conversations/<id>/attachments"): {"sk", "st"},
    ("POST", "/v1/attachments"): {"sk", "st"},
    ("GET", "/v1/attachments/<id>"): {"sk", "st"},
    ("POST", "/v1/resolve"): {"sk"},
    ("POST", "/v1/users"): {"sk"},
    ("GET", "/v1/users"): {"sk"},
    ("GET", "/v1/events"): {"sk"},
    ("GET", "/v1/users/<id>"): {"sk"},
    ("PATCH", "/v1/users/<id>"): {"sk"},
    ("DELETE", "/v1/users/<id>"): {"sk"},
    ("GET", "/v1/users/<id>/history"): {"sk"},
    ("GET", "/v1/users/<id>/export"): {"sk"},
    ("POST", "/v1/users/<id>/aliases"): {"sk"},
    ("DELETE", "/v1/users/<id>/aliases"): {"sk"},
    ("PUT", "/v1/users/<id>/userId"): {"sk"},
    ("POST", "/v1/aliases"): {"st"},
    ("POST", "/v1/merges"): {"sk"},
    ("GET", "/v1/duplicates"): {"sk"},
    ("POST", "/v1/duplicates/dismissals"): {"sk"},
    ("GET", "/v1/merges/<id>"): {"sk"},
    ("DELETE", "/v1/merges/<id>"): {"sk"},
    ("POST", "/v1/purchases"): {"sk", "st"},
    ("POST", "/v1/restore"): {"sk", "st"},
    ("POST", "/v1/allowSharingStoreAccount"): {"sk", "st"},
    ("POST", "/v1/webhooks"): {"sk"},
    ("GET", "/v1/webhooks"): {"sk"},
    ("GET", "/v1/webhooks/<id>"): {"sk"},
    ("PATCH", "/v1/webhooks/<id>"): {"sk"},
    ("DELETE", "/v1/webhooks/<id>"): {"sk"},
    ("POST", "/v1/webhooks/<id>/secrets"): {"sk"},
    ("DELETE", "/v1/webhooks/<id>/secrets/<secret>"): {"sk"},
    ("POST", "/v1/webhooks/<id>/test"): {"sk"},
    ("GET", "/v1/webhooks/<id>/deliveries"): {"sk"},
    ("POST", "/v1/webhooks/<id>/deliveries/<event>"): {"sk"},
    ("POST", "/v1/apps"): {"ak"},
    ("GET", "/v1/apps"): {"ak"},
    ("GET", "/v1/apps/<id>"): {"ak"},
    ("PATCH", "/v1/apps/<id>"): {"ak"},
    ("DELETE", "/v1/apps/<id>"): {"ak"},
    ("POST", "/v1/apps/<id>/keys"): {"ak"},
    ("GET", "/v1/apps/<id>/keys"): {"ak"},
    ("DELETE", "/v1/apps/<id>/keys/<key>"): {"ak"},
}
KINDS = {"attachments": "att", "apps": "app", "users": "usr", "merges": "mrg", "webhooks": "whk"}
PARTS = {"<key>": "key", "<secret>": "whs", "<event>": "evt"}
LOGOUT = ("POST", "/v1/logout")
DOCS = {"/openapi.json", "/docs", "/docs/start.js", "/docs/<path:name>"}

UNAUTHORIZED = {
    "type": "urn:usher:problem:invalid-credential",
    "title": "Unauthorized",
    "status": 401,
    "code": "invalid-credential",
}


def path_of(rule):
    """A path that fits a route, with ids of nobody's."""
    kind = KINDS.get(rule.split("/")[2] if rule.startswith("/v1/") else "", "cnv")
    for part, its in (PARTS | {"<id>": kind}).items():
        rule = rule.replace(part, f"{its}_{NOBODYS}")
    return rule


def call(client, route, authorization, **kwargs):
    method, rule = route
    headers = {} if authorization is None else {"Authorization": authorization}
    return client.open(path_of(rule), method=method, headers=headers, **kwargs)


def everywhere(client, authorization, routes=tuple(ALLOWED), **kwargs):
    """Call every route; return status, code and the rest of each answer that is not of this request."""
    answers = {route: call(client, route, authorization, **kwargs) for route in routes}
    return {route: normalised(answer) for route, answer in answers.items()}


def normalised(answer):
    """An answer without what is each request's own."""
    headers = {name: value for name, value in answer.headers if name != "X-Request-Id"}
    return answer.status_code, re.sub(rb'"requestId":\s*"[0-9a-f]{32}"', b"", answer.data), headers


@pytest.fixture(scope="session")
def nothing(app):
    """What a call without any credential is answered, on every route."""
    return everywhere(app.test_client(), None)


def live(tenant):
    return {"ak": tenant.admin_key, "sk": tenant.sk, "pk": tenant.pk, "st": tenant.session(userId="jane")}


@pytest.fixture
def valid(tenant):
    """A live credential of each kind."""
    return live(tenant)


@pytest.fixture(scope="module")
def shared(app, config):
    """The same, for the tests that leave them alive."""
    return live(Tenant.create(app.test_client(), config.admin_key))


def test_every_route_is_in_the_table(app):
    routes = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule not in DOCS | {"/healthz", "/readyz", "/widget.js", "/widget/check"}
        and not rule.endpoint.startswith(("revenuecat.", "console."))
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert routes == set(ALLOWED)


def test_without_a_credential_each_call_is_answered_with_one_problem(client):
    for route in ALLOWED:
        answer = call(client, route, None)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="usher"'
        assert answer.content_type == "application/problem+json"
        assert answer.json == UNAUTHORIZED | {"requestId": answer.headers["X-Request-Id"]}


@one_engine
@pytest.mark.parametrize(
    "authorization",
    [
        "", " ", "Bearer", "Bearer ", "Basic {sk}", "Basic dXNlcjpwYXNz", "Token {sk}", "Digest {sk}",
        "BearerX {sk}", "Bearer:{sk}", "Bearer={sk}", "Bearer_{sk}", "{sk}", "sk {sk}",
        "Bearer Bearer {sk}", "Bearer token={sk}", 'Bearer "{sk}"', "Bearer <{sk}>", "Bearer {sk},",
        "Bearer {sk}, Bearer {sk}", "Bearer {sk} {sk}", "Bearer {sk}\N{NO-BREAK SPACE}",
        "Bearer \N{NO-BREAK SPACE}{sk}", "Bearer {sk}=", "Bearer {sk}x", "Bearer {sk[:-1]}", "Bearer {SK}",
        "Bearer sk", "Bearer sk_", "Bearer st_", "Bearer ak_", "Bearer pk_", "Bearer sk_" + TAIL,
        "Bearer pk_" + TAIL, "Bearer ik_" + TAIL, "Bearer ak_" + "b" * 40, "Bearer {ak}a",
        "Bearer {ak[:-1]}", "Bearer {AK}", "Bearer {sk->pk}", "Bearer {sk->st!}", "Bearer {pk->sk}",
        "Bearer {st->sk}", "Bearer sk_é", "Bearer \xff\xfe",
        "Bearer ak_" + "é" * 40, "Bearer ' OR 1=1 --", "Bearer %00", "Bearer {sk}%00", "Bearer null",
        "Bearer " + "A" * 8000, "Bearer sk_" + "A" * 8000, "Bearer sk_{app}_" + "A" * 43,
        "Bearer sk_app_{app}_" + "A" * 43, "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "Bearer dev_" + "A" * 43,
        "Bearer ST_" + TAIL, "Bearer st_" + TAIL[9:], "Bearer st_" + TAIL + "A", "Basic st_" + TAIL,
    ],
    ids=lambda authorization: repr(authorization[:40]),
)  # fmt: skip
def test_what_is_no_live_credential_is_answered_as_none_at_all(client, shared, nothing, authorization):
    ak, sk, pk, st = (shared[kind] for kind in ("ak", "sk", "pk", "st"))
    for name, value in {
        "{sk}": sk, "{sk[:-1]}": sk[:-1], "{SK}": sk.upper(), "{ak}": ak, "{ak[:-1]}": ak[:-1],
        "{AK}": ak.upper(), "{sk->pk}": "pk" + sk[2:], "{sk->st!}": "st" + sk[2:] + "!",
        "{pk->sk}": "sk" + pk[2:], "{st->sk}": "sk" + st[2:], "{app}": sk.split("_")[1],
    }.items():  # fmt: skip
        authorization = authorization.replace(name, value)
    assert everywhere(client, authorization) == nothing


def test_a_key_does_not_open_another_app_whose_id_it_is_given(client, tenant, other_tenant, nothing):
    here, there = (each.id.removeprefix("app_") for each in (tenant, other_tenant))
    answered = [everywhere(client, f"Bearer {key.replace(here, there)}") for key in (tenant.sk, tenant.pk)]
    token = tenant.session(userId="jane").replace(here, there)
    assert answered == [nothing, nothing]
    assert call(client, ("GET", "/v1/me"), f"Bearer {token}").status_code == 401


def expired(tenant):
    """A session that was used every day, and has reached its end."""
    with time_machine.travel(time.time() - 31 * DAY, tick=False) as clock:
        token = tenant.session(userId="jane")
        for _ in range(29):
            clock.shift(DAY)
            assert tenant.get("/v1/me", token).status_code == 200
    return token


def idle(tenant):
    with time_machine.travel(time.time() - 8 * DAY, tick=False):
        return tenant.session(userId="jane")


def after(tenant, end, **claim):
    """A token whose session has been ended in some way."""
    login = tenant.login(**claim)
    assert end(login).status_code in (200, 201, 204)
    return login["session"]["token"]


def log_in_again(tenant, login):
    tenant.set(anonymousOnLogin="merge")
    return tenant.try_login(deviceId=login["deviceId"], userId="jane")


JANE = {"userId": "jane"}
DEAD_TOKENS = {
    "unknown": lambda t: f"st_{t.id.removeprefix('app_')}_{'A' * 43}",
    "of an unknown app": lambda t: f"st_{TAIL}",
    "logged out": lambda t: after(
        t, lambda login: t.call("POST", "/v1/logout", login["session"]["token"]), **JANE
    ),
    "replaced": lambda t: after(t, lambda login: log_in_again(t, login), **JANE),
    "expired": expired,
    "idle": idle,
    "of a user merged away": lambda t: after(t, lambda login: log_in_again(t, login), name="Nobody yet"),
    "of an erased app": lambda t: after(
        t, lambda _: t.call("DELETE", f"/v1/apps/{t.id}", t.admin_key), **JANE
    ),
}


@pytest.mark.parametrize("dead", DEAD_TOKENS.values(), ids=DEAD_TOKENS)
def test_a_dead_token_is_answered_as_none_at_all_but_by_logout(client, tenant, nothing, dead):
    token = dead(tenant)
    routes = [route for route in ALLOWED if route != LOGOUT]
    answered = everywhere(client, f"Bearer {token}", routes)
    logout = call(client, LOGOUT, f"Bearer {token}")
    assert answered == {route: nothing[route] for route in routes}
    assert (logout.status_code, logout.data) == (204, b"")


@pytest.fixture
def dead_key(request, tenant):
    """A key that opened something until now."""
    kind, _, fate = request.param.partition("-")
    made = tenant.call("POST", f"/v1/apps/{tenant.id}/keys", tenant.admin_key, {"kind": kind}).json
    if kind != "identity":
        assert tenant.try_login(key=made["key"]).status_code == 201
    if fate == "deleted":
        gone = tenant.call("DELETE", f"/v1/apps/{tenant.id}/keys/{made['id']}", tenant.admin_key)
    else:
        gone = tenant.call("DELETE", f"/v1/apps/{tenant.id}", tenant.admin_key)
    assert gone.status_code == 204
    return made["key"]


@pytest.mark.parametrize(
    "dead_key",
    ["secret-deleted", "publishable-deleted", "identity-deleted", "secret-erased", "publishable-erased"],
    indirect=True,
)
def test_a_dead_key_is_answered_as_none_at_all(client, nothing, dead_key):
    assert everywhere(client, f"Bearer {dead_key}") == nothing


def test_an_identity_key_opens_nothing_while_it_lives(client, tenant, nothing):
    made = tenant.call("POST", f"/v1/apps/{tenant.id}/keys", tenant.admin_key, {"kind": "identity"})
    for prefix in ("ik_", "sk_"):
        assert everywhere(client, f"Bearer {made.json['key'].replace('ik_', prefix)}") == nothing


@one_engine
@cases(
    "body",
    ("no-json", {"data": b"{", "content_type": "application/json"}),
    ("form", {"data": b"name=Shop", "content_type": "application/x-www-form-urlencoded"}),
    ("unknown-member", {"json": {"no": "such member"}}),
    ("array", {"json": []}),
    ("too-large", {"data": b"x" * 70_000, "content_type": "application/json"}),
    ("query", {"query_string": {"limit": "0", "no": "such parameter"}}),
)
def test_a_stranger_is_not_told_what_else_is_wrong(client, nothing, body):
    assert everywhere(client, None, **body) == nothing


@one_engine
@pytest.mark.parametrize("kind", ["ak", "sk", "pk", "st"])
def test_a_credential_counts_in_its_header_only(client, shared, nothing, kind):
    credential = shared[kind]
    places = [
        {"query_string": {"access_token": credential, "Authorization": f"Bearer {credential}"}},
        {"json": {"token": credential, "authorization": f"Bearer {credential}"}},
        {"headers": {"Cookie": f"Authorization=Bearer {credential}; token={credential}"}},
        {
            "headers": {
                "X-Authorization": f"Bearer {credential}",
                "Proxy-Authorization": f"Bearer {credential}",
            }
        },
        {"auth": ("Bearer", credential)},
    ]

    answered = [
        {route: normalised(client.open(path_of(route[1]), method=route[0], **place)) for route in ALLOWED}
        for place in places
    ]

    assert answered == [nothing] * len(places)


def test_asking_for_the_head_needs_a_credential_too(client):
    answered = {rule: client.head(path_of(rule)).status_code for method, rule in ALLOWED if method == "GET"}
    assert set(answered.values()) == {401}


@pytest.mark.parametrize("kind", ["ak", "sk", "pk", "st"])
def test_a_valid_credential_of_another_kind_is_not_allowed(client, shared, kind):
    routes = [route for route, kinds in ALLOWED.items() if kind not in kinds]
    answers = {route: call(client, route, f"Bearer {shared[kind]}", json=[]) for route in routes}
    assert {
        route: (answer.status_code, answer.json["code"]) for route, answer in answers.items()
    } == dict.fromkeys(routes, (403, "not-allowed"))
    assert not [route for route, answer in answers.items() if "WWW-Authenticate" in answer.headers]


@pytest.mark.parametrize("kind", ["ak", "sk", "pk", "st"])
def test_a_valid_credential_of_the_right_kind_is_let_in(client, valid, kind):
    # A logout comes last, as it ends the session.
    routes = sorted(
        (route for route, kinds in ALLOWED.items() if kind in kinds), key=lambda route: route == LOGOUT
    )
    statuses = {route: call(client, route, f"Bearer {valid[kind]}").status_code for route in routes}
    assert routes
    assert {
        route: status for route, status in statuses.items() if status in (401, 403) or status >= 500
    } == {}


@pytest.mark.parametrize("authorization", ["bearer {}", "BEARER {}", "Bearer  {}", "Bearer {} "])
def test_the_scheme_has_no_letter_case_and_spaces_do_not_count(client, shared, authorization):
    assert call(client, ("GET", "/v1/conversations"), authorization.format(shared["sk"])).status_code == 200


def delete_keys(tenant, token):
    for key in tenant.list_keys():
        answer = tenant.call("DELETE", f"/v1/apps/{tenant.id}/keys/{key['id']}", tenant.admin_key)
    return answer


@cases(
    "revoke, ends",
    ("logout", lambda tenant, token: tenant.call("POST", "/v1/logout", token), {"st"}),
    ("logout by the backend", lambda t, _: t.call("POST", "/v1/logout", t.sk, {"userId": "jane"}), {"st"}),
    ("deleted keys", delete_keys, {"sk", "pk"}),
    ("erased app", lambda t, _: t.call("DELETE", f"/v1/apps/{t.id}", t.admin_key), {"sk", "pk", "st"}),
)
def test_what_one_server_revokes_no_other_serves(start, tenant, valid, revoke, ends):
    elsewhere = tenant.on(start())
    uses = {
        "sk": lambda: elsewhere.get("/v1/conversations", tenant.sk).status_code,
        "pk": lambda: elsewhere.try_login(key=tenant.pk).status_code,
        "st": lambda: elsewhere.get("/v1/me", valid["st"]).status_code,
    }
    before = {kind: use() for kind, use in uses.items()}
    revoked = revoke(tenant, valid["st"])

    after = {kind: use() for kind, use in uses.items()}
    assert revoked.status_code == 204
    assert before == {"sk": 200, "pk": 201, "st": 200}
    assert {kind for kind, status in after.items() if status == 401} == ends
    assert {kind: after[kind] for kind in after.keys() - ends} == {
        kind: before[kind] for kind in before.keys() - ends
    }
