"""A person's device: a profile with a page of a shop that embeds the widget, and what is seen of it there."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from playwright.sync_api import BrowserContext, Error, Page, Request

# The widget's root is closed to the page. Tests, and axe-core, have to look inside.
OPEN_ROOTS = """
const attach = Element.prototype.attachShadow;
Element.prototype.attachShadow = function (options) {
  return attach.call(this, { ...options, mode: "open" });
};
"""

# A page asks the others of its device who is there, and waits 100 milliseconds for one that answers. Where
# there is one it waits longer, as a slow machine may need that.
PATIENCE = """
const wait = window.setTimeout;
window.setTimeout = (act, pause, ...given) => wait(act, pause === 100 ? 60000 : pause, ...given);
"""

# All that a page holds or keeps, as one text.
EVERYTHING = """async () => {
  const texts = [];
  const read = (root) => {
    texts.push(root.innerHTML);
    for (const element of root.querySelectorAll("*")) {
      if ("value" in element) texts.push(String(element.value));
      if (element.shadowRoot) read(element.shadowRoot);
    }
  };
  read(document.documentElement);
  texts.push(JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage }));
  texts.push(document.cookie, document.title, location.href, JSON.stringify(history.state));
  texts.push(JSON.stringify(await indexedDB.databases()), JSON.stringify(await caches.keys()));
  return texts.join("\\n");
}"""


class Site:
    """A shop of another origin. Its pages allow no script and no call but the widget's."""

    def __init__(self, port: int, service: str, streams: str = "") -> None:
        self.url = f"http://localhost:{port}"
        self.service = service
        self.streams = streams
        self.pages: dict[str, bytes] = {}  # by path: those that a test wrote by itself

    def page(self, attributes: dict[str, str]) -> bytes:
        """Write the page: one heading, one tag."""
        tag = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
        return (
            '<!doctype html><html lang="en"><title>A shop</title><link rel="icon" href="data:,">'
            f'<script src="{self.service}/widget.js"{tag} async></script>'
            "<main><h1>A shop</h1><p>Goods.</p></main></html>"
        ).encode()

    @property
    def policy(self) -> str:
        connect = f"{self.service} {self.streams}".rstrip()
        return f"default-src 'none'; img-src data:; script-src {self.service}; connect-src {connect}"


@contextmanager
def site(service: str, streams: str = "") -> Iterator[Site]:
    """Have a shop whose page embeds the widget with the attributes that its URL gives."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            page = made.pages.get(url.path) or made.page(dict(parse_qsl(url.query)))
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", made.policy)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Site(server.server_port, service, streams)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


class Phone:
    """One device, and the one page that it shows."""

    def __init__(self, context: BrowserContext, site: Site, key: str) -> None:
        context.add_init_script(OPEN_ROOTS)
        self.context, self.site, self.key = context, site, key
        self.page: Page = context.new_page()
        self.panel = self.page.get_by_role("dialog", name="Support")
        self.log = self.page.get_by_role("log")
        self.field = self.page.get_by_role("textbox", name="Message")
        self.launcher, self.who, self.rows = map(self.page.locator, (".launcher", ".who", ".row"))

    def visit(self, **attributes: str) -> "Phone":
        """Go to the shop, and wait until the widget is there."""
        go_to_shop(self.page, self.site, self.key, **attributes)
        return self

    def another_page(self) -> Page:
        """Show the shop in another page of the device, which has whoever is there in this one."""
        page = self.context.new_page()
        page.add_init_script(PATIENCE)
        go_to_shop(page, self.site, self.key)
        return page

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def open(self) -> None:
        """Open the panel, and wait until somebody is logged in and their conversations are there."""
        self.launcher.click()
        self.page.get_by_role("button", name="Write to us").wait_for()

    def begin(self, message: str, subject: str = "") -> None:
        """Begin a conversation, and stay in it."""
        self.press("Write to us")
        self.page.get_by_label("Subject").fill(subject)
        self.field.fill(message)
        self.press("Send")
        self.log.get_by_text(message).wait_for()

    def call(self, method: str, given: object = None) -> dict:
        """Call the widget as a page does; return what its promise came to, or the code of its failure."""
        return self.page.evaluate(
            "([method, given]) => usher[method](given).catch(({ code }) => ({ code }))", [method, given]
        )

    def look(self) -> None:
        """Have the widget look for news, as it does when its page is turned to."""
        self.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    def everything(self) -> str:
        """Return all that the page holds or keeps, as one text."""
        return self.page.evaluate(EVERYTHING) + json.dumps(self.context.cookies())


def go_to_shop(page: Page, site: Site, key: str, **attributes: str) -> None:
    """Show the shop, and wait until the widget is there."""
    query = "&".join(f"data-{name}={value}" for name, value in ({"key": key} | attributes).items())
    page.goto(f"{site.url}/?{query}")
    page.wait_for_function("window.usher")


def traffic(requests: list[Request]) -> str:
    """Return all that was sent and received, as one text."""
    texts = []
    for request in requests:
        texts += [request.url, str(request.headers), request.post_data or ""]
        try:
            response = request.response()
            texts.append(response.text() if response else "")
        except Error:
            # It was cut off, or has no body.
            continue
    return "\n".join(texts)
