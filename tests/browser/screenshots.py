"""Make the pictures in docs/ anew: python -m tests.browser.screenshots DIRECTORY."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect

from tests.browser.console_pictures import picture_console
from tests.support.chromium import browser
from tests.support.demo_server import serve_demo
from tests.support.phones import OPEN_ROOTS
from tests.support.servers import Server
from tests.support.tenants import Tenant


def profile(chromium: Browser, width: int, height: int, scheme: str = "light") -> BrowserContext:
    """Make a device into whose widget we can reach."""
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB", timezone_id="UTC"
    )
    context.add_init_script(OPEN_ROOTS)
    return context


def write(phone: Page | FrameLocator, subject: str, message: str) -> None:
    phone.get_by_role("button", name="Write to us").click()
    phone.get_by_label("Subject").fill(subject)
    phone.get_by_role("textbox", name="Message").fill(message)
    phone.get_by_role("button", name="Send").click()
    expect(phone.get_by_role("log")).to_contain_text(message)


def picture_demo(chromium: Browser, server: Server, path: Path) -> None:
    """Show two phones, on which two people are logged in, and the agent who answers one."""
    context = profile(chromium, 1240, 800)
    page = context.new_page()
    page.goto(f"{server.url}/demo")
    left, right = (page.frame_locator(f'iframe[title="{side} phone"]') for side in ("Left", "Right"))
    write(left, "Delivery", "Do you ship to Brisbane?")
    page.get_by_role("button", name="Log Jane in").first.click()
    expect(left.locator(".who")).to_have_text("Jane")
    write(left, "Order 7", "It has not come.")
    card = page.get_by_role("article").filter(has_text="Order 7")
    card.get_by_label("Answer").fill("It is on its way.")
    card.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="Log Omar in").last.click()
    expect(right.locator(".who")).to_have_text("Omar")
    expect(left.get_by_role("log")).to_contain_text("It is on its way.")
    page.screenshot(path=path, full_page=True)
    context.close()


def picture_widget(
    chromium: Browser, server: Server, tenant: Tenant, path: Path, scheme: str, language: str = "en"
) -> None:
    """Show a thread on a phone, in a language to which the page changes in the end."""
    context = profile(chromium, 360, 480, scheme)
    page = context.new_page()
    page.goto(f"{server.url}/demo/phones/left")
    write(page, "Delivery", "Do you ship to Brisbane?")
    id = tenant.conversations(tenant.sk)[0]
    answer = {"body": "We do, in three days.", "agentName": "Dana"}
    tenant.call("POST", f"/v1/conversations/{id}/messages", tenant.sk, answer)
    expect(page.get_by_role("log")).to_contain_text("We do")
    page.get_by_role("button", name="No, thanks").click()
    page.evaluate("language => document.documentElement.lang = language", language)
    expect(page.locator(f"[lang={language}][dir]")).to_be_attached()
    page.screenshot(path=path)
    context.close()


def main(directory: Path) -> None:
    with (
        tempfile.TemporaryDirectory() as store,
        serve_demo(Path(store)) as (server, tenant),
        browser() as chromium,
    ):
        picture_demo(chromium, server, directory / "demo.png")
        picture_widget(chromium, server, tenant, directory / "widget.png", "light")
        picture_widget(chromium, server, tenant, directory / "widget-dark.png", "dark")
        picture_widget(chromium, server, tenant, directory / "widget-arabic.png", "light", "ar")
        picture_console(chromium, server, directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
