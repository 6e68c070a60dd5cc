"""Messages: their shape in both views, who their author is, what they hold, and polling for new ones."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
import time_machine

from service.store.tables import Messages
from tests.support.cases import cases
from tests.support.responses import refused_fields

PERSON = "\N{ADULT}"  # outside of the Basic Multilingual Plane: two UTF-16 units, one code point
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
NOBODYS = "msg_" + "0" * 32


@pytest.fixture
def id(tenant, jane):
    """Jane's conversation, with a first message."""
    return tenant.begin(jane, "First")


def send(tenant, key, id, sent):
    """Write a message as browsers do: in UTF-8, and with JSON's escapes for what UTF-8 does not know."""
    return tenant.client.post(
        f"/v1/conversations/{id}/messages",
        data=json.dumps(sent, ensure_ascii=False).encode("utf-8", "backslashreplace"),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )


def bodies_of(tenant, id, key=None, **query):
    return [message["body"] for message in tenant.messages(id, key, **query)]


def test_a_users_message_has_these_members_in_both_views(tenant, login, jane, id):
    written = tenant.write(id, jane, "Where is it?")
    [_, by_user], [_, by_agent] = tenant.messages(id, jane), tenant.messages(id)

    assert re.fullmatch(r"msg_[0-9a-f]{32}", written["id"])
    assert TIME.fullmatch(written["createdAt"])
    assert written == {
        "id": written["id"],
        "author": {"kind": "user", "id": login["user"]["id"], "name": "Jane"},
        "body": "Where is it?",
        "attachments": [],
        "verified": True,
        "createdAt": written["createdAt"],
    }
    assert by_user == by_agent == written


def test_an_agent_is_a_kind_and_a_name_in_both_views(tenant, jane, id):
    written = tenant.write(id, tenant.sk, "Under way", agentName="Ada")
    [_, by_user], [_, by_agent] = tenant.messages(id, jane), tenant.messages(id)
    assert written == {
        "id": written["id"],
        "author": {"kind": "agent", "name": "Ada"},
        "body": "Under way",
        "attachments": [],
        "verified": True,
        "createdAt": written["createdAt"],
    }
    assert by_user == by_agent == written


@cases(
    "sent, name",
    ("missing", {}, None),
    ("null", {"agentName": None}, None),
    ("empty", {"agentName": ""}, None),
    ("longest", {"agentName": "A" * 255}, "A" * 255),
    ("cut", {"agentName": PERSON * 300}, PERSON * 255),
    ("controls", {"agentName": "Ada\n\0\x85Lee"}, "Ada   Lee"),
    ("unseen", {"agentName": "\u200b \u3164"}, None),
)
def test_an_agents_name(tenant, login, jane, id, sent, name):
    begun = tenant.begin(tenant.sk, user=login["user"]["id"], **sent)
    assert tenant.write(id, tenant.sk, "Under way", **sent)["author"] == {"kind": "agent", "name": name}
    assert tenant.messages(begun, jane)[0]["author"] == {"kind": "agent", "name": name}


@pytest.mark.parametrize("name", [7, ["Ada"]])
def test_an_agents_name_that_is_none_is_refused(tenant, rows, id, name):
    before = rows()
    refused = tenant.call(
        "POST", f"/v1/conversations/{id}/messages", tenant.sk, {"body": "Hello", "agentName": name}
    )
    assert refused_fields(refused) == [("/agentName", "not-a-string")]
    assert rows() == before


def test_a_user_without_a_name_is_an_author_without_one(tenant):
    login = tenant.login(email="jane@example.org")
    token = login["session"]["token"]
    [message] = tenant.messages(tenant.begin(token), token)
    assert message["author"] == {"kind": "user", "id": login["user"]["id"], "name": None}


