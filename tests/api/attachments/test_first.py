"""A file is sent before there is a conversation, which then begins with it."""

from datetime import UTC, datetime, timedelta

import pytest

from service.api.context import NAME
from service.desk import attachments as desk
from service.desk.credentials import identify
from service.desk.removing import remove_old
from service.model.errors import InvalidCredential
from tests.support.attachments import PNG, begin_with, fetch, name_in_message, send, sent
from tests.support.cases import cases
from tests.support.following import all_told
from tests.support.responses import problem_of, refused_fields

UNKNOWN = [("/attachments/0", "unknown-attachment")]


def test_a_conversation_begins_with_files_in_one_message(shop, place, jane):
    files = [sent(shop, None, jane, name=name) for name in ("one.png", "two.png")]
    begun = begin_with(shop, jane, *(one["id"] for one in files), message="Broken", subject="Parcel")
    assert (begun.status_code, begun.json["subject"]) == (201, "Parcel")
    [message] = shop.messages(begun.json["id"], jane)
    assert (message["body"], message["attachments"]) == ("Broken", files)
    assert shop.messages(begun.json["id"]) == [message]
    for one in files:
        assert fetch(shop, one["id"], jane).data == fetch(shop, one["id"], shop.sk).data == PNG
        assert place.holds(one["id"])
    [*_, event], _ = all_told(shop)
    assert event["data"]["message"] == message


@pytest.mark.parametrize("said", [{}, {"message": None}, {"message": ""}, {"message": " \n"}])
def test_it_may_begin_with_files_alone(shop, jane, said):
    begun = begin_with(shop, jane, sent(shop, None, jane)["id"], **said)
    assert [one["body"] for one in shop.messages(begun.json["id"], jane)] == [None]


def test_an_agent_begins_with_a_file_which_only_the_user_sees_then(shop, login, jane):
    file = sent(shop, None, shop.sk)["id"]
    assert fetch(shop, file, jane).status_code == 404
    assert refused_fields(begin_with(shop, jane, file)) == UNKNOWN
    begun = begin_with(shop, shop.sk, file, user=login["user"]["id"]).json["id"]
    assert fetch(shop, file, jane).data == PNG
    assert shop.messages(begun, jane)[0]["attachments"][0]["id"] == file


@cases(
    "members, pointer, code",
    ("nothing", {}, "/message", "required"),
    ("no files, and no message", {"attachments": [], "message": ""}, "/message", "empty"),
    ("null", {"message": None}, "/message", "null"),
    ("a message that is none", {"attachments": ["att_1"], "message": 7}, "/message", "not-a-string"),
    ("too many", {"attachments": ["att_1"] * 11}, "/attachments", "too-many"),
    ("null in place of files", {"attachments": None, "message": "Hello"}, "/attachments", "null"),
)
def test_what_nothing_can_begin_with_is_refused(tenant, jane, members, pointer, code):
    assert refused_fields(tenant.call("POST", "/v1/conversations", jane, members)) == [(pointer, code)]


def test_only_who_sent_it_begins_with_a_file_and_what_is_refused_begins_nothing(shop, jane, ben):
    of_ben, of_agent = sent(shop, None, ben)["id"], sent(shop, None, shop.sk)["id"]
    id = shop.begin(jane)
    elsewhere, taken = sent(shop, id, jane)["id"], sent(shop, None, jane)["id"]
    assert name_in_message(shop, id, jane, taken).status_code == 201
    mine = sent(shop, None, jane)["id"]
    for bad in (of_ben, of_agent, elsewhere, taken, mine, "att_" + "0" * 32, "att_é"):
        refused = begin_with(shop, jane, mine, bad, message="Hello")
        assert refused_fields(refused) == [("/attachments/1", "unknown-attachment")]
    assert shop.conversations(jane) == [id]
    assert begin_with(shop, jane, mine).status_code == 201
    assert refused_fields(begin_with(shop, jane, mine)) == UNKNOWN


