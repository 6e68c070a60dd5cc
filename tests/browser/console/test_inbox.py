"""The inbox as an agent works in it: by mouse, by keys, beside another agent, on a phone in the dark."""

import pytest
from playwright.sync_api import expect

from tests.browser.console.conftest import sign_in
from tests.support.browser_watch import faults

DESK = {"width": 1280, "height": 700}
PHONE = {"width": 360, "height": 640}


@pytest.fixture
def token(tenant):
    return tenant.session(userId="u-kim", name="Kim")


@pytest.fixture
def three(tenant, token):
    """The ids of three conversations, as the list shows them."""
    return [tenant.begin(token, subject=f"Thread {number}") for number in (3, 2, 1)][::-1]


def rows(page):
    return page.locator(".list-pane .rows > li")


def messages(page):
    return page.locator(".thread > li")


def title(page):
    return page.get_by_role("heading", level=1)


def said(page):
    return page.locator("[data-news]")


def look(page):
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def top_of(page, text):
    return page.get_by_text(text, exact=True).bounding_box()["y"]


def wait_for_keys(page):
    """Wait until the script has begun."""
    expect(page.get_by_role("button", name="Keyboard")).to_be_visible()


@pytest.fixture
def desk(new_context, server, tenant, three):
    """A page of an agent on a desk, signed in."""
    page = new_context(viewport=DESK).new_page()
    sign_in(page, server, tenant.sk)
    expect(rows(page)).to_have_count(3)
    wait_for_keys(page)
    return page


# --- by keys -----------------------------------------------------------------------------------------


def test_an_agent_works_by_keys_alone(desk, tenant, three):
    for key, subject in (("j", "Thread 1"), ("j", "Thread 2"), ("k", "Thread 1")):
        desk.keyboard.press(key)
        expect(title(desk)).to_have_text(subject)
    desk.keyboard.press("r")
    desk.keyboard.type("jerk? /")
    expect(desk.get_by_label("Reply")).to_have_value("jerk? /")
    desk.keyboard.press("Control+Enter")
    expect(said(desk)).to_have_text("Your reply was sent.")
    desk.keyboard.press("Escape")
    desk.keyboard.press("e")
    expect(said(desk)).to_have_text("The conversation is resolved.")
    expect(rows(desk)).to_have_count(2)
    desk.keyboard.press("j")
    expect(title(desk)).to_have_text("Thread 2")

    assert tenant.messages(three[0])[-1]["body"] == "jerk? /"
    assert tenant.get(f"/v1/conversations/{three[0]}").json["status"] == "resolved"


def test_the_page_says_which_keys_there_are_and_leaves_them_to_who_wants_none(desk):
    desk.keyboard.press("?")
    expect(desk.get_by_role("dialog", name="Keyboard")).to_contain_text("next conversation")
    assert faults(desk) == []
    desk.get_by_label("Use single keys").uncheck()
    desk.keyboard.press("Escape")
    desk.reload()

    desk.keyboard.press("j")
    desk.get_by_role("button", name="Keyboard").click()
    expect(desk.get_by_label("Use single keys")).not_to_be_checked()
    expect(title(desk)).to_have_text("Conversations")


def test_what_a_search_found_stays_beside_what_is_opened(desk, tenant, token):
    tenant.begin(token, "Ein Päckchen", subject="Fourth")
    desk.keyboard.press("/")
    desk.keyboard.type("PÄCK")
    desk.keyboard.press("Enter")
    expect(rows(desk)).to_have_count(1)
    wait_for_keys(desk)
    assert faults(desk) == []

    desk.keyboard.press("j")
    expect(title(desk)).to_have_text("Fourth")
    look(desk)
    desk.get_by_label("Reply").fill("Here")
    desk.get_by_role("button", name="Send the reply").click()
    expect(said(desk)).to_have_text("Your reply was sent.")

    expect(rows(desk)).to_have_count(1)


# --- what is read ------------------------------------------------------------------------------------


def test_what_one_agent_looks_at_is_read_for_all_and_stays_in_its_place(desk, new_context, server, tenant):
    other = new_context(viewport=DESK).new_page()
    sign_in(other, server, tenant.sk)
    expect(other.locator(".tabs .count").first).to_contain_text("3")

    desk.get_by_role("link", name="Thread 1").click()

    expect(desk.locator(".tabs .count").first).to_contain_text("2")
    expect(rows(desk).first).to_contain_text("Thread 1")
    look(other)
    expect(other.locator(".tabs .count").first).to_contain_text("2")
    expect(rows(other).first).to_contain_text("Thread 1")
    other.reload()
    expect(rows(other).last).to_contain_text("Thread 1")


