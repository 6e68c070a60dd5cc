"""Pictures of the console, for docs/console.md."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.support.servers import Server
from tests.support.tenants import Tenant

SIZES = {"light": {"width": 1000, "height": 760}, "dark": {"width": 390, "height": 760}}
# A time that says nothing of when a picture was made.
SET_CLOCKS = (
    'for (const time of document.querySelectorAll("time")) time.textContent = "21 Nov 2026, 09:30 UTC"'
)


def picture_console(chromium: Browser, server: Server, directory: Path) -> None:
    """Show a user's page, a conversation as on a phone in the dark, and the inbox of two agents."""
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
    for scheme, name in (("light", "console-inbox.png"), ("dark", "console-inbox-dark.png")):
        _picture_inbox(chromium, server, tenant, thread, directory / name, scheme)


def _picture_inbox(
    chromium: Browser, server: Server, tenant: Tenant, thread: str, path: Path, scheme: str
) -> None:
    """Show the inbox of an agent, while another one writes where they look."""
    thread = f"{server.url}/console/conversations/{thread}"
    contexts = [
        chromium.new_context(viewport={"width": 1280, "height": 760}, color_scheme=scheme, locale="en-GB")
        for _ in range(2)
    ]
    dana, ben = (context.new_page() for context in contexts)
    for page, name in ((dana, "Dana"), (ben, "Ben")):
        _sign_in(page, server, tenant, name)
        page.goto(thread)
    ben.get_by_label("Reply").fill("It is")
    expect(dana.locator(".looking")).to_contain_text("writing")
    dana.evaluate(SET_CLOCKS)
    dana.screenshot(path=path)
    for context in contexts:
        context.close()


def _people(tenant: Tenant) -> tuple[str, str]:
    jane = tenant.login(userId="u-17", email="jane@example.org", name="Jane Doe")
    thread = tenant.begin(jane["session"]["token"], "It was due on Monday. Where is it?", subject="Parcel")
    said = {"body": "It left us this morning, and will be there tomorrow.", "agentName": "Dana"}
    tenant.call("POST", f"/v1/conversations/{thread}/messages", tenant.sk, said)
    for name, subject in (("Omar", "Invoice 12"), ("Kim", "A wish"), ("Lee", "Return")):
        tenant.begin(tenant.session(userId=name, name=name), "Could you help me with this?", subject=subject)
    old = tenant.login(email="jane.doe@example.com")["user"]["id"]
    tenant.call("POST", "/v1/merges", tenant.sk, {"from": old, "into": jane["user"]["id"]})
    return jane["user"]["id"], thread


def _sign_in(page: Page, server: Server, tenant: Tenant, name: str = "Dana") -> None:
    page.goto(f"{server.url}/console/sign-in")
    page.get_by_label("Secret key of your app").fill(tenant.sk)
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("status").wait_for()
