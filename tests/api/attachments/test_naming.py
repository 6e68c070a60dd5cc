"""A message names what its author sent for it."""

from datetime import UTC, datetime, timedelta

from service.api.context import NAME
from service.desk.removing import remove_old
from tests.support.attachments import PNG, fetch, name_in_message, send, sent, written
from tests.support.cases import cases
from tests.support.responses import problem_of, refused_fields


def test_a_message_names_what_its_author_sent_into_its_conversation_and_no_message_has(shop, jane, ben, id):
    of_ben = sent(shop, shop.begin(ben), ben)["id"]
    of_agent, elsewhere = sent(shop, id, shop.sk)["id"], sent(shop, shop.begin(jane), jane)["id"]
    taken, mine = written(shop, id, jane), sent(shop, id, jane)["id"]
    for bad in (of_ben, of_agent, elsewhere, taken, "att_" + "0" * 32, "", "att_é"):
        response = name_in_message(shop, id, jane, mine, bad)
        assert refused_fields(response) == [("/attachments/1", "unknown-attachment")]
    assert refused_fields(name_in_message(shop, id, jane, mine, mine)) == [
        ("/attachments/1", "unknown-attachment")
    ]
    assert len(shop.messages(id)) == 2
    assert name_in_message(shop, id, jane, mine).status_code == 201


@cases(
    "members, pointer, code",
    ("none, and no body", {"attachments": []}, "/body", "required"),
    ("none, and an empty body", {"attachments": [], "body": ""}, "/body", "empty"),
    ("none, and null", {"attachments": [], "body": None}, "/body", "null"),
    ("null", {"attachments": None, "body": "Hello"}, "/attachments", "null"),
    ("a text", {"attachments": "att_1", "body": "Hello"}, "/attachments", "not-an-array"),
    ("a number", {"attachments": [1]}, "/attachments/0", "not-a-string"),
    ("a body that is none", {"attachments": ["att_1"], "body": 7}, "/body", "not-a-string"),
    ("too many", {"attachments": ["att_1"] * 11}, "/attachments", "too-many"),
)
def test_what_no_message_can_be_is_refused(tenant, jane, members, pointer, code):
    path = f"/v1/conversations/{tenant.begin(jane)}/messages"
    assert refused_fields(tenant.call("POST", path, jane, members)) == [(pointer, code)]


def test_of_messages_at_once_one_names_a_file(shop, jane, id):
    attachment = sent(shop, id, jane)["id"]
    answers = shop.at_once(*[lambda own: name_in_message(own, id, jane, attachment)] * 6)
    assert sorted(answer.status_code for answer in answers) == [201, *[422] * 5]


def test_what_is_not_named_within_a_day_is_forgotten(shop, place, jane, id, time_machine):
    kept, waiting = written(shop, id, jane), sent(shop, id, jane)["id"]
    remove_old(shop.client.application.extensions[NAME].store)
    assert place.holds(waiting)
    time_machine.move_to(datetime.now(UTC) + timedelta(days=1), tick=False)
    assert fetch(shop, waiting, jane).status_code == 404
    assert name_in_message(shop, id, jane, waiting).status_code == 422
    remove_old(shop.client.application.extensions[NAME].store)
    assert (place.holds(kept), place.holds(waiting)) == (True, False)
    assert fetch(shop, kept, jane).data == PNG


def test_a_user_has_so_many_files_wait_and_an_agent_any(tenant, jane):
    id = tenant.begin(jane)
    ids = [sent(tenant, id, jane, b"x")["id"] for _ in range(20)]
    assert problem_of(send(tenant, id, jane)) == (409, "too-many-waiting")
    assert [send(tenant, id, tenant.sk).status_code for _ in range(21)] == [201] * 21
    assert name_in_message(tenant, id, jane, ids[0]).status_code == 201
    assert send(tenant, id, jane).status_code == 201


def test_of_files_at_once_no_more_wait_than_may(tenant, jane):
    id = tenant.begin(jane)
    for _ in range(19):
        sent(tenant, id, jane, b"x")
    answers = tenant.at_once(*[lambda own: send(own, id, jane)] * 2)
    assert sorted(answer.status_code for answer in answers) == [201, 409]