@cases("claim, verified", ("identified", {"userId": "jane"}, True), ("anonymous", {}, False))
def test_a_message_says_whether_its_session_was_verified(tenant, claim, verified):
    token = tenant.session(**claim)
    [message] = tenant.messages(tenant.begin(token), token)
    assert message["verified"] is verified


def test_the_message_that_begins_a_conversation_is_its_first(tenant, jane, id):
    tenant.write(id, tenant.sk, "Second")
    tenant.write(id, jane, "Third")
    assert bodies_of(tenant, id, jane) == bodies_of(tenant, id) == ["First", "Second", "Third"]


def test_messages_keep_their_author_when_their_user_is_merged(tenant):
    tenant.set(anonymousOnLogin="merge")
    before = tenant.login(name="Somebody")
    id = tenant.begin(before["session"]["token"], "Before")
    after = tenant.login(deviceId=before["deviceId"], userId="jane", name="Jane")
    token = after["session"]["token"]
    tenant.write(id, token, "After")

    anonymous, named = before["user"]["id"], after["user"]["id"]
    assert anonymous != named
    for key in (token, tenant.sk):
        assert [(message["author"], message["verified"]) for message in tenant.messages(id, key)] == [
            ({"kind": "user", "id": anonymous, "name": "Somebody"}, False),
            ({"kind": "user", "id": named, "name": "Jane"}, True),
        ]


@cases(
    "body",
    ("one", "b"),
    ("longest", "b" * 10_000),
    ("longest-astral", PERSON * 10_000),
    ("spaces", " b "),
    ("white-space", "\r\n\tb"),
    ("decomposed", "e\N{COMBINING ACUTE ACCENT}"),
    ("quotes", "'); --"),
    ("invisible", "\ufeff\u202eb"),
)
def test_a_body_is_kept_as_it_was_sent(tenant, jane, id, body):
    written = send(tenant, jane, id, {"body": body})
    assert written.status_code == 201
    assert written.json["body"] == body
    assert tenant.messages(id)[-1]["body"] == body


@cases(
    "sent, pointer, code",
    ("empty", {"body": ""}, "/body", "empty"),
    ("white-space", {"body": "\r\n\t"}, "/body", "empty"),
    ("zero-width", {"body": "\u200b"}, "/body", "empty"),
    ("long", {"body": "b" * 10_001}, "/body", "too-long"),
    ("long-astral", {"body": PERSON * 10_001}, "/body", "too-long"),
    ("nul", {"body": "nul \0"}, "/body", "forbidden-character"),
    ("null", {"body": None}, "/body", "null"),
    ("number", {"body": 7}, "/body", "not-a-string"),
    ("missing", {}, "/body", "required"),
    ("message", {"body": "Hello", "message": "Hello"}, "/message", "unknown"),
    ("author", {"body": "Hello", "author": {"kind": "agent"}}, "/author", "unknown"),
    ("verified", {"body": "Hello", "verified": True}, "/verified", "unknown"),
)
def test_a_refused_message_leaves_no_row_and_reopens_nothing(tenant, rows, jane, id, sent, pointer, code):
    tenant.call("PATCH", f"/v1/conversations/{id}", jane, {"status": "resolved"})
    before = rows()
    assert refused_fields(send(tenant, jane, id, sent)) == [(pointer, code)]
    assert rows() == before


def test_after_a_message_come_those_that_were_written_later(tenant, jane, id):
    second, third, fourth = (tenant.write(id, jane, body) for body in ("Second", "Third", "Fourth"))
    [first, *_] = tenant.messages(id, jane)
    assert bodies_of(tenant, id, jane, after=first["id"]) == ["Second", "Third", "Fourth"]
    assert bodies_of(tenant, id, after=third["id"]) == ["Fourth"]
    assert bodies_of(tenant, id, jane, after=second["id"], limit=1) == ["Third"]
    assert bodies_of(tenant, id, jane, after=fourth["id"]) == []


