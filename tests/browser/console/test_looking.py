"""Two agents at one conversation see each other, and soon no more once one of them has left."""

import pytest
from playwright.sync_api import expect

from tests.browser.console.conftest import sign_in
from tests.support.browser_watch import faults


@pytest.fixture
def others(new_context, server, tenant, scene):
    """Lee, who looks at the conversation too, at a second computer."""
    other = new_context().new_page()
    sign_in(other, server, tenant.sk, "Lee")
    expect(other.get_by_role("status").first).to_have_text("You are signed in.")
    return other


def test_two_agents_see_each_other_look_and_write_and_leave(agent, others, server, scene):
    thread = f"{server.url}/console/conversations/{scene.thread}"
    agent.goto(thread)
    others.goto(thread)
    expect(agent.locator(".looking")).to_have_text("L Lee is looking at this too")
    expect(others.locator(".looking")).to_have_text("A Ann is looking at this too")

    others.get_by_label("Reply").fill("It is")
    expect(agent.locator(".looking")).to_have_text("L Lee is writing here too")
    assert faults(agent) == []

    others.goto(f"{server.url}/console/users")
    expect(agent.locator(".looking")).to_have_text("")


def test_whoever_opens_another_conversation_in_the_list_is_seen_there(agent, others, server, tenant, scene):
    other = tenant.begin(tenant.session(userId="u-max", name="Max"), subject="Invoice")
    agent.goto(f"{server.url}/console/conversations/{scene.thread}")
    others.goto(f"{server.url}/console/conversations/{scene.thread}")
    expect(agent.locator(".looking")).to_contain_text("Lee")

    others.get_by_role("link", name="Invoice").click()
    expect(others.get_by_role("heading", level=1)).to_have_text("Invoice")
    expect(agent.locator(".looking")).to_have_text("")
    agent.goto(f"{server.url}/console/conversations/{other}")
    expect(others.locator(".looking")).to_contain_text("Ann")
