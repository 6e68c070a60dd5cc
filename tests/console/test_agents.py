"""Agents: their names and colours, and who else looks at a conversation."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from service.desk.looking import LAG, THERE
from service.model.sessions import Colour
from tests.console.conftest import Agent, require_words, text_of
from tests.support.cases import cases

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def lee(app, tenant):
    """Another agent of the tenant."""
    lee = Agent(app.test_client())
    assert lee.sign_in(tenant.sk, "Lee").status_code == 303
    return lee


def look(agent, scene, **said):
    return agent.post(f"/console/conversations/{scene.thread}/looking", **said)


def seen(agent, scene):
    """Whom a page says to look at the conversation too."""
    page = agent.get(f"/console/conversations/{scene.thread}")
    return " ".join(page.text.partition("data-looking")[2].partition("</div>")[0].split())


# --- who else looks ---


def test_agents_who_look_at_one_conversation_see_each_other_and_not_themselves(agent, lee, scene):
    assert "looking at this too" not in seen(agent, scene)
    assert "Lee" not in seen(lee, scene)
    for whose, other in ((agent, "Lee"), (lee, "Ann")):
        assert f"<bdi>{other}</bdi> is looking at this too" in seen(whose, scene)
        told = look(whose, scene).text
        assert f"<bdi>{other}</bdi> is looking at this too" in told
        assert told.count("<bdi>") == 1


def test_an_agent_without_a_name_is_another_agent(agent, lee, tenant, scene):
    agent.sign_in(tenant.sk)
    look(agent, scene)
    assert "<bdi>Another agent</bdi> is looking" in look(lee, scene).text


def test_that_somebody_writes_is_told_until_they_do_not_also_as_their_page_is_fetched(agent, lee, scene):
    look(agent, scene, writes="1")
    assert "<bdi>Ann</bdi> is writing here too" in look(lee, scene).text
    agent.get(f"/console/conversations/{scene.thread}")
    assert "is writing here too" in look(lee, scene).text
    look(agent, scene)
    assert "<bdi>Ann</bdi> is looking at this too" in look(lee, scene).text


def test_whoever_leaves_is_seen_no_more(agent, lee, scene):
    look(agent, scene)
    assert look(agent, scene, leaves="1").status_code == 204
    assert "Ann" not in look(lee, scene).text


def test_to_leave_one_conversation_late_leaves_no_other(agent, lee, tenant, scene):
    other = tenant.begin(tenant.session(userId="u-lee"))
    look(agent, scene)
    agent.post(f"/console/conversations/{other}/looking", leaves="1")
    assert "Ann" in look(lee, scene).text


def test_whoever_goes_to_another_conversation_is_seen_there(agent, lee, tenant, scene):
    other = tenant.begin(tenant.session(userId="u-lee"))
    look(agent, scene)
    agent.post(f"/console/conversations/{other}/looking")
    assert "Ann" not in look(lee, scene).text
    assert "Ann" in lee.post(f"/console/conversations/{other}/looking").text


def test_who_is_not_heard_of_any_more_is_gone_soon(clock, agent, lee, scene):
    look(agent, scene)
    clock.shift(timedelta(milliseconds=THERE - 1))
    assert "Ann" in look(lee, scene).text
    clock.shift(timedelta(milliseconds=1))
    assert "Ann" not in look(lee, scene).text


def test_who_stays_for_long_is_seen_all_the_while(clock, agent, lee, scene):
    for _ in range(60):
        clock.shift(timedelta(seconds=5))
        assert "Ann" not in look(agent, scene).text
        assert "Ann" in look(lee, scene).text
    assert "Lee" in look(agent, scene).text


def test_it_is_written_once_in_several_seconds_and_at_once_where_something_changes(
    clock, agent, scene, store
):
    written = []
    store.database.peewee.query_hooks.append(
        lambda event: written.append(event.sql) if event.sql.startswith('UPDATE "sign_ins"') else None
    )

    def count(**said):
        written.clear()
        look(agent, scene, **said)
        return len(written)

    first, again = count(), count()
    begins, goes_on, ends = count(writes="1"), count(writes="1"), count()
    clock.shift(timedelta(milliseconds=LAG))
    soon = count()
    clock.shift(timedelta(milliseconds=1))
    assert (first, again, begins, goes_on, ends, soon, count()) == (1, 0, 1, 0, 1, 0, 1)


def test_whose_key_is_deleted_or_who_signed_out_is_seen_no_more(app, agent, lee, tenant, scene):
    made = tenant.call("POST", f"/v1/apps/{tenant.id}/keys", tenant.admin_key, {"kind": "secret"}).json
    max_ = Agent(app.test_client())
    max_.sign_in(made["key"], "Max")
    look(max_, scene)
    look(agent, scene)
    assert "Max" in look(lee, scene).text
    tenant.call("DELETE", f"/v1/apps/{tenant.id}/keys/{made['id']}", tenant.admin_key)
    agent.post("/console/sign-out")
    assert "<bdi>" not in look(lee, scene).text


def test_an_agent_of_another_app_is_never_seen(agent, other_agent, other_tenant, tenant, scene):
    assert look(other_agent, scene).status_code == 404
    look(agent, scene, writes="1")
    theirs = other_tenant.begin(other_tenant.session(userId="u-1"))
    assert "<bdi>" not in other_agent.post(f"/console/conversations/{theirs}/looking").text


# --- name and colour ---


def test_an_agent_says_how_they_are_called_and_told_from_others(agent, lee, tenant, scene):
    answer = agent.post("/console/you", name="Anna", colour="teal")
    require_words(agent.follow(answer), "Your name and colour are kept while you are signed in.")

    shown = agent.get("/console/you").text
    assert 'value="Anna"' in shown
    assert 'value="teal" checked' in shown
    assert "<bdi>Anna</bdi>" in agent.get("/console").text
    agent.post(f"/console/conversations/{scene.thread}/messages", body="Here")
    assert tenant.messages(scene.thread)[-1]["author"] == {"kind": "agent", "name": "Anna"}
    look(agent, scene)
    assert '<span class="face teal" aria-hidden="true">A</span>' in look(lee, scene).text
    thread = lee.get(f"/console/conversations/{scene.thread}").text.partition('<ol class="thread"')[2]
    assert '<span class="face teal" aria-hidden="true">A</span>' in thread


def test_neither_has_to_be_given(agent):
    agent.post("/console/you", name="Anna", colour="teal")
    assert agent.post("/console/you").status_code == 303
    shown = agent.get("/console/you").text
    assert 'value="" checked' in shown
    assert "Anna" not in shown


def test_a_colour_that_there_is_not_is_refused(agent):
    answer = agent.post("/console/you", name="Anna", colour="mauve")
    assert answer.status_code == 422
    assert "one of a few words" in text_of(answer)
    assert "<bdi>Ann</bdi>" in agent.get("/console").text


@cases("colour", *((colour.value, colour.value) for colour in Colour))
def test_each_colour_can_be_chosen(agent, colour):
    agent.post("/console/you", colour=colour)
    assert f'value="{colour}" checked' in agent.get("/console/you").text
