"""Phones and the console are told that something is new, ask as ever where nobody tells, and come back.

The server of these tests says where streams are. The process that serves them is started and stopped by them.
"""

import re
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Error, expect

from service.store.migrating import migrate
from tests.browser.console.conftest import sign_in
from tests.support.browser_watch import Watch, hold
from tests.support.live import live
from tests.support.phones import Phone, site
from tests.support.servers import TIMEOUT, free_port, serve, wait_until
from tests.support.signing import identity_key, proof_of

CANARY = "canary-5f3a"
# A page asks for a stream again after a wait, the longest of which takes a minute.
LONGEST_WAIT = 60


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/usher.sqlite"
    migrate(url)
    return url


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def server(chromium, url, port):
    with serve(url, workers=1, LIVE_URL=f"http://127.0.0.1:{port}") as server:
        yield server


@pytest.fixture
def watch(server, port):
    """As ever, but that a browser complains of each stream that it cannot have."""
    watch = Watch({server.url, f"http://127.0.0.1:{port}"})
    yield watch
    assert [complaint for complaint in watch.unwelcome() if "/v1/stream" not in complaint] == []


@pytest.fixture
def streaming(url, port, server):
    """Start the process that serves streams; it ends with the context."""

    @contextmanager
    def streaming():
        with live(url, LIVE_PORT=str(port), WEB_URL=server.url) as process:
            yield process

    return streaming


@pytest.fixture(scope="module")
def shop(server, port):
    with site(server.url, f"http://127.0.0.1:{port}") as shop:
        yield shop


@pytest.fixture
def tenant(server, shop, watch):
    watch.origins.add(shop.url)
    return server.tenant(origins=[shop.url])


@pytest.fixture
def new_phone(new_context, shop, tenant):
    return lambda: Phone(new_context(), shop, tenant.pk).visit()


@pytest.fixture
def prove(tenant):
    _, secret = identity_key(tenant)
    return lambda name: {"proof": proof_of(tenant, secret, sub=f"u-{name.lower()}", name=name)}


@pytest.fixture
def jane(new_phone, prove):
    """A phone on which Jane has begun a conversation, which she looks at."""
    phone = new_phone()
    phone.call("login", prove("Jane"))
    phone.open()
    phone.begin("Where is it?")
    return phone


@pytest.fixture
def second(new_phone, prove, jane):
    """Her other phone, which shows the same."""
    phone = new_phone()
    phone.call("login", prove("Jane"))
    phone.launcher.click()
    phone.rows.click()
    expect(phone.log).to_contain_text("Where is it?")
    return phone


@pytest.fixture
def agent(new_context, server, tenant, jane):
    """The console, which shows the conversation."""
    page = new_context().new_page()
    sign_in(page, server, tenant.sk)
    page.get_by_role("link", name=re.compile("No subject|Begun")).click()
    expect(page.locator(".thread")).to_contain_text("Where is it?")
    return page


def answer(tenant, body):
    id = tenant.conversations(tenant.sk)[0]
    tenant.write(id, body=body)


def be_online(*pages):
    """Have pages no longer wait before they ask for a stream again."""
    for page in pages:
        page.evaluate("dispatchEvent(new Event('online'))")


def streams_open(process):
    text = process.call("GET", "/metrics", process.admin_key).text
    return float(re.search(r"^usher_streams_open (\S+)$", text, re.MULTILINE)[1])


def wait_streams(process, count, *pages):
    """Wait until so many streams are open, for which these pages ask at once."""

    def are_open():
        be_online(*pages)
        return streams_open(process) == count

    wait_until(are_open)


