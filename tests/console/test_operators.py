"""The operator at the console: signed in with the admin key, in apps and nowhere else."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from service.api.context import NAME
from service.desk.recovering import recover
from service.encryption import IDENTITY_SECRETS, WEBHOOK_SECRETS, Encryption
from service.store.migrating import migrate
from service.store.tables import OperatorSessions
from tests.conftest import engine_of
from tests.console.conftest import (
    NOBODY,
    Agent,
    guarded_routes,
    held_by,
    require_words,
    settings_of,
    status_with,
)
from tests.support.servers import ADMIN_KEY

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def status_of(app, held):
    client = app.test_client()
    client.set_cookie("usher_console", held, path="/console")
    return client.get("/console/apps").status_code


def is_for_operators(route):
    return route.startswith("/console/apps")


def test_the_admin_key_opens_the_apps_and_is_held_nowhere(operator, tenant, store):
    page = operator.get("/console/apps?done=began")
    require_words(page, "You are signed in.", "Shop", tenant.id)
    kept = store.database.rows(OperatorSessions.select().where(OperatorSessions.app == ""))
    assert kept
    for secret in (ADMIN_KEY, held_by(operator)):
        assert secret not in f"{kept} {page.text}"
    assert ADMIN_KEY not in held_by(operator)


def test_an_operator_reaches_no_page_of_an_agents(app, operator):
    for method, route in guarded_routes(app):
        if not is_for_operators(route) and route != "/console/sign-out":
            answer = operator.client.open(route, method=method, data={"token": operator.token})
            assert answer.status_code == 404, route
            assert "To the apps" in answer.text


@pytest.mark.parametrize("whose", ["their own app", "no app"])
def test_to_an_agent_an_operators_page_is_one_that_there_is_not(app, agent, tenant, whose):
    id = tenant.id if whose == "their own app" else f"app_{NOBODY}"
    nowhere = agent.get(f"/console/users/usr_{NOBODY}")
    routes = [route for route in guarded_routes(app) if is_for_operators(route[1])]
    assert len(routes) > 10
    for method, route in routes:
        sent = {"token": agent.token, "name": "Mine", "kind": "secret", "origin": "https://x.example.org"}
        answer = agent.client.open(route.replace(f"app_{NOBODY}", id), method=method, data=sent)
        assert (answer.status_code, answer.data) == (404, nowhere.data), route
    assert (len(tenant.list_keys()), settings_of(tenant)["origins"]) == (2, [])


def test_of_an_app_that_there_is_not_every_page_is_the_same(app, operator):
    routes = [route for route in guarded_routes(app) if is_for_operators(route[1]) and NOBODY in route[1]]
    fields = {
        "token": operator.token,
        "kind": "secret",
        "origin": "https://x.example.org",
        "sessionDays": "3",
    }
    answers = [
        operator.client.open(path, method=method, data=fields)
        for method, route in routes
        for path in (route, route.replace(f"app_{NOBODY}", "x"))
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1


def test_what_an_operators_browser_holds_is_no_credential_of_the_api(operator, tenant):
    assert tenant.get("/v1/apps", held_by(operator)).status_code == 401


def test_whoever_signs_out_is_out_wherever_that_cookie_is(operator, app):
    held = held_by(operator)
    require_words(operator.follow(operator.post("/console/sign-out")), "You are signed out.")
    assert (held_by(operator), status_of(app, held)) == (None, 401)


@pytest.mark.parametrize("first", ["agent", "operator"])
def test_a_browser_holds_one_sign_in_at_a_time(browser, app, tenant, first):
    keys = [tenant.sk, ADMIN_KEY] if first == "agent" else [ADMIN_KEY, tenant.sk]
    browser.sign_in(keys[0])
    former = held_by(browser)
    browser.sign_in(keys[1])
    assert (status_with(app, former), status_of(app, former)) == (401, 401)
    home = "/console/apps" if first == "agent" else "/console"
    assert browser.get(home).status_code == 200


def test_a_sign_in_lasts_a_working_day_and_is_swept_out_with_the_next(browser, store):
    with time_machine.travel(NOON, tick=False) as clock:
        browser.sign_in(ADMIN_KEY)
        clock.shift(timedelta(hours=8, milliseconds=-1))
        before = browser.get("/console/apps").status_code
        clock.shift(timedelta(milliseconds=1))
        after = browser.get("/console/apps").status_code
        clock.shift(timedelta(hours=1))
        browser.sign_in(ADMIN_KEY)
        is_old = OperatorSessions.began_at <= int(NOON.timestamp() * 1000)
        old = OperatorSessions.select().where((OperatorSessions.app == "") & is_old)
        assert store.database.rows(old) == []
    assert (before, after) == (200, 401)


def test_with_another_admin_key_nobody_is_signed_in_any_more(operator, start):
    assert status_of(start(admin_key=f"{ADMIN_KEY}-2"), held_by(operator)) == 401


@pytest.mark.parametrize("held", ["so_", f"so_{'a' * 43}", "{ak}"])
def test_nothing_else_in_the_cookie_is_an_operator(app, held):
    assert status_of(app, held.format(ak=ADMIN_KEY)) == 401


def test_after_a_restore_no_operator_is_signed_in(start, databases, config):
    # The store that tests share has thousands of apps, and each of them would be recovered.
    url = databases.fresh(engine_of(config.database_url))
    migrate(url)
    app = start(database_url=url)
    operator = Agent(app.test_client())
    assert operator.sign_in(ADMIN_KEY).status_code == 303

    recover(
        app.extensions[NAME].store,
        [Encryption("x" * 32, IDENTITY_SECRETS), Encryption("x" * 32, WEBHOOK_SECRETS)],
        [],
    )
    assert operator.get("/console/apps").status_code == 401
