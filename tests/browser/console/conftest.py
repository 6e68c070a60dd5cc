"""An agent at the console in a browser, and what there is to see."""

from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import TIMEOUT
from tests.support.servers import Server
from tests.support.tenants import Tenant

expect.set_options(timeout=TIMEOUT)


@dataclass(frozen=True)
class Scene:
    """What is there: Kim, who wrote, Lee, who did not, and a webhook."""

    kim: str
    lee: str
    thread: str
    hook: str


def begin(tenant: Tenant, **claim: Any) -> tuple[str, str]:
    """Log somebody in who writes, and return the ids of both."""
    login = tenant.login(**claim)
    thread = tenant.begin(login["session"]["token"], "Where is it?", subject="Parcel")
    return login["user"]["id"], thread


@pytest.fixture
def scene(tenant: Tenant) -> Scene:
    """Two users, a conversation and a webhook."""
    kim, thread = begin(tenant, userId="u-kim", email="kim@example.org", name="Kim")
    lee = tenant.login(userId="u-lee", name="Lee")["user"]["id"]
    return Scene(kim, lee, thread, add_hook(tenant))


def add_hook(tenant: Tenant) -> str:
    """Add a webhook of a long address that is off, with two secrets and a delivery, and return its id."""
    url = f"https://shop.example.org/{'w' * 500}"
    hook = tenant.call("POST", "/v1/webhooks", tenant.sk, {"url": url}).json["webhook"]["id"]
    tenant.call("PATCH", f"/v1/webhooks/{hook}", tenant.sk, {"enabled": False})
    for what in ("secrets", "test"):
        assert tenant.call("POST", f"/v1/webhooks/{hook}/{what}", tenant.sk).status_code == 201
    return str(hook)


def sign_in(page: Page, server: Server, key: str, name: str = "Ann") -> None:
    page.goto(f"{server.url}/console/sign-in")
    page.get_by_label("Secret key of your app").fill(key)
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def agent(page: Page, server: Server, tenant: Tenant) -> Page:
    """A page in which an agent is signed in."""
    sign_in(page, server, tenant.sk)
    expect(page.get_by_role("status")).to_have_text("You are signed in.")
    return page


def preview_correction(
    page: Page, server: Server, scene: Scene, user_id: str, *, keeps: bool = False
) -> None:
    """Have it shown what a correction of Kim's user ID would do."""
    page.goto(f"{server.url}/console/users/{scene.kim}")
    page.get_by_role("link", name="Correct …").click()
    page.get_by_label("New user ID").fill(user_id)
    page.get_by_label("Keep the old one as an alias").set_checked(keeps)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("Nothing has changed yet.")).to_be_visible()


def say_much(tenant: Tenant, scene: Scene) -> None:
    """Have much said of Kim by name, and have her leave how she can be reached."""
    said = {f"{'W' * 63}{number}": "W" * 1000 for number in range(6)}
    assert tenant.change(scene.kim, attributes=said).status_code == 200
    left = {"email": f"{'w' * 64}@example.org", "phone": "+49 30 901820", "name": "W" * 255}
    token = tenant.session(userId="u-kim")
    assert tenant.call("PUT", "/v1/me/contact", token, left).status_code == 200


def look_for_kim(page: Page, server: Server, scene: Scene) -> None:
    """Have it shown who Kim might be."""
    page.goto(f"{server.url}/console/users/{scene.kim}")
    page.get_by_role("button", name="Who might it be?").click()
    expect(page.get_by_role("heading", name="Who has this email")).to_be_visible()


def pages_of(scene: Scene) -> list[str]:
    return [
        "/console",
        "/console?status=resolved",
        "/console/users",
        f"/console/users/{scene.kim}",
        f"/console/users/{scene.kim}/erase",
        f"/console/users/{scene.kim}/user-id",
        f"/console/users/{scene.kim}/conversations/new",
        f"/console/conversations/{scene.thread}",
        "/console/explain",
        "/console/you",
        "/console/webhooks",
        "/console/webhooks/new",
        f"/console/webhooks/{scene.hook}",
        f"/console/webhooks/{scene.hook}/change",
        f"/console/webhooks/{scene.hook}/remove",
    ]
