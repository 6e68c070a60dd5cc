"""A stream whose credential is revoked ends, and tells nothing that came later."""

import pytest

from service.store.tables import Sessions
from service.times import DAY, now


def log_out(tenant, token, _):
    assert tenant.call("POST", "/v1/logout", token).status_code == 204


def log_out_by_backend(tenant, _, user):
    assert tenant.call("POST", "/v1/logout", tenant.sk, {"user": user}).status_code == 204


def log_in_anew(tenant, _token, _user):
    tenant.login(userId="jane", deviceId="d" * 20)


def log_in_as_another(tenant, _token, _user):
    tenant.login(userId="bob", deviceId="d" * 20)


def erase(tenant, _token, user):
    assert tenant.erase(user).status_code == 204


def merge_away(tenant, _token, user):
    tenant.merge(user, tenant.known(userId="bob"))


def take_id_away(tenant, _token, user):
    tenant.alias(user, "jane-2")
    assert tenant.remove_id(user, "jane").status_code == 200


def correct_id(tenant, _token, user):
    assert tenant.correct_id(user, "janet").status_code == 200


ENDS = [
    log_out,
    log_out_by_backend,
    log_in_anew,
    log_in_as_another,
    erase,
    merge_away,
    take_id_away,
    correct_id,
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_a_session_that_is_over_is_told_nothing_more(streams, agent, tenant, end):
    login = tenant.login(userId="jane", deviceId="d" * 20)
    token, user = login["session"]["token"], login["user"]["id"]
    jane = streams.follow(token)

    end(tenant, token, user)
    # It is whoever's the user is part of by now; of somebody erased nothing can begin.
    whose = user if end is not erase else tenant.known(userId="jane", deviceId="e" * 20)
    later = tenant.begin(tenant.sk, user=whose)
    agent.wait_told(later)

    jane.wait_over()
    assert jane.told == []


def test_a_session_that_has_expired_is_told_nothing_more(streams, agent, tenant, store):
    login = tenant.login(userId="jane", deviceId="d" * 20)
    jane = streams.follow(login["session"]["token"])
    sessions = Sessions.update(began_at=now() - 40 * DAY).where(Sessions.app == tenant.id)
    store.database.change(sessions)

    conversation = tenant.begin(tenant.sk, user=login["user"]["id"])
    agent.wait_told(conversation)

    # Nothing tells that it is over, so it is found when all are looked at.
    jane.wait_over()
    assert jane.told == []


def test_a_session_that_begins_under_an_id_that_goes_back_is_over(streams, agent, tenant):
    jane, bob = tenant.known(userId="jane"), tenant.known(userId="bob")
    merge = tenant.merge(bob, jane)
    follower = streams.follow(tenant.session(userId="bob"))

    tenant.undo(merge)
    later = tenant.begin(tenant.sk, user=jane)
    agent.wait_told(later)

    follower.wait_over()
    assert follower.told == []


def test_a_key_that_is_deleted_is_told_nothing_more(streams, agent, tenant):
    made = tenant.call("POST", f"/v1/apps/{tenant.id}/keys", tenant.admin_key, {"kind": "secret"}).json
    follower, idle = streams.follow(made["key"]), streams.follow(made["key"])

    path = f"/v1/apps/{tenant.id}/keys/{made['id']}"
    assert tenant.call("DELETE", path, tenant.admin_key).status_code == 204
    later = tenant.begin(tenant.session(userId="jane"))
    agent.wait_told(later)

    for one in (follower, idle):
        one.wait_over()
        assert one.told == []


def test_with_an_app_all_its_streams_end(streams, tenant):
    followers = [streams.follow(tenant.sk), streams.follow(tenant.session(userId="jane"))]
    tenant.begin(tenant.session(userId="bob"))

    assert tenant.call("DELETE", f"/v1/apps/{tenant.id}", tenant.admin_key).status_code == 204

    for follower in followers:
        follower.wait_over()


def test_a_revoked_credential_gets_no_stream(streams, tenant):
    token = tenant.session(userId="jane")
    log_out(tenant, token, None)

    refused = streams.try_follow(token)

    assert (refused.status, refused.body["code"]) == (401, "invalid-credential")
    assert refused.headers["WWW-Authenticate"]
