"""A page may follow if its app names its origin, or if it is one of ours."""

import pytest

from tests.support.cases import cases
from tests.support.engines import one_engine
from tests.support.live import live

pytestmark = one_engine

SHOP, ELSEWHERE, WEB = "https://shop.example.org", "https://attacker.example", "https://usher.example.org"


@pytest.fixture(scope="module")
def elsewhere(database_url):
    """A process at another origin than the web server."""
    with live(database_url, WEB_URL=WEB) as streams:
        yield streams


@pytest.fixture
def shop(tenant):
    tenant.set(origins=[SHOP])
    return tenant


def readable_by(answer):
    return answer.headers["Access-Control-Allow-Origin"]


def test_a_page_that_the_app_names_follows(streams, shop):
    follower = streams.follow(shop.session(userId="jane"), Origin=SHOP)

    assert readable_by(follower) == SHOP
    assert follower.headers["Access-Control-Expose-Headers"] == "Retry-After, X-Request-Id"
    assert follower.headers["Vary"] == "Origin"


def test_another_page_does_not(streams, shop):
    refused = streams.try_follow(shop.session(userId="jane"), Origin=ELSEWHERE)

    assert (refused.status, refused.body["code"], readable_by(refused)) == (403, "not-allowed", None)


def test_a_page_reads_that_its_session_is_over(streams, shop):
    token = shop.session(userId="jane")
    shop.call("POST", "/v1/logout", token)

    refused = streams.try_follow(token, Origin=SHOP)

    assert (refused.status, readable_by(refused)) == (401, SHOP)
    assert readable_by(streams.try_follow(token, Origin=ELSEWHERE)) is None


def test_a_page_at_the_same_address_needs_no_leave(streams, tenant):
    assert streams.follow(tenant.session(userId="jane"), Origin="http://x").status == 200


def test_a_secret_key_has_no_place_in_a_page_of_others(streams, shop):
    assert readable_by(streams.follow(shop.sk, Origin=SHOP)) is None


@cases(
    "credential",
    ("a session", lambda tenant: tenant.session(userId="jane")),
    ("an agent", lambda tenant: tenant.sk),
)
def test_the_web_server_s_own_pages_follow_at_another_address(elsewhere, tenant, credential):
    assert readable_by(elsewhere.follow(credential(tenant), Origin=WEB)) == WEB
    assert readable_by(elsewhere.try_follow("", Origin=WEB)) == WEB
    assert elsewhere.try_follow(tenant.session(userId="jane"), Origin=ELSEWHERE).status == 403


def test_a_browser_that_asks_first_is_told_what_it_may_send(streams):
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "GET"}
    answer = streams.open("/v1/stream", method="OPTIONS", headers=asked)

    assert (answer.status_code, readable_by(answer)) == (204, SHOP)
    assert answer.headers["Access-Control-Allow-Methods"] == "GET"
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
