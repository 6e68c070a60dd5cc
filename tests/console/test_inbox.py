"""The inbox: what comes first, what is unread and by what it is read, and long lists and threads."""

import re
from html import unescape

import pytest

from service.model.conversations import Status
from tests.console.conftest import field_of, more_of, require_words, text_of


@pytest.fixture
def token(tenant):
    return tenant.session(userId="u-kim", name="Kim")


def begin(tenant, token, *subjects):
    return [tenant.begin(token, subject=subject) for subject in subjects]


def subjects(page):
    """What the list shows, in its order."""
    rows = page.text.partition('data-live="list"')[2].partition("</ul>")[0]
    return [unescape(one) for one in re.findall(r"<bdi>(Thread [^<]*)</bdi></a>", rows)]


def unread(page):
    """How many conversations each tab says are unread."""
    tabs = page.text.partition('data-live="tabs"')[2].partition("</nav>")[0]
    return re.findall(r'<span class="count">([0-9+]+)<', tabs)


def read(tenant, *ids):
    for id in ids:
        assert tenant.call("POST", f"/v1/conversations/{id}/read", tenant.sk).status_code == 204


# --- what comes first --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["open", "all"])
def test_what_is_unread_comes_first_and_then_the_newest(agent, tenant, token, status):
    ids = begin(tenant, token, "Thread 1", "Thread 2", "Thread 3", "Thread 4")
    read(tenant, ids[3], ids[1])
    shown = agent.get(f"/console?status={status}")
    assert subjects(shown) == ["Thread 3", "Thread 1", "Thread 4", "Thread 2"]


def test_the_browser_keeps_what_comes_first(agent, tenant, token):
    ids = begin(tenant, token, "Thread 1", "Thread 2")
    read(tenant, ids[1])
    seen = [
        subjects(agent.get(f"/console{query}")) for query in ("", "?order=newest", "", "?order=unread", "")
    ]
    assert seen == [
        ["Thread 1", "Thread 2"],
        ["Thread 2", "Thread 1"],
        ["Thread 2", "Thread 1"],
        ["Thread 1", "Thread 2"],
        ["Thread 1", "Thread 2"],
    ]


def test_an_order_that_there_is_not_changes_nothing(agent):
    answer = agent.get("/console?order=oldest")
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("read_ones", [0, 20, 51])
def test_each_conversation_is_on_one_page_whether_it_is_read_or_not(agent, tenant, token, read_ones):
    names = [f"Thread {number:02}" for number in range(60)]
    ids = begin(tenant, token, *names)
    read(tenant, *ids[:read_ones])
    first = agent.get("/console")
    second = agent.get(more_of(first))
    assert len(subjects(first)) == 50
    assert sorted(subjects(first) + subjects(second)) == names
    assert more_of(second) == ""


# --- what is unread ----------------------------------------------------------------------------------


def test_tabs_say_how_many_conversations_are_unread(agent, tenant, token):
    ids = begin(tenant, token, "Thread 1", "Thread 2", "Thread 3", "Thread 4")
    read(tenant, ids[0])
    tenant.call("PATCH", f"/v1/conversations/{ids[1]}", tenant.sk, {"status": "resolved"})
    tenant.write(ids[2], token)
    assert unread(agent.get("/console")) == ["2", "1", "3"]


def test_of_many_unread_conversations_no_more_is_counted_than_is_said(agent, store, tenant, token):
    begin(tenant, token, *["Thread"] * 3)
    assert store.of(tenant.id).inbox.count_unread(2) == {Status.OPEN: 2, Status.RESOLVED: 0}


def test_another_apps_unread_conversations_are_not_counted(other_agent, tenant, token):
    begin(tenant, token, "Thread 1")
    assert unread(other_agent.get("/console")) == []


def unread_of(tenant, id):
    return tenant.get(f"/v1/conversations/{id}").json["unread"]


def through(page):
    return field_of(page, "through")


def test_what_comes_while_an_agent_looks_stays_unread(agent, tenant, token):
    (thread,) = begin(tenant, token, "Thread")
    seen = through(agent.get(f"/console/conversations/{thread}"))
    tenant.write(thread, token)
    tenant.write(thread)
    agent.post(f"/console/conversations/{thread}/read", through=seen)
    assert unread_of(tenant, thread) == 1


def test_what_another_agent_has_read_further_stays_read(agent, tenant, token):
    (thread,) = begin(tenant, token, "Thread")
    earlier = through(agent.get(f"/console/conversations/{thread}"))
    tenant.write(thread, token)
    tenant.write(thread, token)
    later = str(int(earlier) + 1)
    for number in (later, earlier):
        agent.post(f"/console/conversations/{thread}/read", through=number)
    assert unread_of(tenant, thread) == 1


def test_what_is_read_is_read_once_more_without_harm(agent, tenant, token):
    (thread,) = begin(tenant, token, "Thread")
    for _ in range(2):
        agent.post(f"/console/conversations/{thread}/read", through="1")
    assert unread_of(tenant, thread) == 0
    assert 'name="through"' not in agent.get(f"/console/conversations/{thread}").text


@pytest.mark.parametrize("number", ["", "-1", "x", "9" * 12])
def test_what_is_no_number_reads_nothing(agent, tenant, token, number):
    (thread,) = begin(tenant, token, "Thread")
    assert agent.post(f"/console/conversations/{thread}/read", through=number).status_code == 422
    assert unread_of(tenant, thread) == 1


# --- beside each other -------------------------------------------------------------------------------


def test_the_list_stands_beside_the_conversation_that_it_marks(agent, tenant, token):
    shown, other = begin(tenant, token, "Thread 1", "Thread 2")
    page = agent.get(f"/console/conversations/{shown}")
    assert subjects(page) == ["Thread 2", "Thread 1"]
    assert page.text.count('aria-current="true"><bdi>') == 1
    assert f'href="/console/conversations/{shown}" aria-current="true"' in page.text


def test_what_is_done_leads_back_to_the_same_list(agent, tenant, token):
    (thread,) = begin(tenant, token, "Thread 1")
    answer = agent.post(f"/console/conversations/{thread}/status?status=all", status="resolved")
    page = agent.follow(answer)
    assert subjects(page) == ["Thread 1"]
    require_words(page, "resolved")


def test_the_keys_are_said_on_the_page(agent):
    assert "next conversation" in text_of(agent.get("/console"))
