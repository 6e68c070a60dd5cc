"""How the widget asks somebody who is nobody how to reach them: once, and nobody else."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.widget.test_widget import CANARY, SCRIPT
from tests.support.browser_watch import faults
from tests.support.phones import Phone
from tests.support.servers import wait_until
from tests.support.signing import identity_key, proof_of

QUESTION = "How can we reach you?"


@pytest.fixture
def asked(phone):
    """A device on which somebody who is nobody wrote their first message, and is asked."""
    phone.open()
    phone.begin("Do you ship to Brisbane?")
    expect(question(phone)).to_be_visible()
    return phone


def question(phone):
    return phone.page.get_by_role("form", name=QUESTION)


def email(phone):
    return question(phone).get_by_label("Email")


def contacts(tenant):
    """How those who wrote can be reached."""
    threads = tenant.call("GET", "/v1/conversations", tenant.sk).json["data"]
    left = [one for thread in threads for one in tenant.user(thread["user"])["contacts"]]
    return [(one["email"], one["phone"]) for one in left]


def come_back(phone):
    """Show the page anew, and the conversation in it."""
    phone.visit()
    phone.open()
    phone.rows.click()
    expect(phone.log).to_contain_text("Brisbane")


# Whom it asks


def test_who_is_nobody_is_asked_after_their_first_message_and_answers_once(asked, tenant):
    email(asked).fill("jane@example.org")
    asked.press("Save")

    expect(asked.panel).to_contain_text("Thank you. We can reach you now.")
    expect(question(asked)).to_have_count(0)
    assert contacts(tenant) == [("jane@example.org", None)]
    come_back(asked)
    expect(question(asked)).to_have_count(0)


def test_nobody_is_asked_before_they_wrote(phone, tenant):
    phone.open()
    user = phone.page.evaluate("usher.login().then(({ user }) => user.id)")
    tenant.begin(tenant.sk, "Welcome", user=user)
    phone.look()
    phone.rows.click()
    expect(phone.log).to_contain_text("Welcome")
    expect(question(phone)).to_have_count(0)

    phone.field.fill("Hello")
    phone.press("Send")

    expect(question(phone)).to_be_visible()


def test_who_does_not_answer_is_asked_when_they_come_back(asked):
    come_back(asked)
    expect(question(asked)).to_be_visible()


def test_who_wants_no_answer_is_not_asked_again(asked, tenant):
    asked.press("No, thanks")

    expect(question(asked)).to_have_count(0)
    expect(asked.field).to_be_focused()
    asked.field.fill("Hello?")
    asked.press("Send")
    expect(asked.log).to_contain_text("Hello?")
    expect(question(asked)).to_have_count(0)
    come_back(asked)
    expect(question(asked)).to_have_count(0)
    assert contacts(tenant) == []


def test_who_is_proven_is_not_asked_and_what_another_answered_is_no_answer_of_theirs(asked, tenant):
    _, secret = identity_key(tenant)
    email(asked).fill(CANARY)

    asked.call("login", {"proof": proof_of(tenant, secret, sub="u-jane", name="Jane")})

    assert CANARY not in asked.everything()
    asked.begin("It has not come")
    expect(question(asked)).to_have_count(0)
    asked.call("logout")
    asked.rows.click()
    expect(question(asked)).to_be_visible()
    expect(email(asked)).to_have_value("")


def test_the_next_nobody_is_asked_and_the_former_one_is_not_asked_again(asked, tenant):
    tenant.set(identityVerification="off")
    asked.press("No, thanks")

    asked.call("login", {"userId": "u-17"})

    asked.begin("It has not come")
    email(asked).fill("claimed@example.org")
    asked.press("Save")
    expect(asked.panel).to_contain_text("Thank you.")
    assert contacts(tenant) == [("claimed@example.org", None)]
    for given in ({}, {"userId": "u-17"}):
        asked.call("login", given)
        asked.rows.click()
        expect(asked.log.locator(".message").first).to_be_visible()
        expect(question(asked)).to_have_count(0)


def test_a_cleared_anonymous_user_leaves_no_answer_for_the_next(asked, tenant):
    _, secret = identity_key(tenant)
    asked.press("No, thanks")
    asked.call("clearAnonymousUser")
    asked.call("login", {"proof": proof_of(tenant, secret, sub="u-jane", name="Jane")})
    asked.call("logout")

    asked.begin("Somebody else")

    expect(question(asked)).to_be_visible()


@pytest.mark.parametrize("is_proven", [True, False], ids=["proven", "claimed"])
def test_another_page_of_the_device_knows_whether_somebody_is_proven(phone, tenant, is_proven):
    tenant.set(identityVerification="off")
    _, secret = identity_key(tenant)
    proof = {"proof": proof_of(tenant, secret, sub="u-jane")}
    phone.call("login", proof if is_proven else {"userId": "u-jane"})
    other = phone.another_page()
    other.locator(".launcher").click()
    expect(other.locator(".who")).to_have_text("u-jane")

    other.get_by_role("button", name="Write to us").click()
    other.get_by_role("textbox", name="Message").fill("Hello")
    other.get_by_role("button", name="Send").click()

    expect(other.get_by_role("log")).to_contain_text("Hello")
    expect(other.get_by_role("form", name=QUESTION)).to_have_count(0 if is_proven else 1)


def test_where_a_page_has_no_storage_it_asks_once_for_each_page(context, shop, tenant):
    page_phone = Phone(context, shop, tenant.pk)
    page_phone.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied') } });"
    )
    page_phone.visit()
    page_phone.open()
    page_phone.begin("Do you ship to Brisbane?")
    page_phone.press("No, thanks")
    page_phone.press("Back")

    page_phone.begin("And to Perth?")

    expect(question(page_phone)).to_have_count(0)


# What is said


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("Email", "jane@", "This is not an email address that mail can be sent to."),
        ("Email", SCRIPT, "This is not an email address that mail can be sent to."),
        ("Phone", "none of yours", "This is not a phone number"),
        ("Email", " ", "Write an email or a phone number first."),
    ],
    ids=["email", "script", "phone", "nothing"],
)
def test_what_cannot_be_used_is_refused_in_words_beside_it(asked, tenant, watch, name, text, why):
    field = question(asked).get_by_label(name)
    field.fill(text)
    asked.field.fill("And to Perth?")

    asked.press("Save")

    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile(why))
    expect(field).to_have_value(text)
    assert contacts(tenant) == []
    assert asked.page.evaluate("window.ran") is None
    if text.strip():
        watch.expect("422")
    question(asked).get_by_label("Phone").fill("")
    email(asked).fill("jane@example.org")
    asked.press("Save")
    expect(asked.panel).to_contain_text("Thank you.")
    expect(asked.field).to_have_value("And to Perth?")
    assert contacts(tenant) == [("jane@example.org", None)]


def test_what_was_not_sent_is_kept(asked, tenant, watch):
    question(asked).get_by_label("Phone").fill("+49 30 901820")
    asked.page.route("**/v1/me/contact", lambda route: route.abort(), times=1)
    asked.press("Save")
    expect(asked.panel).to_contain_text("Support cannot be reached")

    asked.press("Save")

    expect(asked.panel).to_contain_text("Thank you.")
    assert contacts(tenant) == [(None, "+49 30 901820")]
    watch.expect("net::ERR_FAILED")


def test_what_is_typed_stands_in_no_address_no_log_and_nothing_that_the_page_keeps(
    asked, server, tenant, watch
):
    email(asked).fill(f"{CANARY}@example.org")
    question(asked).get_by_label("Phone").fill("+49 30 77777712345")
    asked.press("Save")
    expect(asked.panel).to_contain_text("Thank you.")
    wait_until(lambda: "/v1/me/contact" in str(server.stdout))

    assert contacts(tenant) == [(f"{CANARY}@example.org", "+49 30 77777712345")]
    sent = [request for request in watch.requests if CANARY in (request.post_data or "")]
    assert [(request.method, request.url) for request in sent] == [("PUT", f"{server.url}/v1/me/contact")]
    logged = str(server.stdout) + str(server.stderr)
    kept = asked.everything()
    for text in [request.url for request in watch.requests] + [logged, kept]:
        assert CANARY not in text
        assert "77777712345" not in text
    assert "/v1/me/contact" in logged


# For everybody


def test_all_of_it_is_done_with_the_keyboard_in_the_order_in_which_it_is_read(asked, tenant):
    keyboard = asked.page.keyboard
    expect(asked.page.get_by_role("status").filter(has_text=QUESTION)).to_be_visible()
    asked.log.focus()
    order = [
        email(asked),
        question(asked).get_by_label("Phone"),
        question(asked).get_by_role("button", name="No, thanks"),
        question(asked).get_by_role("button", name="Save"),
        asked.field,
    ]
    for part in order:
        keyboard.press("Tab")
        expect(part).to_be_focused()

    email(asked).focus()
    keyboard.type("jane@example.org")
    keyboard.press("Enter")

    expect(asked.page.get_by_role("status").filter(has_text="Thank you.")).to_be_visible()
    expect(asked.field).to_be_focused()
    assert contacts(tenant) == [("jane@example.org", None)]


def test_escape_dismisses_the_question_first_and_then_closes_the_panel(asked):
    asked.field.fill("And to Perth?")
    email(asked).focus()

    asked.page.keyboard.press("Escape")

    expect(question(asked)).to_have_count(0)
    expect(asked.field).to_be_focused()
    expect(asked.field).to_have_value("And to Perth?")
    asked.page.keyboard.press("Escape")
    expect(asked.panel).to_be_hidden()


def test_it_does_not_take_the_focus_from_who_is_writing(phone):
    phone.open()
    phone.begin("Do you ship to Brisbane?")
    expect(phone.page.get_by_role("heading", name="Begun")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_from_using_it_on_a_phone(new_phone, scheme, watch):
    phone = new_phone(color_scheme=scheme, viewport={"width": 360, "height": 640})
    phone.open()
    phone.begin("Do you ship to Brisbane?")
    expect(question(phone)).to_be_visible()
    found = faults(phone.page)
    email(phone).fill("W" * 70 + "@")
    phone.press("Save")
    expect(email(phone)).to_be_focused()

    assert found + faults(phone.page) == []
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert question(phone).evaluate("form => form.scrollWidth - form.clientWidth") <= 0
    for part in (email(phone), phone.field, phone.log):
        expect(part).to_be_in_viewport()
    watch.expect("422")
