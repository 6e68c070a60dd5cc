"""Problems: every error has one shape, and says nothing that was sent, nor a word of what we stand on."""

import json
import re
from dataclasses import replace

import pytest

from service.api.context import NAME
from service.app import create_app
from service.model.identifiers import new_id
from tests.support.cases import cases
from tests.support.logbook import on_standard_output

CANARY = "C4n4ry"

PROBLEMS = [
    pytest.param("POST", "/v1/login", {"data": b"{"}, 400, "bad-request", id="400"),
    pytest.param("GET", "/v1/me", {"headers": {"Authorization": "x"}}, 401, "invalid-credential", id="401"),
    pytest.param("GET", "/v1/me", {}, 403, "not-allowed", id="403"),
    pytest.param("GET", "/v1/nothing", {}, 404, "not-found", id="404 without a route"),
    pytest.param("GET", "/v1//login", {}, 404, "not-found", id="404 for a slash too many"),
    pytest.param("GET", "/v1/me/", {}, 404, "not-found", id="404 for a slash at the end"),
    pytest.param("GET", "/v1/conversations/cnv_1", {}, 404, "not-found", id="404 for a thing"),
    pytest.param("GET", "/docs/nothing.js", {}, 404, "not-found", id="404 for a file"),
    pytest.param("GET", "/v1/login", {}, 405, "method-not-allowed", id="405"),
    pytest.param("BREW", "/v1/login", {}, 405, "method-not-allowed", id="405 for a method of nobody's"),
    pytest.param("POST", "/v1/login", {"data": b" " * 131_073}, 413, "too-large", id="413"),
    pytest.param("GET", "/healthz?" + "a" * 16_384, {}, 414, "url-too-long", id="414"),
    pytest.param("POST", "/v1/login", {"data": b"x", "content_type": "text/xml"}, 415, "not-json", id="415"),
    pytest.param("POST", "/v1/login", {"data": b'{"x": 1}'}, 422, "refused", id="422"),
]  # fmt: skip


def require_problem(response, status, code):
    """Assert that an answer has the one shape."""
    body = response.json
    assert response.content_type == "application/problem+json"
    assert response.status_code == status
    assert body.pop("requestId") == response.headers["X-Request-Id"]
    errors = body.pop("errors", [])
    assert body.pop("title")
    assert body == {"type": f"urn:usher:problem:{code}", "status": status, "code": code}
    assert bool(errors) == (status == 422)
    assert all(set(error) == {"pointer", "code", "detail"} for error in errors)


@pytest.fixture
def log(capsys):
    """Log as a server does; answer what was written since it was last called."""
    with on_standard_output():
        yield lambda: "".join(capsys.readouterr())


@pytest.mark.parametrize(("method", "path", "request_", "status", "code"), PROBLEMS)
def test_every_error_has_one_shape(client, tenant, method, path, request_, status, code):
    headers = {"Authorization": f"Bearer {tenant.sk}"} | request_.get("headers", {})
    sent = {"content_type": "application/json"} | request_ | {"headers": headers}
    response = client.open(path, method=method, **sent)
    require_problem(response, status, code)


def test_each_answer_has_an_id_of_its_own_whatever_the_client_calls_it(client):
    asked = {"X-Request-Id": CANARY}
    ids = {client.get("/v1/me", headers=asked).json["requestId"] for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", id) for id in ids)


METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "QUERY"}


def test_405_tells_which_methods_a_route_has(app, client):
    allowed = {}
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith(("revenuecat.", "console.")):
            allowed.setdefault(rule.rule, set()).update(rule.methods)

    answers = {
        (method, route): client.open(route.replace("<", "").replace(">", ""), method=method)
        for route, methods in allowed.items()
        for method in METHODS - methods
    }

    for (_, route), answer in answers.items():
        require_problem(answer, 405, "method-not-allowed")
        assert set(answer.headers["Allow"].split(", ")) == allowed[route]


def protected(app):
    """Answer every call that wants a credential, as the OpenAPI document says, and the metrics."""
    paths = app.test_client().get("/openapi.json").json["paths"]
    return [
        (method.upper(), path)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method != "parameters" and operation["security"]
    ] + [("GET", "/metrics")]


