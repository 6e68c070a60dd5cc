"""An operator sets up an app, on a phone too, and nothing is in the way of anybody who uses these pages."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.console.conftest import sign_in
from tests.support.browser_watch import faults

PHONE = {"width": 360, "height": 640}


def require_usable(page):
    """Assert that a page can be used by everybody, and is not wider than the screen."""
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_operator_sets_up_an_app_on_a_phone(new_context, server, tenant, watch, scheme):
    page = new_context(viewport=PHONE, color_scheme=scheme).new_page()
    sign_in(page, server, tenant.admin_key)
    page.get_by_label("Name of a new app").fill("Cellar")
    require_usable(page)
    page.get_by_role("button", name="Add the app").click()
    expect(page.get_by_role("status")).to_contain_text("The app was added.")

    page.get_by_label("merge-once").check()
    page.get_by_label("Longest session").fill("14")
    require_usable(page)
    page.get_by_role("button", name="Preview the change").click()
    expect(page.get_by_text("14 days")).to_be_visible()
    require_usable(page)
    page.get_by_role("button", name="Change", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("The app was changed.")
    expect(page.get_by_label("merge-once")).to_be_checked()

    page.get_by_role("link", name="Origins").click()
    page.get_by_label("Another origin").fill("https://Shop.example.org/help")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_label("Another origin")).to_have_value("https://shop.example.org")
    watch.expect("422")
    require_usable(page)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("may call from now on")
    page.get_by_label("Address of the page").fill("shop.example.org/cart")
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("calls are served")).to_be_visible()
    require_usable(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_key_is_rotated_and_the_one_in_use_is_not_deleted_by_mistake(new_context, server, tenant, scheme):
    page = new_context(viewport=PHONE, color_scheme=scheme).new_page()
    tenant.get("/v1/users")
    sign_in(page, server, tenant.admin_key)
    page.goto(f"{server.url}/console/apps/{tenant.id}/keys")
    require_usable(page)
    page.get_by_role("link", name=re.compile("^Rotate")).first.click()
    require_usable(page)
    page.get_by_role("button", name="Make the new one").click()
    assert page.locator(".secret").inner_text().startswith("sk_")
    require_usable(page)
    page.get_by_role("link", name="I have it").click()
    expect(page.get_by_text("There is a newer one.")).to_be_visible()

    page.get_by_role("link", name=re.compile("^Delete")).first.click()
    require_usable(page)
    page.get_by_role("button", name="Delete").click()
    # The browser asks for the box first.
    expect(page.get_by_text("Delete a key?")).to_be_visible()
    page.get_by_label("I know that it is in use").check()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_contain_text("The key was deleted.")
    assert tenant.get("/v1/users").status_code == 401
