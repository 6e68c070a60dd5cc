"""Files in the widget: chosen, pasted or dropped, sent, shown, refused, and gone with whoever sent them."""

import json
import struct
import zlib

import pytest
from playwright.sync_api import expect

from tests.support.browser_watch import faults
from tests.support.signing import identity_key, proof_of


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# A picture of 2 × 1 pixels, red and blue.
PNG = (
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0\0\0\xff"))
    + chunk(b"IEND", b"")
)
PICTURE = {"name": "screen.png", "mimeType": "image/png", "buffer": PNG}
NOTE = {"name": "note.txt", "mimeType": "text/plain", "buffer": b"Where is it?"}

# Makes what a paste or a drop brings, of texts and of files with names and sizes, and has it happen.
HAPPEN = """(field, { type, texts = {}, files = [] }) => {
    const data = new DataTransfer();
    for (const [kind, text] of Object.entries(texts)) data.setData(kind, text);
    for (const { name, size, type } of files) {
        data.items.add(new File([new Uint8Array(size)], name, { type }));
    }
    const given = { bubbles: true, cancelable: true, composed: true };
    const event = type === "paste"
        ? new ClipboardEvent(type, { ...given, clipboardData: data })
        : new DragEvent(type, { ...given, dataTransfer: data });
    field.dispatchEvent(event);
    return event.defaultPrevented;
}"""


@pytest.fixture
def thread(phone):
    """A phone on which somebody began a conversation."""
    phone.open()
    phone.begin("Where is it?")
    return phone


def choose(phone, *files):
    phone.page.locator("input[type=file]").set_input_files(list(files))


def waiting(phone):
    return phone.page.locator(".files li")


def happen(phone, type, **given):
    return phone.field.evaluate(HAPPEN, {"type": type} | given)


def readable_by(phone):
    """Return the headers of an answer that the page of a phone may read."""
    return {
        "Access-Control-Allow-Origin": phone.page.url.rsplit("/", 1)[0],
        "Access-Control-Expose-Headers": "Retry-After",
    }


def messages(tenant):
    """What was written, the oldest first: texts, and names and types of files."""
    [thread] = tenant.call("GET", "/v1/conversations", tenant.sk).json["data"]
    found = tenant.call("GET", f"/v1/conversations/{thread['id']}/messages", tenant.sk).json["data"]
    return [(each["body"], [(one["name"], one["type"]) for one in each["attachments"]]) for each in found]


# Sending


def test_files_are_chosen_one_is_taken_out_and_the_others_are_sent_with_the_message(thread, tenant, watch):
    choose(thread, PICTURE, NOTE)
    choose(thread, {**NOTE, "name": "other.txt"})
    expect(waiting(thread)).to_have_count(3)
    thread.press("Remove other.txt")
    thread.field.fill("Like this")

    thread.press("Send")

    expect(thread.log).to_contain_text("Like this")
    expect(waiting(thread)).to_have_count(0)
    expect(thread.field).to_have_value("")
    expected = ("Like this", [("screen.png", "image/png"), ("note.txt", "text/plain")])
    assert messages(tenant)[1:] == [expected]
    assert all("st_" not in request.url for request in watch.requests)


def test_a_message_may_be_files_alone(thread, tenant):
    choose(thread, NOTE)
    thread.press("Send")
    expect(thread.page.get_by_role("button", name="Download note.txt")).to_be_visible()
    assert messages(tenant)[1:] == [(None, [("note.txt", "text/plain")])]


@pytest.mark.parametrize("written", ["", "Look at this"], ids=["no text", "text"])
def test_a_conversation_begins_with_files_in_its_first_message(phone, tenant, written):
    phone.open()
    phone.press("Write to us")
    phone.field.fill(written)
    choose(phone, PICTURE, NOTE)

    phone.press("Send")

    expect(phone.page.get_by_role("button", name="Open screen.png")).to_be_visible()
    files = [("screen.png", "image/png"), ("note.txt", "text/plain")]
    assert messages(tenant) == [(written or None, files)]


