"""Start the distribution's Chromium, for tests and for pictures."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

EXECUTABLE = shutil.which("chromium")
# It calls nobody but the pages that it is given.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# How long a browser waits for what has to appear, in milliseconds.
TIMEOUT = 20_000

expect.set_options(timeout=TIMEOUT)


@contextmanager
def browser() -> Iterator[Browser]:
    """Have a browser without a window. As long as it runs, its event loop is that of the thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=FLAGS)
        yield browser
        browser.close()
