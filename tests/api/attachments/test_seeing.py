"""Who sees a message fetches its files, and nobody else does."""

from tests.support.attachments import fetch, name_in_message, send, sent, written
from tests.support.responses import problem_of


def test_nobody_but_who_sent_it_sees_a_file_that_no_message_names(shop, jane, ben, id):
    mine, theirs = sent(shop, id, jane)["id"], sent(shop, id, shop.sk)["id"]
    assert fetch(shop, mine, jane).status_code == fetch(shop, theirs, shop.sk).status_code == 200
    for attachment, key in ((mine, shop.sk), (mine, ben), (theirs, jane)):
        assert problem_of(fetch(shop, attachment, key)) == (404, "not-found")


def test_nobody_else_fetches_a_file_or_sends_one(shop, other_tenant, jane, ben, id):
    attachment = written(shop, id, jane)
    other = other_tenant.on(shop.client.application)
    for key in (ben, other.sk, other.session(userId="jane")):
        assert problem_of(fetch(shop, attachment, key)) == (404, "not-found")
        assert problem_of(send(shop, id, key)) == (404, "not-found")
    for none in ("att_" + "0" * 32, "att_", "cnv_" + "0" * 32, "%00"):
        assert problem_of(fetch(shop, none, jane)) == (404, "not-found")
    assert fetch(shop, attachment, shop.pk).status_code == 403


def test_a_revoked_session_fetches_nothing(shop, jane, id):
    attachment = written(shop, id, jane)
    shop.call("POST", "/v1/logout", jane)
    assert fetch(shop, attachment, jane).status_code == send(shop, id, jane).status_code == 401


def test_an_unproven_session_fetches_what_is_in_conversations_of_its_own_device(shop):
    shop.set(identityVerification="off")
    mine, elsewhere = (shop.try_login(key=shop.pk, userId="jane").json["session"]["token"] for _ in range(2))
    id = shop.begin(mine)
    attachment, waiting = written(shop, id, mine), sent(shop, id, mine)["id"]
    assert [fetch(shop, one, mine).status_code for one in (attachment, waiting)] == [200, 200]
    proven = shop.session(userId="jane")
    for key in (elsewhere, proven):
        assert [fetch(shop, one, key).status_code for one in (attachment, waiting)] == [404, 404]
        assert send(shop, id, key).status_code == 404


def test_where_conversations_are_a_devices_their_files_are(shop, jane, id):
    attachment = written(shop, id, jane)
    tablet = shop.session(userId="jane")
    assert fetch(shop, attachment, tablet).status_code == 200
    shop.set(conversationScope="device")
    assert fetch(shop, attachment, tablet).status_code == 404
    assert fetch(shop, attachment, jane).status_code == 200


def test_a_merge_brings_files_along_and_its_undo_parts_them(shop, login, jane, id):
    other = shop.login(userId="jane-2")
    token = other["session"]["token"]
    theirs = shop.begin(token)
    attachment = written(shop, theirs, token)
    merge = shop.merge(other["user"]["id"], login["user"]["id"])
    assert fetch(shop, attachment, jane).status_code == 200
    mine = written(shop, theirs, jane)
    waiting = sent(shop, theirs, jane)["id"]
    agents = written(shop, theirs, shop.sk)
    shop.undo(merge)
    again = shop.session(userId="jane-2")
    assert [fetch(shop, one, again).status_code for one in (attachment, agents)] == [200, 200]
    assert [fetch(shop, one, jane).status_code for one in (attachment, agents)] == [404, 404]
    # The conversation went back whole, and shows none of the other user's.
    assert [fetch(shop, one, again).status_code for one in (mine, waiting)] == [404, 404]
    assert fetch(shop, mine, shop.sk).status_code == 200
    assert name_in_message(shop, theirs, again, waiting).status_code == 422


def test_what_an_anonymous_user_sent_is_theirs_alone_to_name(shop):
    shop.set(anonymousOnLogin="merge")
    visit = shop.login()
    id = shop.begin(visit["session"]["token"])
    waiting = sent(shop, id, visit["session"]["token"])["id"]
    jane = shop.session(userId="jane-3", deviceId=visit["deviceId"])
    assert fetch(shop, waiting, jane).status_code == 404
    assert name_in_message(shop, id, jane, waiting).status_code == 422
