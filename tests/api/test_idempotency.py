"""Idempotency keys: the same call again answers what it made, and one key stands for one call."""

import pytest
import time_machine

from tests.support.cases import cases
from tests.support.responses import refused_fields

MANY = 8
DAY = 24 * 60 * 60
NOON = 1_800_000_000  # seconds since 1970
NOBODYS = "cnv_" + "0" * 32
VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F)) * 3

BEGIN = "/v1/conversations"
ENDPOINTS = ("begin", "write")


@pytest.fixture
def id(tenant, jane):
    """Jane's conversation."""
    return tenant.begin(jane)


@pytest.fixture(params=ENDPOINTS)
def endpoint(request, id):
    """Each call that creates: its path, and what it may be sent."""
    return {
        "begin": (BEGIN, {"message": "Hello", "subject": "Order 7"}),
        "write": (f"{BEGIN}/{id}/messages", {"body": "Hello"}),
    }[request.param]


def post(tenant, key, path, sent, idempotency_key="k-1"):
    return tenant.call("POST", path, key, sent, Idempotency_Key=idempotency_key)


REUSED = [("/Idempotency-Key", "idempotency-key-reused")]


def test_the_same_call_again_answers_the_same_and_creates_nothing(tenant, rows, jane, endpoint):
    made = post(tenant, jane, *endpoint)
    before = rows()
    again = post(tenant, jane, *endpoint)
    assert (made.status_code, again.status_code) == (201, 200)
    assert again.json == made.json
    assert rows() == before


def test_an_agents_same_call_again_answers_the_same(tenant, rows, login, id):
    sent = {"user": login["user"]["id"], "message": "Hello", "agentName": "Ada"}
    begun = post(tenant, tenant.sk, BEGIN, sent)
    written = post(tenant, tenant.sk, f"{BEGIN}/{id}/messages", {"body": "Hello", "agentName": "Ada"}, "k-2")
    before = rows()
    begun_again = post(tenant, tenant.sk, BEGIN, sent)
    written_again = post(
        tenant, tenant.sk, f"{BEGIN}/{id}/messages", {"body": "Hello", "agentName": "Ada"}, "k-2"
    )

    assert [answer.status_code for answer in (begun, written)] == [201, 201]
    assert [answer.status_code for answer in (begun_again, written_again)] == [200, 200]
    assert (begun_again.json, written_again.json) == (begun.json, written.json)
    assert rows() == before


def test_members_that_mean_the_same_are_the_same_body(tenant, jane):
    made = post(tenant, jane, BEGIN, {"message": "Hello"})
    again = post(tenant, jane, BEGIN, {"subject": None, "agentName": "", "message": "Hello"})
    assert (again.status_code, again.json) == (200, made.json)


def test_a_repeat_shows_the_conversation_as_it_is_now(tenant, jane):
    made = post(tenant, jane, BEGIN, {"message": "Hello"})
    tenant.call("POST", f"{BEGIN}/{made.json['id']}/messages", tenant.sk, {"body": "Done"})
    settled = tenant.call("PATCH", f"{BEGIN}/{made.json['id']}", tenant.sk, {"status": "resolved"})
    again = post(tenant, jane, BEGIN, {"message": "Hello"})
    assert again.status_code == 200
    assert again.json == settled.json | {"unread": 1}
    assert again.json["status"] == "resolved"


def test_a_repeated_message_neither_reopens_nor_counts(tenant, jane, id):
    path = f"{BEGIN}/{id}/messages"
    made = post(tenant, jane, path, {"body": "Thanks"})
    tenant.call("POST", f"{BEGIN}/{id}/read", tenant.sk)
    settled = tenant.call("PATCH", f"{BEGIN}/{id}", tenant.sk, {"status": "resolved"})
    again = post(tenant, jane, path, {"body": "Thanks"})
    assert (again.status_code, again.json) == (200, made.json)
    assert tenant.get(f"{BEGIN}/{id}").json == settled.json


def test_without_a_key_the_same_call_again_creates_again(tenant, jane, id, endpoint):
    path, sent = endpoint
    first, second = (tenant.call("POST", path, jane, sent) for _ in range(2))
    assert [first.status_code, second.status_code] == [201, 201]
    assert first.json["id"] != second.json["id"]


def test_a_key_is_known_a_day_later(tenant):
    with time_machine.travel(NOON, tick=False) as clock:
        jane = tenant.session(userId="jane")
        made = post(tenant, jane, BEGIN, {"message": "Hello"})
        clock.shift(DAY)
        again = post(tenant, jane, BEGIN, {"message": "Hello"})
    assert (again.status_code, again.json) == (200, made.json)