def test_a_screenshot_is_pasted_and_files_are_dropped(thread):
    assert happen(thread, "paste", files=[{"name": "image.png", "size": 9, "type": "image/png"}])
    assert happen(thread, "dragover", files=[{"name": "a.txt", "size": 1}])
    expect(thread.page.locator(".panel.dropping")).to_be_visible()
    assert happen(thread, "drop", files=[{"name": "a.txt", "size": 1}, {"name": "b.txt", "size": 2}])

    expect(waiting(thread).locator(".name")).to_have_text(["image.png", "a.txt", "b.txt"])
    expect(thread.page.locator(".panel.dropping")).to_have_count(0)


def test_text_is_pasted_as_text_also_with_a_picture_of_it(thread):
    texts = {"text/plain": "1\t2", "text/html": "<table>"}
    assert not happen(thread, "paste", texts={"text/plain": "Hello"})
    assert not happen(thread, "paste", texts=texts, files=[{"name": "image.png", "size": 9}])
    expect(waiting(thread)).to_have_count(0)


def test_a_file_dropped_where_nothing_is_written_does_not_open_in_place_of_the_page(phone):
    phone.open()
    panel = phone.page.locator(".panel")
    assert panel.evaluate(HAPPEN, {"type": "drop", "files": [{"name": "a.txt", "size": 1}]})
    expect(waiting(phone)).to_have_count(0)


def test_what_is_being_written_is_there_after_the_panel_was_closed(thread):
    choose(thread, NOTE)
    thread.field.fill("And to Perth?")

    thread.page.keyboard.press("Escape")
    thread.launcher.click()

    expect(thread.field).to_have_value("And to Perth?")
    expect(waiting(thread)).to_have_count(1)


def test_who_goes_back_while_files_are_on_their_way_sends_them_all_the_same(thread, tenant):
    held = []
    thread.page.route("**/attachments?name=note.txt", lambda route: held.append(route), times=1)  # noqa: PLW0108 - as elsewhere
    choose(thread, NOTE)
    with thread.page.expect_request("**/attachments?name=note.txt"):
        thread.press("Send")
    thread.press("Back")
    expect(thread.rows).to_have_count(1)

    with thread.page.expect_response(
        lambda answer: answer.request.method == "POST" and answer.url.endswith("/messages")
    ):
        held[0].continue_()

    assert messages(tenant)[1:] == [(None, [("note.txt", "text/plain")])]


def test_who_goes_back_while_files_of_a_first_message_are_on_their_way_begins_all_the_same(phone, tenant):
    phone.open()
    phone.press("Write to us")
    held = []
    phone.page.route("**/attachments?name=note.txt", lambda route: held.append(route), times=1)  # noqa: PLW0108 - as elsewhere
    choose(phone, NOTE)
    with phone.page.expect_request("**/attachments?name=note.txt"):
        phone.press("Send")
    phone.press("Back")
    expect(phone.page.get_by_role("button", name="Write to us")).to_be_visible()
    expect(phone.rows).to_have_count(0)

    held[0].continue_()

    # They stay where they went.
    expect(phone.rows).to_have_count(1)
    assert messages(tenant) == [(None, [("note.txt", "text/plain")])]


def test_files_chosen_before_the_new_thread_was_read_show_how_far_they_are(phone):
    phone.open()
    phone.press("Write to us")
    phone.field.fill("Where is it?")
    held = []
    phone.page.route("**/messages?*", lambda route: held.append(route), times=1)  # noqa: PLW0108 - as elsewhere
    with phone.page.expect_request("**/messages?*"):
        phone.press("Send")
    choose(phone, NOTE)
    with phone.page.expect_response("**/messages?*"):
        held[0].continue_()
    expect(phone.log).to_contain_text("Where is it?")
    # The form of the new conversation ends its work after that.
    phone.page.wait_for_timeout(100)
    phone.page.route("**/attachments?name=note.txt", lambda route: None)

    with phone.page.expect_request("**/attachments?name=note.txt"):
        phone.press("Send")

    expect(phone.page.get_by_role("progressbar", name="Sending note.txt")).to_be_attached()
    expect(phone.page.get_by_role("button", name="Remove note.txt")).to_be_disabled()


