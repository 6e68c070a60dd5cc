"""Whoever has to sign in anew comes back to where they were; a draft can be read with the same key alone."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from service.model.identifiers import new_credential
from tests.console.conftest import NOBODY, Agent, field_of, text_of
from tests.support.cases import cases

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def late(browser, tenant, scene):
    """An agent whose sign-in has ended."""
    with time_machine.travel(NOON, tick=False) as clock:
        browser.sign_in(tenant.sk, "Ann")
        clock.shift(timedelta(hours=8))
        yield browser


def sign_in_at(browser, page, key):
    """Sign in on a page that asks for it, and return where that leads."""
    back = field_of(page, "back")
    return browser.client.post("/console/sign-in", data={"key": key, "back": back}).headers["Location"]


def test_a_reply_that_comes_too_late_leads_to_sign_in_and_back_to_the_thread(late, tenant, scene):
    thread = f"/console/conversations/{scene.thread}"
    refused = late.post(f"{thread}/messages", body="On its way")

    assert refused.status_code == 401
    assert "no longer" in text_of(refused)
    assert len(tenant.messages(scene.thread)) == 1
    there = sign_in_at(late, refused, tenant.sk)
    assert there == f"{thread}?done=began"
    assert "You are signed in." in text_of(late.get(there))


@cases(
    "method, path, back",
    ("a page", "GET", "/console/users", "/console/users"),
    ("a page of a user", "GET", "/console/users/{kim}/erase", "/console/users/{kim}/erase"),
    ("a form of a user", "POST", "/console/users/{kim}/aliases/preview", "/console/users/{kim}"),
    ("a form of a page that is none", "POST", "/console/merges/choose", "/console"),
)
def test_it_leads_to_the_page_or_to_that_of_the_form(late, tenant, scene, method, path, back):
    shown = late.client.open(path.format(kim=scene.kim), method=method)
    assert sign_in_at(late, shown, tenant.sk) == f"{back.format(kim=scene.kim)}?done=began"


def test_with_the_key_of_another_app_it_leads_to_its_conversations(late, scene, other_tenant):
    shown = late.get(f"/console/conversations/{scene.thread}")
    assert sign_in_at(late, shown, other_tenant.sk) == "/console?done=began"


def test_whoever_was_never_here_comes_to_the_page_that_they_asked_for(browser, tenant, scene):
    shown = browser.get(f"/console/users/{scene.kim}")
    assert sign_in_at(browser, shown, tenant.sk) == f"/console/users/{scene.kim}?done=began"


def test_a_key_that_is_mistyped_first_does_not_lose_the_way(late, tenant, scene):
    back = field_of(late.get(f"/console/users/{scene.kim}"), "back")
    wrong = new_credential("sk", tenant.id)
    refused = late.client.post("/console/sign-in", data={"key": wrong, "back": back})
    assert refused.status_code == 401
    assert sign_in_at(late, refused, tenant.sk) == f"/console/users/{scene.kim}?done=began"


@pytest.mark.parametrize(
    "way",
    [
        " https://evil.example",
        " //evil.example",
        " /console//evil.example",
        " /console/../v1/me",
        " /console\r\nX: y",
        " /console?x",
        " /consoles",
        "/console/users",
        "",
        f"app_{NOBODY} /console/users",
    ],
)
def test_nothing_else_is_led_to(browser, tenant, way):
    answer = browser.client.post("/console/sign-in", data={"key": tenant.sk, "back": way})
    assert answer.headers["Location"] == "/console?done=began"


def drafts_of(agent):
    """What a page tells its script of drafts."""
    return re.search(
        r'<meta name="usher-drafts" data-scope="([^"]+)" data-key="([^"]+)">', agent.get("/console").text
    )


def test_drafts_are_read_with_the_same_key_alone_and_by_nobody_who_is_not_signed_in(app, agent, tenant):
    mine = drafts_of(agent).groups()
    agent.post("/console/sign-out")
    assert "usher-drafts" not in agent.get("/console").text
    agent.sign_in(tenant.sk, "Lee")
    assert drafts_of(agent).groups() == mine

    key = tenant.call("POST", f"/v1/apps/{tenant.id}/keys", tenant.admin_key, {"kind": "secret"}).json["key"]
    other = Agent(app.test_client())
    other.sign_in(key)
    assert all(one != another for one, another in zip(drafts_of(other).groups(), mine, strict=True))
