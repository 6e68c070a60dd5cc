"""A login that would make a user, and has waited for as long as any other call may, is refused; no other is.
And who is remembered as of which app."""

import pytest

from service import admission, threads
from service.admission import MAX_WAIT, OPERATOR, STRANGERS, Kind, Known
from tests.support.metrics import samples

DEVICE = "d" * 20
LONG = MAX_WAIT[Kind.CALL] + 0.01


@pytest.fixture
def wait(monkeypatch):
    """Have requests wait in a line for so many seconds."""
    return lambda seconds: monkeypatch.setattr(threads._here, "in_line", seconds, raising=False)


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param({"userId": "new"}, id="by ID"),
        pytest.param({"email": "new@example.org"}, id="by email"),
        pytest.param({}, id="anonymous"),
        pytest.param({"userId": "new", "deviceId": DEVICE}, id="on a new device"),
    ],
)
def test_a_login_that_would_make_a_user_is_refused_and_changes_nothing(tenant, client, wait, claim):
    def refused():
        return samples(client).get(("usher_requests_refused_total", ("reason", "new-user")), 0)

    before = refused()
    wait(LONG)
    answer = tenant.try_login(**claim)
    wait(0.0)

    assert answer.status_code == 503
    assert answer.json["code"] == "overloaded"
    assert 2 <= int(answer.headers["Retry-After"]) <= 6
    assert refused() == before + 1
    assert tenant.try_login(**claim).json["created"]


def test_one_that_has_not_waited_for_so_long_is_served(tenant, wait):
    wait(MAX_WAIT[Kind.CALL])

    assert tenant.try_login(userId="new").status_code == 201


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param({"userId": "u-1"}, id="by ID"),
        pytest.param({"userId": "u-1", "name": "Another"}, id="with another name"),
        pytest.param({"email": "u-1@example.org"}, id="by email"),
        pytest.param({"deviceId": DEVICE, "userId": "u-1"}, id="on a known device"),
    ],
)
def test_a_login_of_somebody_known_is_served_however_long_it_has_waited(tenant, wait, claim):
    tenant.login(deviceId=DEVICE, userId="u-1", email="u-1@example.org")
    wait(10.0)

    assert tenant.try_login(**claim).status_code == 200


def test_an_anonymous_user_who_is_known_comes_back(tenant, wait):
    user = tenant.login(deviceId=DEVICE)["user"]["id"]
    wait(10.0)

    assert tenant.login(deviceId=DEVICE)["user"]["id"] == user


def test_a_repeat_of_a_login_that_made_a_user_is_served(tenant, wait):
    def log_in():
        return tenant.call("POST", "/v1/login", tenant.sk, {"userId": "new"}, **{"Idempotency-Key": "k"})

    made = log_in()
    wait(10.0)
    again = log_in()

    assert (made.status_code, again.status_code) == (201, 200)
    assert again.json["user"]["id"] == made.json["user"]["id"]


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(admission, "known", Known())
    return admission.known.line_of


def test_whoever_was_served_waits_with_their_app_until_they_are_not(tenant, client, known):
    key, token = f"Bearer {tenant.sk}", f"Bearer {tenant.session(userId='u-1')}"
    operator = f"Bearer {tenant.admin_key}"
    made_up = f"{token[:-4]}0000"
    for header in (key, token, operator, made_up):
        client.get("/v1/me", headers={"Authorization": header})

    assert [known(key), known(token)] == [tenant.id] * 2
    assert known(operator) == OPERATOR
    assert known(made_up) == f"{STRANGERS}{tenant.id}"
    client.post("/v1/logout", headers={"Authorization": token})
    client.get("/v1/me", headers={"Authorization": token})
    assert known(token) == f"{STRANGERS}{tenant.id}"


def test_at_the_console_only_the_cookie_says_with_whom_somebody_waits(tenant, other_tenant, client, known):
    client.post("/console/sign-in", data={"key": tenant.sk, "name": "Ada"})
    client.get("/console", headers={"Authorization": f"Bearer {other_tenant.pk}"})

    cookie = client.get_cookie("usher_console", path="/console")
    assert known(f"usher_console={cookie.value}") == tenant.id
    assert known(f"Bearer {other_tenant.pk}") == STRANGERS