# Refusing


def test_what_is_too_large_empty_or_too_many_is_refused_before_it_is_sent(thread, watch):
    before = len(watch.requests)
    fine = [{"name": f"{at}.txt", "size": 1} for at in range(13)]
    large, empty = {"name": "film.mp4", "size": 10 * 1024 * 1024 + 1}, {"name": "empty.txt", "size": 0}

    happen(thread, "drop", files=[large, empty, *fine])

    for said in (
        "film.mp4 is too large. A file has at most 10 MB.",
        "empty.txt is empty.",
        "A message has at most 10 files.",
    ):
        expect(thread.page.get_by_role("alert").filter(has_text=said)).to_be_visible()
    expect(thread.page.locator(".notice p")).to_have_count(3)
    expect(waiting(thread)).to_have_count(10)
    assert [request.url for request in watch.requests[before:] if "attachments" in request.url] == []


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (413, "too-large", "note.txt is too large. A file has at most 10 MB."),
        (501, "no-files", "Send your message without them."),
        (408, "too-slow", "note.txt took too long."),
        (409, "too-many-waiting", "No files can be sent at the moment."),
        (422, "refused", "note.txt cannot be sent."),
        (503, "files-unavailable", "Support is busy. Try again in 7 seconds."),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_what_the_service_refuses_is_said_in_words_and_kept_and_what_arrived_is_sent_once(
    thread, tenant, watch, status, code, said
):
    headers = readable_by(thread) | {"Retry-After": "7"}
    refusal = {"code": code, "title": "Refused", "requestId": "r", "errors": []}
    thread.page.route(
        "**/attachments?name=note.txt",
        lambda route: route.fulfill(status=status, headers=headers, body=json.dumps(refusal)),
        times=1,
    )
    choose(thread, PICTURE, NOTE)
    thread.field.fill("Like this")
    thread.press("Send")
    expect(thread.page.get_by_role("alert").filter(has_text=said)).to_be_visible()
    expect(thread.field).to_have_value("Like this")
    expect(waiting(thread)).to_have_count(2)

    thread.press("Send")

    expect(thread.log).to_contain_text("Like this")
    assert len(messages(tenant)) == 2
    sent = [request.url for request in watch.requests if "attachments?name=screen.png" in request.url]
    assert len(sent) == 1
    watch.expect(str(status))


def test_where_a_file_of_a_first_message_is_refused_nothing_is_begun_and_all_is_kept(phone, tenant, watch):
    phone.open()
    phone.press("Write to us")
    phone.page.get_by_label("Subject").fill("Parcel")
    phone.field.fill("Like this")
    choose(phone, PICTURE, NOTE)
    refusal = json.dumps({"code": "too-large", "title": "Refused", "requestId": "r", "errors": []})
    phone.page.route(
        "**/attachments?name=note.txt",
        lambda route: route.fulfill(status=413, headers=readable_by(phone), body=refusal),
        times=1,
    )
    phone.press("Send")
    expect(phone.page.get_by_role("alert").filter(has_text="note.txt is too large.")).to_be_visible()
    assert tenant.call("GET", "/v1/conversations", tenant.sk).json["data"] == []

    phone.press("Send")

    expect(phone.log).to_contain_text("Like this")
    assert messages(tenant) == [("Like this", [("screen.png", "image/png"), ("note.txt", "text/plain")])]
    sent = [request.url for request in watch.requests if "attachments?name=screen.png" in request.url]
    assert len(sent) == 1
    watch.expect("413")


def test_a_service_that_takes_no_more_files_for_now_is_asked_again(thread, tenant, watch):
    headers = readable_by(thread) | {"Retry-After": "1"}
    busy = json.dumps({"code": "busy", "title": "Busy", "requestId": "r"})
    thread.page.route(
        "**/attachments?name=note.txt",
        lambda route: route.fulfill(status=503, headers=headers, body=busy),
        times=1,
    )
    choose(thread, NOTE)

    thread.press("Send")

    expect(thread.page.get_by_role("button", name="Download note.txt")).to_be_visible()
    watch.expect("503")


