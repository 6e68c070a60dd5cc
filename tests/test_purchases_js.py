"""RevenueCat's own web client, unmodified and in Node, against the running server, on both engines."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import TIMEOUT, Server, serve
from tests.support.tenants import Tenant

HERE = Path(__file__).parent / "node"
# One more try, and that soon: who is not connected does not wait for a minute to be told so.
INSTALL = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
IMPATIENTLY = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=20000"]
# What npm says where no registry answers; anything else that goes wrong is a failure.
NO_REGISTRY = re.compile(
    r"error code (E(AI_AGAIN|CONNREFUSED|CONNRESET|HOSTUNREACH|NETUNREACH|NOTCACHED|NOTFOUND|TIMEDOUT)"
    r"|ERR_SOCKET_TIMEOUT)\b"
)

# The client's own codes.
INVALID_CREDENTIALS, INVALID_APP_USER_ID, CUSTOMER_INFO = 11, 14, 28

Steps = Callable[..., list[dict[str, Any]]]


def run(words: list[str], directory: Path, timeout: int, **how: str) -> subprocess.CompletedProcess[str]:
    how |= {"capture_output": True, "text": True, "timeout": timeout}
    return subprocess.run(words, cwd=directory, check=False, **how)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the client is, as it is published, beside the driver."""
    for command in ("node", "npm"):
        if shutil.which(command) is None:
            pytest.skip(f"{command} is not on the PATH")
    directory = tmp_path_factory.mktemp("purchases") / "node"
    shutil.copytree(HERE, directory, ignore=shutil.ignore_patterns("node_modules"))
    npm = run(INSTALL + IMPATIENTLY, directory, 2 * TIMEOUT)
    if npm.returncode and NO_REGISTRY.search(npm.stderr):
        pytest.skip("npm reaches no registry")
    assert npm.returncode == 0, npm.stderr
    return directory


@pytest.fixture(scope="module")
def server(installed: Path, database_url: str) -> Iterator[Server]:
    with serve(database_url) as server:
        yield server


@pytest.fixture
def tenant(server: Server) -> Tenant:
    """An app of this test's own, which RevenueCat's clients may call."""
    return server.tenant(revenuecat="on")


@pytest.fixture
def take(installed: Path, server: Server, tenant: Tenant) -> Steps:
    """Take steps with the client in one process, each a method and its argument; return what each told."""

    def take(*steps: list[Any] | str, key: str = "rcb_" + tenant.pk) -> list[dict[str, Any]]:
        words = [step if isinstance(step, list) else step.split(" ", 1) for step in steps]
        given = json.dumps({"url": server.url, "key": key, "steps": words})
        node = run(["node", "purchases.mjs"], installed, TIMEOUT, input=given)
        assert node.returncode == 0, node.stderr
        return [json.loads(line) for line in node.stdout.splitlines()]

    return take


def id_of(step):
    return step["answer"]["appUserId"]


def info(step):
    """Return what a client says of a customer, who may come with a login."""
    return step["answer"].get("customerInfo", step["answer"])


def original(step):
    return info(step)["originalAppUserId"]


def bought(step):
    return [purchase["productIdentifier"] for purchase in info(step)["nonSubscriptionTransactions"]]


def buy(tenant, id, product="pro"):
    """Have somebody buy what never ends, as RevenueCat's other clients do."""
    body = {"app_user_id": id, "fetch_token": f"token of {id}", "product_id": product}
    assert tenant.call("POST", "/v1/receipts", tenant.pk, body).status_code == 200


def test_the_page_names_the_version_that_is_tested():
    [(package, version)] = json.loads((HERE / "package.json").read_text())["dependencies"].items()

    assert f"`{package}` {version}" in (HERE.parents[1] / "docs" / "revenuecat.md").read_text()


def test_the_lock_names_no_registry():
    assert "://" not in (HERE / "package-lock.json").read_text()


# --- logging in ----------------------------------------------------------------------------------


def test_the_first_login_of_an_anonymous_id_makes_somebody_who_keeps_it_as_the_original(take, tenant):
    device, seen = take("configure", "getCustomerInfo")
    buy(tenant, id_of(device))

    _, login, later = take(f"configure {id_of(device)}", "identifyUser u-1", "getCustomerInfo")

    assert (device["answer"]["isAnonymous"], login["answer"]["wasCreated"]) == (True, True)
    assert original(seen) == original(login) == original(later) == id_of(device)
    assert bought(login) == ["pro"]


def test_the_same_login_again_makes_nobody(take):
    device, first = take("configure", "identifyUser u-1")

    _, again = take(f"configure {id_of(device)}", "identifyUser u-1")

    assert (first["answer"]["wasCreated"], again["answer"]["wasCreated"]) == (True, False)
    assert original(first) == original(again) == id_of(device)


def test_a_second_devices_anonymous_id_is_not_merged(take, tenant):
    first, _, second = take("configure", "identifyUser u-1", "configure")
    buy(tenant, id_of(second))

    _, login, _, left = take(
        f"configure {id_of(second)}", "identifyUser u-1", f"configure {id_of(second)}", "getCustomerInfo"
    )

    assert login["answer"]["wasCreated"] is False
    assert (original(login), bought(login)) == (id_of(first), [])
    assert (original(left), bought(left)) == (id_of(second), ["pro"])


