"""Pictures of the console, for docs/console.md."""

from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.support.servers import Server
from tests.support.tenants import Tenant

SIZES = {"light": {"width": 1000, "height": 760}, "dark": {"width": 390, "height": 760}}
# A time that says nothing of when a picture was made.
SET_CLOCKS = (
    'for (const time of document.querySelectorAll("time")) time.textContent = "21 Nov 2026, 09:30 UTC"'
)


def picture_console(chromium: Browser, server: Server, directory: Path) -> None:
    """Show a user's page as on a desk, and a conversation as on a phone in the dark."""
    tenant = server.tenant()
    user, thread = _people(tenant)
    for scheme, path, name in (
        ("light", f"/console/users/{user}", "console.png"),
        ("dark", f"/console/conversations/{thread}", "console-phone.png"),
    ):
        context = chromium.new_context(viewport=SIZES[scheme], color_scheme=scheme, locale="en-GB")
        page = context.new_page()
        _sign_in(page, server, tenant)
        page.goto(f"{server.url}{path}")
        page.evaluate(SET_CLOCKS)
        page.screenshot(path=directory / name, full_page=name == "console-phone.png")
        context.close()


def _people(tenant: Tenant) -> tuple[str, str]:
    jane = tenant.login(userId="u-17", email="jane@example.org", name="Jane Doe")
    thread = tenant.begin(jane["session"]["token"], "It was due on Monday. Where is it?", subject="Parcel")
    said = {"body": "It left us this morning, and will be there tomorrow.", "agentName": "Dana"}
    tenant.call("POST", f"/v1/conversations/{thread}/messages", tenant.sk, said)
    old = tenant.login(email="jane.doe@example.com")["user"]["id"]
    tenant.call("POST", "/v1/merges", tenant.sk, {"from": old, "into": jane["user"]["id"]})
    return jane["user"]["id"], thread


def _sign_in(page: Page, server: Server, tenant: Tenant) -> None:
    page.goto(f"{server.url}/console/sign-in")
    page.get_by_label("Secret key of your app").fill(tenant.sk)
    page.get_by_label("Your name").fill("Dana")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("status").wait_for()