@cases(
    "headers",
    ("no credential", {}),
    ("an empty header", {"Authorization": ""}),
    ("a scheme alone", {"Authorization": "Bearer"}),
    ("an empty credential", {"Authorization": "Bearer "}),
    ("another scheme", {"Authorization": "Basic YWs6"}),
    ("no scheme", {"Authorization": "sk_{app}_{random}"}),
    ("a key that is unknown", {"Authorization": "Bearer sk_{app}_{random}"}),
    ("a publishable key that is unknown", {"Authorization": "Bearer pk_{app}_{random}"}),
    ("an identity secret", {"Authorization": "Bearer ik_{app}_{random}"}),
    ("capital letters", {"Authorization": "Bearer SK_{app}_{random}"}),
    ("half a key", {"Authorization": "Bearer sk_{app}"}),
    ("another admin key", {"Authorization": "Bearer ak_" + "b" * 40}),
    ("other letters", {"Authorization": "Bearer \xe4\xf6\xfc"}),
    ("two", {"Authorization": "Bearer a, Bearer b"}),
)
def test_401_asks_for_a_credential_on_every_call_that_wants_one(app, client, tenant, headers):
    sent = {
        name: value.format(app=tenant.id.removeprefix("app_"), random="x" * 43)
        for name, value in headers.items()
    }

    answers = [
        client.open(path.format(id="x", key="y"), method=method, headers=sent)
        for method, path in protected(app)
    ]

    for answer in answers:
        require_problem(answer, 401, "invalid-credential")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="usher"'


def test_a_proof_that_is_missing_asks_for_a_credential_as_well(tenant):
    response = tenant.try_login(key=tenant.pk, userId="u-17")
    require_problem(response, 401, "proof-required")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="usher"'


def unreachable(database_url, tmp_path):
    """Answer where no store is, of the same engine."""
    if database_url.startswith("sqlite:"):
        return f"sqlite:///{tmp_path}/missing/usher.sqlite"
    return "postgres://usher@127.0.0.1:1/usher"


@pytest.fixture
def away(config, tmp_path, log):
    """The application, with its store away from the start."""
    app = create_app(replace(config, database_url=unreachable(config.database_url, tmp_path)))
    yield app.test_client()
    app.extensions[NAME].store.database.close()


def test_503_says_when_to_ask_again_on_every_call_that_needs_the_store(app, away, tenant):
    as_backend = {"Authorization": f"Bearer {tenant.sk}"}
    calls = [(method, path) for method, path in protected(app) if path.startswith("/v1/")]

    answers = [
        away.open(path.format(id="x", key="y"), method=method, headers=as_backend)
        for method, path in [*calls, ("GET", "/readyz")]
    ]

    for answer in answers:
        require_problem(answer, 503, "store-unavailable")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60


class Broken(Exception):
    """Something that nobody foresaw."""


@pytest.fixture
def broken(config, log):
    """The application with a route that fails with what it was sent in its words."""
    app = create_app(config)

    @app.post("/fail/<what>")
    def fail(what):
        try:
            raise KeyError(what)
        except KeyError as error:
            raise Broken(f"{what} {CANARY}") from error

    yield app.test_client()
    app.extensions[NAME].store.database.close()


def test_what_nobody_foresaw_is_500_without_a_word_of_it(broken, log):
    response = broken.post(f"/fail/{CANARY}?q={CANARY}", data=CANARY, headers={"X-Canary": CANARY})
    require_problem(response, 500, "internal-error")
    assert CANARY not in response.text + str(response.headers)
    assert "Broken" not in response.text


def test_what_nobody_foresaw_is_logged_by_class_and_frames_only(broken, log):
    id = broken.post(f"/fail/{CANARY}?q={CANARY}", data=CANARY).json["requestId"]

    written = log()
    [line] = [line for line in map(json.loads, written.splitlines()) if line["event"] == "unforeseen"]
    assert (line["level"], line["requestId"], line["path"]) == ("error", id, "/fail/<what>")
    assert [cause["class"].rpartition(".")[2] for cause in line["exception"]] == ["Broken", "KeyError"]
    assert line["exception"][0]["frames"][-1].endswith("fail")
    assert CANARY not in written


