"""How long a session lives, what it opens, and what /v1/me says of it."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.cases import cases

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)


def days(number):
    return timedelta(days=number)


def me(tenant, token):
    return tenant.get("/v1/me", token)


def written(time):
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture
def clock(time_machine):
    """Stands at noon, and moves when told to."""
    time_machine.move_to(NOON, tick=False)
    return time_machine


@cases(
    "settings, lasts",
    ("by default", {}, 7),
    ("session before idle", {"sessionDays": 3}, 3),
    ("idle before session", {"idleDays": 1}, 1),
    ("both at once", {"sessionDays": 5, "idleDays": 5}, 5),
    ("longest", {"sessionDays": 365, "idleDays": 365}, 365),
)
def test_a_session_expires_at_the_earlier_of_two_ends(tenant, clock, settings, lasts):
    tenant.set(**settings)
    assert tenant.login(userId="u-17")["session"]["expiresAt"] == written(NOON + days(lasts))


@cases(
    "after, status",
    ("a moment before", days(7) - MOMENT, 200),
    ("at its end", days(7), 401),
    ("long after", days(100), 401),
)
def test_an_idle_session_lives_until_it_expires(tenant, clock, after, status):
    token = tenant.session(userId="u-17")
    clock.move_to(NOON + after, tick=False)
    assert me(tenant, token).status_code == status


def test_use_keeps_a_session_alive(tenant, clock):
    token = tenant.session(userId="u-17")
    clock.move_to(NOON + days(6), tick=False)
    tenant.get("/v1/conversations", token)
    clock.move_to(NOON + days(12), tick=False)
    response = me(tenant, token)
    assert response.status_code == 200
    assert response.json["session"]["expiresAt"] == written(NOON + days(19))


def test_what_is_refused_brings_no_session_back(tenant, clock):
    token = tenant.session(userId="u-17")
    clock.move_to(NOON + days(7), tick=False)
    me(tenant, token)
    clock.move_to(NOON + days(8), tick=False)
    assert me(tenant, token).status_code == 401


def test_no_use_keeps_a_session_alive_past_its_days(tenant, clock):
    tenant.set(sessionDays=10)
    token = tenant.session(userId="u-17")
    clock.move_to(NOON + days(6), tick=False)
    used = me(tenant, token)
    clock.move_to(NOON + days(10), tick=False)
    response = me(tenant, token)
    assert used.json["session"]["expiresAt"] == written(NOON + days(10))
    assert response.status_code == 401


def test_another_s_use_keeps_no_session_alive(tenant, clock):
    token = tenant.session(userId="u-17")
    elsewhere = tenant.session(userId="u-17")
    clock.move_to(NOON + days(6), tick=False)
    me(tenant, elsewhere)
    clock.move_to(NOON + days(7), tick=False)
    assert me(tenant, token).status_code == 401
    assert me(tenant, elsewhere).status_code == 200


@cases(
    "settings, expires",
    ("longer idle", {"idleDays": 30}, days(30)),
    ("shorter idle", {"idleDays": 2}, days(3)),
    ("shorter session", {"sessionDays": 2}, days(2)),
)
def test_the_settings_of_now_decide(tenant, clock, settings, expires):
    token = tenant.session(userId="u-17")
    clock.move_to(NOON + days(1), tick=False)
    me(tenant, token)
    tenant.set(**settings)
    assert me(tenant, token).json["session"]["expiresAt"] == written(NOON + expires)


def test_a_setting_that_is_shortened_ends_older_sessions_at_once(tenant, clock):
    token = tenant.session(userId="u-17")
    clock.move_to(NOON + days(3), tick=False)
    tenant.set(sessionDays=2)
    assert me(tenant, token).status_code == 401


@pytest.mark.parametrize("claim", [{"userId": "u-17"}, {}], ids=["user", "nobody"])
def test_a_login_after_expiry_begins_a_new_session_of_the_same_user(tenant, clock, claim):
    former = tenant.login(deviceId="device-of-the-test-0001", **claim)
    clock.move_to(NOON + days(60), tick=False)
    again = tenant.login(deviceId="device-of-the-test-0001", **claim)
    assert again["user"] == former["user"]
    assert again["session"]["expiresAt"] == written(NOON + days(67))
    assert me(tenant, former["session"]["token"]).status_code == 401


@cases(
    "claim, verified",
    ("user-id", {"userId": "u-17", "email": "jane@example.org", "name": "Jane"}, True),
    ("email", {"email": "jane@example.org"}, True),
    ("nobody", {"name": "Jane"}, False),
)
def test_me_says_what_the_login_said_without_the_token(tenant, claim, verified):
    login = tenant.login(**claim)
    response = me(tenant, login["session"]["token"])
    assert response.status_code == 200
    assert response.json == {
        "user": login["user"] | {"purchases": []},
        "session": {"expiresAt": login["session"]["expiresAt"], "verified": verified},
    }


def test_me_says_what_another_device_has_changed(tenant):
    token = tenant.session(userId="u-17", email="jane@example.org", name="Jane")
    elsewhere = tenant.login(userId="u-17", email="jane@new.example", name="Jane Doe")
    assert me(tenant, token).json["user"] == elsewhere["user"] | {"purchases": []}


def test_me_is_the_session_s_own_user(tenant, other_tenant):
    logins = [
        tenant.login(userId="u-17"),
        tenant.login(userId="u-18"),
        tenant.login(),
        other_tenant.login(userId="u-17"),
    ]
    said = [me(tenant, login["session"]["token"]).json["user"] for login in logins]
    assert said == [login["user"] | {"purchases": []} for login in logins]
