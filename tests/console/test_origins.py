"""Origins at the console: whose pages may call, and what one would be answered."""

import pytest

from service.console.origins import as_browsers_send
from tests.console.conftest import require_words, settings_of, without_ours
from tests.support.cases import cases

SHOP = "https://shop.example.org"


@pytest.fixture
def page(tenant):
    return f"/console/apps/{tenant.id}/origins"


def status_from(tenant, origin):
    return tenant.call("POST", "/v1/login", tenant.pk, {}, Origin=origin).status_code


def test_pages_may_call_once_theirs_is_added_until_it_is_removed(operator, tenant, page):
    require_words(operator.get(page), "No page of another origin may call.")
    assert status_from(tenant, SHOP) == 403
    added = operator.follow(operator.post(page, origin=f" {SHOP}\n"))
    require_words(added, "Pages of this origin may call", SHOP)
    assert status_from(tenant, SHOP) == 201

    operator.post(page, origin=f"{SHOP}:8443")
    operator.post(page, origin=SHOP)
    assert settings_of(tenant)["origins"] == [f"{SHOP}:8443", SHOP]
    require_words(operator.follow(operator.post(f"{page}/remove", origin=SHOP)), "may not call any more")
    assert (settings_of(tenant)["origins"], status_from(tenant, SHOP)) == ([f"{SHOP}:8443"], 403)


def test_an_address_that_is_no_origin_is_offered_as_what_browsers_send_of_it(operator, tenant, page):
    refused = operator.post(page, origin="https://Shop.example.org:443/help?x=1")
    assert refused.status_code == 422
    require_words(refused, "This is a web origin")
    assert f'name="origin" value="{SHOP}"' in refused.text
    assert settings_of(tenant)["origins"] == []


@pytest.mark.parametrize("typed", ["", "*", "null", "https://*.example.org", "<script>alert(1)</script>"])
def test_what_no_browser_sends_is_refused(operator, tenant, page, typed):
    refused = operator.post(page, origin=typed)
    assert (refused.status_code, settings_of(tenant)["origins"]) == (422, [])
    assert "<script" not in without_ours(refused.text)


@cases(
    "address, words",
    ("listed", f"{SHOP}/help", f"yes Browsers send {SHOP} . It is in the list"),
    (
        "not listed",
        "http://shop.example.org",
        "no Browsers send http://shop.example.org . It is not in the list",
    ),
    ("ours", "http://localhost/demo", "Usher’s own pages"),
    ("a file", "file:///home/index.html", "no This is no address of a web page."),
)
def test_what_a_page_would_be_answered_is_what_it_is_answered(operator, tenant, page, address, words):
    tenant.set(origins=[SHOP])
    require_words(operator.post(f"{page}/check", address=address), words)
    sent = as_browsers_send(address)
    assert (status_from(tenant, sent or "null") < 300) is words.startswith(("yes", "Usher"))


@cases(
    "address, sent",
    ("a host", "shop.example.org", SHOP),
    ("letters and a path", "HTTPS://Shop.Example.org/a?b#c", SHOP),
    ("a port of its own", "http://localhost:3000/", "http://localhost:3000"),
    ("the usual port", "http://shop.example.org:80", "http://shop.example.org"),
    ("the other's usual port", "http://shop.example.org:443", "http://shop.example.org:443"),
    ("letters of another script", "https://B\u00fccher.example", "https://xn--bcher-kva.example"),
    ("an address of version 6", "http://[::1]:8000/", "http://[::1]:8000"),
    ("a user", "https://user:secret@shop.example.org/", SHOP),
    ("no web page", "file:///etc/passwd", None),
    ("no port", "https://shop.example.org:port/", None),
    ("no host", "https://", None),
    ("no name", "https://\u2603\u200d.example/", None),
    ("several", "https://*.example.org", None),
)
def test_browsers_send_of_an_address(address, sent):
    assert as_browsers_send(address) == sent
