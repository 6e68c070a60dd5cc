"""Conversations at the console: what waits, what was said, and what an agent does about it."""

import pytest

from tests.console.conftest import field_of, more_of, require_words, text_of
from tests.support.cases import cases
from tests.support.signing import identity_key, prove_in_both_ways


def conversation(tenant, id):
    return tenant.get(f"/v1/conversations/{id}").json


def test_what_waits_is_shown_with_who_waits(agent, scene):
    require_words(agent.get("/console"), "Parcel", "Kim", "1 unread")


def test_where_nobody_waits_the_page_says_so(agent):
    assert "Nobody waits for an answer." in text_of(agent.get("/console"))
    assert "There is nothing here yet." in text_of(agent.get("/console?status=resolved"))


def test_what_is_resolved_is_listed_apart(agent, scene):
    agent.post(f"/console/conversations/{scene.thread}/status", status="resolved")
    listed = {
        status: "Parcel" in text_of(agent.get(f"/console?status={status}"))
        for status in ("open", "resolved", "all")
    }
    assert listed == {"open": False, "resolved": True, "all": True}


def test_a_long_list_goes_on_on_another_page(agent, tenant):
    token = tenant.session(userId="u-1")
    for number in range(51):
        tenant.begin(token, subject=f"Thread {number:02}")
    first = agent.get("/console?status=all")
    assert "Thread 00" not in first.text
    assert "Thread 00" in agent.get(more_of(first)).text


@pytest.mark.parametrize("query", ["status=some", "cursor=x"])
def test_a_list_that_there_is_not_is_refused_on_a_page(agent, query):
    assert agent.get(f"/console?{query}").status_code == 422


def test_a_conversation_is_shown_with_its_messages_and_its_user(agent, tenant, scene):
    tenant.write(scene.thread, body="On its way")
    said = text_of(agent.get(f"/console/conversations/{scene.thread}"))
    assert said.index("Where is it?") < said.index("On its way")
    assert "kim@example.org" in said


def test_a_message_of_somebody_unproven_says_so(agent, tenant):
    tenant.set(identityVerification="off")
    token = tenant.try_login(key=tenant.pk, userId="u-1").json["session"]["token"]
    thread = tenant.begin(token)
    assert "(not verified)" in text_of(agent.get(f"/console/conversations/{thread}"))


def test_a_reply_reaches_the_user_with_the_agents_name(agent, tenant, scene):
    page = agent.post(f"/console/conversations/{scene.thread}/messages", body="On\r\nits way")
    assert "Your reply was sent." in text_of(agent.follow(page))
    written = tenant.messages(scene.thread)[-1]
    assert written["body"] == "On\nits way"
    assert written["author"] == {"kind": "agent", "name": "Ann"}


def test_an_agent_without_a_name_writes_without_one(agent, tenant, scene):
    agent.sign_in(tenant.sk)
    agent.post(f"/console/conversations/{scene.thread}/messages", body="Here")
    assert tenant.messages(scene.thread)[-1]["author"] == {"kind": "agent", "name": None}


def test_a_reply_sent_twice_is_written_once(agent, tenant, scene):
    key = field_of(agent.get(f"/console/conversations/{scene.thread}"), "key")
    for _ in range(2):
        agent.post(f"/console/conversations/{scene.thread}/messages", body="Here", key=key)
    assert len(tenant.messages(scene.thread)) == 2


@cases(
    "fields",
    ("empty", {"body": ""}),
    ("too long", {"body": "x" * 10_001}),
    ("forbidden", {"body": "a\x00<b"}),
    ("a key that is none", {"body": "Here", "key": "ü"}),
)
def test_a_refused_reply_is_still_in_the_form(agent, tenant, scene, fields):
    answer = agent.post(f"/console/conversations/{scene.thread}/messages", **fields)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert fields["body"].replace("<", "&lt;") in answer.text
    assert len(tenant.messages(scene.thread)) == 1


def test_an_agent_marks_a_conversation_as_read(agent, tenant, scene):
    answer = agent.post(f"/console/conversations/{scene.thread}/read", through="1")
    assert "marked as read" in text_of(agent.follow(answer))
    assert conversation(tenant, scene.thread)["unread"] == 0


def test_looking_at_a_conversation_changes_nothing(agent, tenant, scene):
    before = conversation(tenant, scene.thread)
    agent.get(f"/console/conversations/{scene.thread}")
    assert conversation(tenant, scene.thread) == before


def test_an_agent_resolves_and_reopens(agent, tenant, scene):
    seen = []
    for status in ("resolved", "open"):
        answer = agent.post(f"/console/conversations/{scene.thread}/status", status=status)
        seen.append((conversation(tenant, scene.thread)["status"], text_of(agent.follow(answer))))
    assert [status for status, _ in seen] == ["resolved", "open"]
    assert "is resolved." in seen[0][1]
    assert "is open again." in seen[1][1]


def test_a_status_that_there_is_not_is_refused(agent, tenant, scene):
    assert agent.post(f"/console/conversations/{scene.thread}/status", status="gone").status_code == 422
    assert conversation(tenant, scene.thread)["status"] == "open"


def test_a_long_conversation_begins_with_its_latest_messages(agent, tenant, scene):
    for number in range(60):
        tenant.write(scene.thread, body=f"Message {number:03}")
    first = agent.get(f"/console/conversations/{scene.thread}")
    assert "Where is it?" not in first.text
    require_words(first, "Message 059", "Message 010", "Earlier messages")
    earlier = agent.get(more_of(first))
    require_words(earlier, "Where is it?", "Message 009", "Latest messages")
    assert "Message 010" not in earlier.text


def test_an_identity_key_that_proves_in_both_ways_is_to_be_rotated(agent, tenant, store):
    (older, secret), (newer, _) = identity_key(tenant), identity_key(tenant)
    prove_in_both_ways(store, tenant, older)
    shown = agent.get("/console")
    said = text_of(shown)
    assert f"The identity key {older} proves in both ways" in said
    assert "rotate it" in said
    assert newer not in said
    assert secret not in shown.text


def test_another_apps_keys_are_not_shown(agent, other_tenant, store):
    foreign, _ = identity_key(other_tenant)
    prove_in_both_ways(store, other_tenant, foreign)
    assert foreign not in agent.get("/console").text


def test_where_each_key_proves_in_one_way_nothing_is_said_of_keys(agent, tenant):
    identity_key(tenant)
    assert "identity key" not in agent.get("/console").text
