"""The widget in the page of a shop: whose conversations it shows, and what is left of whoever was there."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.browser_watch import faults, hold, since
from tests.support.pages import Page
from tests.support.phones import go_to_shop, traffic
from tests.support.signing import identity_key, proof_of

CANARY = "canary-5f3a"
SCRIPT = "<img src=x onerror=\"window.ran=1\"><script>window.ran=1</script><b onclick='ran=1'>&amp;"


@pytest.fixture
def prove(tenant):
    _, secret = identity_key(tenant)
    return lambda name, **claims: {
        "proof": proof_of(tenant, secret, sub=f"u-{name.lower()}", name=name, **claims)
    }


@pytest.fixture
def janes_phone(phone, prove):
    """A device on which Jane is logged in and wrote something."""
    phone.call("login", prove("Jane"))
    phone.open()
    phone.begin(f"{CANARY} has not come", subject=f"Order {CANARY}")
    return phone


def answer(tenant, body, **members):
    """Return the newest conversation as an agent."""
    id = tenant.conversations(tenant.sk)[0]
    written = tenant.call("POST", f"/v1/conversations/{id}/messages", tenant.sk, {"body": body, **members})
    assert written.status_code == 201


# Whose conversations


def test_two_people_on_one_device_each_see_their_own_and_nothing_of_the_other(phone, tenant, prove, watch):
    phone.open()
    phone.begin("Do you ship to Brisbane?")

    jane = phone.call("login", prove("Jane"))

    assert (jane["user"]["name"], jane["resolution"]["rule"]) == ("Jane", "new-user-id")
    expect(phone.who).to_have_text("Jane")
    expect(phone.panel).to_contain_text("No conversations yet")
    phone.begin(f"{CANARY} has not come", subject=f"Order {CANARY}")
    answer(tenant, f"We look for {CANARY}", agentName="Dana")
    phone.look()
    expect(phone.log).to_contain_text(f"We look for {CANARY}")
    expect(phone.log).to_contain_text("Dana")

    assert phone.call("logout")["user"]["anonymous"] is True
    expect(phone.who).to_have_text("Not logged in")
    expect(phone.rows).to_have_count(1)
    assert CANARY not in phone.everything()

    phone.call("login", prove("Omar"))

    expect(phone.who).to_have_text("Omar")
    expect(phone.panel).to_contain_text("No conversations yet")
    assert CANARY not in phone.everything()
    assert "Jane" not in phone.everything()
    assert CANARY not in traffic(since(watch.requests, "/v1/logout")[1:])

    phone.call("login", prove("Jane"))

    expect(phone.rows).to_have_count(1)
    expect(phone.rows).to_contain_text(f"Order {CANARY}")


def test_a_message_as_long_as_one_may_be_can_be_typed(phone, tenant):
    phone.open()
    phone.begin("First")

    phone.field.focus()
    # What is filled in by a script heeds no limit of the field; what is typed does.
    phone.page.keyboard.insert_text("\N{GRINNING FACE}" * 10_000)
    phone.press("Send")
    expect(phone.log).to_contain_text("\N{GRINNING FACE}" * 10)

    [id] = tenant.conversations(tenant.sk)
    listed = tenant.call("GET", f"/v1/conversations/{id}/messages", tenant.sk).json["data"]
    assert [message["body"] for message in listed] == ["First", "\N{GRINNING FACE}" * 10_000]


@pytest.mark.parametrize(
    "text", ["\u200b\u2060", " \u3164 ", "\u202e"], ids=["zero-width", "filler", "direction"]
)
def test_a_message_of_which_nothing_can_be_seen_is_not_sent(phone, tenant, text):
    phone.open()
    phone.press("Write to us")

    phone.field.fill(text)
    phone.press("Send")

    expect(phone.panel).to_contain_text("Write a message first.")
    assert tenant.conversations(tenant.sk) == []


def test_the_page_is_told_the_decision_and_never_the_token(phone, prove):
    login = phone.call("login", prove("Jane"))

    assert set(login) == {"user", "session", "created", "resolution"}
    assert set(login["session"]) == {"expiresAt", "verified"}
    assert "st_" not in phone.everything()


def test_who_switches_without_a_logout_leaves_nothing_behind(janes_phone, prove, watch):
    janes_phone.call("login", prove("Omar"))

    expect(janes_phone.who).to_have_text("Omar")
    assert CANARY not in janes_phone.everything()
    assert CANARY not in traffic(since(watch.requests, "/v1/login"))


@pytest.mark.parametrize("method", ["login", "logout"])
def test_the_former_user_is_gone_before_the_next_login_is_answered(janes_phone, prove, method):
    phone, other = janes_phone, janes_phone.another_page()
    other.locator(".launcher").click()
    expect(other.locator(".row")).to_contain_text(CANARY)
    _, wait = hold(phone.page, "**/v1/login")

    phone.page.evaluate("([method, given]) => { usher[method](given) }", [method, prove("Omar")])

    wait()
    expect(phone.panel).to_contain_text("One moment…")
    assert CANARY not in phone.everything()
    assert "Jane" not in phone.everything()
    # Who logs out is gone at once; the session of who is to be replaced ends with the next one's login.
    if method == "logout":
        expect(other.get_by_role("dialog")).to_contain_text("One moment…")
        expect(other.locator(".row")).to_have_count(0)


def test_what_was_typed_and_not_sent_goes_with_whoever_typed_it(phone, prove):
    phone.call("login", prove("Jane"))
    phone.open()
    phone.press("Write to us")
    phone.field.fill(CANARY)

    phone.call("logout")

    assert CANARY not in phone.everything()


def test_a_logout_cuts_off_what_was_asked_before_it(janes_phone):
    phone, failed = janes_phone, []
    phone.press("Back")
    held, wait = hold(phone.page, "**/messages?*")
    phone.page.on("requestfailed", lambda request: failed.append(request.url))
    phone.rows.click()
    wait()

    phone.call("logout")

    assert failed == [route.request.url for route in held] != []
    assert CANARY not in phone.everything()


def test_a_login_that_somebody_else_overtakes_is_answered_to_nobody(phone, prove):
    held, wait = hold(phone.page, "**/v1/login", times=1)
    given = prove("Jane")
    phone.page.evaluate("given => { window.first = usher.login(given).catch(({ code }) => code) }", given)
    phone.page.evaluate("given => { window.second = usher.login(given) }", prove("Omar"))
    wait()

    held[0].continue_()

    assert phone.page.evaluate("first") == "superseded"
    assert phone.page.evaluate("second.then(({ user }) => user.name)") == "Omar"
    phone.open()
    expect(phone.who).to_have_text("Omar")
    assert "Jane" not in phone.everything()


def test_a_cleared_anonymous_user_does_not_come_back_unless_that_is_taken_back(phone, prove):
    phone.open()
    phone.begin("Do you ship to Brisbane?")

    answers = [phone.call("clearAnonymousUser", given) for given in ({}, {"clear": False}, {})]

    assert [answer["clearAnonymousUser"] for answer in answers] == [True, False, True]
    phone.call("login", prove("Jane"))
    phone.call("logout")
    expect(phone.panel).to_contain_text("No conversations yet")
    assert "Brisbane" not in phone.everything()


def test_a_refused_proof_logs_nobody_in(phone, watch):
    phone.open()

    assert phone.call("login", {"proof": "no proof"}) == {"code": "proof-invalid"}
    expect(phone.panel).to_contain_text("You could not be logged in")
    watch.expect("401")
    phone.press("Go on without logging in")
    expect(phone.who).to_have_text("Not logged in")


def test_the_pages_of_one_device_have_one_person(janes_phone):
    other = janes_phone.another_page()
    other.locator(".launcher").click()
    expect(other.locator(".who")).to_have_text("Jane")
    expect(other.locator(".row")).to_have_count(1)
    janes_phone.press("Back")
    janes_phone.begin("Hello?")
    other.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(other.locator(".row")).to_have_count(2)

    janes_phone.call("logout")

    expect(other.locator(".who")).to_have_text("Not logged in")
    expect(other.get_by_role("dialog")).to_contain_text("No conversations yet")


def test_the_example_of_the_page_logs_in(new_context, shop, tenant, prove):
    blocks = Page("docs/widget.md").fences()
    tag = next(fence.text for fence in blocks if fence.language == "html")
    # The shop's policy knows no backend.
    page = new_context(bypass_csp=True).new_page()
    page.add_init_script(next(fence.text for fence in blocks if "usher-ready" in fence.text))
    page.route("**/my-backend/proof", lambda route: route.fulfill(json=prove("Jane")))
    with page.expect_console_message() as message:
        go_to_shop(page, shop, tenant.pk)

    assert message.value.text == "Jane new-user-id"
    written = tag.strip().replace("https://desk.example.org", shop.service).replace("pk_…", tenant.pk)
    assert written.encode() in shop.page({"data-key": tenant.pk})


# The device


def test_a_page_that_is_only_looked_at_makes_nobody_and_the_next_page_has_the_same_anonymous_user(
    phone, watch
):
    phone.page.wait_for_timeout(1500)
    assert [request.url for request in watch.requests if "/v1/" in request.url] == []
    phone.open()
    phone.begin("Do you ship to Brisbane?")

    phone.visit()

    phone.open()
    expect(phone.rows).to_have_count(1)


def test_a_device_that_nobody_knows_becomes_a_new_one(phone, tenant, watch):
    phone.page.evaluate("place => localStorage.setItem(place, 'dev_forgotten')", f"usher:{tenant.pk}")

    phone.open()

    assert phone.page.evaluate("place => localStorage[place]", f"usher:{tenant.pk}").startswith("dev_")
    assert "dev_forgotten" not in phone.everything()
    watch.expect("422")


def test_a_session_that_the_backend_ended_is_nobodys(janes_phone, tenant, watch):
    tenant.call("POST", "/v1/logout", tenant.sk, {"userId": "u-jane"})

    janes_phone.look()

    ended = "You are logged out. Log in again to see your conversations."
    expect(janes_phone.panel).to_contain_text(ended)
    assert CANARY not in janes_phone.everything()
    watch.expect("401")


def test_an_anonymous_user_whose_session_ended_goes_on_where_they_stood(phone, tenant, watch):
    phone.open()
    phone.begin("Do you ship to Brisbane?")
    user = phone.page.evaluate("usher.login().then(({ user }) => user.id)")
    phone.rows.click()
    expect(phone.log).to_contain_text("Do you ship to Brisbane?")
    phone.field.fill("And to Perth?")
    tenant.call("POST", "/v1/logout", tenant.sk, {"user": user})

    # Until the thread is read again from its beginning, what is seen is what was there before.
    with phone.page.expect_response(lambda answer: answer.ok and answer.url.endswith("/messages?limit=100")):
        phone.look()

    expect(phone.log.get_by_text("Do you ship to Brisbane?")).to_be_visible()
    expect(phone.field).to_have_value("And to Perth?")
    phone.press("Send")
    expect(phone.log).to_contain_text("And to Perth?")
    watch.expect("401")


# Text is text


def test_no_script_runs_wherever_it_stands(phone, tenant, prove):
    given = prove("Jane")
    given["proof"] = prove(SCRIPT)["proof"]
    phone.call("login", given)
    phone.open()

    phone.begin(SCRIPT, subject=SCRIPT)
    answer(tenant, SCRIPT, agentName=SCRIPT)
    phone.look()

    expect(phone.log.locator(".agent bdi")).to_have_text(SCRIPT)
    expect(phone.log.locator(".agent .body")).to_have_text(SCRIPT)
    expect(phone.page.get_by_role("heading", name=SCRIPT)).to_be_visible()
    expect(phone.who).to_have_text(SCRIPT)
    phone.press("Back")
    expect(phone.rows).to_contain_text(SCRIPT)
    assert phone.page.evaluate("window.ran") is None


# For everybody


def test_all_of_it_is_done_with_the_keyboard(phone):
    keyboard = phone.page.keyboard
    keyboard.press("Tab")
    expect(phone.launcher).to_be_focused()

    keyboard.press("Enter")
    expect(phone.page.get_by_role("button", name="Write to us")).to_be_visible()
    expect(phone.page.get_by_role("heading", name="Support")).to_be_focused()
    for key in ("Tab", "Tab", "Enter"):
        keyboard.press(key)
    expect(phone.page.get_by_label("Subject")).to_be_focused()
    for text in ("Parcel", "Where is it?"):
        keyboard.type(text)
        keyboard.press("Tab")
    keyboard.press("Enter")

    expect(phone.log).to_contain_text("Where is it?")
    keyboard.press("Escape")
    expect(phone.panel).to_be_hidden()
    expect(phone.launcher).to_be_focused()


def test_the_badge_counts_what_was_not_read_and_says_so(phone, tenant):
    phone.open()
    phone.begin("Where is it?")
    phone.press("Close")
    answer(tenant, "On its way.")

    phone.look()

    expect(phone.launcher).to_have_accessible_name("Help, 1 unread message")
    expect(phone.launcher.locator(".badge")).to_have_text("1")
    expect(phone.page.get_by_role("status")).to_have_text("1 unread message")
    phone.launcher.click()
    expect(phone.log).to_contain_text("On its way.")
    expect(phone.launcher).to_have_accessible_name("Help")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_from_using_it(new_phone, tenant, scheme, watch):
    phone = new_phone(color_scheme=scheme)
    found = faults(phone.page)
    phone.open()
    found += faults(phone.page)
    phone.press("Write to us")
    phone.press("Send")
    expect(phone.panel).to_contain_text("Write a message first.")
    found += faults(phone.page)
    phone.press("Back")
    phone.begin("Where is it?", subject="Parcel")
    answer(tenant, "On its way.", agentName="Dana")
    [thread] = tenant.call("GET", "/v1/conversations", tenant.sk).json["data"]
    tenant.begin(tenant.sk, "News", user=thread["user"])
    phone.look()
    expect(phone.log).to_contain_text("On its way.")
    found += faults(phone.page)
    phone.press("Back")
    expect(phone.rows).to_have_count(2)
    found += faults(phone.page)
    phone.call("login", {"proof": "no proof"})

    assert found + faults(phone.page) == []
    watch.expect("401")


def test_on_a_phone_it_fills_the_screen_and_nothing_is_cut_off(new_phone):
    phone = new_phone(viewport={"width": 320, "height": 568})
    phone.open()
    phone.begin("W" * 300, subject="W" * 200)

    box = phone.panel.bounding_box()

    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 320, 568)
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 320
    assert phone.log.evaluate("log => log.scrollWidth - log.clientWidth") == 0


# When something is wrong


def test_who_is_not_connected_is_told_what_to_do(phone, watch):
    phone.page.route("**/v1/**", lambda route: route.abort())

    phone.launcher.click()

    expect(phone.panel).to_contain_text("Support cannot be reached. Check your connection, then try again.")
    watch.expect("net::ERR_FAILED")
    phone.page.unroute("**/v1/**")
    phone.press("Try again")
    expect(phone.panel).to_contain_text("No conversations yet")


def test_a_message_that_was_not_sent_is_kept_and_sent_once(phone, tenant, watch):
    phone.open()
    phone.begin("Where is it?")
    lost = []

    def lose(route):
        """Let it arrive, and lose the answer."""
        lost.append(route.fetch())
        route.abort()

    phone.page.route("**/messages", lose, times=1)
    phone.field.fill("Hello?")
    phone.press("Send")
    expect(phone.panel).to_contain_text("Support cannot be reached")
    expect(phone.field).to_have_value("Hello?")

    phone.press("Send")

    expect(phone.field).to_have_value("")
    expect(phone.log.get_by_text("Hello?")).to_have_count(1)
    assert len(lost) == 1
    watch.expect("net::ERR_FAILED")


def test_a_page_that_the_app_does_not_name_is_told_so(phone, tenant, watch):
    tenant.set(origins=[])

    failure = phone.page.evaluate("usher.login().catch(({ code, message }) => `${code}: ${message}`)")

    assert failure.startswith("unreachable: ")
    assert "the app's setting origins does not name" in failure
    watch.expect("blocked by CORS policy")
    watch.expect("net::ERR_FAILED")


BROKEN = {
    "no shadow roots": "delete Element.prototype.attachShadow;",
    "no channels": "delete window.BroadcastChannel;",
    "no storage": "Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied') } });",
    "no requests": "window.fetch = () => { throw new Error('broken') };",
    "no style sheets": "CSSStyleSheet.prototype.replaceSync = () => { throw 1 };",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_nothing_of_the_widget_breaks_the_page_around_it(context, shop, tenant, broken):
    page = context.new_page()
    page.add_init_script(f"{broken} addEventListener('unhandledrejection', () => (window.broke = 1));")
    go_to_shop(page, shop, tenant.pk, open="")

    # Nobody looks at this promise.
    page.evaluate("{ usher.login({ proof: 1n < 0 }); usher.login(); undefined }")

    page.wait_for_timeout(300)
    assert page.evaluate("window.broke") is None
    expect(page.get_by_role("heading", name="A shop")).to_be_visible()


def test_the_page_cannot_look_into_the_widget(context, shop, tenant):
    page = context.new_page()
    go_to_shop(page, shop, tenant.pk, open="")
    page.wait_for_function("document.body.lastElementChild.localName === 'usher-widget'")

    assert page.evaluate("document.body.lastElementChild.shadowRoot") is None
    assert re.fullmatch("A shop\\s+Goods\\.", page.evaluate("document.body.innerText"))