def test_nobody_else_fetches_a_file_that_waits(shop, other_tenant, jane, ben):
    mine, theirs = sent(shop, None, jane)["id"], sent(shop, None, shop.sk)["id"]
    other = other_tenant.on(shop.client.application)
    assert fetch(shop, mine, jane).status_code == fetch(shop, theirs, shop.sk).status_code == 200
    for file, key in ((mine, shop.sk), (mine, ben), (theirs, jane), (mine, other.session(userId="jane"))):
        assert problem_of(fetch(shop, file, key)) == (404, "not-found")
    assert problem_of(fetch(other, theirs, other.sk)) == (404, "not-found")
    assert fetch(shop, mine, shop.pk).status_code == send(shop, None, shop.pk).status_code == 403


def test_it_waits_on_the_device_from_which_it_was_sent(shop, login, jane):
    file, id = sent(shop, None, jane)["id"], shop.begin(jane)
    tablet = shop.session(userId="jane")
    assert fetch(shop, file, tablet).status_code == 404
    assert refused_fields(begin_with(shop, tablet, file)) == UNKNOWN
    assert refused_fields(name_in_message(shop, id, tablet, file)) == UNKNOWN
    again = shop.session(userId="jane", deviceId=login["deviceId"])
    assert fetch(shop, file, again).status_code == 200
    begun = begin_with(shop, again, file).json["id"]
    assert fetch(shop, file, tablet).status_code == 200
    shop.set(conversationScope="device")
    assert fetch(shop, file, tablet).status_code == 404
    assert shop.conversations(tablet) == []
    assert shop.messages(begun, again)[0]["attachments"][0]["id"] == file


def test_an_unproven_session_has_the_files_of_its_own_device_and_learns_of_no_other(shop):
    shop.set(identityVerification="off")
    mine, elsewhere = (shop.try_login(key=shop.pk, userId="jane").json["session"]["token"] for _ in range(2))
    files = [sent(shop, None, mine, b"x")["id"] for _ in range(20)]
    for key in (elsewhere, shop.session(userId="jane")):
        assert fetch(shop, files[0], key).status_code == 404
        assert refused_fields(begin_with(shop, key, files[0])) == UNKNOWN
        # That twenty wait says that somebody is there.
        assert send(shop, None, key).status_code == send(shop, shop.begin(key), key).status_code == 201
    assert problem_of(send(shop, None, mine)) == (409, "too-many-waiting")
    begun = begin_with(shop, mine, files[0])
    assert (begun.status_code, begun.json["user"]) == (201, None)
    assert fetch(shop, files[0], mine).data == b"x"


def test_a_user_has_so_many_files_wait_wherever_they_sent_them(tenant, jane):
    id = tenant.begin(jane)
    tablet = tenant.session(userId="jane")
    files = [sent(tenant, None, jane, b"x")["id"] for _ in range(10)]
    for _ in range(5):
        sent(tenant, id, jane, b"x")
        sent(tenant, None, tablet, b"x")
    for key, place in ((jane, None), (jane, id), (tablet, None)):
        assert problem_of(send(tenant, place, key)) == (409, "too-many-waiting")
    assert [send(tenant, None, tenant.sk).status_code for _ in range(21)] == [201] * 21
    assert begin_with(tenant, jane, *files).status_code == 201
    assert send(tenant, None, tablet).status_code == 201


def test_of_files_at_once_no_more_wait_than_may(tenant, jane):
    for _ in range(19):
        sent(tenant, None, jane, b"x")
    answers = tenant.at_once(*[lambda own: send(own, None, jane)] * 2)
    assert sorted(answer.status_code for answer in answers) == [201, 409]


def test_of_conversations_at_once_one_begins_with_a_file(shop, jane):
    file = sent(shop, None, jane)["id"]
    answers = shop.at_once(*[lambda own: begin_with(own, jane, file)] * 4)
    assert sorted(answer.status_code for answer in answers) == [201, *[422] * 3]
    assert len(shop.conversations(jane)) == 1


def test_what_no_message_names_within_a_day_is_forgotten(shop, place, jane, time_machine):
    file = sent(shop, None, jane)["id"]
    store = shop.client.application.extensions[NAME].store
    remove_old(store)
    assert place.holds(file)
    time_machine.move_to(datetime.now(UTC) + timedelta(days=1), tick=False)
    assert fetch(shop, file, jane).status_code == 404
    assert refused_fields(begin_with(shop, jane, file)) == UNKNOWN
    remove_old(store)
    assert not place.holds(file)
    assert shop.conversations(jane) == []


