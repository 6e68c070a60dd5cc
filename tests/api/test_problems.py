"""Problems: every error has one shape, and says nothing that was sent, nor a word of what we stand on."""

import json
import re

import pytest

from service.api.headers import HEADERS
from service.model.identifiers import new_id
from tests.support.cases import cases
from tests.support.engines import one_engine
from tests.support.logbook import on_standard_output

CANARY = "C4n4ry"


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
    """Log as a server does; return what was written since it was last called."""
    with on_standard_output():
        yield lambda: "".join(capsys.readouterr())


@one_engine
@cases(
    "method, path, request_, status, code",
    ("400", "POST", "/v1/login", {"data": b"{"}, 400, "bad-request"),
    ("401", "GET", "/v1/me", {"headers": {"Authorization": "x"}}, 401, "invalid-credential"),
    ("403", "GET", "/v1/me", {}, 403, "not-allowed"),
    ("404 without a route", "GET", "/v1/nothing", {}, 404, "not-found"),
    ("404 for a slash too many", "GET", "/v1//login", {}, 404, "not-found"),
    ("404 for a slash at the end", "GET", "/v1/me/", {}, 404, "not-found"),
    ("404 for a thing", "GET", "/v1/conversations/cnv_1", {}, 404, "not-found"),
    ("404 for a file", "GET", "/docs/nothing.js", {}, 404, "not-found"),
    ("405", "GET", "/v1/login", {}, 405, "method-not-allowed"),
    ("405 for a method of nobody's", "BREW", "/v1/login", {}, 405, "method-not-allowed"),
    ("413", "POST", "/v1/login", {"data": b" " * 131_073}, 413, "too-large"),
    ("414", "GET", "/healthz?" + "a" * 16_384, {}, 414, "url-too-long"),
    ("415", "POST", "/v1/login", {"data": b"x", "content_type": "text/xml"}, 415, "not-json"),
    ("422", "POST", "/v1/login", {"data": b'{"x": 1}'}, 422, "refused"),
)
def test_every_error_has_one_shape(client, tenant, method, path, request_, status, code):
    headers = {"Authorization": f"Bearer {tenant.sk}"} | request_.get("headers", {})
    sent = {"content_type": "application/json"} | request_ | {"headers": headers}
    response = client.open(path, method=method, **sent)
    require_problem(response, status, code)
    assert dict(HEADERS).items() <= dict(response.headers).items()


@one_engine
def test_each_answer_has_an_id_of_its_own_whatever_the_client_calls_it(client):
    asked = {"X-Request-Id": CANARY}
    ids = {client.get("/v1/me", headers=asked).json["requestId"] for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", id) for id in ids)


METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "QUERY"}


@one_engine
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
    """Return every call that wants a credential, as the OpenAPI document says, and the metrics."""
    paths = app.test_client().get("/openapi.json").json["paths"]
    return [
        (method.upper(), path)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method != "parameters" and operation["security"]
    ] + [("GET", "/metrics")]


def unreachable(database_url, tmp_path):
    """Return where no store is, of the same engine."""
    if database_url.startswith("sqlite:"):
        return f"sqlite:///{tmp_path}/missing/usher.sqlite"
    return "postgres://usher@127.0.0.1:1/usher"


def test_503_says_when_to_ask_again_on_every_call_that_needs_the_store(
    app, config, start, tmp_path, log, tenant
):
    # The store is away from the start.
    away = start(database_url=unreachable(config.database_url, tmp_path)).test_client()
    as_backend = {"Authorization": f"Bearer {tenant.sk}"}
    calls = [(method, path) for method, path in protected(app) if path.startswith("/v1/")]
    answers = [
        away.open(path.format(id="x", key="y", secret="z", event="e"), method=method, headers=as_backend)
        for method, path in [*calls, ("GET", "/readyz")]
    ]
    for answer in answers:
        require_problem(answer, 503, "store-unavailable")
        assert dict(HEADERS).items() <= dict(answer.headers).items()
        assert 1 <= int(answer.headers["Retry-After"]) <= 60


class Broken(Exception):
    """Something that nobody foresaw."""


@pytest.fixture
def broken(start, log):
    """The application with a route that fails with what it was sent in its words."""
    app = start()

    @app.post("/fail/<what>")
    def fail(what):
        try:
            raise KeyError(what)
        except KeyError as error:
            raise Broken(f"{what} {CANARY}") from error

    return app.test_client()


@one_engine
def test_what_nobody_foresaw_is_500_without_a_word_of_it(broken, log):
    response = broken.post(f"/fail/{CANARY}?q={CANARY}", data=CANARY, headers={"X-Canary": CANARY})
    require_problem(response, 500, "internal-error")
    assert dict(HEADERS).items() <= dict(response.headers).items()
    assert CANARY not in response.text + str(response.headers)
    assert "Broken" not in response.text


