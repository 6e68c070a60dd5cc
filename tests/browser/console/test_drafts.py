"""What an agent writes is not lost, and is nothing that the next one at the computer can read; and times."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.console.conftest import begin, sign_in
from tests.support.cases import cases
from tests.support.servers import wait_until

TEXT = "It is on its way."


@pytest.fixture
def thread(agent, server, scene):
    """A page in which a reply was begun."""
    agent.goto(f"{server.url}/console/conversations/{scene.thread}")
    write(agent)
    return agent


def write(page, text=TEXT):
    """Write until it is kept, as a page may be there before the script that keeps it."""

    def is_kept():
        page.get_by_label("Reply").fill(text)
        return page.evaluate("Object.keys(localStorage).some((name) => name.startsWith('usher-draft '))")

    wait_until(is_kept)


def kept(page):
    return page.evaluate("JSON.stringify(localStorage)")


def another_key(tenant):
    made = tenant.call("POST", f"/v1/apps/{tenant.id}/keys", tenant.admin_key, {"kind": "secret"})
    return made.json["key"]


def sign_in_here(page, key):
    page.get_by_label("Secret key of your app").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status").first).to_have_text("You are signed in.")


def test_a_draft_is_there_again_after_a_reload_and_another_conversation_until_it_is_sent(
    thread, server, tenant
):
    field = thread.get_by_label("Reply")
    _, other = begin(tenant, userId="u-max", name="Max")
    here = thread.url
    thread.reload()
    expect(field).to_have_value(TEXT)
    thread.goto(f"{server.url}/console/conversations/{other}")
    expect(field).to_have_value("")
    for address, text in ((here, TEXT), (other, ""), (here, TEXT)):
        thread.locator(f'.list-pane a[href*="{address.rpartition("/")[2]}"]').click()
        expect(field).to_have_value(text)

    thread.get_by_role("button", name="Send the reply").click()
    expect(thread.locator(".thread > li")).to_have_count(2)
    thread.wait_for_function("!Object.keys(localStorage).some((name) => name.startsWith('usher-draft '))")
    thread.reload()
    expect(field).to_have_value("")
    write(thread, "One more thing")
    thread.get_by_role("button", name="Send the reply").click()
    expect(thread.locator(".thread > li")).to_have_count(3)


def test_a_sign_in_that_ends_in_the_middle_of_writing_loses_nothing(thread, context, tenant, watch):
    context.clear_cookies()
    thread.get_by_role("button", name="Send the reply").click()
    thread.get_by_role("link", name="Sign in again").click()
    sign_in_here(thread, tenant.sk)

    expect(thread.get_by_label("Reply")).to_have_value(TEXT)
    thread.get_by_role("button", name="Send the reply").click()
    expect(thread.locator(".thread > li")).to_have_count(2)
    watch.expect("401")


def test_with_another_key_it_cannot_be_read(thread, context, tenant, watch):
    context.clear_cookies()
    thread.reload()
    assert "on its way" not in kept(thread)
    sign_in_here(thread, another_key(tenant))

    expect(thread.locator(".thread > li")).to_have_count(1)
    expect(thread.get_by_label("Reply")).to_have_value("")
    assert "on its way" not in kept(thread)
    watch.expect("401")


def test_whoever_signs_out_leaves_nothing_on_any_page(thread, context, server, tenant, scene, watch):
    watch.excuse("401")
    other = context.new_page()
    other.goto(thread.url)
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("status")).to_have_text("You are signed out.")

    expect(thread.get_by_label("Secret key of your app")).to_be_visible()
    assert "usher-draft" not in kept(thread)
    sign_in(other, server, tenant.sk, "Lee")
    other.goto(f"{server.url}/console/conversations/{scene.thread}")
    expect(other.get_by_label("Reply")).to_have_value("")


def test_a_reply_whose_answer_was_lost_is_not_written_twice(thread, tenant, scene, watch):
    thread.route("**/messages*", lambda route: (route.fetch(max_redirects=0), route.abort()))
    here = thread.url
    thread.get_by_role("button", name="Send the reply").click()
    expect(thread.get_by_role("alert")).to_contain_text("could not be sent")
    thread.unroute("**/messages*")
    thread.goto(here)
    expect(thread.get_by_label("Reply")).to_have_value(TEXT)
    thread.get_by_role("button", name="Send the reply").click()
    expect(thread.get_by_label("Reply")).to_have_value("")
    assert [one["body"] for one in tenant.messages(scene.thread)][1:] == [TEXT]
    watch.expect("ERR_FAILED")


@cases(
    "locale, recent, exact",
    ("English", "en-US", r"now|sec\. ago|min\. ago", "Japan Standard Time|GMT\\+9"),
    ("German", "de-DE", r"jetzt|vor", "MEZ|GMT\\+9|OEZ|Japan"),
)
def test_times_are_those_of_whoever_reads_them(new_context, server, tenant, scene, locale, recent, exact):
    page = new_context(locale=locale, timezone_id="Asia/Tokyo").new_page()
    sign_in(page, server, tenant.sk)
    page.goto(f"{server.url}/console/conversations/{scene.thread}")
    time = page.locator(".thread time").first
    expect(time).to_have_text(re.compile(recent))
    expect(time).to_have_attribute("title", re.compile(exact))
    expect(time).to_have_attribute("lang", locale)

    # What was long ago is told by its date, at the reader's hour.
    time.evaluate("time => (time.dateTime = '2026-01-31T20:30:00.000Z')")
    page.evaluate("document.dispatchEvent(new CustomEvent('console:shown'))")
    expect(time).to_have_text(re.compile("Feb 1, 2026, 5:30|01.02.2026, 05:30"))
