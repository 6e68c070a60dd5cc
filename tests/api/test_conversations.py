"""Conversations as each side sees them: shapes, unread counts, order, status, and who may give what."""

import re

import pytest
import time_machine

from tests.support.cases import cases
from tests.support.responses import problem_of, refused_fields

CONVERSATION = {"id", "user", "subject", "status", "unread", "createdAt", "updatedAt"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
PERSON = "\N{ADULT}"  # outside of the Basic Multilingual Plane: two UTF-16 units, one code point
NOON = 1_800_000_000  # seconds since 1970

SIDES = ("user", "agent")


@pytest.fixture
def keys(tenant, jane):
    """What each side calls with."""
    return {"user": jane, "agent": tenant.sk}


def show(tenant, key, id):
    return tenant.get(f"/v1/conversations/{id}", key).json


def read(tenant, key, id):
    assert tenant.call("POST", f"/v1/conversations/{id}/read", key).status_code == 204


def set_status(tenant, key, id, status):
    changed = tenant.call("PATCH", f"/v1/conversations/{id}", key, {"status": status})
    assert changed.status_code == 200, changed.text
    return changed.json


def unread(tenant, keys, id):
    return {side: show(tenant, key, id)["unread"] for side, key in keys.items()}


def test_beginning_answers_the_whole_conversation(tenant):
    login = tenant.login(userId="jane")
    made = tenant.call(
        "POST",
        "/v1/conversations",
        login["session"]["token"],
        {"subject": "Order 7", "message": "Where is it?"},
    )

    assert made.status_code == 201
    id, created_at = made.json["id"], made.json["createdAt"]
    assert re.fullmatch(r"cnv_[0-9a-f]{32}", id)
    assert TIME.fullmatch(created_at)
    assert made.json == {
        "id": id, "user": login["user"]["id"], "subject": "Order 7", "status": "open", "unread": 0,
        "createdAt": created_at, "updatedAt": created_at,
    }  # fmt: skip


@pytest.mark.parametrize("side", SIDES)
def test_showing_listing_and_settling_answer_the_same_shape(tenant, keys, side):
    id = tenant.begin(keys["user"])
    shown = tenant.get(f"/v1/conversations/{id}", keys[side]).json
    listed = tenant.get("/v1/conversations", keys[side]).json
    settled = tenant.call("PATCH", f"/v1/conversations/{id}", keys[side], {"status": "open"}).json
    assert set(shown) == set(settled) == CONVERSATION
    assert listed == {"data": [shown], "nextCursor": None}
    assert settled == shown | {"updatedAt": settled["updatedAt"]}


def test_the_two_sides_differ_in_nothing_but_unread(tenant, keys):
    id = tenant.begin(keys["user"], subject="Order 7")
    by_user, by_agent = (show(tenant, keys[side], id) for side in SIDES)
    assert by_agent == by_user | {"unread": 1}
    assert by_user["unread"] == 0


def test_an_agent_begins_with_a_user_who_has_it_to_read(tenant):
    login = tenant.login(userId="jane")
    made = tenant.call(
        "POST",
        "/v1/conversations",
        tenant.sk,
        {"user": login["user"]["id"], "message": "Your order is late", "agentName": "Ada"},
    )
    seen = show(tenant, login["session"]["token"], made.json["id"])

    assert made.status_code == 201
    assert set(made.json) == CONVERSATION
    assert made.json["unread"] == 0
    assert seen == made.json | {"unread": 1}


def test_each_sees_only_their_own_and_agents_see_the_whole_app(tenant, other_tenant, jane):
    mike = tenant.session(userId="mike")
    janes, mikes = tenant.begin(jane), tenant.begin(mike)
    seen = {name: tenant.conversations(key) for name, key in (("jane", jane), ("mike", mike))}
    assert seen == {"jane": [janes], "mike": [mikes]}
    assert tenant.conversations(tenant.sk) == [mikes, janes]
    assert other_tenant.conversations(other_tenant.sk) == []


def test_each_side_counts_what_the_other_wrote(tenant, keys):
    id = tenant.begin(keys["user"])
    counts = [unread(tenant, keys, id)]
    for side in ("user", "agent", "agent", "agent", "user"):
        tenant.write(id, keys[side])
        counts.append(unread(tenant, keys, id))
    assert [(count["user"], count["agent"]) for count in counts] == [
        (0, 1), (0, 2), (1, 2), (2, 2), (3, 2), (3, 3),
    ]  # fmt: skip


@pytest.mark.parametrize("side", SIDES)
def test_reading_clears_the_count_of_one_side_only(tenant, keys, side):
    id = tenant.begin(keys["user"])
    tenant.write(id, keys["agent"])
    answer = tenant.call("POST", f"/v1/conversations/{id}/read", keys[side])
    assert (answer.status_code, answer.data) == (204, b"")
    assert unread(tenant, keys, id) == {"user": 1, "agent": 1} | {side: 0}


def test_what_comes_after_reading_is_unread_again(tenant, keys):
    id = tenant.begin(keys["user"])
    read(tenant, keys["agent"], id)
    tenant.write(id, keys["user"])
    assert unread(tenant, keys, id)["agent"] == 1


def test_reading_is_no_activity(tenant, jane):
    older, newer = tenant.begin(jane), tenant.begin(jane)
    before = show(tenant, jane, older)
    with time_machine.travel(NOON, tick=False):
        read(tenant, tenant.sk, older)
    assert show(tenant, jane, older) == before
    assert tenant.conversations(jane) == [newer, older]


def test_lists_count_unread_as_showing_does(tenant, keys):
    first, second = tenant.begin(keys["user"]), tenant.begin(keys["user"])
    tenant.write(first, keys["agent"])
    read(tenant, keys["agent"], second)
    listed = {
        side: {
            conversation["id"]: conversation["unread"]
            for conversation in tenant.get("/v1/conversations", key).json["data"]
        }
        for side, key in keys.items()
    }

    assert listed == {"user": {first: 1, second: 0}, "agent": {first: 1, second: 0}}


@pytest.mark.parametrize("side", SIDES)
def test_either_side_resolves_and_reopens(tenant, keys, side):
    id = tenant.begin(keys["user"])
    resolved = set_status(tenant, keys[side], id, "resolved")
    seen = {other: show(tenant, key, id)["status"] for other, key in keys.items()}
    reopened = set_status(tenant, keys[side], id, "open")
    assert resolved["status"] == "resolved"
    assert seen == {"user": "resolved", "agent": "resolved"}
    assert reopened["status"] == "open"


@cases("side, status", ("a-users-reopens", "user", "open"), ("an-agents-does-not", "agent", "resolved"))
def test_a_message_to_a_resolved_conversation(tenant, keys, side, status):
    id = tenant.begin(keys["user"])
    set_status(tenant, keys["agent"], id, "resolved")
    tenant.write(id, keys[side])
    assert show(tenant, keys["user"], id)["status"] == status


@pytest.mark.parametrize("side", SIDES)
def test_status_leaves_the_unread_counts_alone(tenant, keys, side):
    id = tenant.begin(keys["user"])
    tenant.write(id, keys["agent"])
    assert set_status(tenant, keys[side], id, "resolved")["unread"] == 1
    assert unread(tenant, keys, id) == {"user": 1, "agent": 1}


@cases(
    "sent, pointer",
    ("unknown", {"status": "closed"}, "/status"),
    ("upper-case", {"status": "OPEN"}, "/status"),
    ("empty", {"status": ""}, "/status"),
    ("null", {"status": None}, "/status"),
    ("missing", {}, "/status"),
    ("more", {"status": "open", "subject": "New"}, "/subject"),
)
def test_a_status_that_is_none_is_refused(tenant, jane, sent, pointer):
    id = tenant.begin(jane)
    before = show(tenant, jane, id)
    refused = tenant.call("PATCH", f"/v1/conversations/{id}", jane, sent)
    assert [refused for refused, _ in refused_fields(refused)] == [pointer]
    assert show(tenant, jane, id) == before


@pytest.mark.parametrize("side", SIDES)
@cases(
    "act",
    ("message", lambda tenant, key, id: tenant.write(id, key)),
    ("status", lambda *args: set_status(*args, "resolved")),
)
def test_activity_of_either_side_moves_a_conversation_to_the_top(tenant, side, act):
    with time_machine.travel(NOON, tick=False) as clock:
        jane = tenant.session(userId="jane")
        begun = []
        for _ in range(3):
            clock.shift(1)
            begun.append(tenant.begin(jane))
        first, second, third = begun
        clock.shift(1)
        act(tenant, {"user": jane, "agent": tenant.sk}[side], first)

        assert tenant.conversations(jane) == [first, third, second]
        assert tenant.conversations(tenant.sk) == [first, third, second]


@pytest.mark.parametrize("side", SIDES)
def test_a_list_is_narrowed_to_a_status(tenant, keys, side):
    still_open, settled = tenant.begin(keys["user"]), tenant.begin(keys["user"])
    set_status(tenant, keys["agent"], settled, "resolved")
    found = {
        status: [
            conversation["id"]
            for conversation in tenant.get(f"/v1/conversations?status={status}", keys[side]).json["data"]
        ]
        for status in ("open", "resolved")
    }
    assert found == {"open": [still_open], "resolved": [settled]}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("query", ["status=closed", "status=", "status=Open", "status=open%00", "state=open"])
def test_a_filter_that_is_none_is_refused(tenant, keys, side, query):
    refused = tenant.get(f"/v1/conversations?{query}", keys[side])
    assert [pointer for pointer, _ in refused_fields(refused)] == ["/" + query.partition("=")[0]]


@pytest.mark.parametrize(("scope", "both"), [("user", True), ("device", False)], ids=["user", "device"])
def test_the_scope_decides_on_which_devices_a_users_conversation_is_seen(tenant, scope, both):
    tenant.set(conversationScope=scope)
    phone, laptop = (tenant.session(userId="jane") for _ in range(2))
    begun_on_phone, begun_on_laptop = tenant.begin(phone), tenant.begin(laptop)
    seen = tenant.conversations(phone), tenant.conversations(laptop)
    everything = [begun_on_laptop, begun_on_phone]
    assert seen == ((everything, everything) if both else ([begun_on_phone], [begun_on_laptop]))
    assert tenant.conversations(tenant.sk) == everything


@pytest.mark.parametrize("scope", ["user", "device"])
def test_what_an_agent_begins_is_seen_on_every_device_also_a_later_one(tenant, scope):
    tenant.set(conversationScope=scope)
    phone = tenant.login(userId="jane")
    laptop = tenant.session(userId="jane")
    id = tenant.begin(tenant.sk, user=phone["user"]["id"])
    later = tenant.session(userId="jane")
    assert [tenant.conversations(key) for key in (phone["session"]["token"], laptop, later)] == [[id]] * 3
    assert tenant.write(id, laptop)["author"]["kind"] == "user"


@cases(
    "method, path, sent",
    ("show", "GET", "", None),
    ("settle", "PATCH", "", {"status": "resolved"}),
    ("messages", "GET", "/messages", None),
    ("write", "POST", "/messages", {"body": "More"}),
    ("read", "POST", "/read", None),
)
def test_in_the_devices_scope_another_device_of_the_user_reaches_nothing(tenant, rows, method, path, sent):
    tenant.set(conversationScope="device")
    phone, laptop = (tenant.session(userId="jane") for _ in range(2))
    id = tenant.begin(phone)
    before = rows()
    refused = tenant.call(method, f"/v1/conversations/{id}{path}", laptop, sent)
    assert problem_of(refused) == (404, "not-found")
    assert rows() == before


@cases(
    "subject",
    ("one", "S"),
    ("longest", "s" * 255),
    ("longest-astral", PERSON * 255),
    ("spaces", " S "),
    ("lines", "two\nlines"),
    ("decomposed", "e\N{COMBINING ACUTE ACCENT}"),
)
def test_a_subject_is_kept_as_it_was_sent(tenant, jane, subject):
    assert show(tenant, jane, tenant.begin(jane, subject=subject))["subject"] == subject


@cases(
    "sent",
    ("missing", {}),
    ("null", {"subject": None}),
    ("empty", {"subject": ""}),
    ("zero-width", {"subject": "\u200b\u2060\ufeff"}),
)
def test_a_conversation_may_have_no_subject(tenant, jane, sent):
    assert show(tenant, jane, tenant.begin(jane, **sent))["subject"] is None


@cases(
    "sent, pointer",
    ("long-subject", {"message": "Hello", "subject": "s" * 256}, "/subject"),
    ("long-astral-subject", {"message": "Hello", "subject": PERSON * 256}, "/subject"),
    ("nul-in-subject", {"message": "Hello", "subject": "nul \0"}, "/subject"),
    ("number-as-subject", {"message": "Hello", "subject": 7}, "/subject"),
    ("empty-message", {"message": ""}, "/message"),
    ("long-message", {"message": "m" * 10_001}, "/message"),
    ("nul", {"message": "nul \0"}, "/message"),
    ("null-message", {"message": None}, "/message"),
    ("number-as-message", {"message": 7}, "/message"),
    ("no-message", {}, "/message"),
    ("unknown-body", {"message": "Hello", "body": "Hello"}, "/body"),
    ("unknown-status", {"message": "Hello", "status": "resolved"}, "/status"),
)
@pytest.mark.parametrize("side", SIDES)
def test_a_refused_beginning_leaves_no_row(tenant, rows, side, sent, pointer):
    login = tenant.login(userId="jane")
    key, more = (
        (tenant.sk, {"user": login["user"]["id"]}) if side == "agent" else (login["session"]["token"], {})
    )
    refused = refused_fields(tenant.call("POST", "/v1/conversations", key, sent | more))
    assert [refused for refused, _ in refused] == [pointer]
    assert (rows()["conversations"], rows()["messages"]) == ([], [])


@cases(
    "path, sent, pointer",
    ("begin-as-agent", "", {"message": "Hello", "agentName": "Ada"}, "/agentName"),
    ("begin-for-somebody", "", {"message": "Hello", "user": "usr_" + "0" * 32}, "/user"),
    ("begin-for-a-malformed-id", "", {"message": "Hello", "user": "nobody"}, "/user"),
    ("begin-for-oneself", "", {"message": "Hello", "user": "own"}, "/user"),
    ("write-as-agent", "/{id}/messages", {"body": "Hello", "agentName": "Ada"}, "/agentName"),
)
def test_a_user_may_not_give_what_is_for_agents(tenant, rows, path, sent, pointer):
    login = tenant.login(userId="jane")
    jane = login["session"]["token"]
    path = path.replace("{id}", tenant.begin(jane))
    sent = sent | ({"user": login["user"]["id"]} if sent.get("user") == "own" else {})
    before = rows()
    refused = tenant.call("POST", f"/v1/conversations{path}", jane, sent)
    assert refused_fields(refused) == [(pointer, "agents-only")]
    assert rows() == before


def test_a_user_may_not_narrow_a_list_to_anybody(tenant):
    login = tenant.login(userId="jane")
    refused = tenant.get(f"/v1/conversations?user={login['user']['id']}", login["session"]["token"])
    assert refused_fields(refused) == [("/user", "agents-only")]


def test_an_agent_says_to_whom(tenant):
    refused = tenant.call("POST", "/v1/conversations", tenant.sk, {"message": "Hello"})
    assert refused_fields(refused) == [("/user", "required")]
