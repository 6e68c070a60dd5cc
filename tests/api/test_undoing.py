"""Whom an undo makes anonymous again belongs to their device alone: no other device is logged in as them."""

import pytest

from tests.support.subscribers import ANON, ANON_2, user_of

pytestmark = pytest.mark.usefixtures("sound")

EMAIL = "jane@example.org"


def visitors_known_by_the_id_of_one(tenant):
    """Two visitors whom an agent made one, who are known by an ID that was given to the one who went, and by
    an email; return the login of the one who stayed, and the merge."""
    stays, goes = tenant.login(), tenant.login()
    merge = tenant.merge(goes["user"]["id"], stays["user"]["id"])
    tenant.alias(goes["user"]["id"], "u-1")
    assert tenant.change(stays["user"]["id"], email=EMAIL).status_code == 200
    return stays, merge


def session_of(tenant, token):
    """Return who is logged in, and whether that is verified; None if nobody is."""
    me = tenant.get("/v1/me", token)
    return (me.json["user"]["id"], me.json["session"]["verified"]) if me.status_code == 200 else None


def test_who_came_by_email_is_logged_out_when_the_user_is_a_visitor_again(tenant):
    visit, merge = visitors_known_by_the_id_of_one(tenant)
    elsewhere = tenant.login(email=EMAIL)
    id, device = visit["user"]["id"], visit["deviceId"]
    assert elsewhere["user"]["id"] == id
    tenant.undo(merge)
    assert tenant.user(id)["anonymous"] is True
    assert session_of(tenant, elsewhere["session"]["token"]) is None
    assert session_of(tenant, visit["session"]["token"]) == (id, False)
    assert tenant.known(deviceId=device) == id


def test_who_came_by_email_to_a_visitors_device_is_the_visitor_again(tenant):
    visit, merge = visitors_known_by_the_id_of_one(tenant)
    token = tenant.session(email=EMAIL, deviceId=visit["deviceId"])
    assert session_of(tenant, token) == (visit["user"]["id"], True)
    tenant.undo(merge)
    assert session_of(tenant, token) == (visit["user"]["id"], False)


def test_a_device_with_another_visitor_by_now_is_logged_out(tenant):
    visit, merge = visitors_known_by_the_id_of_one(tenant)
    device = visit["deviceId"]
    another = tenant.known(deviceId=device)
    assert another != visit["user"]["id"]
    token = tenant.session(email=EMAIL, deviceId=device)
    tenant.undo(merge)
    assert session_of(tenant, token) is None
    assert tenant.known(deviceId=device) == another


def test_a_visitor_again_whose_parts_id_was_taken_away_has_the_device_again(tenant):
    visit, _ = visitors_known_by_the_id_of_one(tenant)
    id, device = visit["user"]["id"], visit["deviceId"]
    merge = tenant.merge(tenant.known(userId="u-2"), id)
    assert tenant.remove_id(id, "u-1").json["userId"] == "u-2"
    tenant.undo(merge)
    assert session_of(tenant, visit["session"]["token"]) == (id, False)
    assert tenant.known(deviceId=device) == id


def test_a_visitor_again_keeps_off_the_device_of_whom_an_undo_parted_before(tenant):
    former, visit = tenant.login(), tenant.login()
    tenant.undo(tenant.merge(former["user"]["id"], visit["user"]["id"]))
    goes = tenant.login()["user"]["id"]
    merge = tenant.merge(goes, visit["user"]["id"])
    tenant.alias(goes, "u-1")
    tenant.undo(merge)
    for one in (former, visit):
        assert tenant.known(deviceId=one["deviceId"]) == one["user"]["id"]


@pytest.mark.parametrize("undone", [1, 2])
def test_a_visitor_again_stays_one_without_an_email_when_another_stands_apart(tenant, undone):
    visit, merge = visitors_known_by_the_id_of_one(tenant)
    another = tenant.merge(tenant.known(), visit["user"]["id"])
    for one in (merge, another)[:undone]:
        tenant.undo(one)
    user = tenant.user(visit["user"]["id"])
    assert (user["anonymous"], user["email"]) == (True, None)


def test_nobody_is_logged_in_as_one_whom_a_client_made_and_no_id_names_any_more(tenant, rc):
    for id in (ANON, ANON_2):
        assert rc("GET", f"/subscribers/{id}", key=tenant.sk).status_code == 201
    stays, goes = (user_of(tenant, id)["id"] for id in (ANON, ANON_2))
    merge = tenant.merge(goes, stays)
    tenant.alias(goes, "u-1")
    tenant.change(stays, email=EMAIL)
    token = tenant.session(email=EMAIL)
    assert session_of(tenant, token) == (stays, True)
    tenant.undo(merge)
    assert tenant.user(stays)["anonymous"] is True
    assert session_of(tenant, token) is None


def test_a_visitor_whom_the_id_of_a_part_names_has_it_in_the_history(tenant):
    """A widget logs visitors in, for whom nobody vouches; that the survivor is proven the backend says."""
    stays, goes = (tenant.try_login(key=tenant.pk).json["user"]["id"] for _ in range(2))
    tenant.merge(goes, stays)
    tenant.alias(goes, "u-1")
    own = [(one["event"], one["after"]) for one in tenant.history(stays) if one["event"] != "merged"]
    assert ("user-id-attached", {"userId": None}) in own
    assert ("user-id-attached", {"userId": "u-1"}) in own