@one_engine
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
    f"{CANARY}\0", f" {CANARY}\ud800", [CANARY], {CANARY: CANARY}, CANARY, f"{CANARY}@{CANARY}@example.org",
    {"origins": [f"https://{CANARY}/"], "sessionDays": CANARY},
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "member"),
    [
        pytest.param(method, path, member, id=f"{member} of {method} {path}")
        for method, path, members in MEMBERS
        for member in members.split()
    ],
)
def test_no_value_of_a_member_comes_back_or_is_logged(tenant, log, method, path, member):
    user = tenant.known(userId="u-17")
    path = path.format(app=tenant.id, conversation=tenant.begin(tenant.sk, user=user))
    key = tenant.admin_key if "/apps" in path else tenant.sk
    answers = [tenant.call(method, path, key, {member: value}) for value in VALUES]
    refused = [answer for answer in answers if answer.status_code >= 400]
    assert refused
    # An unknown member is named, as docs/errors.md says.
    written = "".join(f"{answer.text}{answer.headers}" for answer in refused) + log()
    assert CANARY not in written.replace(f'"/settings/{CANARY}"', "")


@one_engine
@cases(
    "path, headers",
    ("a path", "/v1/conversations/{canary}", {}),
    ("a path that nobody serves", "/v1/{canary}?{canary}={canary}#{canary}", {}),
    ("two slashes before a host", "//{canary}.example/v1/login", {}),
    ("a file", "/docs/{canary}", {}),
    ("a cursor", "/v1/conversations?cursor={canary}", {}),
    ("a limit", "/v1/conversations?limit={canary}", {}),
    ("a user", "/v1/conversations?user={canary}", {}),
    ("a parameter without a value", "/v1/conversations?limit=0&x{canary}", {}),
    ("a credential", "/v1/me?{canary}", {"Authorization": "Bearer {canary}"}),
    ("a scheme", "/v1/me", {"Authorization": "{canary} {canary}"}),
    ("a credential cut short", "/v1/me", {"Authorization": "Bearer sk_{canary}"}),
    ("a host", "/v1/me", {"Host": "{canary}.example"}),
    ("a host that is none", "/v1/me", {"Host": "{canary}<script>"}),
    ("an origin", "/v1/me", {"Origin": "https://{canary}.example"}),
    ("a browser", "/v1/me", {"User-Agent": "{canary}", "Referer": "https://{canary}"}),
    ("an address", "/v1/me", {"X-Forwarded-For": "{canary}", "Forwarded": "{canary}"}),
    ("a proxy", "/v1/me", {"X-Forwarded-Host": "{canary}", "X-Forwarded-Prefix": "/{canary}"}),
    ("what is accepted", "/v1/me", {"Accept": "{canary}", "Accept-Language": "{canary}"}),
)
def test_nothing_of_a_url_or_a_header_comes_back_or_is_logged(client, tenant, log, path, headers):
    sent = {"Authorization": f"Bearer {tenant.sk}"}
    sent |= {name: value.format(canary=CANARY) for name, value in headers.items()}
    response = client.get(path.format(canary=CANARY), headers=sent)
    assert response.status_code >= 400
    written = response.text + str(response.headers) + log()
    # An unknown parameter is named, as an unknown member is.
    assert CANARY not in written.replace(f'"/x{CANARY}"', "")


@one_engine
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
    claim = {"userId": f"u-{CANARY}", "email": f"{CANARY}@{CANARY}.example", "name": CANARY}
    login = tenant.login(**claim, deviceId=f"a-device-of-{CANARY}")
    token = login["session"]["token"]
    anonymous = tenant.login()
    conversation = tenant.begin(token, CANARY, subject=CANARY)
    tenant.write(conversation, body=CANARY)
    tenant.call("POST", "/v1/logout", tenant.sk, {"userId": f"u-{CANARY}"})
    app = tenant.call("POST", "/v1/apps", tenant.admin_key, {"name": CANARY}).json["id"]
    key = tenant.call("POST", f"/v1/apps/{app}/keys", tenant.admin_key, {"kind": "identity"}).json["key"]

    written = log().lower()
    assert written.count('"answered"') == 7
    for secret in (CANARY, token, key, tenant.sk, tenant.pk, tenant.admin_key, anonymous["deviceId"]):
        assert secret.lower() not in written
        assert secret[-43:].lower() not in written


def test_an_unknown_id_is_answered_with_the_same_bytes_as_a_malformed_one(tenant):
    paths = [f"/v1/conversations/{id}" for id in (new_id("cnv"), "cnv_x", "\0", "%ff", "a" * 300)]
    answers = [tenant.get(path) for path in paths]
    bodies = {answer.text.replace(answer.json["requestId"], "") for answer in answers}
    assert len(bodies) == 1
    assert {answer.status_code for answer in answers} == {404}