def test_polling_goes_on_over_pages(tenant, jane, id):
    [first] = tenant.messages(id, jane)
    for number in range(5):
        tenant.write(id, tenant.sk, str(number))
    path = f"/v1/conversations/{id}/messages?after={first['id']}&limit=2"
    pages, cursor = [], ""
    while cursor is not None:
        page = tenant.get(path + (cursor and f"&cursor={cursor}"), jane).json
        pages.append([message["body"] for message in page["data"]])
        cursor = page["nextCursor"]
    assert pages == [["0", "1"], ["2", "3"], ["4"]]


def test_one_polls_on_from_a_message_of_before_a_merge(tenant):
    tenant.set(anonymousOnLogin="merge")
    before = tenant.login()
    id = tenant.begin(before["session"]["token"])
    [first] = tenant.messages(id, before["session"]["token"])
    after = tenant.session(deviceId=before["deviceId"], userId="jane")
    tenant.write(id, tenant.sk, "Second")
    assert bodies_of(tenant, id, after, after=first["id"]) == ["Second"]


def test_after_takes_a_message_of_this_conversation_only(tenant, jane, id):
    [elsewhere] = tenant.messages(tenant.begin(jane), jane)
    refused = {
        given: tenant.get(f"/v1/conversations/{id}/messages?after={given}", jane).json["errors"]
        for given in (elsewhere["id"], NOBODYS, id, "null", "")
    }
    assert {(error["pointer"], error["code"]) for errors in refused.values() for error in errors} == {
        ("/after", "unknown-message")
    }


def test_times_never_go_back_where_a_clock_does(tenant, jane, id):
    before = tenant.write(id, jane, "Second")
    with time_machine.travel(timedelta(minutes=-10)):
        later = [tenant.write(id, key, "Later") for key in (jane, tenant.sk)]
    assert [message["createdAt"] for message in later] == [before["createdAt"]] * 2
    assert tenant.get(f"/v1/conversations/{id}", jane).json["updatedAt"] == before["createdAt"]
    assert tenant.messages(id, jane)[1:] == [before, *tenant.messages(id, jane, after=before["id"])]


def test_one_who_polls_sees_each_message_once_while_several_write(app, store, tenant, login, jane, id):
    each = 12
    writers = [jane, tenant.session(userId="jane"), tenant.sk]
    start = threading.Barrier(len(writers) + 1, timeout=30)

    def write_all(key):
        own = tenant.on(app)
        start.wait()
        return [own.write(id, key, str(number))["id"] for number in range(each)]

    with ThreadPoolExecutor(len(writers)) as threads:
        writing = [threads.submit(write_all, key) for key in writers]
        seen = tenant.messages(id, jane)
        start.wait()
        while True:
            all_written = not wait(writing, timeout=0).not_done
            news = tenant.messages(id, jane, after=seen[-1]["id"], limit=3)
            seen += news
            if all_written and not news:
                break

    written = [message for future in writing for message in future.result()]
    assert sorted(message["id"] for message in seen[1:]) == sorted(written)
    assert [message["createdAt"] for message in seen] == sorted(message["createdAt"] for message in seen)
    numbers = store.database.rows(
        Messages.select(Messages.number)
        .where((Messages.app == tenant.id) & (Messages.conversation == id))
        .order_by(Messages.number)
    )
    assert numbers == [(number,) for number in range(1, len(writers) * each + 2)]
    assert tenant.get(f"/v1/conversations/{id}", jane).json["unread"] == each
    assert tenant.get(f"/v1/conversations/{id}").json["unread"] == 2 * each + 1


def test_each_of_many_simultaneous_messages_is_counted_and_kept(tenant, jane, id):
    many = 8
    written = tenant.at_once(*[lambda own, n=n: own.write(id, jane, str(n))["id"] for n in range(many)])
    assert sorted(message["id"] for message in tenant.messages(id, jane)[1:]) == sorted(written)
    assert tenant.get(f"/v1/conversations/{id}").json["unread"] == many + 1
