"""The widget in pages as they are: they swap their body, run the tag twice, and change their mind."""

import base64
import hashlib

import pytest
from playwright.sync_api import expect

from tests.support.browser_watch import hold, since
from tests.support.phones import Phone
from tests.support.signing import identity_key, proof_of

CANARY = "canary-5f3a"
DRAFT = "And to Perth?"

# What libraries do to a page between two of its own: Turbo and Turbolinks, pjax and htmx, and back to a page
# that they kept with all that was in it, as HTML or as elements.
SWAPS = {
    "another body": "document.body.replaceWith(next('<main>Next</main>'))",
    "another content": "document.body.innerHTML = '<main>Next</main>'",
    "a body as it was kept": "document.body.replaceWith(document.body.cloneNode(true))",
    "content as it was kept": "document.body.innerHTML = document.body.outerHTML",
    "another root": """{
        const root = document.createElement('html');
        root.append(document.head, next('<main>Next</main>'));
        document.replaceChild(root, document.documentElement);
    }""",
    "no body for a while": """{
        document.body.remove();
        new Promise((resolve) => setTimeout(resolve)).then(
            () => document.documentElement.append(next('<main>Next</main>')));
    }""",
}
NEXT = """const next = (text) => {
    const body = document.createElement('body');
    body.innerHTML = text;
    return body;
};"""

RUN_AGAIN = """(attributes) => new Promise((resolve) => {
    const tag = document.createElement("script");
    for (const [name, value] of Object.entries(attributes)) tag.setAttribute(name, value);
    tag.onload = resolve;
    document.body.append(tag);
})"""


def tag(shop, key, attributes=""):
    """Write a tag as a page has it."""
    return f'<script src="{shop.service}/widget.js" data-key="{key}" {attributes}></script>'


@pytest.fixture
def visit(new_context, shop, tenant):
    """Visit a page that has this head and this body."""

    def visit(head="", body=""):
        phone = Phone(new_context(), shop, tenant.pk)
        page = f'<!doctype html><link rel="icon" href="data:,">{head}<body><h1>A shop</h1>{body}'
        shop.pages["/written"] = page.encode()
        phone.page.goto(f"{shop.url}/written")
        return phone

    return visit


@pytest.fixture
def run_tag(shop, tenant):
    """Run the tag in a page that is there, as one that swapped its body does."""
    return lambda phone, key=tenant.pk, **attributes: phone.page.evaluate(
        RUN_AGAIN, {"src": f"{shop.service}/widget.js", "data-key": key, **attributes}
    )


@pytest.fixture
def janes_phone(phone, tenant):
    """A device on which Jane is logged in and wrote something."""
    _, secret = identity_key(tenant)
    phone.call("login", {"proof": proof_of(tenant, secret, sub="u-jane", name="Jane")})
    phone.open()
    phone.begin(CANARY)
    return phone


def swap(phone, way=SWAPS["another body"]):
    phone.page.evaluate(f"{{ {NEXT} {way} }}")


def widgets(phone):
    return phone.page.locator("usher-widget")


# A page that swaps its body


@pytest.mark.parametrize("way", SWAPS.values(), ids=SWAPS)
def test_it_comes_back_with_its_thread_its_draft_and_the_focus(phone, way):
    phone.open()
    phone.begin("Do you ship to Brisbane?\n" * 60)
    phone.field.fill(DRAFT)
    phone.page.keyboard.press("ArrowLeft")
    phone.log.evaluate("log => { log.scrollTop = 40 }")
    # The browser tells of it with the next frame.
    phone.page.evaluate("new Promise(requestAnimationFrame)")

    swap(phone, way)

    expect(widgets(phone)).to_have_count(1)
    expect(phone.log).to_contain_text("Brisbane")
    expect(phone.field).to_have_value(DRAFT)
    expect(phone.field).to_be_focused()
    assert phone.log.evaluate("log => log.scrollTop") == 40
    phone.page.keyboard.type("!")
    expect(phone.field).to_have_value("And to Perth!?")
    phone.press("Send")
    expect(phone.log).to_contain_text("And to Perth!?")


def test_it_takes_no_focus_that_is_elsewhere(phone):
    phone.open()
    phone.press("Write to us")
    phone.page.get_by_role("heading", name="A shop").click()

    swap(phone, "document.body.replaceWith(next('<input>')); document.querySelector('input').focus()")

    expect(phone.page.locator("input:not([id])")).to_be_focused()
    swap(phone)
    expect(widgets(phone)).to_have_count(1)
    assert phone.page.evaluate("document.activeElement.localName") == "body"


def test_it_is_the_same_when_the_tag_runs_again_after_a_swap(janes_phone, run_tag, watch):
    janes_phone.field.fill(DRAFT)
    janes_phone.page.evaluate("window.first = usher")
    asked = len(watch.requests)

    swap(janes_phone)
    run_tag(janes_phone)

    expect(widgets(janes_phone)).to_have_count(1)
    expect(janes_phone.field).to_have_value(DRAFT)
    assert janes_phone.page.evaluate("first === usher")
    assert [request.url for request in watch.requests[asked:] if "/v1/login" in request.url] == []


def test_fifty_swaps_leave_one_widget_that_asks_as_often_as_before(phone, run_tag):
    phone.open()
    for _ in range(50):
        swap(phone)
        run_tag(phone)
    expect(widgets(phone)).to_have_count(1)
    # As nothing is answered, the clock has it look for no more.
    asked, wait = hold(phone.page, "**/v1/**")

    phone.look()

    wait()
    phone.page.wait_for_timeout(200)
    assert len(asked) == 1