MEMBERS = [
    ("POST", "/v1/login", "deviceId userId email name proof"),
    ("POST", "/v1/logout", "deviceId userId user"),
    ("POST", "/v1/clearAnonymousUser", "deviceId clear"),
    ("POST", "/v1/conversations", "subject message user agentName"),
    ("POST", "/v1/conversations/{conversation}/messages", "body agentName"),
    ("PATCH", "/v1/conversations/{conversation}", "status"),
    ("POST", "/v1/apps", "name settings"),
    ("PATCH", "/v1/apps/{app}", "name settings"),
    ("POST", "/v1/apps/{app}/keys", "kind"),
]
# Each is refused in some member, and holds the canary in a way of its own.
VALUES = [
    f"{CANARY}\0",
    f" {CANARY}\ud800",
    [CANARY],
    {CANARY: CANARY},
    CANARY,
    f"{CANARY}@{CANARY}@example.org",
    {"origins": [f"https://{CANARY}/"], "sessionDays": CANARY},
]


@pytest.mark.parametrize(
    ("method", "path", "member"),
    [
        pytest.param(method, path, member, id=f"{member} of {method} {path}")
        for method, path, members in MEMBERS
        for member in members.split()
    ],
)
def test_no_value_of_a_member_comes_back_or_is_logged(tenant, log, method, path, member):
    user = tenant.login(userId="u-17")["user"]["id"]
    path = path.format(app=tenant.id, conversation=tenant.begin(tenant.sk, user=user))
    key = tenant.admin_key if "/apps" in path else tenant.sk

    answers = [tenant.call(method, path, key, {member: value}) for value in VALUES]

    refused = [answer for answer in answers if answer.status_code >= 400]
    assert refused
    # An unknown member is named, as docs/errors.md says.
    written = "".join(f"{answer.text}{answer.headers}" for answer in refused) + log()
    assert CANARY not in written.replace(f'"/settings/{CANARY}"', "")


PLACES = [
    pytest.param("/v1/conversations/{canary}", {}, id="a path"),
    pytest.param("/v1/{canary}?{canary}={canary}#{canary}", {}, id="a path that nobody serves"),
    pytest.param("//{canary}.example/v1/login", {}, id="two slashes before a host"),
    pytest.param("/v1//conversations?user={canary}", {}, id="two slashes in a path"),
    pytest.param("/docs/{canary}", {}, id="a file"),
    pytest.param("/v1/conversations?cursor={canary}", {}, id="a cursor"),
    pytest.param("/v1/conversations?limit={canary}", {}, id="a limit"),
    pytest.param("/v1/conversations?status={canary}", {}, id="a status"),
    pytest.param("/v1/conversations?user={canary}", {}, id="a user"),
    pytest.param("/v1/conversations?limit=0&x{canary}", {}, id="a parameter without a value"),
    pytest.param("/v1/me?{canary}", {"Authorization": "Bearer {canary}"}, id="a credential"),
    pytest.param("/v1/me", {"Authorization": "{canary} {canary}"}, id="a scheme"),
    pytest.param("/v1/me", {"Authorization": "Bearer sk_{canary}"}, id="a credential cut short"),
    pytest.param("/v1/me", {"Host": "{canary}.example"}, id="a host"),
    pytest.param("/v1/me", {"Host": "{canary}<script>"}, id="a host that is none"),
    pytest.param("/v1/me", {"Origin": "https://{canary}.example"}, id="an origin"),
    pytest.param("/v1/me", {"Cookie": "{canary}={canary}"}, id="a cookie"),
    pytest.param("/v1/me", {"User-Agent": "{canary}", "Referer": "https://{canary}"}, id="a browser"),
    pytest.param("/v1/me", {"X-Forwarded-For": "{canary}", "Forwarded": "{canary}"}, id="an address"),
    pytest.param("/v1/me", {"X-Forwarded-Host": "{canary}", "X-Forwarded-Prefix": "/{canary}"}, id="a proxy"),
    pytest.param("/v1/me", {"X-Request-Id": "{canary}"}, id="a request id"),
    pytest.param("/v1/me", {"Accept": "{canary}", "Accept-Language": "{canary}"}, id="what is accepted"),
]