def test_a_key_holds_for_the_user_on_all_devices_and_over_logins(tenant, login, jane):
    made = post(tenant, jane, BEGIN, {"message": "Hello"})
    tenant.call("POST", "/v1/logout", jane)
    same_device = tenant.session(deviceId=login["deviceId"], userId="jane")
    other_device = tenant.session(userId="jane")
    again = [post(tenant, token, BEGIN, {"message": "Hello"}) for token in (same_device, other_device)]
    assert [(answer.status_code, answer.json) for answer in again] == [(200, made.json)] * 2


@cases(
    "other",
    ("message", {"message": "Hello!"}),
    ("case", {"message": "hello"}),
    ("space", {"message": "Hello "}),
    ("subject", {"message": "Hello", "subject": "Order 7"}),
    ("both", {"message": "Hello", "subject": "Hello"}),
)
def test_a_key_with_another_beginning_is_refused(tenant, rows, jane, other):
    post(tenant, jane, BEGIN, {"message": "Hello"})
    before = rows()
    assert refused_fields(post(tenant, jane, BEGIN, other)) == REUSED
    assert rows() == before


def test_members_do_not_run_into_each_other(tenant, jane):
    post(tenant, jane, BEGIN, {"subject": "ab", "message": "c"})
    assert refused_fields(post(tenant, jane, BEGIN, {"subject": "a", "message": "bc"})) == REUSED


@pytest.mark.parametrize(
    "other",
    [{"body": "Hello!", "agentName": "Ada"}, {"body": "Hello", "agentName": "Bob"}, {"body": "Hello"}],
)
def test_an_agents_key_with_another_message_is_refused(tenant, rows, id, other):
    path = f"{BEGIN}/{id}/messages"
    post(tenant, tenant.sk, path, {"body": "Hello", "agentName": "Ada"})
    before = rows()
    assert refused_fields(post(tenant, tenant.sk, path, other)) == REUSED
    assert rows() == before


def test_a_key_of_one_endpoint_is_refused_by_the_other(tenant, rows, jane, id):
    post(tenant, jane, BEGIN, {"message": "Hello"}, "begins")
    post(tenant, jane, f"{BEGIN}/{id}/messages", {"body": "Hello"}, "writes")
    before = rows()
    writing = post(tenant, jane, f"{BEGIN}/{id}/messages", {"body": "Hello"}, "begins")
    beginning = post(tenant, jane, BEGIN, {"message": "Hello"}, "writes")
    assert refused_fields(writing) == refused_fields(beginning) == REUSED
    assert rows() == before


def test_a_key_of_one_conversation_is_refused_in_another(tenant, rows, jane, id):
    other = tenant.begin(jane)
    post(tenant, jane, f"{BEGIN}/{id}/messages", {"body": "Hello"})
    before = rows()
    assert refused_fields(post(tenant, jane, f"{BEGIN}/{other}/messages", {"body": "Hello"})) == REUSED
    assert rows() == before


