"""RevenueCat's web client calls from a page that the app names, with its own headers, and reads answers."""

import pytest

from tests.support.cases import cases
from tests.support.engines import one_engine

# The engine does not matter to any of these.
pytestmark = one_engine

SHOP, ELSEWHERE = "https://shop.example.org", "https://attacker.example"

CALLS = {
    "show": ("GET", "/subscribers/u-1", None),
    "offerings": ("GET", "/subscribers/u-1/offerings", None),
    "log in": ("POST", "/subscribers/identify", {"app_user_id": "u-1", "new_app_user_id": "u-2"}),
    "alias": ("POST", "/subscribers/u-1/alias", {"new_app_user_id": "u-2"}),
    "attributes": ("POST", "/subscribers/u-1/attributes", {"attributes": {"color": {"value": "blue"}}}),
    "buy": ("POST", "/receipts", {"app_user_id": "u-1", "fetch_token": "t", "product_id": "pro"}),
    "what is not there": ("POST", "/subscribers/u-1/nothing", None),
    "nothing": ("GET", "/subscribers", None),
}
HEADERS = ["X-Platform", "X-Version", "X-Is-Sandbox", "X-Platform-Flavor", "X-Platform-Flavor-Version"]
OURS = ["Authorization", "Content-Type", "Idempotency-Key"]


@pytest.fixture
def shop(rc, tenant):
    """A page of an app, and what it calls."""
    tenant.set(origins=[SHOP])

    def call(method, path, json=None, origin=SHOP, key="rcb_" + tenant.pk):
        sent = dict.fromkeys(HEADERS, "web") | {"Origin": origin}
        return rc(method, path, json, key=key, **sent)

    return call


def preflight(client, path, method="POST", headers=""):
    asked = {
        "Origin": SHOP,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers.lower(),
    }
    return client.open(path, method="OPTIONS", headers=asked)


def allowed(response, what):
    return set(response.headers.get(f"Access-Control-Allow-{what}", "").split(", ")) - {""}


@pytest.mark.parametrize(("method", "path", "_body"), CALLS.values(), ids=CALLS)
def test_a_browser_that_asks_may_send_the_clients_headers(client, method, path, _body):
    response = preflight(client, f"/v1{path}", method, ",".join(HEADERS + OURS))
    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == SHOP
    assert method in allowed(response, "Methods")
    assert allowed(response, "Headers") == {*HEADERS, *OURS}


@pytest.mark.parametrize(
    "header", ["X-Platform2", "X-Nonce", "X-Storefront", "X-RC-Subscriber-Token", "Cookie"]
)
def test_it_may_send_no_other(client, header):
    assert header not in allowed(preflight(client, "/v1/subscribers/u-1", "GET", header), "Headers")


@pytest.mark.parametrize(
    "path", ["/v1/login", "/v1/me", "/v1/conversations", "/v1/restore", "/v1/purchases", "/v1/aliases"]
)
def test_no_other_call_takes_them(client, path):
    assert allowed(preflight(client, path, "POST", ",".join(HEADERS)), "Headers") == set(OURS)


@pytest.mark.parametrize("path", ["/v1/subscribers2", "/v1/receipts-x/u", "/v1/users", "/subscribers/u-1"])
def test_no_browser_may_call_what_only_looks_like_its_paths(client, path):
    assert [name for name, _ in preflight(client, path).headers if name.startswith("Access-Control-")] == []


@pytest.mark.parametrize("prefix", ["", "rcb_", "rcb_sb_", "test_"])
@cases(
    "method, path, body, status",
    ("all is well", "GET", "/subscribers/u-1", None, 200),
    ("somebody is made", "GET", "/subscribers/u-9", None, 201),
    ("an ID that cannot be one", "GET", "/subscribers/null", None, 400),
    ("a bad request", "POST", "/subscribers/identify", {}, 400),
    ("no such path", "GET", "/receipts/x", None, 404),
    ("no such method", "PUT", "/receipts", None, 405),
    ("an alias of another", "POST", "/subscribers/u-1/alias", {"new_app_user_id": "u-2"}, 409),
    ("too long a URL", "GET", "/subscribers/" + "x" * 20_000, None, 414),
    ("too much", "POST", "/receipts", {"app_user_id": "x" * 200_000}, 413),
)
def test_the_page_reads_every_answer(shop, tenant, prefix, method, path, body, status):
    for id in ("u-1", "u-2"):
        shop("GET", f"/subscribers/{id}")
    response = shop(method, path, body, key=prefix + tenant.pk)
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == SHOP


@pytest.mark.parametrize("prefix", ["", "rcb_", "rcb_sb_", "test_"])
def test_the_page_reads_that_its_key_is_dead_and_that_it_is_off(shop, tenant, prefix):
    dead = shop("GET", "/subscribers/u-1", key=prefix + tenant.pk[:-4] + "dead")
    tenant.set(revenuecat="off")
    off = shop("GET", "/subscribers/u-1", key=prefix + tenant.pk)
    assert [(one.status_code, one.json["code"]) for one in (dead, off)] == [(401, 7225), (404, 7259)]
    assert {one.headers["Access-Control-Allow-Origin"] for one in (dead, off)} == {SHOP}


@pytest.mark.parametrize(("method", "path", "body"), CALLS.values(), ids=CALLS)
def test_another_page_reads_nothing_and_does_nothing(shop, tenant, rows, method, path, body):
    was = rows()
    response = shop(method, path, body, origin=ELSEWHERE)
    assert response.status_code in (401, 404, 405)
    assert [name for name, _ in response.headers if name.startswith("Access-Control-")] == []
    assert rows() == was


@pytest.mark.parametrize("key", ["sk", "admin_key"])
@pytest.mark.parametrize("prefix", ["", "rcb_"])
def test_no_page_reads_what_a_secret_is_answered(shop, tenant, key, prefix):
    response = shop("GET", "/subscribers/u-1", key=prefix + getattr(tenant, key))
    assert [name for name, _ in response.headers if name.startswith("Access-Control-")] == []


def test_a_key_with_a_prefix_opens_nothing_else_and_no_page_reads_so(shop, tenant):
    response = tenant.call("POST", "/v1/login", f"rcb_{tenant.pk}", {}, Origin=SHOP)
    assert response.status_code == 401
    assert "Access-Control-Allow-Origin" not in response.headers
