"""Pages that show what is new by themselves: which they are, and the ticket of each."""

import re
from datetime import UTC, datetime
from html import unescape

import pytest
import time_machine

from service.desk.tickets import LASTS, issue_ticket, redeem_ticket, sign_in_of
from service.model.errors import InvalidCredential
from service.model.identifiers import digest
from service.times import MINUTE
from tests.console.conftest import NOBODY, Agent, held_by
from tests.support.cases import cases
from tests.support.engines import one_engine
from tests.support.servers import SECRET_KEY

NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)
LIVE = "https://live.example.org"


@pytest.fixture
def live_agent(start, tenant):
    """An agent at a server that says where streams are."""
    agent = Agent(start(live_url=LIVE).test_client())
    agent.sign_in(tenant.sk)
    return agent


def told_by(page, name):
    """What a page tells its script."""
    return unescape(re.search(rf'<meta name="usher-live" [^>]*data-{name}="([^"]*)"', page.text)[1])


@pytest.fixture
def ticket(agent, tenant):
    return issue_ticket(SECRET_KEY, tenant.id, held_by(agent))


def redeem(store, ticket, secret_key=SECRET_KEY):
    return redeem_ticket(store, secret_key, ticket, "request")


# --- pages -------------------------------------------------------------------------------------------


@one_engine
def test_a_page_that_follows_knows_where_with_a_ticket_and_may_call_there_alone(live_agent):
    shown = live_agent.get("/console")

    assert told_by(shown, "url") == LIVE
    assert sign_in_of(told_by(shown, "ticket")) == digest(held_by(live_agent))
    assert shown.headers["Content-Security-Policy"].endswith(f"; connect-src 'self' {LIVE}")
    assert held_by(live_agent) not in shown.text


@one_engine
def test_where_there_are_no_streams_there_is_no_ticket(agent):
    shown = agent.get("/console")

    assert (told_by(shown, "url"), told_by(shown, "ticket")) == ("", "")
    assert shown.headers["Content-Security-Policy"].endswith("; connect-src 'self'")


@one_engine
@pytest.mark.parametrize(
    "path", ["/console/users", "/console/explain", "/console/nowhere", "/console/webhooks"]
)
def test_no_other_page_has_a_ticket(live_agent, path):
    assert "tk_" not in live_agent.get(path).text


@one_engine
def test_a_page_that_a_form_shows_is_fetched_anew_from_where_it_stands(agent, scene):
    refused = agent.post(f"/console/conversations/{scene.thread}/messages", body="")

    assert refused.status_code == 422
    assert told_by(refused, "page") == f"/console/conversations/{scene.thread}"
    assert told_by(agent.get("/console?status=all"), "page") == "/console?status=all"


# --- tickets -----------------------------------------------------------------------------------------


def test_a_ticket_stands_for_who_is_signed_in(store, agent, tenant, ticket):
    caller = redeem(store, ticket)

    assert caller.app.id == tenant.id
    assert caller.actor.by == next(key["id"] for key in tenant.list_keys() if key["kind"] == "secret")


def test_a_ticket_opens_no_call(tenant, ticket):
    for path in ("/v1/conversations", "/v1/users", "/v1/me", "/v1/apps", "/v1/webhooks"):
        assert tenant.get(path, ticket).status_code == 401
    assert tenant.try_login(key=ticket).status_code == 401


def test_a_ticket_opens_no_page(app, ticket):
    client = app.test_client()
    client.set_cookie("usher_console", ticket, path="/console")
    assert client.get("/console").status_code == 401


@cases(
    "change",
    ("of another app", lambda ticket: ticket.replace(ticket[3:35], NOBODY)),
    ("of another sign-in", lambda ticket: ticket.replace(ticket[36:100], "0" * 64)),
    ("for longer", lambda ticket: f"{ticket[:101]}9{ticket[102:]}"),
    ("with another code", lambda ticket: ticket[:-43] + "A" * 43),
    ("cut off", lambda ticket: ticket[:-1]),
    ("with digits of another script", lambda ticket: ticket.replace(ticket[101], "\u0661")),
    ("none", lambda _: ""),
)
def test_what_is_no_ticket_of_ours_is_refused(store, ticket, change):
    with pytest.raises(InvalidCredential):
        redeem(store, change(ticket))


def test_a_ticket_under_another_key_of_the_server_is_refused(store, ticket):
    with pytest.raises(InvalidCredential):
        redeem(store, ticket, "another" * 8)


def end_sign_in(agent, tenant):
    assert agent.post("/console/sign-out").status_code == 303


def delete_key(_agent, tenant):
    for key in tenant.list_keys():
        tenant.call("DELETE", f"/v1/apps/{tenant.id}/keys/{key['id']}", tenant.admin_key)


def delete_app(_agent, tenant):
    assert tenant.call("DELETE", f"/v1/apps/{tenant.id}", tenant.admin_key).status_code == 204


@pytest.mark.parametrize("end", [end_sign_in, delete_key, delete_app])
def test_a_ticket_is_over_with_the_sign_in(store, agent, tenant, ticket, end):
    end(agent, tenant)
    with pytest.raises(InvalidCredential):
        redeem(store, ticket)


@pytest.mark.parametrize("late", [False, True])
def test_a_ticket_is_good_for_minutes(store, ticket, late):
    until = int(ticket.split("_")[3])
    with time_machine.travel((until + (1 if late else -1)) / 1000, tick=False):
        if late:
            with pytest.raises(InvalidCredential):
                redeem(store, ticket)
        else:
            assert redeem(store, ticket)


def test_a_ticket_that_is_issued_last_ends_with_the_sign_in(store, agent, tenant):
    with time_machine.travel(NOON, tick=False) as clock:
        agent.sign_in(tenant.sk)
        clock.shift(8 * 60 * MINUTE / 1000 - LASTS / 2000)
        ticket = issue_ticket(SECRET_KEY, tenant.id, held_by(agent))
        assert redeem(store, ticket)
        clock.shift(LASTS / 2000)
        with pytest.raises(InvalidCredential):
            redeem(store, ticket)