def test_two_users_may_use_the_same_key(tenant, jane):
    mike = tenant.session(userId="mike")
    answers = [post(tenant, token, BEGIN, {"message": "Hello"}) for token in (jane, mike)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len({answer.json["id"] for answer in answers}) == 2
    assert tenant.conversations(mike) == [answers[1].json["id"]]


def test_a_user_and_an_agent_may_use_the_same_key_in_one_conversation(tenant, jane, id):
    path = f"{BEGIN}/{id}/messages"
    answers = [post(tenant, key, path, {"body": "Hello"}) for key in (jane, tenant.sk)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert [answer.json["author"]["kind"] for answer in answers] == ["user", "agent"]


def test_an_agents_key_for_another_user_is_refused(tenant, login):
    mike = tenant.login(userId="mike")
    first, second = (
        post(tenant, tenant.sk, BEGIN, {"message": "Hello", "user": to["user"]["id"]}) for to in (login, mike)
    )
    assert first.status_code == 201
    assert refused_fields(second) == REUSED


def test_two_apps_may_use_the_same_key(tenant, other_tenant, jane):
    here = post(tenant, jane, BEGIN, {"message": "Hello"})
    there = post(other_tenant, other_tenant.session(userId="jane"), BEGIN, {"message": "Hello"})
    assert (here.status_code, there.status_code) == (201, 201)
    assert other_tenant.conversations(other_tenant.sk) == [there.json["id"]]


@cases(
    "given", ("one", "k"), ("longest", VISIBLE[:255]), ("zero", "0"), ("sql", "');--"), ("quoted", '"quoted"')
)
def test_any_visible_ascii_is_a_key(tenant, jane, id, given):
    answers = [post(tenant, jane, f"{BEGIN}/{id}/messages", {"body": "Hello"}, given) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]


def test_letter_case_makes_another_key(tenant, jane, id):
    path = f"{BEGIN}/{id}/messages"
    answers = [post(tenant, jane, path, {"body": "Hello"}, given) for given in ("k", "K")]
    assert [answer.status_code for answer in answers] == [201, 201]


@cases(
    "given",
    ("empty", ""),
    ("space", " "),
    ("space-within", "k k"),
    ("tab", "k\t1"),
    ("too-long", VISIBLE[:256]),
    ("delete", "k\x7f"),
    ("control", "k\x01"),
    ("no-break-space", "k\N{NO-BREAK SPACE}"),
    ("accent", "é"),
)
def test_anything_else_is_refused_and_leaves_no_row(tenant, rows, jane, endpoint, given):
    before = rows()
    assert refused_fields(post(tenant, jane, *endpoint, given)) == [
        ("/Idempotency-Key", "invalid-idempotency-key")
    ]
    assert rows() == before


@cases(
    "path, sent, status",
    ("empty", BEGIN, {"message": ""}, 422),
    ("too-long", BEGIN, {"message": "m" * 10_001}, 422),
    ("agents-only", BEGIN, {"message": "Hello", "agentName": "Ada"}, 422),
    ("agents-user", BEGIN, {"message": "Hello", "user": "usr_" + "0" * 32}, 422),
    ("unknown-conversation", f"{BEGIN}/{NOBODYS}/messages", {"body": "Hello"}, 404),
)
def test_a_users_refused_call_leaves_the_key_free(tenant, rows, jane, path, sent, status):
    refused = post(tenant, jane, path, sent)
    made = post(tenant, jane, BEGIN, {"message": "Hello"})
    assert refused.status_code == status
    assert made.status_code == 201
    assert len(rows()["idempotency_keys"]) == 1


def test_an_agents_refused_call_leaves_the_key_free(tenant, login):
    to_nobody = post(tenant, tenant.sk, BEGIN, {"message": "Hello"})
    to_unknown = post(tenant, tenant.sk, BEGIN, {"message": "Hello", "user": "usr_" + "0" * 32})
    made = post(tenant, tenant.sk, BEGIN, {"message": "Hello", "user": login["user"]["id"]})
    assert [answer.status_code for answer in (to_nobody, to_unknown, made)] == [422, 404, 201]


def test_a_key_that_was_refused_for_another_body_still_stands_for_its_own(tenant, jane, endpoint):
    made = post(tenant, jane, *endpoint)
    path, sent = endpoint
    post(tenant, jane, path, dict.fromkeys(sent, "Something else"))
    again = post(tenant, jane, path, sent)
    assert (again.status_code, again.json) == (200, made.json)


def test_of_simultaneous_same_calls_one_creates_and_all_answer_it(tenant, rows, jane, endpoint):
    tokens = [jane, *(tenant.session(userId="jane") for _ in range(MANY - 1))]
    before = rows()
    path, sent = endpoint
    answers = tenant.at_once(*[lambda own, token=token: post(own, token, path, sent) for token in tokens])
    after = rows()
    assert sorted(answer.status_code for answer in answers) == [200] * (MANY - 1) + [201]
    assert len({answer.get_data() for answer in answers}) == 1
    assert len(after["messages"]) == len(before["messages"]) + 1
    assert len(after["conversations"]) == len(before["conversations"]) + (path == BEGIN)


def test_of_simultaneous_calls_with_different_bodies_one_gets_the_key(tenant, rows, jane, id):
    path = f"{BEGIN}/{id}/messages"
    answers = tenant.at_once(
        *[lambda own, n=n: post(own, jane, path, {"body": f"Hello {n}"}) for n in range(MANY)]
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * (MANY - 1)
    assert len(rows()["messages"]) == 2
    assert len(rows()["idempotency_keys"]) == 1


def test_simultaneous_calls_with_different_keys_all_create(tenant, rows, jane):
    answers = tenant.at_once(
        *[lambda own, n=n: post(own, jane, BEGIN, {"message": "Hello"}, f"k-{n}") for n in range(MANY)]
    )
    assert [answer.status_code for answer in answers] == [201] * MANY
    assert len(rows()["conversations"]) == MANY
