"""An agent is out when they sign out, when the day is over, and when the key is gone."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from service.model.identifiers import new_credential
from service.store.tables import ConsoleSessions
from tests.console.conftest import Agent, guarded_routes, held_by, status_with, text_of
from tests.support.servers import ADMIN_KEY

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_every_page_and_form_wants_somebody_signed_in(app, browser):
    answers = {route: browser.client.open(route[1], method=route[0]) for route in guarded_routes(app)}
    assert len(answers) > 15
    assert {route for route, answer in answers.items() if answer.status_code != 401} == set()
    assert {
        route for route, answer in answers.items() if "Secret key of your app" not in answer.text
    } == set()


def test_whoever_was_never_here_is_not_told_that_something_is_wrong(browser):
    assert 'role="alert"' not in browser.get("/console").text


@pytest.mark.parametrize("held", ["", "si_", "{sk}", "{st}", "{ak}", "{unknown}", "\x01", "é"])
def test_nothing_else_in_the_cookie_opens_the_console(app, tenant, held):
    kinds = {
        "sk": tenant.sk,
        "st": tenant.session(userId="u-1"),
        "ak": ADMIN_KEY,
        "unknown": new_credential("si", tenant.id),
    }
    assert status_with(app, held.format(**kinds)) == 401


def test_whoever_signs_out_is_out_wherever_that_cookie_is(agent, app):
    held = held_by(agent)
    assert "You are signed out." in text_of(agent.follow(agent.post("/console/sign-out")))
    assert held_by(agent) is None
    assert status_with(app, held) == 401


def test_to_sign_out_leaves_other_agents_in(agent, app, tenant):
    other = Agent(app.test_client())
    other.sign_in(tenant.sk)
    agent.post("/console/sign-out")
    assert other.get("/console").status_code == 200


def test_with_a_deleted_key_its_agents_are_out_at_once(agent, tenant):
    keys = tenant.list_keys()
    key = next(key["id"] for key in keys if key["kind"] == "secret")
    tenant.call("DELETE", f"/v1/apps/{tenant.id}/keys/{key}", tenant.admin_key)
    answer = agent.get("/console")
    assert answer.status_code == 401
    assert "no longer" in text_of(answer)
    assert held_by(agent) is None


def test_with_a_deleted_app_its_agents_are_out_at_once(agent, tenant):
    assert tenant.call("DELETE", f"/v1/apps/{tenant.id}", tenant.admin_key).status_code == 204
    assert agent.get("/console").status_code == 401


def test_a_sign_in_lasts_a_working_day(browser, tenant):
    with time_machine.travel(NOON, tick=False) as clock:
        browser.sign_in(tenant.sk)
        clock.shift(timedelta(hours=8, milliseconds=-1))
        before = browser.get("/console").status_code
        clock.shift(timedelta(milliseconds=1))
        after = browser.get("/console").status_code
    assert (before, after) == (200, 401)


def test_who_signs_in_sweeps_out_those_whose_day_is_over(app, tenant, store):
    with time_machine.travel(NOON, tick=False) as clock:
        Agent(app.test_client()).sign_in(tenant.sk)
        clock.shift(timedelta(hours=9))
        Agent(app.test_client()).sign_in(tenant.sk)
    kept = ConsoleSessions.select(ConsoleSessions.digest).where(ConsoleSessions.app == tenant.id)
    assert len(store.database.rows(kept)) == 1


def test_a_key_that_opens_the_console_says_when_it_was_last_used(tenant, browser):
    with time_machine.travel(NOON + timedelta(days=900), tick=False):
        browser.sign_in(tenant.sk)
    with time_machine.travel(NOON + timedelta(days=900, hours=1), tick=False):
        browser.get("/console")
    keys = tenant.list_keys()
    assert next(key["lastUsedAt"] for key in keys if key["kind"] == "secret").startswith("2029-05-09T13:00")
