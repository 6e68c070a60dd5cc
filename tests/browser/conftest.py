"""A real browser, and a server that it calls: one of each for a module, a fresh profile for each test.

Where Chromium is not installed these tests are skipped, and say so; REQUIRE_CHROMIUM makes that a failure.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from service.store.migrating import migrate
from tests.support.browser_watch import Watch
from tests.support.chromium import EXECUTABLE, TIMEOUT, browser
from tests.support.servers import Server, serve
from tests.support.tenants import Tenant

HERE = Path(__file__).parent
MISSING = "chromium is not installed: make test-browser installs it and runs these"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests where they cannot run; marked, and not skipped by a fixture, they share one line."""
    if EXECUTABLE is None and not os.environ.get("REQUIRE_CHROMIUM"):
        for item in items:
            if item.path.is_relative_to(HERE):
                item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if EXECUTABLE is None:
        pytest.fail(MISSING)
    with browser() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def server(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/usher.sqlite"
    migrate(url)
    with serve(url, workers=1, WEBHOOK_LOOPBACK="on") as server:
        yield server


@pytest.fixture
def tenant(server: Server) -> Tenant:
    """An app of this test's own on the server."""
    return server.tenant()


@pytest.fixture
def watch(server: Server) -> Iterator[Watch]:
    """Watch every profile of a test; in the end nobody has complained, and no request has gone elsewhere."""
    watch = Watch({server.url})
    yield watch
    assert watch.unwelcome() == []


@pytest.fixture
def new_context(chromium: Browser, watch: Watch) -> Iterator[Callable[..., BrowserContext]]:
    """Make profiles, each a device of its own, with Playwright's options such as ``color_scheme``."""
    with ExitStack() as stack:

        def make(**options: Any) -> BrowserContext:
            context = stack.enter_context(chromium.new_context(**options))
            context.set_default_timeout(TIMEOUT)
            watch.look_at(context)
            return context

        yield make


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    return new_context()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
