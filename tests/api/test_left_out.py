"""What is optional locks nobody out: an email or a name that is none is left out beside who it is."""

import pytest

from tests.support.engines import one_engine
from tests.support.responses import problem_of, refused_fields
from tests.support.signing import hmac_of, proof_of

EMAIL = "jane@example.org"

# What is no email, and by which code.
NO_EMAILS = [
    pytest.param("jane", "invalid-email", id="no domain"),
    pytest.param("Jane <jane@example.org>", "invalid-email", id="a name and an email"),
    pytest.param("jane\ud800@example.org", "invalid-email", id="a surrogate"),
    pytest.param("j" * 65 + "@example.org", "too-long", id="too long before the @"),
    pytest.param(17, "not-a-string", id="a number"),
    pytest.param([EMAIL], "not-a-string", id="a list"),
    pytest.param({"address": EMAIL}, "not-a-string", id="an object"),
]
NO_NAMES = [
    pytest.param(17, id="a number"),
    pytest.param(["Jane", "Doe"], id="a list"),
    pytest.param({"first": "Jane"}, id="an object"),
]


def ignored(login):
    return [(left["pointer"], left["code"]) for left in login["resolution"]["ignored"]]


@pytest.mark.parametrize(("email", "code"), NO_EMAILS)
def test_an_email_that_is_none_is_left_out_beside_a_user_id(tenant, email, code):
    before = tenant.login(userId="u-17", email=EMAIL, name="Jane")
    login = tenant.login(userId="u-17", email=email, name="Jane Doe")
    assert login["user"] == before["user"] | {"name": "Jane Doe"}
    assert login["resolution"]["changes"] == ["name"]
    assert ignored(login) == [("/email", code)]


@one_engine
@pytest.mark.parametrize("name", NO_NAMES)
@pytest.mark.parametrize("identity", [{"userId": "u-17"}, {"email": EMAIL}], ids=["a user ID", "an email"])
def test_a_name_that_is_none_is_left_out_beside_an_identity(tenant, identity, name):
    before = tenant.login(**identity, name="Jane")
    login = tenant.login(**identity, name=name)
    assert login["user"] == before["user"]
    assert ignored(login) == [("/name", "not-a-string")]


def test_all_that_is_left_out_is_named(tenant):
    login = tenant.login(userId="u-17", email="jane", name=17)
    assert (login["user"]["email"], login["user"]["name"]) == (None, None)
    assert ignored(login) == [("/email", "invalid-email"), ("/name", "not-a-string")]


def test_nothing_that_was_left_out_comes_back(tenant):
    response = tenant.try_login(userId="u-17", email="my secret", name=["my secret"])
    assert "my secret" not in response.text
    assert all(set(left) == {"pointer", "code"} for left in response.json["resolution"]["ignored"])


def test_nothing_is_left_out_where_all_is_usable(tenant):
    assert ignored(tenant.login(userId="u-17", email=EMAIL, name="Jane")) == []


def test_an_email_that_is_left_out_decides_nothing(tenant):
    unclaimed = tenant.known(email=EMAIL)
    login = tenant.login(userId="u-17", email=f"<{EMAIL}>")
    assert login["resolution"]["rule"] == "new-user-id"
    assert login["user"]["id"] != unclaimed


def test_a_user_id_that_is_none_is_never_left_out(tenant):
    response = tenant.try_login(userId="null", email=EMAIL, name="Jane")
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json["errors"]] == ["/userId"]


@one_engine
@pytest.mark.parametrize(("email", "code"), NO_EMAILS)
@pytest.mark.parametrize("key", ["sk", "pk"])
def test_an_email_that_is_all_that_says_who_it_is_has_to_be_one(tenant, key, email, code):
    response = tenant.try_login(key=getattr(tenant, key), email=email, name="Jane")
    assert refused_fields(response) == [("/email", code)]


def test_it_is_explained_without_a_login(tenant):
    told = tenant.call("POST", "/v1/resolve", tenant.sk, {"userId": "u-17", "email": "jane"}).json
    assert (told["rule"], ignored({"resolution": told})) == ("new-user-id", [("/email", "invalid-email")])


