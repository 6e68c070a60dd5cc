"""A page may call if its app names its origin, exactly; and every answer says how it is to be handled."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.attachments import fetch, written
from tests.support.cases import cases
from tests.support.engines import one_engine
from tests.support.responses import problem_of
from tests.support.servers import ADMIN_KEY
from tests.support.tenants import Tenant

# The engine does not matter to any of these.
pytestmark = one_engine

SHOP, ELSEWHERE = "https://shop.example.org", "https://attacker.example"
NOBODY = "cnv_" + "0" * 32


@pytest.fixture
def shop(tenant):
    """An app that names the pages of a shop."""
    tenant.set(origins=[SHOP, "http://localhost:3000"])
    return tenant


@pytest.fixture
def token(shop):
    return shop.session(userId="u-1")


def is_readable(response, origin=SHOP):
    """Whether a browser lets the page read an answer."""
    return response.headers.get("Access-Control-Allow-Origin") == origin


def cors_headers(response):
    return {name: value for name, value in response.headers if name.startswith("Access-Control-")}


# What widgets call: a method, a path, a body, and the status when all is well.
CALLS = {
    "log in": ("POST", "/v1/login", {}, 201),
    "me": ("GET", "/v1/me", None, 200),
    "clear": ("POST", "/v1/clearAnonymousUser", {}, 200),
    "begin": ("POST", "/v1/conversations", {"message": "Hello"}, 201),
    "list": ("GET", "/v1/conversations", None, 200),
    "show": ("GET", "/v1/conversations/{}", None, 200),
    "read": ("GET", "/v1/conversations/{}/messages", None, 200),
    "write": ("POST", "/v1/conversations/{}/messages", {"body": "Hello"}, 201),
    "attach": ("POST", "/v1/conversations/{}/attachments", "any bytes", 201),
    "attach before": ("POST", "/v1/attachments", "any bytes", 201),
    "mark as read": ("POST", "/v1/conversations/{}/read", None, 204),
    "resolve": ("PATCH", "/v1/conversations/{}", {"status": "resolved"}, 200),
    "log out": ("POST", "/v1/logout", None, 204),
}


def call(shop, token, method, path, body, **headers):
    """Make a call as a widget does."""
    key = shop.pk if path == "/v1/login" else token
    if "{}" in path:
        path = path.format(shop.begin(token))
    return lambda: shop.call(method, path, key, body, **headers)


@pytest.mark.parametrize("origin", [SHOP, "http://localhost:3000"])
@pytest.mark.parametrize(("method", "path", "body", "status"), CALLS.values(), ids=CALLS)
def test_a_page_that_the_app_names_calls_and_reads(shop, token, origin, method, path, body, status):
    make = call(shop, token, method, path, body, Origin=origin)
    response = make()
    assert response.status_code == status
    assert cors_headers(response) == {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "Retry-After, X-Request-Id",
    }
    assert "Origin" in response.vary


@pytest.mark.parametrize(("method", "path", "body", "status"), CALLS.values(), ids=CALLS)
def test_another_page_is_refused_before_anything_is_done(shop, rows, token, method, path, body, status):
    make = call(shop, token, method, path, body, Origin=ELSEWHERE)
    before = rows()
    response = make()
    assert problem_of(response) == (403, "not-allowed")
    assert cors_headers(response) == {}
    assert "Origin" in response.vary
    assert rows() == before


@pytest.mark.parametrize(("method", "path", "body", "status"), CALLS.values(), ids=CALLS)
def test_what_is_no_browser_names_no_origin(shop, token, method, path, body, status):
    response = call(shop, token, method, path, body)()
    assert response.status_code == status
    assert cors_headers(response) == {}
    assert "Origin" in response.vary


@pytest.mark.parametrize(("origin", "status"), [(SHOP, 200), (ELSEWHERE, 403)])
def test_a_page_fetches_a_file_if_the_app_names_it(shop, token, origin, status):
    file = written(shop, shop.begin(token), token)
    assert ask(shop.client, f"/v1/attachments/{file}", "GET").status_code == 204
    response = fetch(shop, file, token, Origin=origin)
    assert (response.status_code, is_readable(response)) == (status, status == 200)


@cases(
    "origin",
    ("another scheme", "http://shop.example.org"),
    ("another port", "https://shop.example.org:8443"),
    ("the usual port, written", "https://shop.example.org:443"),
    ("a subdomain", "https://www.shop.example.org"),
    ("the domain above", "https://example.org"),
    ("a longer domain", "https://shop.example.org.attacker.example"),
    ("capitals", "https://SHOP.example.org"),
    ("a path", "https://shop.example.org/"),
    ("two", "https://shop.example.org, https://attacker.example"),
    ("null", "null"),
    ("a star", "*"),
    ("no URL", "http://["),
    ("our host without a scheme", "localhost"),
    ("our host on another port", "http://localhost:8000"),
)
def test_an_origin_that_is_not_exactly_named_is_refused(shop, token, origin):
    response = shop.call("GET", "/v1/me", token, Origin=origin)
    assert response.status_code == 403
    assert cors_headers(response) == {}


@pytest.mark.parametrize("origin", ["http://localhost", "https://localhost"])
def test_our_own_pages_are_no_strangers(tenant, origin):
    assert tenant.call("POST", "/v1/login", tenant.pk, {}, Origin=origin).status_code == 201


def test_an_origin_that_is_named_no_more_is_refused_at_once(shop, token):
    shop.set(origins=[])
    response = shop.call("GET", "/v1/me", token, Origin=SHOP)
    assert response.status_code == 403
    assert cors_headers(response) == {}


@pytest.mark.parametrize("origin", [SHOP, ELSEWHERE])
@pytest.mark.parametrize("path", ["/v1/login", "/v1/conversations", "/v1/logout", "/v1/clearAnonymousUser"])
def test_no_page_reads_what_a_secret_key_is_answered(shop, origin, path):
    device = {"deviceId": "d" * 32} if path != "/v1/conversations" else None
    method = "POST" if device else "GET"
    response = shop.call(method, path, shop.sk, device, Origin=origin)
    assert response.status_code in (200, 201, 204)
    assert cors_headers(response) == {}


@pytest.mark.parametrize("kind", ["sk", "admin_key"])
def test_no_page_reads_that_a_secret_is_refused(shop, kind):
    dead = getattr(shop, kind)[:-4] + "dead"
    response = shop.call("GET", "/v1/conversations", dead, Origin=SHOP)
    assert response.status_code == 401
    assert cors_headers(response) == {}


@pytest.mark.parametrize(
    "path", ["/v1/users", "/v1/resolve", "/v1/apps", "/healthz", "/metrics", "/openapi.json"]
)
@pytest.mark.parametrize("kind", ["pk", "sk"])
def test_no_page_reads_what_widgets_do_not_call(shop, path, kind):
    assert cors_headers(shop.call("GET", path, getattr(shop, kind), Origin=SHOP)) == {}


@cases(
    "end",
    ("logged out", lambda shop, login: shop.call("POST", "/v1/logout", login["session"]["token"])),
    ("replaced", lambda shop, login: shop.login(userId="u-2", deviceId=login["deviceId"])),
    ("erased", lambda shop, login: shop.erase(login["user"]["id"])),
)
@cases("origin, readable", ("shop", SHOP, True), ("elsewhere", ELSEWHERE, False))
def test_a_widget_reads_that_its_session_has_ended(shop, end, origin, readable):
    login = shop.login(userId="u-1")
    token = login["session"]["token"]
    end(shop, login)
    response = shop.call("GET", "/v1/me", token, Origin=origin)
    assert response.status_code == 401
    assert is_readable(response, origin) is readable


def test_a_widget_reads_that_its_session_has_expired(shop, token, time_machine):
    time_machine.move_to(datetime.now(UTC) + timedelta(days=8), tick=False)
    response = shop.call("GET", "/v1/me", token, Origin=SHOP)
    assert response.status_code == 401
    assert is_readable(response)


def test_a_widget_reads_that_its_key_is_deleted(shop):
    (id,) = [key["id"] for key in shop.list_keys() if key["kind"] == "publishable"]
    shop.call("DELETE", f"/v1/apps/{shop.id}/keys/{id}", ADMIN_KEY)
    response = shop.call("POST", "/v1/login", shop.pk, {}, Origin=SHOP)
    assert response.status_code == 401
    assert is_readable(response)


def test_of_an_erased_app_nothing_is_readable(shop, token):
    shop.call("DELETE", f"/v1/apps/{shop.id}", ADMIN_KEY)
    response = shop.call("GET", "/v1/me", token, Origin=SHOP)
    assert response.status_code == 401
    assert cors_headers(response) == {}


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer st_", "Basic YTpi", "Bearer \xe9", "Bearer a b"]
)
def test_without_a_credential_no_app_is_known(shop, client, authorization):
    response = client.get("/v1/me", headers={"Authorization": authorization, "Origin": SHOP})
    assert response.status_code == 401
    assert cors_headers(response) == {}


@cases(
    "method, path, body, status",
    ("400", "POST", "/v1/conversations", b"{", 400),
    ("404", "GET", f"/v1/conversations/{NOBODY}", None, 404),
    ("404, no such path", "GET", "/v1/conversations/a/b/c", None, 404),
    ("405", "DELETE", "/v1/me", None, 405),
    ("413", "POST", "/v1/conversations", b" " * 140_000, 413),
    ("414", "GET", "/v1/me?" + "a" * 20_000, None, 414),
    ("415", "POST", "/v1/conversations", b"message=Hello", 415),
    ("422", "POST", "/v1/conversations", b"{}", 422),
    ("not for widgets", "GET", "/v1/users", None, 403),
)
def test_a_widget_reads_what_is_wrong_with_its_call(shop, client, token, method, path, body, status):
    headers = {"Authorization": f"Bearer {token}", "Origin": SHOP}
    content_type = "text/plain" if status == 415 else "application/json"
    response = client.open(path, method=method, data=body, headers=headers, content_type=content_type)
    assert response.status_code == status
    assert is_readable(response) is (path != "/v1/users")


def test_a_widget_reads_when_it_may_come_again(shop, start, time_machine):
    # No minute ends meanwhile.
    time_machine.move_to("2030-01-01T12:00:00Z", tick=False)
    there = shop.on(start(login_rate=1))
    there.call("POST", "/v1/login", shop.pk, {})
    response = there.call("POST", "/v1/login", shop.pk, {}, Origin=SHOP)
    assert response.status_code == 429
    assert is_readable(response)
    assert "Retry-After" in response.headers["Access-Control-Expose-Headers"]


def ask(client, path, method="POST", origin=SHOP, **headers):
    asked = {"Origin": origin, "Access-Control-Request-Method": method} | headers
    return client.open(path, method="OPTIONS", headers=asked)


@pytest.mark.parametrize(("method", "path", "body", "status"), CALLS.values(), ids=CALLS)
def test_a_browser_that_asks_before_it_calls_is_answered(client, method, path, body, status):
    wanted = {"Access-Control-Request-Headers": "authorization,content-type,idempotency-key"}
    response = ask(client, path.format(NOBODY), method, **wanted)
    allowed = response.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert (response.status_code, response.data) == (204, b"")
    assert is_readable(response)
    assert method in response.headers["Access-Control-Allow-Methods"].split(", ")
    assert set(allowed) >= {"authorization", "content-type", "idempotency-key"}
    assert int(response.headers["Access-Control-Max-Age"]) > 0
    assert "Origin" in response.vary


@pytest.mark.parametrize(
    "path",
    ["/v1/users", "/v1/resolve", "/v1/apps", "/v1/meadow", "/v1/login2", "/healthz", "/docs", "/nowhere"],
)
def test_a_browser_that_asks_for_what_widgets_do_not_call_is_not_allowed(client, path):
    assert cors_headers(ask(client, path)) == {}


def test_a_page_never_sends_cookies_nor_is_any_origin_allowed(shop, client, token):
    responses = [
        ask(client, "/v1/me", "GET"),
        shop.call("GET", "/v1/me", token, Origin=SHOP),
        shop.call("GET", "/v1/me", token[:-1] + "_", Origin=SHOP),
        client.get("/docs", headers={"Origin": SHOP}),
    ]
    for response in responses:
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert "Set-Cookie" not in response.headers
        assert not is_readable(response, "*")


@cases(
    "path, methods",
    ("login", "/v1/login", {"POST", "OPTIONS"}),
    ("me", "/v1/me", {"GET", "HEAD", "OPTIONS"}),
    ("users", "/v1/users", {"GET", "HEAD", "OPTIONS", "POST"}),
)
@pytest.mark.parametrize("origin", [None, SHOP], ids=["no origin", "an origin"])
def test_who_asks_for_options_without_a_preflight_is_told_the_methods(client, path, methods, origin):
    response = client.options(path, headers={} if origin is None else {"Origin": origin})
    assert response.status_code == 200
    assert set(response.headers["Allow"].split(", ")) == methods
    assert cors_headers(response) == {}


EVERYWHERE = {
    "Content-Security-Policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def lacking(response):
    """Which headers an answer lacks; the pages at /docs and /console have policies of their own."""
    return {name: value for name, value in EVERYWHERE.items() if response.headers.get(name) != value}


def paths(app):
    known = {"id": NOBODY, "key": "key_" + "0" * 32, "name": "swagger-ui.css", "app": "app_" + "0" * 32}
    known |= {"secret": "whs_" + "0" * 32, "event": "evt_" + "0" * 32}
    return {
        re.sub(r"<(?:\w+:)?(\w+)>", lambda found: known[found[1]], rule.rule)
        for rule in app.url_map.iter_rules()
    }


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("credential", ["ak", "sk", "none"])
def test_every_answer_says_how_it_is_to_be_handled(app, client, tenant, method, credential):
    key = {"ak": ADMIN_KEY, "sk": tenant.sk, "none": ""}[credential]
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    # Files are answered open; read at once they are closed.
    responses = {
        path: client.open(path, method=method, headers=headers, buffered=True) for path in paths(app)
    }

    pages = {"/docs"} | {path for path in responses if path.startswith("/console")}
    expected = {path: {"Content-Security-Policy"} for path in pages}
    if method in ("GET", "HEAD"):
        # Pages of other origins load it.
        expected["/widget.js"] = {"Cross-Origin-Resource-Policy"}
    assert len(responses) > 20
    assert {path: set(lacking(one)) for path, one in responses.items() if lacking(one)} == expected
    assert {path for path, one in responses.items() if "X-Request-Id" not in one.headers} == set()
    assert {path for path, one in responses.items() if one.status_code >= 500} == set()


def test_apps_are_told_apart_by_their_origins(app):
    """Of two apps on one server, each is called from its own pages only."""
    first, second = (Tenant.create(app.test_client(), ADMIN_KEY, origins=[at]) for at in (SHOP, ELSEWHERE))
    answered = {
        (tenant.id, origin): tenant.call("POST", "/v1/login", tenant.pk, {}, Origin=origin).status_code
        for tenant in (first, second)
        for origin in (SHOP, ELSEWHERE)
    }

    assert answered == {
        (first.id, SHOP): 201,
        (first.id, ELSEWHERE): 403,
        (second.id, SHOP): 403,
        (second.id, ELSEWHERE): 201,
    }