def test_an_anonymous_id_is_merged_into_somebody_who_has_none_yet(take, tenant):
    _, seen, device = take("configure u-1", "getCustomerInfo", "configure")
    buy(tenant, id_of(device))

    _, login, _, left = take(
        f"configure {id_of(device)}", "identifyUser u-1", f"configure {id_of(device)}", "getCustomerInfo"
    )

    assert login["answer"]["wasCreated"] is False
    assert original(seen) == original(login) == original(left) == "u-1"
    assert bought(login) == bought(left) == ["pro"]


@pytest.mark.parametrize("known", [False, True], ids=["unknown", "known"])
def test_going_from_one_custom_id_to_another_keeps_them_apart(take, tenant, known):
    buy(tenant, "u-1")
    if known:
        buy(tenant, "u-2", "lifetime")

    _, before, login, _, after = take(
        "configure u-1", "getCustomerInfo", "identifyUser u-2", "configure u-1", "getCustomerInfo"
    )

    assert login["answer"]["wasCreated"] is not known
    assert (original(login), bought(login)) == ("u-2", ["lifetime"] if known else [])
    assert original(before) == original(after) == "u-1"
    assert bought(before) == bought(after) == ["pro"]


def test_a_change_of_the_user_keeps_them_apart(take):
    device, _, changed = take("configure", "getCustomerInfo", "changeUser u-1")

    _, left = take(f"configure {id_of(device)}", "getCustomerInfo")

    assert (original(changed), original(left)) == ("u-1", id_of(device))


# --- IDs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "id",
    ["guest", "0", " u-1", "u\u200b1", "x" * 101, "$RCAnonymousID:short"],
    ids=["placeholder", "zero", "white space", "invisible", "too long", "anonymous"],
)
def test_an_id_that_the_service_refuses_is_the_clients_invalid_app_user_id(take, id):
    _, login, _, customer = take("configure u-1", f"identifyUser {id}", f"configure {id}", "getCustomerInfo")

    refused = {"errorCode": INVALID_APP_USER_ID, "backendErrorCode": 7220}
    assert (login["error"], customer["error"]) == (refused, refused)


def test_an_id_that_the_client_refuses_has_the_same_code_and_is_never_sent(take):
    _, *logins = take("configure u-1", *(f"identifyUser {id}" for id in ("null", "no_user", "a/b", "")))

    assert logins == [{"error": {"errorCode": INVALID_APP_USER_ID}, "requests": []}] * 4


@pytest.mark.parametrize(
    "raw_path",
    ["$shop:17", "%24shop%3A17", "%24shop%3a17", "$shop%3A17"],
    ids=["raw", "percent-encoded", "in small letters", "in part"],
)
def test_an_id_with_dollar_and_colon_is_the_same_raw_and_percent_encoded(take, tenant, raw_path):
    buy(tenant, "$shop:17")

    _, customer = take("configure $shop:17", "getCustomerInfo")
    by_hand = tenant.call("GET", f"/v1/subscribers/{raw_path}", "rcb_" + tenant.pk)

    assert customer["requests"] == ["GET /v1/subscribers/%24shop%3A17"]
    assert (original(customer), bought(customer)) == ("$shop:17", ["pro"])
    assert by_hand.status_code == 200
    assert by_hand.json["subscriber"]["original_app_user_id"] == "$shop:17"
    assert list(by_hand.json["subscriber"]["non_subscriptions"]) == ["pro"]


@pytest.mark.parametrize("id", ["a%41", "a+b c", "a?b#c&d", "Jörg·京"], ids=["%", "+", "?", "letters"])
def test_any_other_letters_come_through_as_they_are(take, id):
    _, customer, login = take(f"configure {id}", "getCustomerInfo", ["identifyUser", id + "$:"])

    assert (original(customer), original(login)) == (id, id + "$:")


# --- what a client asks for when it starts -------------------------------------------------------


NO_OFFERINGS = {"all": {}, "current": None}


@pytest.mark.parametrize(
    "id",
    [None, "u-1", "$shop:17", "a%41", "Jörg·京"],
    ids=["anonymous", "an ID", "dollar and colon", "%", "letters"],
)
def test_there_are_no_offerings_and_no_error(take, id):
    _, offered = take(["configure", *filter(None, [id])], "getOfferings")

    assert offered["answer"] == NO_OFFERINGS
    # No products are asked for where none is offered.
    assert [request.endswith("/offerings") for request in offered["requests"]] == [True]


def test_there_are_none_for_whoever_logs_in_either(take):
    _, before, _, after, placed = take(
        "configure", "getOfferings", "identifyUser u-1", "getOfferings", "getCurrentOfferingForPlacement home"
    )

    assert before["answer"] == after["answer"] == NO_OFFERINGS
    assert placed["answer"] is None


