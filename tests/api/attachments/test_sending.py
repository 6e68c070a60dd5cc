"""Files are sent, named by a message, and shown with it."""

import hashlib

from tests.support.attachments import PNG, fetch, name_in_message, send, sent, written
from tests.support.following import all_told
from tests.support.responses import problem_of, refused_fields


def test_a_file_is_sent_named_and_fetched_by_both_sides(shop, place, jane, id):
    attachment = sent(shop, id, jane)
    assert attachment == {
        "id": attachment["id"],
        "name": "parcel.png",
        "type": "image/png",
        "size": len(PNG),
        "sha256": hashlib.sha256(PNG).hexdigest(),
    }
    message = name_in_message(shop, id, jane, attachment["id"], body="Broken").json
    assert (message["body"], message["attachments"]) == ("Broken", [attachment])
    assert shop.messages(id, jane)[-1] == shop.messages(id)[-1] == message
    for key in (jane, shop.sk):
        assert fetch(shop, attachment["id"], key).data == PNG
    assert place.holds(attachment["id"])


def test_an_agents_file_reaches_the_user(shop, jane, id):
    attachment = written(shop, id, shop.sk, b"%PDF-1.7 label")
    assert fetch(shop, attachment, jane).data == b"%PDF-1.7 label"


def test_a_file_of_many_pieces_comes_back_as_it_is(shop, jane, id):
    data = bytes(range(251)) * 12_345
    attachment = sent(shop, id, jane, data)
    assert attachment["sha256"] == hashlib.sha256(data).hexdigest()
    assert fetch(shop, attachment["id"], jane).data == data
    part = fetch(shop, attachment["id"], jane, Range=f"bytes=1000000-{2**20 + 10}")
    assert part.data == data[1_000_000 : 2**20 + 11]


def test_a_message_may_have_files_alone(shop, jane, id):
    attachment = sent(shop, id, jane)
    for body in ({}, {"body": None}, {"body": ""}, {"body": " \n"}):
        message = name_in_message(shop, id, jane, sent(shop, id, jane)["id"], **body)
        assert (message.status_code, message.json["body"]) == (201, None)
    message = name_in_message(shop, id, jane, attachment["id"]).json
    assert shop.messages(id, jane)[-1] == message


def test_files_stand_in_the_order_in_which_the_message_names_them(shop, jane, id):
    ids = [sent(shop, id, jane, name=f"{number}.png")["id"] for number in range(10)]
    ids = ids[5:] + ids[:5]
    message = name_in_message(shop, id, jane, *ids).json
    assert [one["id"] for one in message["attachments"]] == ids


def test_events_and_the_export_have_a_messages_files(shop, login, jane, id):
    attachment, waiting = sent(shop, id, jane), sent(shop, id, jane, name="later.png")
    message = name_in_message(shop, id, jane, attachment["id"]).json
    [*_, event], _ = all_told(shop)
    assert event["data"]["message"] == message
    export = shop.get(f"/v1/users/{login['user']['id']}/export").json
    assert export["conversations"][0]["messages"][-1] == message
    assert export["attachments"] == [waiting]


def test_a_file_that_is_sent_again_with_its_key_is_the_same(shop, place, jane, id):
    before = len(place.names())
    first = sent(shop, id, jane, Idempotency_Key="key-1")
    again = send(shop, id, jane, Idempotency_Key="key-1")
    assert (again.status_code, again.json) == (200, first)
    name_in_message(shop, id, jane, first["id"])
    assert send(shop, id, jane, Idempotency_Key="key-1").json == first
    assert len(place.names()) == before + 1


def test_a_key_is_for_one_file(tenant, jane):
    id = tenant.begin(jane)
    sent(tenant, id, jane, Idempotency_Key="key-1")
    for data, name in ((PNG + b"x", "parcel.png"), (PNG, "other.png")):
        response = send(tenant, id, jane, data, name=name, Idempotency_Key="key-1")
        assert refused_fields(response) == [("/Idempotency-Key", "idempotency-key-reused")]
    response = send(tenant, id, jane, Idempotency_Key="a b")
    assert refused_fields(response) == [("/Idempotency-Key", "invalid-idempotency-key")]


def test_a_file_that_is_sent_with_one_key_at_once_is_kept_once(shop, place, jane, id):
    before = len(place.names())
    answers = shop.at_once(*[lambda own: send(own, id, jane, Idempotency_Key="key-1")] * 2)
    assert sorted(answer.status_code for answer in answers) == [200, 201]
    assert len({answer.json["id"] for answer in answers}) == 1
    assert len(place.names()) == before + 1


def test_a_message_with_files_that_is_sent_again_is_the_same(tenant, jane):
    id = tenant.begin(jane)
    attachment = sent(tenant, id, jane)["id"]
    path, said = f"/v1/conversations/{id}/messages", {"attachments": [attachment]}
    first, again = (tenant.call("POST", path, jane, said, Idempotency_Key="key-2") for _ in range(2))
    assert (first.status_code, again.status_code, again.json) == (201, 200, first.json)


def test_the_largest_file_is_taken_and_no_larger_one(tenant, start, place, jane):
    shop = tenant.on(start(files_url=place.url, attachment_bytes=100_000))
    id, before = shop.begin(jane), len(place.names())
    assert sent(shop, id, jane, b"x" * 100_000)["size"] == 100_000
    assert problem_of(send(shop, id, jane, b"x" * 100_001)) == (413, "too-large")
    assert len(place.names()) == before + 1


def test_ten_mebibytes_are_the_most_by_default(tenant, jane):
    id = tenant.begin(jane)
    assert sent(tenant, id, jane, bytes(10 * 2**20))["size"] == 10 * 2**20
    assert problem_of(send(tenant, id, jane, bytes(10 * 2**20 + 1))) == (413, "too-large")


def test_an_empty_file_is_none(shop, place, jane, id):
    before = len(place.names())
    assert refused_fields(send(shop, id, jane, b"")) == [("", "empty")]
    assert len(place.names()) == before


def test_a_form_is_no_file(tenant, jane):
    response = send(tenant, tenant.begin(jane), jane, Content_Type="multipart/form-data; boundary=x")
    assert refused_fields(response) == [("", "form")]


def test_without_a_place_for_files_they_are_refused_with_the_reason(tenant, start, jane, id):
    shop = tenant.on(start(files_url=""))
    attachment = written(tenant, id, jane)
    for response in (send(shop, id, jane), fetch(shop, attachment, jane)):
        assert problem_of(response) == (501, "no-files")
        assert "FILES_URL" in response.json["detail"]


def test_without_a_place_for_files_the_rest_goes_on(tenant, start, login, jane):
    id = tenant.begin(jane)
    attachment = written(tenant, id, jane)
    shop = tenant.on(start(files_url=""))
    assert shop.messages(id, jane)[-1]["attachments"][0]["id"] == attachment
    assert shop.write(id, jane)
    assert shop.erase(login["user"]["id"]).status_code == 204