@pytest.mark.parametrize(("path", "headers"), PLACES)
def test_nothing_of_a_url_or_a_header_comes_back_or_is_logged(client, tenant, log, path, headers):
    sent = {"Authorization": f"Bearer {tenant.sk}"}
    sent |= {name: value.format(canary=CANARY) for name, value in headers.items()}

    response = client.get(path.format(canary=CANARY), headers=sent)

    assert response.status_code >= 400
    written = response.text + str(response.headers) + log()
    # An unknown parameter is named, as an unknown member is.
    assert CANARY not in written.replace(f'"/x{CANARY}"', "")


@cases(
    "method, headers",
    ("a method", CANARY.upper(), {}),
    ("a content type", "POST", {"Content-Type": CANARY}),
    ("a charset", "POST", {"Content-Type": f"application/json; charset={CANARY}"}),
    ("an encoding", "POST", {"Content-Encoding": CANARY, "Content-Type": "text/plain"}),
    ("an idempotency key", "POST", {"Idempotency-Key": f"{CANARY} {CANARY}"}),
)
def test_nothing_of_a_method_or_of_what_describes_a_body_comes_back_or_is_logged(
    client, tenant, log, method, headers
):
    session = tenant.session(userId="u-17")
    sent = {"Authorization": f"Bearer {session}", "Content-Type": "application/json"} | headers
    response = client.open("/v1/conversations", method=method, data='{"message": "Hello"}', headers=sent)
    assert response.status_code in (405, 415, 422)
    assert CANARY.lower() not in (response.text + str(response.headers) + log()).lower()


def test_what_succeeds_is_logged_without_what_was_sent_and_without_secrets(client, tenant, log):
    login = tenant.login(
        userId=f"u-{CANARY}",
        email=f"{CANARY}@{CANARY}.example",
        name=CANARY,
        deviceId=f"a-device-of-{CANARY}",
    )
    token = login["session"]["token"]
    anonymous = tenant.login()
    conversation = tenant.begin(token, CANARY, subject=CANARY)
    tenant.call("POST", f"/v1/conversations/{conversation}/messages", tenant.sk, {"body": CANARY})
    tenant.call("POST", "/v1/logout", tenant.sk, {"userId": f"u-{CANARY}"})
    app = tenant.call("POST", "/v1/apps", tenant.admin_key, {"name": CANARY}).json["id"]
    key = tenant.call("POST", f"/v1/apps/{app}/keys", tenant.admin_key, {"kind": "identity"}).json["key"]

    written = log().lower()
    assert written.count('"answered"') == 7
    for secret in (CANARY, token, key, tenant.sk, tenant.pk, tenant.admin_key, anonymous["deviceId"]):
        assert secret.lower() not in written
        assert secret[-43:].lower() not in written


def test_a_repeated_request_is_answered_without_the_first_ones_words(tenant):
    session = tenant.session(userId="u-17")
    first = tenant.call("POST", "/v1/conversations", session, {"message": CANARY}, Idempotency_Key="k-1")

    second = tenant.call("POST", "/v1/conversations", session, {"message": "Hello"}, Idempotency_Key="k-1")

    assert first.status_code == 201
    require_problem(second, 422, "refused")
    assert second.json["errors"][0]["code"] == "idempotency-key-reused"
    assert CANARY not in second.text


def test_an_unknown_id_is_answered_with_the_same_bytes_as_a_malformed_one(tenant):
    paths = [f"/v1/conversations/{id}" for id in (new_id("cnv"), "cnv_x", "\0", "%ff", "a" * 300)]
    answers = [tenant.call("GET", path, tenant.sk) for path in paths]
    bodies = {answer.text.replace(answer.json["requestId"], "") for answer in answers}
    assert len(bodies) == 1
    assert {answer.status_code for answer in answers} == {404}