def test_what_nobody_looks_at_stays_unread(desk, tenant, token, three):
    desk.get_by_role("link", name="Thread 1").click()
    expect(desk.locator(".tabs .count").first).to_contain_text("2")
    desk.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    tenant.write(three[0], token, body="Hello?")
    look(desk)
    assert tenant.get(f"/v1/conversations/{three[0]}").json["unread"] == 1

    desk.evaluate("Object.defineProperty(document, 'hidden', { value: false, configurable: true })")
    look(desk)

    expect(desk.get_by_text("Hello?")).to_be_visible()
    expect(desk.locator(".tabs .count").first).to_contain_text("2")
    expect(desk.locator(".heading .tag", has_text="unread")).to_have_count(0)


# --- what is long ------------------------------------------------------------------------------------


def test_a_long_thread_begins_at_its_end_and_goes_on_upwards_without_a_jump(desk, tenant, token, three):
    for number in range(119):
        tenant.write(three[0], body=f"Message {number}")
    desk.get_by_role("link", name="Thread 1").click()
    expect(desk.get_by_text("Message 118", exact=True)).to_be_in_viewport()
    expect(messages(desk)).to_have_count(50)
    desk.locator(".messages").evaluate("one => one.scrollTop = 200 - (one.scrollHeight - one.clientHeight)")
    expect(messages(desk)).to_have_count(100)
    seen = top_of(desk, "Message 71")

    tenant.write(three[0], token, body="Latest")
    look(desk)
    expect(desk.get_by_text("Latest", exact=True)).to_have_count(1)

    assert abs(top_of(desk, "Message 71") - seen) < 2
    desk.locator(".messages").evaluate("one => one.scrollTop = -one.scrollHeight")
    expect(messages(desk)).to_have_count(121)
    expect(messages(desk).first).to_contain_text("Hello")


def test_a_long_list_goes_on_where_it_was_scrolled_to(desk, tenant, token, three):
    for number in range(120):
        tenant.begin(token, subject=f"More {number}")
    desk.reload()
    pane = desk.locator(".list-pane")
    expect(rows(desk)).to_have_count(50)
    pane.evaluate("one => one.scrollTop = one.scrollHeight")
    expect(rows(desk)).to_have_count(100)
    pane.evaluate("one => one.scrollTop = one.scrollHeight")
    expect(rows(desk)).to_have_count(123)
    desk.get_by_role("link", name="More 60", exact=True).scroll_into_view_if_needed()
    row = rows(desk).filter(has=desk.get_by_role("link", name="More 60", exact=True))
    seen = row.bounding_box()["y"]

    tenant.begin(token, subject="Newest")
    desk.get_by_role("link", name="More 60", exact=True).click()

    expect(title(desk)).to_have_text("More 60")
    expect(desk.get_by_role("link", name="Newest", exact=True)).to_have_count(1)
    expect(rows(desk)).to_have_count(124)
    assert abs(row.bounding_box()["y"] - seen) < 2


def test_what_is_read_stays_where_it_is_beside_more_that_is_unread_than_a_page_holds(desk, tenant, token):
    for number in range(60):
        tenant.begin(token, subject=f"More {number}")
    desk.reload()
    desk.get_by_role("link", name="More 58", exact=True).click()

    expect(desk.locator(".tabs .count").first).to_contain_text("62")
    expect(rows(desk).nth(1)).to_contain_text("More 58")
    expect(rows(desk).nth(1).locator(".count")).to_have_count(0)
    desk.keyboard.press("j")
    expect(title(desk)).to_have_text("More 57")
    desk.keyboard.press("j")
    expect(title(desk)).to_have_text("More 56")


# --- on a phone --------------------------------------------------------------------------------------


def test_on_a_phone_the_list_and_the_thread_follow_one_another(new_context, server, tenant, token, three):
    for number in range(20):
        tenant.write(three[1], body=f"Message {number}")
    for number in range(20):
        tenant.begin(token, subject=f"More {number}")
    phone = new_context(viewport=PHONE, has_touch=True, is_mobile=True, color_scheme="dark").new_page()
    sign_in(phone, server, tenant.sk)
    link = phone.get_by_role("link", name="Thread 2", exact=True)
    link.scroll_into_view_if_needed()
    phone.wait_for_load_state()
    where = phone.evaluate("scrollY")
    link.tap()

    expect(title(phone)).to_have_text("Thread 2")
    expect(phone.get_by_label("Reply")).to_be_in_viewport()
    expect(phone.locator(".list-pane")).to_be_hidden()
    assert faults(phone) == []
    assert phone.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    phone.go_back()

    expect(phone.locator(".list-pane")).to_be_visible()
    expect(link).to_be_in_viewport()
    assert where > 0