def wait_pumping(page, condition, seconds=TIMEOUT):
    """Wait until something is so, and let the browser tell of what happens meanwhile."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        page.wait_for_timeout(20)


def wait_quiet(page, watch, seconds):
    """Wait until nobody has looked for news for so long."""
    asked, since = len(watch.requests), time.monotonic()

    def is_quiet():
        nonlocal asked, since
        if looks(watch, asked):
            asked, since = len(watch.requests), time.monotonic()
        return time.monotonic() - since >= seconds

    wait_pumping(page, is_quiet, 2 * TIMEOUT)


def looks(watch, since):
    """Return how often the list of conversations was asked for, and the page of one, since a request."""
    paths = [request.url for request in watch.requests[since:] if request.method == "GET"]
    return [path for path in paths if "/v1/conversations?" in path or "/console/conversations/" in path]


def test_two_phones_and_the_console_see_each_other_without_asking(streaming, jane, second, agent, watch):
    with streaming() as process:
        wait_streams(process, 3, jane.page, second.page, agent)
        # Who is told looks too, but more rarely; who is not looks every 5 seconds.
        wait_quiet(jane.page, watch, 12)

        jane.field.fill("It was due on Monday.")
        jane.press("Send")
        for log in (jane.log, second.log, agent.locator(".thread")):
            expect(log).to_contain_text("It was due on Monday.")
        agent.get_by_label("Reply").fill("It is on its way.")
        agent.get_by_role("button", name="Send the reply").click()
        for phone in (jane, second):
            expect(phone.log).to_contain_text("It is on its way.")


def test_a_busy_desk_keeps_no_page_busy(streaming, jane, agent, tenant, watch):
    with streaming() as process:
        wait_streams(process, 2, jane.page, agent)
        # What it looks for as the stream begins is over by then.
        wait_quiet(agent, watch, 2)
        before, began = len(watch.requests), time.monotonic()
        for number in range(30):
            answer(tenant, f"Message {number}")
        expect(agent.locator(".thread")).to_contain_text("Message 29")
        seconds = time.monotonic() - began

    asked = [request.url for request in watch.requests[before:] if "/console/conversations/" in request.url]
    # That somebody looks there is told by the clock.
    pages = [url for url in asked if not url.endswith("/looking")]
    assert len(pages) <= seconds + 2


def test_with_nobody_to_tell_them_they_ask_and_come_back_when_there_is(
    streaming, jane, second, agent, tenant, watch
):
    pages = (jane.page, second.page, agent)
    answer(tenant, "First")
    for log in (jane.log, second.log, agent.locator(".thread")):
        expect(log).to_contain_text("First")

    with streaming() as process:
        wait_streams(process, 3, *pages)
        answer(tenant, "Second")
        for log in (jane.log, second.log, agent.locator(".thread")):
            expect(log).to_contain_text("Second")
        # After a stream that lasted, the first wait is a short one.
        for page in pages:
            page.evaluate("Date.now = ((now) => () => now() + 60000)(Date.now)")

    answer(tenant, "Third")
    for log in (jane.log, second.log, agent.locator(".thread")):
        expect(log).to_contain_text("Third")

    with streaming() as process:
        # They come by themselves, each when its wait is over.
        wait_pumping(agent, lambda: streams_open(process) == 3, LONGEST_WAIT + TIMEOUT)


def test_on_a_shared_phone_a_stream_ends_with_the_logout(streaming, jane, tenant, prove, watch):
    with streaming() as process:
        wait_streams(process, 1, jane.page)
        answer(tenant, CANARY)
        expect(jane.log).to_contain_text(CANARY)

        jane.call("logout")
        wait_streams(process, 1)
        answer(tenant, f"{CANARY} again")
        jane.call("login", prove("Omar"))
        expect(jane.who).to_have_text("Omar")
        wait_streams(process, 1)
        answer(tenant, f"{CANARY} for the third time")
        jane.page.wait_for_timeout(1500)

        assert CANARY not in jane.everything()
        streams = [request for request in watch.requests if request.url.endswith("/v1/stream")]
        tokens = [request.headers.get("authorization") for request in streams if request.method == "GET"]
        assert len(set(tokens)) == 3


def test_a_page_that_swaps_its_body_keeps_its_one_stream_until_the_widget_is_removed(streaming, jane, watch):
    with streaming() as process:
        wait_streams(process, 1, jane.page)
        # The browser has told of its requests by the time that it answers.
        jane.page.evaluate("undefined")
        begun = len(watch.requests)

        for _ in range(50):
            jane.page.evaluate("document.body.replaceWith(document.createElement('body'))")

        expect(jane.log).to_contain_text("Where is it?")
        wait_streams(process, 1)
        assert [one.url for one in watch.requests[begun:] if one.url.endswith("/v1/stream")] == []
        jane.call("remove")
        wait_streams(process, 0)


def test_whoever_is_logged_out_by_the_backend_is_so_at_once(streaming, jane, tenant, watch):
    with streaming() as process:
        wait_streams(process, 1, jane.page)
        user = tenant.find(userId="u-jane")[0]["id"]

        assert tenant.call("POST", "/v1/logout", tenant.sk, {"user": user}).status_code == 204

        expect(jane.panel).to_contain_text("You are logged out.")
        expect(jane.who).to_have_text("Not logged in")
    watch.expect("401")


def test_a_page_that_nobody_looks_at_has_no_stream(streaming, jane, watch):
    with streaming() as process:
        wait_streams(process, 1, jane.page)
        hide(jane.page, True)
        wait_streams(process, 0)
        hide(jane.page, False)
        wait_streams(process, 1)


def hide(page, hidden):
    page.evaluate(
        "hidden => Object.defineProperty(document, 'hidden', { value: hidden, configurable: true })", hidden
    )
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_whoever_signs_out_of_the_console_has_no_stream_there(streaming, jane, agent, watch):
    watch.excuse("401")
    with streaming() as process:
        wait_streams(process, 2, jane.page, agent)
        agent.get_by_role("button", name="Sign out").click()
        wait_streams(process, 1)


def test_no_token_and_no_ticket_stands_in_an_address(streaming, jane, agent, watch):
    with streaming() as process:
        wait_streams(process, 2, jane.page, agent)
    addresses = " ".join(request.url for request in watch.requests)
    assert re.findall("(?:st|tk|sk)_[0-9a-f]{32}_", addresses) == []


# --- streams that are not as ours are ------------------------------------------------------------


@contextmanager
def answering(port, answer):
    """Have another server in the place of ours; return how often it was asked for a stream."""
    asked, over = [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def begin(self, status):
            self.send_response(status)
            self.send_header("Access-Control-Allow-Origin", self.headers["Origin"])
            self.send_header("Access-Control-Allow-Headers", "Authorization")
            self.end_headers()

        def do_OPTIONS(self):
            self.begin(204)

        def do_GET(self):
            asked.append(self.headers["Authorization"])
            answer(self, over)

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield asked
    over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def silent(handler, over):
    handler.begin(200)
    handler.wfile.write(b":\n\n")
    over.wait(TIMEOUT)


def refusing(handler, _over):
    handler.begin(401)


def hostile(handler, over):
    handler.begin(200)
    for text in (b"\xff", b"data", b": <img src=x onerror='window.ran=1'>\n\n", b"data: {\n" * 100):
        handler.wfile.write(text)
    over.wait(TIMEOUT)


def test_a_stream_that_says_nothing_for_long_is_dead(new_context, shop, tenant, prove, port):
    with answering(port, silent) as asked:
        context = new_context()
        context.clock.install()
        phone = Phone(context, shop, tenant.pk).visit()
        phone.call("login", prove("Jane"))
        wait_until(lambda: len(asked) == 1)
        # The stream has begun, so nobody asks every few seconds.
        phone.page.wait_for_timeout(500)

        phone.page.clock.fast_forward(51_000)
        phone.page.wait_for_timeout(500)
        phone.page.clock.fast_forward(4_000)

        wait_until(lambda: len(asked) == 2)


def test_a_stream_that_lets_nobody_in_logs_nobody_out(jane, tenant, port):
    with answering(port, refusing) as asked:
        wait_until(lambda: be_online(jane.page) or asked)
        answer(tenant, "Here")
        expect(jane.log).to_contain_text("Here")
        expect(jane.who).to_have_text("Jane")


def test_a_stream_that_says_anything_else_does_nothing(jane, tenant, port):
    with answering(port, hostile) as asked:
        wait_until(lambda: be_online(jane.page) or asked)
        answer(tenant, "Here")
        jane.look()
        expect(jane.log).to_contain_text("Here")
        assert jane.page.evaluate("window.ran") is None


def test_what_a_stream_tells_after_a_logout_is_nobodys(streaming, jane, tenant, watch):
    held, _ = hold(jane.page, "**/v1/stream")
    wait_pumping(jane.page, lambda: be_online(jane.page) or held)
    former = held[0].request.headers["authorization"]
    jane.call("logout")
    before = len(watch.requests)

    with suppress(Error):
        held[0].fulfill(status=200, body='data: {"conversation": "cnv_1"}\n\n')
    jane.page.wait_for_timeout(500)

    later = watch.requests[before:]
    assert [request.url for request in later if request.headers.get("authorization") == former] == []
