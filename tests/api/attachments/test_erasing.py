"""Of who is erased no bytes are left."""

from tests.support.attachments import fetch, sent, written


def test_of_an_erased_user_no_bytes_are_left(shop, place, login, jane, id):
    ids = [written(shop, id, jane), written(shop, id, shop.sk), sent(shop, id, jane)["id"]]
    assert all(map(place.holds, ids))
    shop.erase(login["user"]["id"])
    assert [fetch(shop, one, shop.sk).status_code for one in ids] == [404] * 3
    assert not any(map(place.holds, ids))


def test_what_they_sent_into_conversations_that_are_anothers_by_now_goes_too(shop, place, login, jane, id):
    other = shop.login(userId="jane-2")
    theirs = shop.begin(other["session"]["token"])
    merge = shop.merge(other["user"]["id"], login["user"]["id"])
    mine = written(shop, theirs, jane)
    waiting = sent(shop, theirs, jane)["id"]
    shop.undo(merge)
    kept = written(shop, theirs, shop.sk)
    shop.erase(login["user"]["id"])
    assert [place.holds(one) for one in (mine, waiting, kept)] == [False, False, True]
    message = shop.messages(theirs)[-2]
    assert (message["body"], message["attachments"]) == (None, [])


def test_of_an_erased_app_no_bytes_are_left(shop, place, jane, id):
    attachment = written(shop, id, jane)
    assert shop.call("DELETE", f"/v1/apps/{shop.id}", shop.admin_key).status_code == 204
    assert not place.holds(attachment)
