"""An agent does everything there is to do, and no other site does it in their name."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.console.conftest import preview_correction, sign_in
from tests.support.tenants import Tenant


def conversation(tenant: Tenant, id: str) -> dict[str, Any]:
    return dict(tenant.call("GET", f"/v1/conversations/{id}", tenant.sk).json)


def messages(tenant: Tenant, id: str) -> list[dict[str, Any]]:
    return list(tenant.call("GET", f"/v1/conversations/{id}/messages", tenant.sk).json["data"])


def said(page: Page) -> Locator:
    """What a screen reader is told."""
    return page.locator("[data-news]")


def user(tenant: Tenant, id: str) -> Any:
    return tenant.call("GET", f"/v1/users/{id}", tenant.sk)


# --- in and out ----------------------------------------------------------------------------------


def test_an_agent_signs_in_and_out(agent, server, watch):
    assert agent.evaluate("document.cookie") == ""

    agent.get_by_role("button", name="Sign out").click()

    expect(agent.get_by_role("status")).to_have_text("You are signed out.")
    agent.goto(f"{server.url}/console")
    expect(agent.get_by_label("Secret key of your app")).to_be_visible()
    watch.expect("401")


def test_a_key_that_opens_nothing_is_said_to(page, server, tenant, watch):
    sign_in(page, server, tenant.sk[:-1])

    expect(page.get_by_role("alert")).to_contain_text("Nobody has this key")
    assert page.context.cookies() == []
    watch.expect("401")


def test_with_its_key_deleted_a_page_is_the_last(agent, server, tenant, scene, watch):
    # That page does not look for news, by which it would end by itself.
    agent.goto(f"{server.url}/console/you")
    keys = tenant.call("GET", f"/v1/apps/{tenant.id}/keys", tenant.admin_key).json["data"]
    for key in keys:
        tenant.call("DELETE", f"/v1/apps/{tenant.id}/keys/{key['id']}", tenant.admin_key)

    agent.get_by_role("link", name="Users").click()

    expect(agent.get_by_role("alert")).to_contain_text("no longer")
    watch.expect("401")


# --- everything there is to do -------------------------------------------------------------------


def test_a_reply_as_long_as_one_may_be_can_be_typed(agent, server, tenant, scene):
    agent.goto(f"{server.url}/console/conversations/{scene.thread}")

    agent.get_by_label("Reply").focus()
    # What is filled in by a script heeds no limit of the field; what is typed does.
    agent.keyboard.insert_text("\N{GRINNING FACE}" * 10_000)
    agent.get_by_role("button", name="Send the reply").click()

    expect(said(agent)).to_have_text("Your reply was sent.")
    assert messages(tenant, scene.thread)[-1]["body"] == "\N{GRINNING FACE}" * 10_000


def test_an_agent_reads_replies_resolves_and_reopens(agent, tenant, scene):
    agent.reload()
    agent.get_by_role("link", name="Parcel").click()
    expect(agent.get_by_text("Where is it?")).to_be_visible()
    expect(agent.locator(".count")).to_have_count(0)

    agent.get_by_label("Reply").fill("On its\nway")
    agent.get_by_role("button", name="Send the reply").click()
    expect(said(agent)).to_have_text("Your reply was sent.")
    expect(agent.get_by_label("Reply")).to_have_value("")
    agent.get_by_role("button", name="Resolve").click()
    expect(said(agent)).to_have_text("The conversation is resolved.")
    resolved = conversation(tenant, scene.thread)
    agent.get_by_role("button", name="Reopen").click()
    expect(said(agent)).to_have_text("The conversation is open again.")

    written = messages(tenant, scene.thread)[-1]
    assert (written["body"], written["author"]["name"]) == ("On its\nway", "Ann")
    assert (resolved["status"], resolved["unread"]) == ("resolved", 0)
    assert conversation(tenant, scene.thread)["status"] == "open"


@pytest.mark.parametrize("what", ["u-kim", "kim@example.org", "Ki"], ids=["user ID", "email", "name"])
def test_an_agent_finds_a_user_and_sees_what_is_known(agent, scene, what):
    agent.get_by_label("User ID, email or name").fill(what)
    agent.get_by_role("button", name="Find").click()
    agent.get_by_role("link", name="Kim", exact=True).click()

    expect(agent.get_by_role("heading", level=1)).to_have_text("Kim")
    expect(agent.get_by_text("Created with user ID “u-kim”")).to_be_visible()
    expect(agent.get_by_role("link", name="Parcel")).to_be_visible()
    assert "kim" not in agent.url.lower()


def test_an_agent_merges_after_a_preview_and_undoes_it(agent, server, tenant, scene):
    agent.goto(f"{server.url}/console/users/{scene.kim}")
    agent.get_by_label("Who is the same person").fill("u-lee")
    agent.get_by_role("button", name="Preview a merge").click()
    expect(agent.get_by_text("Nothing has changed yet.")).to_be_visible()
    for _ in range(2):
        agent.get_by_role("button", name="The other way round").click()
    assert user(tenant, scene.lee).json["id"] == scene.lee

    agent.get_by_role("button", name="Merge the two").click()
    expect(agent.get_by_role("status")).to_contain_text("The two are one user now.")
    merged = user(tenant, scene.lee).json
    agent.get_by_role("button", name="Undo this merge").click()
    expect(agent.get_by_role("status")).to_contain_text("The merge was undone")

    assert (merged["id"], merged["aliases"]) == (scene.kim, ["u-lee"])
    assert user(tenant, scene.lee).json["id"] == scene.lee


def test_an_agent_corrects_an_id_after_a_preview_and_takes_the_old_one_away(agent, server, tenant, scene):
    preview_correction(agent, server, scene, "u-kim-2", keeps=True)
    expect(agent.get_by_role("row", name="u-kim-2")).to_contain_text("this user")
    before = user(tenant, scene.kim).json
    agent.get_by_role("button", name="Correct the ID").click()
    expect(agent.get_by_role("status")).to_have_text("The user ID was corrected.")
    corrected = user(tenant, scene.kim).json

    agent.get_by_role("button", name="Take away u-kim …", exact=True).click()
    expect(agent.get_by_role("row", name="u-kim a new user")).to_be_visible()
    agent.get_by_role("button", name="Take the ID away").click()
    expect(agent.get_by_role("status")).to_have_text("The user ID was taken away.")

    assert (before["userId"], corrected["userId"], corrected["aliases"]) == ("u-kim", "u-kim-2", ["u-kim"])
    assert user(tenant, scene.kim).json["aliases"] == []


def test_what_somebody_else_corrects_meanwhile_is_shown_before_anything_is_done(
    agent, server, tenant, scene, watch
):
    preview_correction(agent, server, scene, "u-kim-2")
    assert tenant.correct_id(scene.kim, "u-kim-3").status_code == 200

    agent.get_by_role("button", name="Correct the ID").click()
    expect(agent.get_by_role("alert")).to_contain_text("Nothing was changed")
    expect(agent.get_by_role("alert")).to_contain_text("the user’s IDs")
    still = user(tenant, scene.kim).json["userId"]
    agent.get_by_role("button", name="Correct the ID").click()
    expect(agent.get_by_role("status")).to_have_text("The user ID was corrected.")

    assert (still, user(tenant, scene.kim).json["userId"]) == ("u-kim-3", "u-kim-2")
    watch.expect("409")


def test_an_agent_has_a_login_explained_that_nobody_makes(agent, tenant, scene):
    def kept():
        """Return what is kept of Kim, but for what whoever works adds a moment later."""
        exported = tenant.call("GET", f"/v1/users/{scene.kim}/export", tenant.sk).json
        return {name: value for name, value in exported.items() if name != "comparedBy"}

    before = kept()
    agent.get_by_role("link", name="Explain a login").click()
    agent.get_by_label("User ID").fill("u-kim")
    agent.get_by_label("Name").fill("Somebody")
    agent.get_by_role("button", name="Explain").click()

    expect(agent.get_by_text("known-user-id")).to_be_visible()
    expect(agent.get_by_role("link", name="Kim", exact=True)).to_be_visible()
    assert kept() == before


def test_an_agent_erases_a_user_after_a_tick(agent, server, tenant, scene, watch):
    agent.goto(f"{server.url}/console/users/{scene.kim}")
    agent.get_by_role("link", name="Erase this user").click()
    agent.get_by_role("button", name="Erase").click()
    expect(agent.get_by_role("alert")).to_contain_text("Nothing was erased.")
    there = user(tenant, scene.kim).status_code

    agent.get_by_label("Erase this user for good").check()
    agent.get_by_role("button", name="Erase").click()
    expect(agent.get_by_role("status")).to_contain_text("The user was erased")

    assert (there, user(tenant, scene.kim).status_code) == (200, 404)
    watch.expect("422")


def test_what_would_move_by_now_is_shown_again(agent, server, tenant, scene, watch):
    agent.goto(f"{server.url}/console/users/{scene.kim}")
    agent.get_by_label("Who is the same person").fill("u-lee")
    agent.get_by_role("button", name="Preview a merge").click()
    expect(agent.get_by_text("Nothing has changed yet.")).to_be_visible()
    tenant.begin(tenant.session(userId="u-lee"))

    agent.get_by_role("button", name="Merge the two").click()

    expect(agent.get_by_role("alert")).to_contain_text("no longer what you were shown: the conversations.")
    watch.expect("409")


# --- strangers -----------------------------------------------------------------------------------


def test_the_form_of_another_site_does_nothing_even_with_a_token(agent, server, tenant, scene, watch):
    agent.goto(f"{server.url}/console/conversations/{scene.thread}")
    token = agent.locator("input[name=token]").first.input_value()
    form = (
        f'<form method="post" action="{server.url}/console/conversations/{scene.thread}/status">'
        f'<input name="token" value="{token}"><input name="status" value="resolved">'
        "<button>Go</button></form>"
    )
    watch.origins.add("http://evil.example.org")
    agent.context.route(
        "http://evil.example.org/**", lambda route: route.fulfill(body=form, content_type="text/html")
    )

    agent.goto("http://evil.example.org/")
    agent.get_by_role("button", name="Go").click()

    expect(agent.get_by_label("Secret key of your app")).to_be_visible()
    assert conversation(tenant, scene.thread)["status"] == "open"
    watch.complaints.clear()


def test_no_page_is_shown_in_a_frame(agent, server, watch):
    watch.origins |= {"http://evil.example.org", "chrome-error://chromewebdata"}
    frame = f'<iframe src="{server.url}/console/sign-in"></iframe>'
    agent.context.route(
        "http://evil.example.org/**", lambda route: route.fulfill(body=frame, content_type="text/html")
    )

    agent.goto("http://evil.example.org/")

    assert agent.frame_locator("iframe").get_by_label("Secret key of your app").count() == 0
    watch.complaints.clear()
