"""What an integrator has wrong is said in the browser's console, before anybody clicks, with what to do."""

import pytest
from playwright.sync_api import expect

from tests.support.phones import Phone

WHOLE = "1" * 32 + "_" + "x" * 43


@pytest.fixture
def visit(new_context, shop, tenant):
    """Visit a page with this key; return the phone and what the widget says in the console of it."""

    def visit(key, path=None):
        phone = Phone(new_context(), shop, key)
        url = f"{shop.url}{path or f'/?data-key={key}'}"
        with phone.page.expect_console_message(lambda message: "usher: " in message.text) as said:
            phone.page.goto(url)
        assert said.value.type == "error"
        return phone, said.value.text

    return visit


@pytest.mark.parametrize("kind", ["", 'type="module"'], ids=["script", "module"])
def test_a_tag_without_a_key_is_told_to_have_one(visit, shop, watch, kind):
    tag = f'<script src="{shop.service}/widget.js" {kind}></script>'
    shop.pages["/keyless"] = f'<link rel="icon" href="data:,">{tag}'.encode()

    phone, text = visit("", path="/keyless")

    assert text.startswith(
        "usher: the tag that loads widget.js has no data-key. Give it the app's publishable key"
    )
    watch.expect("no data-key")
    expect(phone.page.locator("usher-widget")).to_have_count(0)


@pytest.mark.parametrize("kind", ["sk", "ak", "ik", "st"])
def test_a_secret_key_in_a_page_is_to_be_deleted_and_goes_nowhere(visit, watch, kind):
    key = f"{kind}_{WHOLE}"

    phone, text = visit(key)

    assert text.startswith("usher: data-key is a SECRET key")
    assert "Delete that key now" in text
    assert key not in text
    watch.expect("SECRET")
    expect(phone.page.locator("usher-widget")).to_have_count(0)
    called = [request for request in watch.requests if request.url.startswith(phone.site.service)]
    assert [request.url for request in called] == [f"{phone.site.service}/widget.js"]


@pytest.mark.parametrize("key", ["pk_", "pk_…", "YOUR_KEY", f"pk_{WHOLE}"[:-1]])
def test_what_is_no_whole_key_is_said_to_be_none(visit, watch, key):
    _, text = visit(key)

    assert text.startswith("usher: data-key is not a whole key.")
    watch.expect("not a whole key")


def test_a_key_that_nobody_knows_is_said_to_be_none(visit, watch):
    _, text = visit(f"pk_{WHOLE}")

    assert text.startswith("usher: the service does not know this data-key, or it was deleted.")
    watch.expect("does not know this data-key")


def test_a_page_that_the_app_does_not_name_is_told_what_to_add(visit, tenant, shop, watch):
    tenant.set(origins=["https://elsewhere.example.org"])

    _, text = visit(tenant.pk)

    assert text == f'usher: the app\'s setting origins does not name this page. Add "{shop.url}" to it.'
    watch.expect("does not name this page")


def test_a_page_in_a_sandbox_is_told_that_it_has_no_origin(visit, tenant, shop, watch):
    tag = f'&lt;script src="{shop.service}/widget.js" data-key="{tenant.pk}">&lt;/script>'.replace(
        '"', "&quot;"
    )
    frame = f'<iframe sandbox="allow-scripts" srcdoc="{tag}"></iframe>'
    shop.pages["/sandbox"] = f'<link rel="icon" href="data:,">{frame}'.encode()

    _, text = visit(tenant.pk, path="/sandbox")

    assert text.startswith("usher: this page is a file or in a sandbox")
    watch.expect("in a sandbox")


def test_a_policy_that_keeps_it_from_its_service_is_named_once(visit, tenant, shop, watch):
    policy = "<meta http-equiv=Content-Security-Policy content=\"connect-src 'none'\">"
    shop.pages["/strict"] = policy.encode() + shop.page({"data-key": tenant.pk})

    phone, text = visit(tenant.pk, path="/strict")
    phone.launcher.click()
    expect(phone.panel).to_contain_text("Support cannot be reached")

    assert text == (
        "usher: the page's Content-Security-Policy keeps the widget from its service."
        f" Add {shop.service} to connect-src."
    )
    assert sum("usher: " in complaint for complaint in watch.complaints) == 1
    watch.expect("Content-Security-Policy")
    watch.expect("Content Security Policy")


def test_a_page_that_is_right_asks_the_service_once_and_hears_nothing(new_context, shop, tenant):
    phone, answers = Phone(new_context(), shop, tenant.pk), []
    for _ in range(3):
        with phone.page.expect_response("**/widget/check*") as response:
            phone.visit()
        answers.append((response.value.header_value("X-Request-Id"), response.value.text()))

    assert answers[0] == answers[1] == answers[2]
    assert answers[2][1].strip() == '{"mistake":null}'


def test_who_is_not_connected_is_told_of_no_mistake(new_context, shop, tenant, watch):
    phone = Phone(new_context(), shop, tenant.pk)
    phone.page.route("**/widget/check*", lambda route: route.abort())

    phone.visit()
    phone.open()

    watch.expect("net::ERR_FAILED")