def test_offerings_of_an_id_that_the_service_refuses_are_the_clients_invalid_app_user_id(take):
    _, offered = take("configure guest", "getOfferings")

    assert offered["error"] == {"errorCode": INVALID_APP_USER_ID, "backendErrorCode": 7220}


@pytest.mark.parametrize(
    "attributes",
    [
        {"color": "blue"},
        {"$email": "jane@example.org", "$displayName": "Jane"},
        {"color": None, "plan": ""},
        {"letters": "Jörg·京 \U0001f600", "long": "x" * 1000},
        {"A-Za-z0-9_.$-": "every sign"},
    ],
    ids=["one", "reserved", "removed", "letters", "signs"],
)
def test_what_a_client_says_of_its_user_is_kept(take, tenant, attributes):
    _, kept = take("configure u-1", ["setAttributes", attributes])

    [user] = tenant.call("GET", "/v1/users?userId=u-1", tenant.sk).json["data"]
    export = tenant.call("GET", f"/v1/users/{user['id']}/export", tenant.sk).json
    assert "error" not in kept
    assert kept["requests"] == ["GET /v1/subscribers/u-1", "POST /v1/subscribers/u-1/attributes"]
    assert {one["name"]: one["value"] for one in export["attributes"]} == {
        name: value or None for name, value in attributes.items()
    }
    assert (user["email"], user["name"]) == (None, None)


def test_attributes_that_the_service_refuses_are_an_error_of_the_client(take):
    _, kept, later = take("configure u-1", ["setAttributes", {"white space": "x"}], "getCustomerInfo")

    assert "error" in kept
    assert original(later) == "u-1"


# --- in a page -----------------------------------------------------------------------------------

# A browser sends this one without asking.
SAFE = {"accept"}


def test_a_page_may_send_each_header_that_the_client_sends(take, server):
    *_, headers = take(
        ["setPlatformInfo", {"flavor": "native-purchases", "version": "1.0"}],
        "configure u-1",
        "getOfferings",
        ["setAttributes", {"color": "blue"}],
        "identifyUser u-2",
        "headers",
    )

    preflight_headers = {"Origin": "https://shop.example.org", "Access-Control-Request-Method": "POST"}
    preflight = server.open("/v1/subscribers/identify", method="OPTIONS", headers=preflight_headers)
    allowed = preflight.headers["Access-Control-Allow-Headers"].lower().split(", ")
    ours = {"idempotency-key"}
    assert set(headers["answer"]) - SAFE == set(allowed) - ours


# --- keys and purchases --------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["rcb_", "rcb_sb_", "test_"])
def test_the_client_takes_a_key_behind_each_prefix(take, tenant, prefix):
    _, customer = take("configure u-1", "getCustomerInfo", key=prefix + tenant.pk)

    assert original(customer) == "u-1"


def test_an_unknown_key_is_the_clients_invalid_credential(take):
    _, customer = take("configure u-1", "getCustomerInfo", key="rcb_pk_nothing")

    assert customer["error"] == {"errorCode": INVALID_CREDENTIALS, "backendErrorCode": 7225}


def test_an_app_that_has_it_off_has_no_customers(take, tenant):
    tenant.set(revenuecat="off")

    _, customer = take("configure u-1", "getCustomerInfo")

    assert customer["error"] == {"errorCode": CUSTOMER_INFO, "backendErrorCode": 7259}


def test_a_proven_user_shows_what_the_client_claimed_under_the_same_id(take, tenant):
    jane = tenant.login(userId="u-1")
    device, login = take("configure", "identifyUser u-1")
    buy(tenant, id_of(device))

    _, customer, _ = take("configure u-1", "getCustomerInfo", ["setAttributes", {"color": "blue"}])

    shown = tenant.call("GET", f"/v1/users/{jane['user']['id']}", tenant.sk).json
    me = tenant.call("GET", "/v1/me", jane["session"]["token"]).json["user"]
    assert login["answer"]["wasCreated"] is True
    assert bought(customer) == ["pro"]
    assert [(one["product"], one["claimed"]) for one in shown["purchases"]] == [("pro", True)]
    assert (me["purchases"], shown["aliases"]) == (shown["purchases"], [])


def test_a_subscription_that_the_backend_tells_of_is_active(take, tenant):
    tenant.login(userId="u-1")
    purchase = {
        "userId": "u-1",
        "storeAccount": {"store": "app_store", "account": "A-77"},
        "product": "monthly",
        "transaction": "1001",
        "purchasedAt": "2026-01-01T00:00:00.000Z",
        "expiresAt": "2099-01-01T00:00:00.000Z",
    }
    assert tenant.call("POST", "/v1/purchases", tenant.sk, purchase).status_code == 200

    _, customer = take("configure u-1", "getCustomerInfo")

    shown = info(customer)["subscriptionsByProductIdentifier"]["monthly"]
    assert info(customer)["activeSubscriptions"] == ["monthly"]
    assert info(customer)["allExpirationDatesByProduct"] == {"monthly": purchase["expiresAt"]}
    assert (shown["purchaseDate"], shown["store"], shown["isActive"]) == (
        purchase["purchasedAt"], "app_store", True,
    )  # fmt: skip
