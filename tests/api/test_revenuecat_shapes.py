"""Whatever is answered under RevenueCat's paths has its shape: what no endpoint answers, too."""

import re

import pytest

from service.api.revenuecat_format import BAD_REQUEST, ERRORS, INVALID_ID
from service.store.users import UserStore
from tests.support.cases import cases
from tests.support.engines import one_engine
from tests.support.pages import Page, table

ANON = "$RCAnonymousID:" + "a" * 32


def require_shape(response, status, code):
    """Assert that an answer is an error as RevenueCat's clients read one."""
    assert (response.status_code, response.content_type) == (status, "application/json")
    assert set(response.json) == {"code", "message"}
    assert response.json["code"] == code
    assert response.json["message"]


@one_engine
@cases(
    "method, path",
    ("no ID", "GET", "/subscribers"),
    ("an empty ID", "GET", "/subscribers/"),
    ("an empty ID that is erased", "DELETE", "/subscribers/"),
    ("an empty ID and an alias", "POST", "/subscribers//alias"),
    ("a receipt", "GET", "/receipts/x"),
    ("a receipt and more", "POST", "/receipts/x/refund"),
    ("a slash too many", "POST", "/receipts/"),
    ("a line feed alone", "POST", "/receipts/%0A"),
)
def test_a_path_that_leads_nowhere_is_not_found(rc, method, path):
    require_shape(rc(method, path, {} if method == "POST" else None), 404, 7259)


OTHER_METHODS = {
    "change a subscriber": ("PATCH", "/subscribers/u-1", {"GET", "HEAD", "DELETE", "OPTIONS"}),
    "put a subscriber": ("PUT", "/subscribers/u-1", {"GET", "HEAD", "DELETE", "OPTIONS"}),
    "trace a subscriber": ("TRACE", "/subscribers/u-1", {"GET", "HEAD", "DELETE", "OPTIONS"}),
    "a method of nobody's": ("BREW", "/subscribers/u-1", {"GET", "HEAD", "DELETE", "OPTIONS"}),
    "put a login": ("PUT", "/subscribers/identify", {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}),
    "change an alias": ("PATCH", "/subscribers/u-1/alias", {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}),
    "what is not there": ("POST", "/subscribers/u-1/attribution", {"GET", "HEAD", "DELETE", "OPTIONS"}),
    "list receipts": ("GET", "/receipts", {"POST", "OPTIONS"}),
    "erase receipts": ("DELETE", "/receipts", {"POST", "OPTIONS"}),
}


@one_engine
@pytest.mark.parametrize(("method", "path", "allowed"), OTHER_METHODS.values(), ids=OTHER_METHODS)
def test_a_method_that_a_path_does_not_have_tells_which_it_has(rc, method, path, allowed):
    response = rc(method, path)
    require_shape(response, 405, 7226)
    assert set(response.headers["Allow"].split(", ")) == allowed


@one_engine
@pytest.mark.parametrize(("method", "path", "_allowed"), OTHER_METHODS.values(), ids=OTHER_METHODS)
def test_where_the_app_has_it_off_no_method_is_there(tenant, method, path, _allowed):
    response = tenant.call(method, f"/v1{path}", "rcb_" + tenant.pk)
    require_shape(response, 404, 7259)
    assert "Allow" not in response.headers


@pytest.mark.parametrize("key", ["", "rcb_pk_nothing", "st_nothing"], ids=["none", "unknown", "a token"])
def test_who_shows_no_key_learns_nothing_of_the_setting(tenant, key):
    response = tenant.call("PUT", "/v1/receipts", key)
    require_shape(response, 405, 7226)


@one_engine
@pytest.mark.parametrize(
    "path",
    ["/v1/subscribers2", "/v1/subscribersX/u", "/v1/Subscribers/u", "/v1/receipt", "/v2/subscribers/u",
     "/subscribers/u", "/v1/users/subscribers", "/v1/subscribers%FF/u", "/v1"],
)  # fmt: skip
def test_what_only_looks_like_its_paths_has_our_shape(rc, tenant, path):
    assert tenant.get(path, tenant.pk).content_type == "application/problem+json"