def test_of_an_erased_user_no_file_waits(shop, place, login, jane):
    file = sent(shop, None, jane)["id"]
    assert shop.get(f"/v1/users/{login['user']['id']}/export").json["attachments"][0]["id"] == file
    shop.erase(login["user"]["id"])
    assert not place.holds(file)
    assert send(shop, None, jane).status_code == 401


def test_of_an_erased_app_no_file_waits(shop, place, jane):
    files = [sent(shop, None, key)["id"] for key in (jane, shop.sk)]
    assert shop.call("DELETE", f"/v1/apps/{shop.id}", shop.admin_key).status_code == 204
    assert not any(map(place.holds, files))


def test_what_who_is_erased_meanwhile_was_sending_is_not_kept(shop, place, login, jane):
    store, before = shop.client.application.extensions[NAME].store, place.names()
    caller = identify(store, shop.admin_key, jane, "req_1")

    def pieces():
        yield b"x"
        shop.on(shop.client.application).erase(login["user"]["id"])

    with pytest.raises(InvalidCredential):
        desk.upload(store.of(shop.id), caller, None, name="file", pieces=pieces(), key_of=lambda _: None)
    assert place.names() == before


def test_a_merge_and_its_undo_leave_it_with_who_sent_it(shop, login, jane):
    other = shop.login(userId="jane-2")
    file = sent(shop, None, other["session"]["token"])["id"]
    merge = shop.merge(other["user"]["id"], login["user"]["id"])
    here = {"deviceId": other["deviceId"]}
    assert fetch(shop, file, jane).status_code == 404
    assert fetch(shop, file, shop.session(userId="jane", **here)).status_code == 404
    assert fetch(shop, file, shop.session(userId="jane-2", **here)).status_code == 200
    shop.undo(merge)
    assert fetch(shop, file, shop.session(userId="jane", **here)).status_code == 404
    again = shop.session(userId="jane-2", **here)
    begun = begin_with(shop, again, file)
    assert begun.json["user"] == other["user"]["id"]


@pytest.mark.parametrize("policy", ["keep", "clear", "merge"])
def test_what_an_anonymous_user_sent_is_not_whose_the_device_is_next(shop, policy):
    shop.set(anonymousOnLogin=policy)
    visit = shop.login()
    file = sent(shop, None, visit["session"]["token"])["id"]
    jane = shop.session(userId="jane-3", deviceId=visit["deviceId"])
    assert fetch(shop, file, jane).status_code == 404
    assert refused_fields(begin_with(shop, jane, file)) == UNKNOWN
    shop.call("POST", "/v1/logout", jane)
    back = shop.session(deviceId=visit["deviceId"])
    assert fetch(shop, file, back).status_code == (200 if policy == "keep" else 404)


def test_a_file_that_is_sent_again_with_its_key_is_the_same(shop, place, login, jane):
    before = len(place.names())
    for key in (jane, shop.sk):
        first, again, elsewhere = (
            send(shop, conversation, key, Idempotency_Key="key-1")
            for conversation in (None, None, shop.begin(shop.sk, user=login["user"]["id"]))
        )
        assert (first.status_code, again.status_code, again.json) == (201, 200, first.json)
        assert refused_fields(elsewhere) == [("/Idempotency-Key", "idempotency-key-reused")]
    assert len(place.names()) == before + 2


def test_a_conversation_that_is_begun_again_with_its_key_is_the_same(shop, jane):
    file, other = (sent(shop, None, jane)["id"] for _ in range(2))

    def begin(own, *ids):
        said = {"attachments": list(ids)}
        return own.call("POST", "/v1/conversations", jane, said, Idempotency_Key="key-1")

    answers = [*shop.at_once(*[lambda own: begin(own, file)] * 2), begin(shop, file)]
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    assert len({answer.json["id"] for answer in answers}) == 1
    assert len(shop.messages(answers[0].json["id"], jane)) == 1
    assert refused_fields(begin(shop, other)) == [("/Idempotency-Key", "idempotency-key-reused")]


def test_without_a_place_for_files_they_are_refused_with_the_reason(tenant, start, jane):
    refused = send(tenant.on(start(files_url="")), None, jane)
    assert problem_of(refused) == (501, "no-files")
    assert "FILES_URL" in refused.json["detail"]
