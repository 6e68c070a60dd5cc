"""The page at /demo: two phones, two people and an agent, and what was decided beside each."""

import pytest
from playwright.sync_api import expect

from tests.support.browser_watch import faults
from tests.support.demo_server import serve_demo
from tests.support.phones import OPEN_ROOTS

SCRIPT = '<img src=x onerror="window.ran=1"><script>window.ran=1</script>'


@pytest.fixture(scope="module")
def server(chromium, tmp_path_factory):
    with serve_demo(tmp_path_factory.mktemp("store")) as (server, _):
        yield server


@pytest.fixture
def show(new_context, server):
    """Show the demo, and wait until both phones have decided who is there."""

    def show(**options):
        context = new_context(**options)
        context.add_init_script(OPEN_ROOTS)
        page = context.new_page()
        page.goto(f"{server.url}/demo")
        expect(decided(page, "Left")).to_contain_text("anonymous")
        expect(decided(page, "Right")).to_contain_text("anonymous")
        return page

    return show


@pytest.fixture
def page(show):
    return show()


def phone(page, side):
    return page.frame_locator(f'iframe[title="{side} phone"]')


def decided(page, side):
    return page.get_by_role("region", name=f"{side} phone").locator("dl")


def press(page, side, name):
    page.get_by_role("region", name=f"{side} phone").get_by_role("button", name=name).click()


def begin(page, side, message):
    phone(page, side).get_by_role("button", name="Write to us").click()
    phone(page, side).get_by_role("textbox", name="Message").fill(message)
    phone(page, side).get_by_role("button", name="Send").click()
    expect(phone(page, side).get_by_role("log")).to_contain_text(message)


def test_one_person_on_two_phones_is_one_person_and_the_agent_answers_both(page):
    press(page, "Left", "Log Jane in")
    expect(decided(page, "Left").locator("code")).to_have_text("new-user-id")
    expect(decided(page, "Left")).to_contain_text("a user was created")
    begin(page, "Left", "Where is my order?")

    press(page, "Right", "Log Jane in")

    expect(decided(page, "Right").locator("code")).to_have_text("known-user-id")
    expect(decided(page, "Right")).to_contain_text("changednothing")
    phone(page, "Right").locator(".row").click()
    expect(phone(page, "Right").get_by_role("log")).to_contain_text("Where is my order?")
    card = page.get_by_role("article").filter(has_text="Jane: Where is my order?")
    card.get_by_label("Answer").fill("On its way.")
    card.get_by_role("button", name="Send").click()
    for side in ("Left", "Right"):
        expect(phone(page, side).get_by_role("log")).to_contain_text("On its way.")


def test_one_phone_two_people_and_a_cleared_anonymous_user(page):
    begin(page, "Left", "Do you ship to Brisbane?")
    press(page, "Left", "Clear anonymous user")
    expect(decided(page, "Left")).to_contain_text("clears its anonymous user")

    press(page, "Left", "Log Omar in")

    expect(decided(page, "Left")).to_contain_text("was cleared")
    expect(phone(page, "Left").locator(".who")).to_have_text("Omar")
    press(page, "Left", "Log out")
    expect(decided(page, "Left").locator("code")).to_have_text("anonymous")
    expect(phone(page, "Left").get_by_role("dialog")).to_contain_text("No conversations yet")


def test_deliveries_are_seen_to_arrive(page):
    begin(page, "Left", "Where is my parcel?")

    told = page.get_by_role("region", name="Backend").get_by_role("listitem")
    for type in ("message.created", "conversation.created"):
        expect(told.filter(has_text=type).first).to_contain_text("taken: the signature is right")


def test_what_somebody_writes_is_text_to_the_agent_too(page):
    begin(page, "Left", SCRIPT)

    expect(page.get_by_role("article").filter(has_text=SCRIPT)).to_have_count(1)
    assert [frame.evaluate("window.ran") for frame in page.frames] == [None] * 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_from_using_it(show, scheme):
    page = show(color_scheme=scheme)
    begin(page, "Left", "Do you ship to Perth?")
    expect(page.get_by_role("article").filter(has_text="Perth").first).to_be_visible()

    found = [fault for frame in page.frames for fault in faults(frame)]

    assert found == []


def test_on_a_phone_nothing_is_cut_off(show):
    page = show(viewport={"width": 320, "height": 568})

    assert page.evaluate("document.documentElement.scrollWidth") <= 320
