"""Logout over HTTP: which sessions it ends, which live on, and what a dead token opens."""

import pytest

from tests.support.cases import cases
from tests.support.responses import refused_fields

DEVICE = "device-of-the-test-0001"


def log_out(tenant, key, **members):
    return tenant.call("POST", "/v1/logout", key, members or None)


def lives(tenant, token):
    return tenant.get("/v1/me", token).status_code == 200


def test_logout_ends_the_session(tenant):
    token = tenant.session(userId="u-17")
    response = log_out(tenant, token)
    assert (response.status_code, response.data) == (204, b"")
    assert not lives(tenant, token)


def test_the_other_sessions_live_on(tenant, other_tenant):
    token = tenant.session(userId="u-17", deviceId=DEVICE)
    elsewhere = tenant.session(userId="u-17")
    somebody_else = tenant.session(userId="u-18")
    in_another_app = other_tenant.session(userId="u-17", deviceId=DEVICE)
    log_out(tenant, token)
    assert lives(tenant, elsewhere)
    assert lives(tenant, somebody_else)
    assert lives(other_tenant, in_another_app)


def test_a_replaced_token_logs_nobody_out(tenant):
    former = tenant.session(userId="u-17", deviceId=DEVICE)
    token = tenant.session(userId="u-18", deviceId=DEVICE)
    log_out(tenant, former)
    assert lives(tenant, token)


@cases(
    "body, content_type",
    ("somebody else", b'{"userId": "u-18"}', "application/json"),
    ("not JSON", b"{", "application/json"),
    ("not an object", b"[]", "application/json"),
    ("a form", b"userId=u-18", "application/x-www-form-urlencoded"),
)
def test_a_token_ends_its_own_session_whatever_the_body_says(tenant, client, body, content_type):
    token = tenant.session(userId="u-17")
    somebody_else = tenant.session(userId="u-18")
    headers = {"Authorization": f"Bearer {token}"}
    assert client.post("/v1/logout", data=body, content_type=content_type, headers=headers).status_code == 204
    assert not lives(tenant, token)
    assert lives(tenant, somebody_else)


def test_a_backend_ends_the_session_of_a_device(tenant):
    token = tenant.session(userId="u-17", deviceId=DEVICE)
    elsewhere = tenant.session(userId="u-17")
    response = log_out(tenant, tenant.sk, deviceId=DEVICE)
    assert (response.status_code, response.data) == (204, b"")
    assert not lives(tenant, token)
    assert lives(tenant, elsewhere)


@pytest.mark.parametrize("name", ["user ID", "alias", "id", "id of whoever was merged into them"])
def test_a_backend_ends_every_session_of_a_user(tenant, name):
    tenant.set(anonymousOnLogin="merge")
    absorbed = tenant.login(deviceId=DEVICE)["user"]
    login = tenant.login(userId="u-17", deviceId=DEVICE)
    tokens = [login["session"]["token"], tenant.session(userId="u-17")]
    somebody_else = tenant.session(userId="u-18")
    sent = {
        "user ID": {"userId": "u-17"},
        "alias": {"userId": absorbed["userId"]},
        "id": {"user": login["user"]["id"]},
        "id of whoever was merged into them": {"user": absorbed["id"]},
    }[name]

    assert log_out(tenant, tenant.sk, **sent).status_code == 204
    assert [lives(tenant, token) for token in tokens] == [False, False]
    assert lives(tenant, somebody_else)


@pytest.mark.parametrize("member", ["userId", "user"])
def test_a_backend_ends_the_session_of_an_anonymous_user(tenant, member):
    login = tenant.login(deviceId=DEVICE)
    sent = {"userId": login["user"]["userId"], "user": login["user"]["id"]}
    log_out(tenant, tenant.sk, **{member: sent[member]})
    assert not lives(tenant, login["session"]["token"])
    assert tenant.login(deviceId=DEVICE)["user"] == login["user"]


@pytest.mark.parametrize("member", ["deviceId", "userId", "user"])
def test_a_backend_ends_no_session_of_another_app(tenant, other_tenant, member):
    theirs = other_tenant.login(userId="u-17", deviceId=DEVICE)
    sent = {"deviceId": DEVICE, "userId": "u-17", "user": theirs["user"]["id"]}
    assert log_out(tenant, tenant.sk, **{member: sent[member]}).status_code == 204
    assert lives(other_tenant, theirs["session"]["token"])


@cases(
    "sent, pointer, code",
    ("none", {}, "", "exactly-one"),
    ("blanks", {"userId": "", "user": None}, "", "exactly-one"),
    ("two", {"userId": "u-17", "deviceId": DEVICE}, "", "exactly-one"),
    ("three", {"userId": "u-17", "deviceId": DEVICE, "user": "x"}, "", "exactly-one"),
    ("unknown", {"userId": "u-17", "email": "a@b.example"}, "/email", "unknown"),
    ("number", {"userId": 17}, "/userId", "not-a-string"),
)
def test_a_backend_says_exactly_one_thing(tenant, sent, pointer, code):
    token = tenant.session(userId="u-17", deviceId=DEVICE)
    assert refused_fields(tenant.call("POST", "/v1/logout", tenant.sk, sent)) == [(pointer, code)]
    assert lives(tenant, token)


def test_one_member_beside_blanks_is_enough(tenant):
    token = tenant.session(userId="u-17")
    assert log_out(tenant, tenant.sk, userId="u-17", deviceId=None, user="").status_code == 204
    assert not lives(tenant, token)


@cases("claim", ("somebody else", {"userId": "u-18"}), ("the same user", {"userId": "u-17"}), ("nobody", {}))
def test_a_login_ends_the_former_session_of_its_device(tenant, claim):
    former = tenant.session(userId="u-17", deviceId=DEVICE)
    elsewhere = tenant.session(userId="u-17")
    token = tenant.session(deviceId=DEVICE, **claim)
    assert not lives(tenant, former)
    assert lives(tenant, token)
    assert lives(tenant, elsewhere)


def test_after_logout_the_device_is_anonymous_again(tenant):
    anonymous = tenant.login(deviceId=DEVICE)
    own = tenant.begin(tenant.session(userId="u-17", deviceId=DEVICE))
    log_out(tenant, tenant.sk, deviceId=DEVICE)
    after = tenant.login(key=tenant.pk, deviceId=DEVICE)
    assert after["user"] == anonymous["user"]
    assert own not in tenant.conversations(after["session"]["token"])