def test_a_page_that_takes_it_out_each_time_does_not_stand_still(phone):
    first = phone.page.evaluate("""() => {
        window.taken = 0;
        new MutationObserver(() => {
            for (const each of document.querySelectorAll("usher-widget")) {
                each.remove();
                taken += 1;
            }
        }).observe(document.body, { childList: true });
        document.querySelector("usher-widget").remove();
        return new Promise((resolve) => setTimeout(() => resolve(taken)));
    }""")

    # That was without a pause.
    assert first < 50
    # It tries again, a little at a time.
    phone.page.wait_for_function("first => taken > first", arg=first)


# Where the tag is, and how often


@pytest.mark.parametrize("attributes", ["", "defer", "async", 'type="module"'])
def test_the_tag_may_be_in_the_head(visit, shop, tenant, attributes):
    phone = visit(head=tag(shop, tenant.pk, attributes))

    phone.open()

    expect(widgets(phone)).to_have_count(1)


def test_a_module_in_the_body_is_the_same_widget_as_a_script_in_the_head(visit, shop, tenant):
    phone = visit(head=tag(shop, tenant.pk), body=tag(shop, tenant.pk, 'type="module"') * 2)

    phone.open()

    expect(widgets(phone)).to_have_count(1)


@pytest.mark.parametrize("kind", ["", 'type="module"'], ids=["script", "module"])
def test_a_page_may_say_which_script_it_means(visit, server, shop, tenant, kind):
    script = server.open("/widget.js").data
    right = base64.b64encode(hashlib.sha384(script).digest()).decode()

    phone = visit(head=tag(shop, tenant.pk, f'{kind} integrity="sha384-{right}" crossorigin'))

    phone.open()


def test_a_script_that_is_another_does_not_run(visit, shop, tenant, watch):
    wrong = base64.b64encode(hashlib.sha384(b"another").digest()).decode()

    phone = visit(head=tag(shop, tenant.pk, f'integrity="sha384-{wrong}" crossorigin="anonymous"'))

    expect(phone.page.get_by_role("heading", name="A shop")).to_be_visible()
    expect(widgets(phone)).to_have_count(0)
    assert phone.page.evaluate("window.usher") is None
    watch.expect("integrity")


# Another one, and none


@pytest.mark.parametrize("other", ["key", "profile"])
def test_another_one_leaves_nothing_of_the_former(janes_phone, server, shop, tenant, run_tag, watch, other):
    phone = janes_phone
    phone.field.fill(CANARY)
    attributes = (
        {"key": server.tenant(origins=[shop.url]).pk} if other == "key" else {"data-profile": "second"}
    )
    phone.page.evaluate("window.first = usher")

    run_tag(phone, **attributes)

    expect(widgets(phone)).to_have_count(1)
    expect(phone.panel).to_be_hidden()
    assert CANARY not in phone.everything()
    assert phone.page.evaluate("first !== usher")
    assert phone.page.evaluate("first.login().catch(({ code }) => code)") == "superseded"
    phone.open()
    expect(phone.who).to_have_text("Not logged in")
    expect(phone.panel).to_contain_text("No conversations yet")
    assert "Jane" not in phone.everything()
    # Nothing was asked for whoever was there, and no one of the two looks for news in the other's place.
    asked = since(watch.requests, "/widget/check")
    tokens = {request.headers.get("authorization") for request in asked} - {None}
    assert len([token for token in tokens if "st_" in token]) == 1


def test_a_page_that_changes_its_mind_has_the_first_one_back(janes_phone, run_tag):
    run_tag(janes_phone, **{"data-profile": "second"})

    run_tag(janes_phone)

    expect(widgets(janes_phone)).to_have_count(1)
    assert CANARY not in janes_phone.everything()


def test_one_that_is_removed_stays_away_until_the_tag_runs_again(janes_phone, run_tag, watch):
    phone = janes_phone
    phone.page.evaluate("window.first = usher")
    phone.call("remove")
    asked = len(watch.requests)

    swap(phone)
    phone.look()
    codes = phone.page.evaluate("""Promise.all(["login", "logout", "clearAnonymousUser", "remove"].map(
        (name) => first[name]().catch(({ code }) => code)))""")

    phone.page.wait_for_timeout(200)
    assert codes == ["superseded", "superseded", "superseded", None]
    assert phone.page.evaluate("'usher' in window") is False
    expect(widgets(phone)).to_have_count(0)
    assert CANARY not in phone.everything()
    assert watch.requests[asked:] == []
    run_tag(phone)
    phone.launcher.wait_for()


@pytest.mark.parametrize("when", ["before the page is there", "while it logs somebody in"])
def test_one_that_is_removed_at_once_does_nothing_later(context, shop, tenant, watch, when):
    phone = Phone(context, shop, tenant.pk)
    phone.page.add_init_script(
        "addEventListener('usher-ready', () => usher.remove())"
        if when == "before the page is there"
        else "addEventListener('usher-ready', () => { usher.login().catch(() => 0); usher.remove(); })"
    )
    with phone.page.expect_response("**/widget.js"):
        phone.page.goto(f"{shop.url}/?data-key={tenant.pk}")

    phone.page.wait_for_timeout(300)

    expect(widgets(phone)).to_have_count(0)
    assert [request.url for request in watch.requests if "/v1/conv" in request.url] == []
