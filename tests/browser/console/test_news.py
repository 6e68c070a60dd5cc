"""What is new shows by itself, and nothing of what an agent is doing is lost by it. Here nobody streams."""

import pytest
from playwright.sync_api import expect

from tests.browser.console.conftest import begin, sign_in
from tests.support.browser_watch import faults, hold

HOSTILE = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"


def write(tenant, thread, body, key=None):
    answer = tenant.call("POST", f"/v1/conversations/{thread}/messages", key or tenant.sk, {"body": body})
    assert answer.status_code == 201


@pytest.fixture
def thread(agent, server, scene):
    """A page that shows the conversation."""
    agent.goto(f"{server.url}/console/conversations/{scene.thread}")
    return agent


def look(page):
    """Have the page look for news, as it does when it is turned to."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def messages(page):
    return page.locator(".thread > li")


def test_news_come_by_themselves_to_the_list_and_to_the_conversation(
    agent, new_context, server, tenant, scene
):
    other = new_context().new_page()
    sign_in(other, server, tenant.sk)
    other.goto(f"{server.url}/console/conversations/{scene.thread}")

    begin(tenant, userId="u-max", name="Max")
    write(tenant, scene.thread, "On its way.")

    expect(agent.locator(".rows > li")).to_have_count(2)
    expect(agent.locator(".rows > li").first).to_contain_text("Max")
    expect(agent.locator(".rows > li").last).to_contain_text("Kim")
    expect(messages(other)).to_have_count(2)
    expect(other.locator("[data-news]")).to_have_text("1 new message")


def test_a_draft_the_focus_and_the_caret_stay(thread, tenant, scene):
    thread.set_viewport_size({"width": 1000, "height": 500})
    field = thread.get_by_label("Reply")
    field.fill("It is on")
    field.evaluate("field => field.setSelectionRange(3, 5)")
    where = field.bounding_box()["y"]

    write(tenant, scene.thread, "Hello?\n" * 30)
    look(thread)

    expect(messages(thread)).to_have_count(2)
    expect(field).to_be_focused()
    expect(field).to_have_value("It is on")
    assert field.evaluate("field => [field.selectionStart, field.selectionEnd]") == [3, 5]
    assert abs(field.bounding_box()["y"] - where) < 2
    thread.get_by_role("button", name="Send the reply").click()
    expect(thread.locator("[data-news]")).to_have_text("Your reply was sent.")
    expect(messages(thread)).to_have_count(3)


def test_what_was_asked_before_a_reply_does_not_take_it_away(thread, server, tenant, scene):
    held, wait = hold(thread, f"{server.url}/console/conversations/{scene.thread}", times=1)
    look(thread)
    wait()
    before = held[0].fetch()
    thread.get_by_label("Reply").fill("It is on its way.")
    thread.get_by_role("button", name="Send the reply").click()
    expect(messages(thread)).to_have_count(2)

    with thread.expect_response(held[0].request.url):
        held[0].fulfill(response=before)
    thread.wait_for_timeout(200)

    assert messages(thread).count() == 2
    # It is looked for again at once.
    write(tenant, scene.thread, "Anything else?")
    expect(messages(thread)).to_have_count(3)


def test_a_link_that_has_the_focus_keeps_it_as_its_row_moves(agent, tenant, scene):
    _, newer = begin(tenant, userId="u-max", name="Max")
    agent.reload()
    link = agent.locator(f'a[href$="{scene.thread}"]')
    link.focus()

    write(tenant, scene.thread, "On its way.")
    look(agent)

    expect(agent.locator(".rows > li a").first).to_be_focused()
    expect(link).to_be_focused()
    assert agent.locator(".rows > li").count() == 2


def test_what_is_resolved_elsewhere_leaves_the_list(agent, tenant, scene):
    agent.reload()
    tenant.call("PATCH", f"/v1/conversations/{scene.thread}", tenant.sk, {"status": "resolved"})
    look(agent)
    expect(agent.get_by_text("Nobody waits for an answer.")).to_be_visible()

    begin(tenant, userId="u-max", name="Max")
    look(agent)
    expect(agent.locator(".rows > li")).to_have_count(1)


def test_a_button_that_is_about_to_be_pressed_stays_what_it_is(thread, tenant, scene):
    resolve = thread.get_by_role("button", name="Resolve")
    resolve.focus()
    tenant.call("PATCH", f"/v1/conversations/{scene.thread}", tenant.sk, {"status": "resolved"})
    look(thread)

    expect(thread.get_by_role("heading", level=1).locator("..")).to_contain_text("resolved")
    expect(resolve).to_be_focused()
    thread.get_by_label("Reply").focus()
    look(thread)
    expect(thread.get_by_role("button", name="Reopen")).to_be_visible()


def test_what_is_opened_stays_open(thread, tenant, scene):
    attributes = {f"a{number}": "x" for number in range(7)}
    assert tenant.change(scene.kim, attributes=attributes).status_code == 200
    look(thread)
    thread.get_by_text("Attributes", exact=True).click()
    expect(thread.get_by_role("cell", name="x").first).to_be_visible()

    assert tenant.change(scene.kim, attributes={"a0": "y"}).status_code == 200
    look(thread)

    expect(thread.get_by_role("cell", name="y")).to_be_visible()


def test_nothing_that_comes_by_itself_runs(thread, tenant, scene):
    tenant.change(scene.kim, name=HOSTILE)
    write(tenant, scene.thread, HOSTILE, tenant.session(userId="u-kim"))
    look(thread)

    expect(messages(thread).nth(1)).to_contain_text(HOSTILE)
    assert thread.evaluate("window.ran") is None
    assert thread.locator("main script, main img").count() == 0
    assert faults(thread) == []


def test_of_whoever_is_signed_out_elsewhere_nothing_stays(agent, context, server, scene, watch):
    watch.excuse("401")
    agent.reload()
    other = context.new_page()
    other.goto(f"{server.url}/console")
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("status")).to_have_text("You are signed out.")

    expect(agent.get_by_label("Secret key of your app")).to_be_visible()


def delete_keys(tenant):
    """Have nobody signed in any more."""
    for key in tenant.list_keys():
        tenant.call("DELETE", f"/v1/apps/{tenant.id}/keys/{key['id']}", tenant.admin_key)


def test_a_draft_is_not_taken_from_whoever_is_signed_out(thread, tenant, watch):
    thread.get_by_label("Reply").fill("It is on its way.")
    delete_keys(tenant)

    look(thread)

    expect(thread.get_by_role("alert")).to_contain_text("Copy what you have written")
    expect(thread.get_by_label("Reply")).to_have_value("It is on its way.")
    expect(messages(thread)).to_have_count(0)
    watch.expect("401")
    # It also tells by itself that somebody looks there.
    watch.excuse("401")


def test_whoever_is_signed_out_is_told_so_once(thread, server, tenant, scene, watch):
    held, wait = hold(thread, f"{server.url}/console/conversations/{scene.thread}", times=1)
    look(thread)
    wait()
    delete_keys(tenant)
    thread.get_by_label("Reply").fill("It is on its way.")
    thread.get_by_role("button", name="Send the reply").click()
    expect(thread.get_by_role("alert")).to_contain_text("Copy what you have written")

    with thread.expect_response(held[0].request.url):
        held[0].continue_()
    thread.wait_for_timeout(200)

    assert thread.get_by_role("alert").count() == 1
    watch.expect("401")
    watch.excuse("401")


def test_a_conversation_that_is_erased_is_shown_no_more(thread, tenant, scene, watch):
    assert tenant.call("DELETE", f"/v1/users/{scene.kim}", tenant.sk).status_code == 204

    look(thread)

    expect(thread.get_by_role("heading", level=1)).to_have_text("There is nothing here")
    watch.expect("404")


def test_nothing_is_asked_for_a_page_that_nobody_looks_at(agent, server, scene, watch):
    agent.clock.install()
    # What is looked at is read, for which the server has another page asked for.
    with agent.expect_response(lambda answer: answer.url.endswith("done=read")):
        agent.goto(f"{server.url}/console/conversations/{scene.thread}")
    agent.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    # That it is left is told.
    with agent.expect_request(lambda request: "leaves" in (request.post_data or "")):
        look(agent)
    before = len(watch.requests)

    # What was asked before may be on its way.
    for _ in range(4):
        agent.wait_for_timeout(300)
        agent.clock.fast_forward(7000)

    with agent.expect_request("**/healthz"):
        agent.evaluate("fetch('/healthz')")
    assert [request.url for request in watch.requests[before:]] == [f"{server.url}/healthz"]


def test_without_scripts_a_page_is_as_it_was(new_context, server, tenant, scene):
    page = new_context(java_script_enabled=False).new_page()
    sign_in(page, server, tenant.sk)
    page.goto(f"{server.url}/console/conversations/{scene.thread}")
    page.get_by_label("Reply").fill("On its way.")
    page.get_by_role("button", name="Send the reply").click()
    expect(messages(page)).to_have_count(2)
