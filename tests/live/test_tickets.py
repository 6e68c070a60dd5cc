"""A page of the console follows with a ticket, for as long as its agent is signed in."""

import pytest

from service.desk.tickets import issue_ticket
from service.store.tables import ConsoleSessions
from service.times import DAY, now
from tests.support.servers import ADMIN_KEY, SECRET_KEY


@pytest.fixture
def console(tenant):
    """A browser in which an agent is signed in."""
    browser = tenant.client.application.test_client()
    assert browser.post("/console/sign-in", data={"key": tenant.sk}).status_code == 303
    return browser


@pytest.fixture
def ticket(console, tenant):
    cookie = console.get_cookie("usher_console", path="/console").value
    return issue_ticket(SECRET_KEY, tenant.id, cookie)


def sign_out(console, tenant, _store):
    token = console.get("/console").text.partition('name="token" value="')[2].partition('"')[0]
    assert console.post("/console/sign-out", data={"token": token}).status_code == 303


def delete_key(_console, tenant, _store):
    for key in tenant.list_keys():
        tenant.call("DELETE", f"/v1/apps/{tenant.id}/keys/{key['id']}", tenant.admin_key)


def delete_app(_console, tenant, _store):
    assert tenant.call("DELETE", f"/v1/apps/{tenant.id}", tenant.admin_key).status_code == 204


def let_it_last(_console, tenant, store):
    change = ConsoleSessions.update(began_at=now() - DAY).where(ConsoleSessions.app == tenant.id)
    store.database.change(change)


def test_a_page_of_the_console_is_told_of_all_that_is_its_apps(streams, agent, tenant, other_tenant, ticket):
    page = streams.follow(ticket)
    theirs = other_tenant.begin(other_tenant.session(userId="u-1"))
    ours = tenant.begin(tenant.session(userId="u-1"))

    agent.wait_told(ours)
    page.wait_told(ours)
    assert theirs not in page.told


@pytest.mark.parametrize("end", [sign_out, delete_key, delete_app, let_it_last], ids=lambda end: end.__name__)
def test_a_page_whose_agent_is_not_signed_in_any_more_is_told_nothing(
    streams, tenant, store, console, ticket, end
):
    page, jane = streams.follow(ticket), tenant.session(userId="jane")

    end(console, tenant, store)
    if end is not delete_app:
        tenant.begin(jane)

    page.wait_over()
    assert page.told == []
    assert streams.try_follow(ticket).status == 401


def test_without_news_too_it_is_found_that_nobody_is_signed_in(streams, tenant, store, console, ticket):
    page = streams.follow(ticket)
    sign_out(console, tenant, store)
    page.wait_over()


def test_a_ticket_opens_nothing_else_there(streams, ticket):
    assert streams.call("GET", "/metrics", ticket).status_code == 401
    assert streams.call("GET", "/metrics", ADMIN_KEY).status_code == 200
