"""A session is found by the device that its token says; a former release's, whose token says none, by the
token. Such a release may serve beside this one for a while."""

import pytest

from service.model.identifiers import digest, new_credential, new_token
from service.store.tables import Sessions

DEVICE, OTHER_DEVICE = "device-of-the-test-0001", "device-of-the-test-0002"


@pytest.fixture
def kim(tenant):
    """Have somebody who is logged in on a device, and return their token."""
    return tenant.session(deviceId=DEVICE, userId="u-kim")


@pytest.fixture
def log_in_as_before(tenant, store):
    """Log the device in as a former release does, which knows nothing of secrets; return the token."""

    def log_in():
        token = new_credential("st", tenant.id)
        here = (Sessions.app == tenant.id) & (Sessions.device == digest(DEVICE))
        store.database.change(Sessions.update(token=digest(token)).where(here))
        return token

    return log_in


def whose(tenant, token):
    answer = tenant.call("GET", "/v1/me", token)
    return answer.json["user"]["userId"] if answer.status_code == 200 else answer.status_code


def test_a_former_releases_session_goes_on(tenant, kim, log_in_as_before):
    token = log_in_as_before()

    thread = tenant.begin(token, "Hello")

    tenant.write(thread, token, "Anybody there?")
    assert (whose(tenant, token), tenant.conversations(token)) == ("u-kim", [thread])


def test_a_former_releases_login_ends_the_session_before_it(tenant, kim, log_in_as_before):
    token = log_in_as_before()
    assert (whose(tenant, kim), whose(tenant, token)) == (401, "u-kim")


@pytest.mark.parametrize("name", [None, "Kim"])
def test_a_login_ends_a_former_releases_session(tenant, kim, log_in_as_before, name):
    before = log_in_as_before()
    token = tenant.session(deviceId=DEVICE, userId="u-kim", name=name)
    assert (whose(tenant, before), whose(tenant, token)) == (401, "u-kim")


def test_a_former_releases_session_is_logged_out(tenant, kim, log_in_as_before):
    token = log_in_as_before()
    assert tenant.call("POST", "/v1/logout", token).status_code == 204
    assert whose(tenant, token) == 401


def test_a_token_opens_nothing_by_its_device_alone(tenant, kim):
    made_up = new_token(tenant.id, digest(DEVICE))
    assert whose(tenant, made_up) == 401
    assert tenant.call("POST", "/v1/logout", made_up).status_code == 204
    assert whose(tenant, kim) == "u-kim"


def test_a_token_opens_nothing_on_another_device(tenant, kim):
    other = tenant.session(deviceId=OTHER_DEVICE, userId="u-lee")
    swapped = kim.partition(".")[0] + "." + other.partition(".")[2]
    assert (whose(tenant, swapped), whose(tenant, kim), whose(tenant, other)) == (401, "u-kim", "u-lee")
