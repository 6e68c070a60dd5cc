"""Who somebody is, and why, beside what they wrote."""

import html
import re

import pytest

from service.desk.users import SHOWN
from service.rules.reasons import TABLES, reason_of
from tests.console.conftest import require_words

HOSTILE = "<script>alert(1)</script>"


def beside(agent, thread):
    """What stands beside a thread."""
    page = agent.get(f"/console/conversations/{thread}")
    assert page.status_code == 200
    return page.text.partition("<aside")[2].partition(">")[2].partition("</aside>")[0]


def words(marks):
    return html.unescape(" ".join(re.sub("<[^>]*>", " ", marks).split()))


def test_what_is_known_of_somebody_stands_beside_what_they_wrote(agent, tenant, scene):
    tenant.alias(scene.kim, "further-id")
    tenant.change(scene.kim, attributes={"plan": "gold"})
    tenant.call("PUT", "/v1/me/contact", tenant.session(userId="u-kim"), {"phone": "+49 30 901820"})
    bought = {"userId": "u-kim", "product": "pro", "transaction": "t-1"}
    account = {"storeAccount": {"store": "app_store", "account": "a-1"}}
    tenant.call("POST", "/v1/purchases", tenant.sk, bought | account)

    said = words(beside(agent, scene.thread))

    for known in (
        "u-kim",
        "further-id",
        "kim@example.org",
        "Kim",
        "plan gold",
        "+49 30 901820",
        "pro active",
    ):
        assert known in said
    assert "said, not proven" in said
    assert "Proven Yes: by the app’s own backend" in said
    assert "Device" in said


def test_the_last_decisions_are_told_with_their_rules_and_why(agent, tenant, scene):
    said = words(beside(agent, scene.thread))
    assert "Created with user ID “u-kim”, email “kim@example.org” and name “Kim”." in said
    assert f"rule new-user-id : {reason_of('new-user-id')}" in said


def test_a_users_page_says_why_in_the_same_words(agent, scene):
    require_words(agent.get(f"/console/users/{scene.kim}"), f"rule new-user-id : {reason_of('new-user-id')}")


def test_of_a_rule_that_is_no_more_the_name_is_left():
    assert (reason_of("former-rule"), reason_of(None)) == (None, None)


def test_no_two_rules_of_a_history_have_one_name():
    names = [rule.name for table in TABLES for rule in table.rules]
    assert len(names) == len(set(names))


def test_who_was_merged_in_is_shown_with_what_they_brought_and_can_be_taken_apart(agent, tenant, scene):
    lee = tenant.known(userId="u-max", email="max@example.org")
    merge = tenant.merge(lee, scene.kim)
    shown = beside(agent, scene.thread)
    assert f"Became part of them {lee} u-max max@example.org" in words(shown)
    assert f"rule explicit : {reason_of('explicit')}" in words(shown)
    assert f'action="/console/merges/{merge}/undo"' in shown

    agent.follow(agent.post(f"/console/merges/{merge}/undo"))

    assert "Became part of them" not in words(beside(agent, scene.thread))


def test_after_a_merge_it_shows_who_it_is_by_now(agent, tenant, scene):
    tenant.merge(scene.kim, scene.lee)
    shown = beside(agent, scene.thread)
    assert f'href="/console/users/{scene.lee}"' in shown
    assert f'name="user" value="{scene.lee}"' in shown
    assert "u-lee" in words(shown)


def test_from_there_an_id_is_corrected_or_taken_away_and_somebody_merged(agent, scene):
    shown = beside(agent, scene.thread)
    assert f'href="/console/users/{scene.kim}/user-id"' in shown
    assert f'action="/console/users/{scene.kim}/aliases/preview"' in shown
    assert 'action="/console/merges/choose"' in shown
    require_words(
        agent.post("/console/merges/choose", user=scene.kim, other="u-lee"), "Nothing has changed yet."
    )


def test_who_is_nobody_yet_is_said_to_be(agent, tenant):
    thread = tenant.begin(tenant.session())
    said = words(beside(agent, thread))
    assert "Anonymous user anonymous" in said
    assert "Give a user ID" in said


def test_whose_sessions_ended_is_logged_in_nowhere(agent, tenant, scene):
    tenant.call("POST", "/v1/logout", tenant.sk, {"user": scene.kim})
    assert "Logged in nowhere." in words(beside(agent, scene.thread))


def test_of_much_the_first_few_are_shown_and_where_the_rest_is(agent, tenant, scene):
    for number in range(SHOWN + 2):
        tenant.alias(scene.kim, f"alias-{number}")
        tenant.merge(tenant.known(email=f"{number}@example.org"), scene.kim)
    shown = beside(agent, scene.thread)
    said = words(shown)
    assert "alias-4" in said
    assert "alias-5" not in said.partition("What was decided")[0]
    assert said.count("2 more") == 2
    assert shown.count("/undo") == SHOWN
    assert f"/console/users/{scene.kim}#history" in shown


def test_nothing_that_was_said_is_taken_for_marks(agent, tenant):
    token = tenant.session(userId=HOSTILE, name=HOSTILE)
    tenant.call("PUT", "/v1/me/contact", token, {"name": HOSTILE})
    shown = beside(agent, tenant.begin(token))
    assert HOSTILE not in shown
    assert html.unescape(shown).count(HOSTILE) > 3


@pytest.fixture
def statements(store):
    """The statements that are run."""
    run = []
    store.database.peewee.query_hooks.append(lambda event: run.append(event.sql))
    return run


def test_it_takes_no_more_statements_however_much_there_is(agent, tenant, scene, statements):
    def count():
        statements.clear()
        beside(agent, scene.thread)
        return len(statements)

    tenant.merge(tenant.known(userId="u-0"), scene.kim)
    # That it is looked at is noted with the first look.
    beside(agent, scene.thread)
    few = count()
    part = tenant.known(userId="u-1")
    for number in range(2, 12):
        other = tenant.known(userId=f"u-{number}", email=f"{number}@example.org")
        tenant.merge(part, other)
        part = other
    tenant.merge(part, scene.kim)

    assert "u-11" in words(beside(agent, scene.thread))
    assert count() == few <= 22
