"""What a browser does while a test runs, and what it shows that keeps people from using a page."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Frame, Page, Request, Route, WebError

from tests.support.servers import wait_until

# Schemes that reach nobody.
HERE = ("about", "blob", "data")
GRAVE = ("serious", "critical")


class Watch:
    """Hears what profiles say on the console and which errors nobody caught, and sees every request.

    ``origins`` are where requests may go. A complaint that a test provokes it takes out of ``complaints``
    itself, with ``expect``.
    """

    def __init__(self, origins: set[str]) -> None:
        self.origins = origins
        self.complaints: list[str] = []
        self._excused: list[str] = []
        self.requests: list[Request] = []

    def look_at(self, context: BrowserContext) -> None:
        """Watch a profile from now on."""
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("request", self._on_request)

    def expect(self, text: str) -> None:
        """Forgive the complaints that hold this text, of which there is at least one."""
        others = [complaint for complaint in self.complaints if text not in complaint]
        assert others != self.complaints, f"nobody complained of {text}: {self.complaints}"
        self.complaints = others

    def excuse(self, text: str) -> None:
        """Forgive the complaints that hold this text also if they come later, or not at all.

        A page that looks for news by the clock may have asked just then.
        """
        self._excused.append(text)

    def unwelcome(self) -> list[str]:
        """Return the complaints and the requests that went where none may go."""
        complaints = [one for one in self.complaints if not any(text in one for text in self._excused)]
        elsewhere = [request.url for request in self.requests if not self._may_go_to(request.url)]
        return complaints + elsewhere

    def _on_request(self, request: Request) -> None:
        self.requests.append(request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def _on_error(self, error: WebError) -> None:
        self.complaints.append(str(error.error))

    def _may_go_to(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in HERE or f"{parts.scheme}://{parts.netloc}" in self.origins


def hold(page: Page, pattern: str, **options: Any) -> tuple[list[Route], Callable[[], None]]:
    """Keep requests from being answered; return the list that they are in, and what waits for the first."""
    kept: list[Route] = []
    # Playwright leaves a mark on what it calls, so this cannot be the list's own method.
    page.route(pattern, lambda route: kept.append(route), **options)  # noqa: PLW0108

    def wait() -> None:
        # It tells of its requests while it is asked for something.
        wait_until(lambda: page.wait_for_timeout(20) or kept)

    return kept, wait


def since(requests: list[Request], path: str) -> list[Request]:
    """Return the requests from the last one to a path on.

    A browser tells of them later than a page makes them, and in that order.
    """
    return requests[max(at for at, request in enumerate(requests) if urlsplit(request.url).path == path) :]


def faults(page: Page | Frame) -> list[str]:
    """Return what axe-core finds that is serious or critical, with the elements that have it.

    It looks into open shadow roots, and not into frames: ask those one by one.
    """
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['target']}: {node.get('failureSummary')}"
        for fault in found
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]
