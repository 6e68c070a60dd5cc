"""An agent sends files with a reply, and sees those that users send."""

import pytest
from playwright.sync_api import expect

from tests.browser.console.conftest import begin, sign_in
from tests.support.attachments import written
from tests.support.browser_watch import faults

PHONE = {"width": 360, "height": 640}
# Gives what a script makes to the page as if somebody pasted or dropped it.
GIVE = """async (how) => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 400;
  canvas.getContext("2d").fillRect(0, 0, 300, 300);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve));
  const transfer = new DataTransfer();
  transfer.items.add(new File([blob], `${how}.png`, { type: "image/png" }));
  const field = document.querySelector("textarea");
  const event = how === "paste"
    ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true })
    : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
  field.dispatchEvent(event);
  return event.defaultPrevented;
}"""


@pytest.fixture
def thread(tenant):
    return begin(tenant, userId="u-kim", name="Kim")[1]


def file(name, data=b"Hello"):
    return {"name": name, "mimeType": "text/plain", "buffer": data}


def choose(page, *files):
    page.get_by_label("Attach files").set_input_files(list(files))


def test_files_are_chosen_pasted_and_dropped_and_go_with_the_reply(agent, server, tenant, thread, watch):
    agent.goto(f"{server.url}/console/conversations/{thread}")
    tray = agent.get_by_role("list", name="Attached", exact=True)
    choose(agent, file("a.txt"), file("nothing.txt", b""), file("b.html", b"<script>window.ran = 1</script>"))
    expect(tray.get_by_text("It is empty, or a folder.")).to_be_visible()
    assert agent.evaluate(GIVE, "paste")
    assert agent.evaluate(GIVE, "drop")
    expect(tray.locator("input[name=attachments]")).to_have_count(4)
    agent.get_by_role("button", name="Remove nothing.txt").click()
    agent.get_by_role("button", name="Remove a.txt").click()
    expect(tray.get_by_role("listitem")).to_have_count(3)
    assert faults(agent) == []

    agent.get_by_role("button", name="Send the reply").click()
    files = agent.locator(".thread li.agent .files")
    expect(files.get_by_role("img")).to_have_count(2)
    expect(files.get_by_text("b.html")).to_be_visible()
    expect(tray.get_by_role("listitem")).to_have_count(0)
    names = [one["name"] for one in tenant.messages(thread)[-1]["attachments"]]
    assert sorted(names) == ["b.html", "drop.png", "paste.png"]

    picture = files.get_by_role("img").first
    expect(picture).to_have_js_property("naturalWidth", 400)
    with agent.expect_popup() as opened:
        picture.click()
    opened.value.wait_for_load_state()
    assert opened.value.evaluate("document.contentType") == "image/png"
    opened.value.close()
    # What the browser puts around a picture is not let in either.
    watch.expect("Applying inline style")
    with agent.expect_download() as saved:
        files.get_by_text("b.html").click()
    assert saved.value.suggested_filename == "b.html"
    assert agent.evaluate("window.ran") is None


def test_a_conversation_begins_with_files(agent, server, tenant):
    user = tenant.known(userId="u-lee", name="Lee")
    agent.goto(f"{server.url}/console/users/{user}/conversations/new")
    choose(agent, file("a.txt"))
    assert agent.evaluate(GIVE, "paste")
    expect(agent.locator("input[name=attachments]")).to_have_count(2)
    agent.get_by_role("button", name="Remove a.txt").click()
    assert faults(agent) == []

    agent.get_by_role("button", name="Send").click()

    expect(agent.locator(".thread li.agent .files").get_by_role("img")).to_have_count(1)
    [message] = tenant.messages(tenant.get(f"/v1/conversations?user={user}").json["data"][0]["id"])
    assert (message["body"], [one["name"] for one in message["attachments"]]) == (None, ["paste.png"])


def test_what_cannot_be_sent_says_so_before_it_is(agent, server, thread):
    agent.goto(f"{server.url}/console/conversations/{thread}")
    agent.evaluate("document.querySelector('[data-tray]').dataset.largest = 10")
    choose(agent, file("large.txt", b"x" * 11), *(file(f"{n}.txt") for n in range(11)))
    expect(agent.get_by_text("It is too large: a file has at most 10 bytes.")).to_be_visible()
    expect(agent.get_by_text("A message has at most 10 files.")).to_have_count(1)
    expect(agent.locator("input[name=attachments]")).to_have_count(10)


def test_what_the_server_does_not_take_is_told_in_its_words_and_tried_again(agent, server, thread, watch):
    agent.goto(f"{server.url}/console/conversations/{thread}")
    problem = '{"detail": "There is no place for files."}'
    agent.route("**/attachments", lambda route: route.fulfill(status=501, body=problem))
    choose(agent, file("a.txt"))
    expect(agent.get_by_text("There is no place for files.", exact=True)).to_be_visible()
    watch.expect("501")
    agent.unroute("**/attachments")
    agent.get_by_role("button", name="Try a.txt again").click()
    expect(agent.locator("input[name=attachments]")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_files_can_be_used_by_everybody_on_a_phone(new_context, server, tenant, thread, scheme):
    token = tenant.session(userId="u-kim")
    written(tenant, thread, token, b"x", name=f"{'w' * 200}.txt")
    page = new_context(viewport=PHONE, color_scheme=scheme).new_page()
    sign_in(page, server, tenant.sk)
    page.goto(f"{server.url}/console/conversations/{thread}")
    choose(page, file(f"{'W' * 200}.txt"), file("nothing.txt", b""))
    expect(page.locator("input[name=attachments]")).to_have_count(1)
    page.get_by_role("button", name=f"Remove {'W' * 200}.txt").focus()
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