def test_no_path_is_sent_elsewhere(rc):
    paths = ("/subscribers/", "/subscribers//u-1", "/receipts//", "//receipts")
    assert [rc("GET", path).status_code for path in paths] == [404] * len(paths)


@pytest.mark.parametrize("path", ["/subscribers", "/receipts/x", "/subscribers/null"])
def test_of_an_error_that_is_asked_for_by_its_head_there_is_no_body(rc, path):
    response = rc("HEAD", path)
    assert (response.status_code, response.content_type) == (rc("GET", path).status_code, "application/json")
    assert response.data == b""


@one_engine
@pytest.mark.parametrize("path", ["/v1/receipts", "/v1/subscribers/identify", "/v1/subscribers/u-1/alias"])
@cases(
    "data, kind, status",
    ("no JSON", b"{", "application/json", 400),
    ("an array", b"[]", "application/json", 400),
    ("bytes that are no UTF-8", b'{"app_user_id": "M\xe5ns"}', "application/json", 400),
    ("a member twice", b'{"app_user_id": "u", "app_user_id": "v"}', "application/json", 400),
    ("no members", b"{}", "application/json", 400),
    ("a form", b"app_user_id=u-1", "application/x-www-form-urlencoded", 415),
    ("text", b"{}", "text/plain", 415),
    ("too much", b" " * 200_000, "application/json", 413),
)
def test_a_body_that_cannot_be_read_is_a_bad_request(rc, client, tenant, path, data, kind, status):
    headers = {"Authorization": f"Bearer {tenant.pk}"}
    response = client.post(path, data=data, content_type=kind, headers=headers)
    require_shape(response, status, 7226)


@one_engine
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT"])
@pytest.mark.parametrize("path", ["/subscribers/" + "x" * 20_000, "/receipts?" + "x" * 20_000])
def test_a_url_that_is_too_long_is_a_bad_request(rc, method, path):
    require_shape(rc(method, path), 414, 7226)


@pytest.mark.parametrize("path", ["/subscribers/u-1", "/receipts", "/subscribers", "/subscribers/u-1/alias"])
def test_before_anybody_knows_the_store_it_is_unavailable(start, path):
    # Nobody listens on this port.
    away = start(database_url="postgres://nobody@127.0.0.1:1/nothing")
    response = away.test_client().get(f"/v1{path}")
    require_shape(response, 503, 7101)
    assert int(response.headers["Retry-After"]) > 0


def test_a_limit_says_when_to_come_again(rc, tenant, start, time_machine):
    # No minute ends meanwhile.
    time_machine.move_to("2030-01-01T12:00:00Z", tick=False)
    there = tenant.on(start(login_rate=1))
    there.get("/v1/subscribers/u-1", tenant.pk)
    response = there.get("/v1/subscribers/u-1", tenant.pk)
    require_shape(response, 429, 7638)
    assert int(response.headers["Retry-After"]) > 0


def fail(*_args, **_kwargs):
    raise RuntimeError


CALLS = {
    "show": ("GET", "/subscribers/u-1", None),
    "log in": ("POST", "/subscribers/identify", {"app_user_id": "u-1", "new_app_user_id": "u-2"}),
    "alias": ("POST", "/subscribers/u-1/alias", {"new_app_user_id": "u-2"}),
    "buy": ("POST", "/receipts", {"app_user_id": "u-1", "fetch_token": "t", "product_id": "pro"}),
    "restore": ("POST", "/receipts", {"app_user_id": "u-1", "fetch_token": "t", "is_restore": True}),
}


@pytest.mark.parametrize(("method", "path", "body"), CALLS.values(), ids=CALLS)
def test_a_fault_of_our_own_is_told_as_one(rc, app, monkeypatch, method, path, body):
    monkeypatch.setattr(UserStore, "with_user_id_and_home", fail)
    require_shape(rc(method, path, body), 500, 7110)


