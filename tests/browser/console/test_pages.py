"""Nothing that anybody writes runs on a page, and everybody can use it."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.console.conftest import look_for_kim, pages_of, preview_correction, say_much, sign_in
from tests.support.browser_watch import faults
from tests.support.tenants import Tenant

PHONE = {"width": 320, "height": 640}
# Each of them would leave a mark on the page in which it runs.
PAYLOADS = (
    "<script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    '"><svg onload="window.ran = 1">',
    "</textarea></title><iframe srcdoc='<script>parent.window.ran = 1</script>'>",
    "{{ 7 * 7 }}${7 * 7}javascript:window.ran=1",
)


# --- nothing runs ---


@pytest.fixture
def hostile(tenant: Tenant) -> list[str]:
    """Everything that users can write, written with an aim; return the pages that show it."""
    paths = ["/console", "/console/users"]
    for number, payload in enumerate(PAYLOADS):
        id = f"{number}{re.sub(' ', '_', payload)}"
        kim = tenant.login(userId=id, name=payload)
        thread = tenant.begin(kim["session"]["token"], payload, subject=payload)
        reply = {"body": payload, "agentName": payload}
        tenant.call("POST", f"/v1/conversations/{thread}/messages", tenant.sk, reply)
        tenant.call("POST", f"/v1/users/{kim['user']['id']}/aliases", tenant.sk, {"userId": f"2{id}"})
        tenant.call("PATCH", f"/v1/users/{kim['user']['id']}", tenant.sk, {"name": f"{payload}!"})
        lee = tenant.login(userId=f"3{id}", name=payload)["user"]["id"]
        tenant.call("POST", "/v1/merges", tenant.sk, {"from": lee, "into": kim["user"]["id"]})
        tenant.call("PATCH", f"/v1/users/{kim['user']['id']}", tenant.sk, {"attributes": {"said": payload}})
        tenant.call("PUT", "/v1/me/contact", kim["session"]["token"], {"name": payload})
        paths += [
            f"/console/users/{kim['user']['id']}",
            f"/console/users/{kim['user']['id']}/erase",
            f"/console/users/{kim['user']['id']}/user-id",
            f"/console/conversations/{thread}",
        ]
    return paths


def test_nothing_that_users_write_runs_anywhere(page, server, tenant, hostile):
    sign_in(page, server, tenant.sk, PAYLOADS[0])
    for path in hostile:
        page.goto(f"{server.url}{path}")

        assert page.evaluate("window.ran") is None
        assert page.locator("main script, main img, main svg, main iframe").count() == 0
        expect(page.get_by_text("window.ran").first).to_be_visible()


def test_nothing_that_an_agent_types_runs_either(page, server, tenant, hostile):
    sign_in(page, server, tenant.sk)
    for payload in PAYLOADS:
        page.goto(f"{server.url}/console/users")
        page.get_by_label("User ID, email or name").fill(payload)
        page.get_by_role("button", name="Find").click()
        expect(page.get_by_role("heading", name="Beginning with")).to_contain_text(payload)
        assert page.evaluate("window.ran") is None

        page.goto(f"{server.url}/console/explain")
        page.get_by_label("User ID").fill(f"0{payload}".replace(" ", "_"))
        page.get_by_label("Name").fill(payload)
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_role("heading", name="It would")).to_be_visible()
        assert page.evaluate("window.ran") is None


def test_nothing_that_somebody_left_runs_where_it_is_looked_for(agent, server, tenant):
    token = tenant.login(userId="u-kim", name=PAYLOADS[0])["session"]["token"]
    email = "x'onload='window.ran=1'@example.org"
    answer = tenant.call("PUT", "/v1/me/contact", token, {"email": email, "name": PAYLOADS[1]})
    assert answer.status_code == 200
    tenant.login(userId="u-lee", name=PAYLOADS[2], email=email)
    agent.goto(f"{server.url}/console/users")
    agent.get_by_role("link", name=PAYLOADS[0]).click()

    agent.get_by_role("button", name="Who might it be?").click()

    expect(agent.get_by_role("link", name=PAYLOADS[0])).to_be_visible()
    expect(agent.get_by_role("region", name="Who has this email")).to_contain_text(PAYLOADS[2])
    assert agent.evaluate("window.ran") is None
    assert agent.locator("main script, main img, main svg, main iframe").count() == 0


# --- for everybody -------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_used_by_everybody(new_context, server, tenant, scene, scheme):
    say_much(tenant, scene)
    page = new_context(color_scheme=scheme).new_page()
    page.goto(f"{server.url}/console/sign-in")
    found = {"/console/sign-in": faults(page)}
    sign_in(page, server, tenant.sk)
    for path in pages_of(scene):
        page.goto(f"{server.url}{path}")
        found[path] = faults(page)
    page.goto(f"{server.url}/console/users/{scene.kim}")
    page.get_by_label("Who is the same person").fill("u-lee")
    page.get_by_role("button", name="Preview a merge").click()
    expect(page.get_by_text("Nothing has changed yet.")).to_be_visible()
    found["preview"] = faults(page)
    preview_correction(page, server, scene, "u-kim-2")
    found["preview of a correction"] = faults(page)
    look_for_kim(page, server, scene)
    found["who it might be"] = faults(page)

    assert {path: some for path, some in found.items() if some} == {}


def test_an_error_can_be_read_by_everybody(agent, server, watch):
    agent.goto(f"{server.url}/console/users/usr_{'0' * 32}")

    expect(agent.get_by_role("heading", level=1)).to_have_text("There is nothing here")
    assert faults(agent) == []
    watch.expect("404")


def test_on_a_phone_nothing_is_wider_than_the_screen(new_context, server, tenant, scene):
    say_much(tenant, scene)
    page = new_context(viewport=PHONE, has_touch=True, is_mobile=True).new_page()
    sign_in(page, server, tenant.sk)

    wide = {}
    for path in pages_of(scene):
        page.goto(f"{server.url}{path}")
        wide[path] = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    preview_correction(page, server, scene, "u-kim-" + "2" * 100)
    wide["preview"] = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    look_for_kim(page, server, scene)
    wide["who it might be"] = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")

    assert {path: by for path, by in wide.items() if by > 0} == {}


def test_the_keyboard_alone_signs_in_and_skips_to_the_content(page, server, tenant):
    page.goto(f"{server.url}/console/sign-in")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type(tenant.sk)
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_have_text("You are signed in.")


def test_every_request_goes_to_the_console_itself(agent, server, scene, watch):
    for path in pages_of(scene):
        agent.goto(f"{server.url}{path}")

    assert len(watch.requests) > 10
    assert {request.url.startswith(f"{server.url}/console") for request in watch.requests} == {True}
