"""An agent has a backend told of what changes, and sees what became of it."""

import re
from contextlib import suppress

import pytest
from playwright.sync_api import Error, expect
from standardwebhooks import Webhook as Verifier

from tests.browser.console.conftest import sign_in
from tests.support.browser_watch import faults
from tests.support.receivers import receiver
from tests.support.servers import wait_until

PHONE = {"width": 320, "height": 640}
HOSTILE = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"


def add(page, url):
    """Add a webhook for users who are merged, and return its secret."""
    page.get_by_role("link", name="Webhooks").click()
    page.get_by_role("link", name="Add a webhook …").click()
    page.get_by_label("Address of your backend").fill(url)
    page.get_by_label("user.merged").check()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Copy this secret now")
    return page.locator(".secret").inner_text()


def reload_until(page, text):
    """Reload a page until it says something, as it has no script that would."""

    def is_there():
        page.reload()
        return page.get_by_text(text).count() > 0

    wait_until(is_there)


def test_an_agent_adds_a_webhook_sends_a_test_and_sends_it_again(agent, server, watch):
    with receiver(lambda _: (500, HOSTILE.encode())) as received:
        secret = add(agent, received.url)
        agent.get_by_role("link", name="I have it").click()
        hook = agent.url
        expect(agent.get_by_text("None yet.")).to_be_visible()
        agent.get_by_role("button", name="Send a test").click()
        expect(agent.get_by_role("status")).to_contain_text("A test is on its way.")
        reload_until(agent, "the last: 500")
        agent.get_by_text("the last: 500").click()
        expect(agent.get_by_text("window.ran")).to_be_visible()
        assert agent.evaluate("window.ran") is None
        assert faults(agent) == []

        received.answer = lambda _: 204
        agent.get_by_role("button", name=re.compile("Send .* again")).click()
        expect(agent.get_by_role("status")).to_contain_text("once more")
        reload_until(agent, "the last: 204")

    # Also of itself it is tried again, after some seconds.
    assert len(received.requests) >= 2
    types = {Verifier(secret).verify(told.body, told.headers)["type"] for told in received.requests}
    assert types == {"webhook.test"}
    agent.goto(hook)
    agent.get_by_role("link", name="Remove …", exact=True).click()
    agent.get_by_role("button", name="Remove").click()
    expect(agent.get_by_role("status")).to_have_text("The webhook was removed.")
    expect(agent.get_by_text("Nobody is told yet.")).to_be_visible()


def test_a_browser_keeps_no_secret_for_whoever_goes_back(agent, watch):
    secret = add(agent, "https://shop.example.org/usher")
    agent.get_by_role("link", name="I have it").click()
    agent.get_by_role("button", name="Sign out").click()
    expect(agent.get_by_role("status")).to_have_text("You are signed out.")

    for _ in range(4):
        # Chromium does not even show the answer to a form again.
        with suppress(Error):
            agent.go_back()
        assert secret not in content(agent)
    watch.expect("401")


def content(page):
    """Return what a page shows once it has come."""
    texts = []

    def is_there():
        with suppress(Error):
            texts.append(page.content())
        return texts

    wait_until(is_there)
    return texts[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_secret_can_be_read_by_everybody_on_a_phone(new_context, server, tenant, scheme):
    page = new_context(viewport=PHONE, color_scheme=scheme).new_page()
    sign_in(page, server, tenant.sk)
    add(page, "https://shop.example.org/usher")

    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