@one_engine
@pytest.mark.parametrize(("email", "code"), NO_EMAILS)
@pytest.mark.parametrize("key", ["sk", "pk"])
def test_a_proven_email_that_is_none_is_left_out_beside_a_proven_user_id(tenant, secret, key, email, code):
    before = tenant.login(userId="u-17", email=EMAIL, name="Jane")
    proof = proof_of(tenant, secret, sub="u-17", email=email)
    login = tenant.login(key=getattr(tenant, key), proof=proof)
    assert login["user"] == before["user"]
    assert login["session"]["verified"] is True
    assert ignored(login) == [("/email", code)]


@one_engine
@pytest.mark.parametrize("name", NO_NAMES)
@pytest.mark.parametrize("identity", [{"sub": "u-17"}, {"email": EMAIL}], ids=["a user ID", "an email"])
def test_a_proven_name_that_is_none_is_left_out(tenant, secret, identity, name):
    login = tenant.login(key=tenant.pk, proof=proof_of(tenant, secret, **identity, name=name), name="Jane")
    assert login["user"]["name"] == "Jane"
    assert ignored(login) == [("/name", "not-a-string")]


@pytest.mark.parametrize("blank", ["", None])
def test_what_a_proof_leaves_blank_is_as_not_given(tenant, secret, blank):
    before = tenant.login(userId="u-17", email=EMAIL, name="Jane")
    login = tenant.login(key=tenant.pk, proof=proof_of(tenant, secret, sub="u-17", email=blank, name=blank))
    assert login["user"] == before["user"]
    assert ignored(login) == []


def test_the_same_email_that_is_none_in_proof_and_body_is_left_out_of_both(tenant, secret):
    proof = proof_of(tenant, secret, sub="u-17", email="jane@localhost")
    login = tenant.login(key=tenant.pk, userId="u-17", email="jane@localhost", proof=proof)
    assert ignored(login) == [("/email", "invalid-email")]


@pytest.mark.parametrize("identity", [{"sub": "u-17"}, {"email": EMAIL}], ids=["a user ID", "an email"])
def test_a_body_without_anything_usable_is_who_the_proof_says(tenant, secret, identity):
    login = tenant.login(key=tenant.pk, email="jane", proof=proof_of(tenant, secret, **identity))
    assert login["session"]["verified"] is True
    assert ignored(login) == [("/email", "invalid-email")]


def test_an_hmac_of_a_user_id_stands_beside_an_email_that_is_none(tenant, hmac_secret):
    login = tenant.login(key=tenant.pk, userId="u-17", email="jane", proof=hmac_of("u-17", hmac_secret))
    assert (login["user"]["userId"], login["user"]["email"]) == ("u-17", None)
    assert ignored(login) == [("/email", "invalid-email")]


@pytest.mark.parametrize("key", ["sk", "pk"])
def test_an_hmac_of_an_email_that_is_none_proves_nobody(tenant, email_secret, key):
    response = tenant.try_login(key=getattr(tenant, key), email="jane", proof=hmac_of("jane", email_secret))
    assert response.status_code == 422
    assert [error["code"] for error in response.json["errors"]] == ["invalid-email"]


@pytest.mark.parametrize("email", [17, ["jane"], {"a": 1}, True], ids=["number", "list", "object", "true"])
def test_no_hmac_covers_what_is_no_text(tenant, email_secret, email):
    response = tenant.try_login(key=tenant.pk, email=email, proof=hmac_of(str(email), email_secret))
    assert problem_of(response) == (401, "proof-invalid")


def test_a_usable_email_that_the_proof_does_not_say_is_never_left_out(tenant, secret):
    proof = proof_of(tenant, secret, sub="u-17", email="jane@localhost")
    assert problem_of(tenant.try_login(key=tenant.pk, email=EMAIL, proof=proof)) == (401, "proof-invalid")


@pytest.mark.parametrize("email", ["jane", 17], ids=["no email", "no text"])
def test_what_is_left_out_makes_no_widget_anonymous_without_a_proof(tenant, email):
    with_an_id = tenant.try_login(key=tenant.pk, userId="u-17", email=email)
    alone = tenant.try_login(key=tenant.pk, email=email)
    assert problem_of(with_an_id) == (401, "proof-required")
    assert alone.status_code == 422


def test_where_nothing_is_proven_what_is_left_out_is_not_told_as_said(tenant):
    tenant.set(identityVerification="off")
    response = tenant.try_login(key=tenant.pk, userId="u-17", email="jane", name=17)
    assert response.json["user"] == {"userId": "u-17", "email": None, "name": None}
    assert set(response.json) == {"user", "session", "deviceId"}
