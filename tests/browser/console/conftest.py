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
    """What is there: Kim, who wrote, and Lee, who did not."""

    kim: str
    lee: str
    thread: str


def begin(tenant: Tenant, **claim: Any) -> tuple[str, str]:
    """Log somebody in who writes, and return the ids of both."""
    login = tenant.login(**claim)
    thread = tenant.begin(login["session"]["token"], "Where is it?", subject="Parcel")
    return login["user"]["id"], thread


@pytest.fixture
def scene(tenant: Tenant) -> Scene:
    """Two users and a conversation."""
    kim, thread = begin(tenant, userId="u-kim", email="kim@example.org", name="Kim")
    return Scene(kim, tenant.login(userId="u-lee", name="Lee")["user"]["id"], thread)


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


def pages_of(scene: Scene) -> list[str]:
    return [
        "/console",
        "/console?status=resolved",
        "/console/users",
        f"/console/users/{scene.kim}",
        f"/console/users/{scene.kim}/erase",
        f"/console/conversations/{scene.thread}",
        "/console/explain",
    ]