# Showing


def test_a_picture_is_shown_small_opens_large_and_closes_with_escape(thread):
    choose(thread, PICTURE)
    thread.press("Send")
    button = thread.page.get_by_role("button", name="Open screen.png")
    drawn = (
        "canvas => [canvas.width, canvas.height, ...canvas.getContext('2d').getImageData(0, 0, 1, 1).data]"
    )
    small = button.locator("canvas")
    expect(small).to_have_attribute("width", "2")
    assert small.evaluate(drawn) == [2, 1, 255, 0, 0, 255]

    button.click()

    large = thread.page.get_by_role("dialog", name="screen.png")
    expect(large.get_by_role("img", name="screen.png")).to_have_attribute("width", "2")
    assert faults(thread.page) == []
    thread.page.keyboard.press("Escape")
    expect(large).to_have_count(0)
    expect(button).to_be_focused()
    expect(thread.panel).to_be_visible()


def test_a_picture_that_no_browser_can_draw_is_a_file_as_any_other(thread):
    choose(thread, {**PICTURE, "buffer": PNG[:20]})
    thread.press("Send")
    expect(thread.page.get_by_role("button", name="Download screen.png")).to_be_visible()


def test_another_file_is_downloaded_under_its_name(thread):
    choose(thread, NOTE)
    thread.press("Send")
    expect(thread.log.locator(".file")).to_contain_text("1 kB")

    with thread.page.expect_download() as download:
        thread.press("Download note.txt")

    assert download.value.suggested_filename == "note.txt"
    assert download.value.path().read_bytes() == NOTE["buffer"]
    assert download.value.url.startswith(f"blob:{thread.page.url.rsplit('/', 1)[0]}")


# Whose they are


def test_what_waits_and_what_is_open_is_gone_when_somebody_goes(thread, tenant):
    _, secret = identity_key(tenant)
    thread.call("login", {"proof": proof_of(tenant, secret, sub="u-jane", name="Jane")})
    thread.begin("Hello")
    choose(thread, PICTURE)
    thread.press("Send")
    thread.page.get_by_role("button", name="Open screen.png").click()
    expect(thread.page.get_by_role("dialog", name="screen.png")).to_be_visible()
    thread.page.keyboard.press("Escape")
    choose(thread, {**NOTE, "name": "canary.txt"})
    thread.page.get_by_role("button", name="Open screen.png").click()

    thread.call("logout")

    expect(thread.page.locator("dialog")).to_have_count(0)
    assert "canary.txt" not in thread.everything()
    assert "screen.png" not in thread.everything()
    thread.rows.click()
    expect(waiting(thread)).to_have_count(0)


def test_an_upload_is_cut_off_when_somebody_goes(thread, tenant):
    thread.page.route("**/attachments?name=note.txt", lambda route: None)
    choose(thread, NOTE)
    thread.field.fill("Not mine any more")
    with thread.page.expect_request("**/attachments?name=note.txt"):
        thread.press("Send")
    expect(thread.page.get_by_role("progressbar", name="Sending note.txt")).to_be_attached()
    expect(thread.page.locator("progress:visible")).to_have_count(1)

    thread.call("logout")

    expect(thread.page.get_by_role("button", name="Write to us")).to_be_visible()
    assert len(messages(tenant)) == 1
    assert "note.txt" not in thread.everything()


# For everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_from_sending_files_on_a_small_phone(new_phone, scheme):
    phone = new_phone(color_scheme=scheme, viewport={"width": 360, "height": 640})
    phone.open()
    phone.begin("Where is it?")
    choose(phone, PICTURE, {**NOTE, "name": f"{'W' * 60}.txt"})
    found = faults(phone.page)
    phone.press("Send")
    expect(phone.page.get_by_role("button", name="Open screen.png")).to_be_visible()

    assert found + faults(phone.page) == []
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert phone.log.evaluate("log => log.scrollWidth - log.clientWidth") == 0