@pytest.mark.parametrize(("method", "path", "body"), CALLS.values(), ids=CALLS)
def test_a_key_that_nobody_has_is_told_with_what_to_show(rc, method, path, body):
    response = rc(method, path, body, key="rcb_pk_nothing")
    require_shape(response, 401, 7225)
    assert response.headers["WWW-Authenticate"]


def buy(tenant, expires_at, purchased_at="2026-01-01T00:00:00.000Z", product="monthly"):
    """Have the backend tell of a purchase."""
    purchase = {
        "userId": "u-1",
        "storeAccount": {"store": "app_store", "account": "A-77"},
        "product": product,
        "transaction": f"of {product}",
        "purchasedAt": purchased_at,
        "expiresAt": expires_at,
    }
    assert tenant.call("POST", "/v1/purchases", tenant.sk, purchase).status_code == 200


def dates(value, name=""):
    """Return every date in an answer, by its member."""
    if isinstance(value, dict):
        return [found for name, below in value.items() for found in dates(below, name)]
    if isinstance(value, list):
        return [found for below in value for found in dates(below)]
    return [(name, value)] if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value) else []


@cases(
    "method, path, body",
    ("show", "GET", "/subscribers/u-1", None),
    ("log in", "POST", "/subscribers/identify", {"app_user_id": ANON, "new_app_user_id": "u-1"}),
    ("log in as oneself", "POST", "/subscribers/identify", {"app_user_id": "u-1", "new_app_user_id": "u-1"}),
    ("alias", "POST", "/subscribers/u-1/alias", {"new_app_user_id": "u-2"}),
    ("buy", "POST", "/receipts", {"app_user_id": "u-1", "fetch_token": "t", "product_id": "pro"}),
    ("restore", "POST", "/receipts", {"app_user_id": "u-1", "fetch_token": "t", "is_restore": True}),
)
def test_every_date_has_whole_seconds(rc, tenant, method, path, body):
    tenant.login(userId="u-1")
    buy(tenant, "2099-01-01T00:00:00.500Z")
    buy(tenant, None, product="lifetime")
    rc("GET", "/subscribers/u-1")
    told = rc(method, path, body).json

    found = dates(told)
    assert {name for name, _ in found} >= {
        "request_date", "first_seen", "last_seen", "purchase_date", "original_purchase_date", "expires_date",
    }  # fmt: skip
    assert [date for date in found if not re.fullmatch(r"[\d-]{10}T\d\d:\d\d:\d\dZ", date[1])] == []
    assert told["request_date_ms"] > 10**12


@one_engine
@pytest.mark.parametrize(
    ("at", "written"),
    [
        ("2026-11-27T09:00:00.000Z", "2026-11-27T09:00:00Z"),
        ("2026-11-27T09:00:59.999Z", "2026-11-27T09:00:59Z"),
        ("2026-12-31T23:59:59.999Z", "2026-12-31T23:59:59Z"),
        ("1970-01-01T00:00:00.999Z", "1970-01-01T00:00:00Z"),
    ],
)
def test_a_date_is_the_second_that_has_begun(rc, tenant, at, written):
    tenant.login(userId="u-1")
    buy(tenant, at, at)
    shown = rc("GET", "/subscribers/u-1").json["subscriber"]["subscriptions"]["monthly"]
    assert (shown["purchase_date"], shown["expires_date"]) == (written, written)


def test_nothing_was_seen_or_asked_for_in_the_future(rc, time_machine):
    time_machine.move_to("2026-11-27T09:00:00.999Z", tick=False)
    told = rc("GET", "/subscribers/u-1").json
    subscriber = told["subscriber"]
    assert {told["request_date"], subscriber["first_seen"], subscriber["last_seen"]} == {
        "2026-11-27T09:00:00Z"
    }
    assert told["request_date_ms"] == 1795770000999


def test_every_number_of_an_error_is_documented_with_its_status():
    known = {said[:2] for said in (*ERRORS.values(), INVALID_ID)}
    rows = table(Page("docs/revenuecat.md").section("## Errors"), "status")
    documented = {(int(status), int(code)) for statuses, code, _ in rows for status in statuses.split()}
    assert documented == known | {(status, BAD_REQUEST[1]) for status in (405, 413, 414, 415)}
