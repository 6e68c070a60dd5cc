"""Resolve: which rule a login would be decided by, to whom it would lead, and why."""

import pytest

from tests.support.cases import cases
from tests.support.signing import hmac_of, identity_key, proof_of
from tests.support.tenants import Tenant

MEMBERS = {"rule", "because", "then", "user", "changes", "candidates", "ignored"}
EMAIL = "jane@example.org"


def resolve(tenant: Tenant, **claim):
    return tenant.call("POST", "/v1/resolve", tenant.sk, claim)


def resolved(tenant: Tenant, **claim):
    response = resolve(tenant, **claim)
    assert response.status_code == 200, response.text
    return response.json


def show(tenant: Tenant, id: str):
    """A user, without what nobody asks for here."""
    shown = dict(tenant.user(id))
    assert (shown.pop("purchases"), shown.pop("contacts")) == ([], [])
    return shown


# What was there before, the claim, and what is decided: rule, then, whose id by its place, changes.
@cases("before, claim, expected",
    ("known-user-id", [{"userId": "u-1"}], {"userId": "u-1", "email": EMAIL, "name": "Jane"},
     ("known-user-id", "use", 0, ["email", "name"])),
    ("attach-user-id", [{"email": EMAIL}], {"userId": "u-1", "email": "JANE@example.org", "name": "Jane"},
     ("attach-user-id", "attach", 0, ["userId", "name"])),
    ("new-user-id", [{"userId": "u-1", "email": EMAIL}], {"userId": "u-2", "email": EMAIL},
     ("new-user-id", "create", None, [])),
    ("known-email", [{"email": EMAIL}], {"email": EMAIL}, ("known-email", "use", 0, [])),
    ("shared-email", [{"userId": "u-1", "email": EMAIL}, {"userId": "u-2", "email": EMAIL}],
     {"email": EMAIL}, ("shared-email", "create", None, [])),
    ("new-email", [{"userId": "u-1"}], {"email": EMAIL}, ("new-email", "create", None, [])),
    ("anonymous", [], {}, ("anonymous", "create", None, [])),
)  # fmt: skip
def test_it_says_what_a_login_would_do_and_the_login_does_it(tenant, rows, before, claim, expected):
    there = [tenant.known(**one) for one in before]
    kept = rows()
    told = resolved(tenant, **claim)

    assert set(told) == MEMBERS
    rule, then, whose, changes = expected
    assert (told["rule"], told["then"], told["changes"]) == (rule, then, changes)
    assert told["user"] == (None if whose is None else show(tenant, there[whose]))
    assert rows() == kept
    login = tenant.login(**claim)
    assert login["resolution"] == {name: told[name] for name in ("rule", "because", "changes", "ignored")}
    assert login["created"] is (then == "create")
    assert told["user"] is None or login["user"]["id"] == told["user"]["id"]


def test_the_candidates_are_who_has_the_user_id_and_all_who_have_the_email(tenant):
    by_id = tenant.known(userId="u-1", email="joan@example.org")
    sharing = [tenant.known(userId=f"u-{number}", email=EMAIL) for number in (2, 3)]
    unclaimed = tenant.known(email=EMAIL)
    told = resolved(tenant, userId="u-1", email="JANE@example.org")
    assert told["candidates"]["userId"] == by_id
    assert sorted(told["candidates"]["email"]) == sorted([*sharing, unclaimed])


def test_without_candidates_it_says_none(tenant):
    tenant.login(userId="u-1", email=EMAIL)
    assert resolved(tenant)["candidates"] == {"userId": None, "email": []}
    assert resolved(tenant, userId="u-2")["candidates"] == {"userId": None, "email": []}


def test_it_tells_of_the_devices_anonymous_user(tenant, rows):
    visit = tenant.login(name="Somebody")
    kept = rows()
    told = resolved(tenant, deviceId=visit["deviceId"], name="Jane")
    assert (told["rule"], told["then"], told["changes"]) == ("anonymous", "use", ["name"])
    assert told["user"] == {**visit["user"], "verified": False}
    assert rows() == kept


@cases(
    "policy, words, changes",
    ("keep", "keep", "was kept", []),
    ("clear", "clear", "was cleared", []),
    ("merge", "merge", "became part of this user", ["aliases"]),
    ("merge-once", "merge-once", "became part of this user", ["aliases"]),
)
def test_it_tells_what_would_become_of_the_devices_anonymous_user(tenant, rows, policy, words, changes):
    tenant.set(anonymousOnLogin=policy)
    tenant.login(userId="u-1")
    visit = tenant.login()
    kept = rows()
    told = resolved(tenant, userId="u-1", deviceId=visit["deviceId"])
    assert words in told["because"]
    assert told["changes"] == changes
    assert rows() == kept
    login = tenant.login(userId="u-1", deviceId=visit["deviceId"])
    assert login["resolution"] == {name: told[name] for name in ("rule", "because", "changes", "ignored")}


def test_a_device_that_nobody_knows_stays_unknown(tenant, rows):
    kept = rows()
    assert resolved(tenant, deviceId="dev_of_somebody_new", userId="u-1")["rule"] == "new-user-id"
    assert rows() == kept


def test_users_of_the_unverified_world_are_no_candidates(tenant):
    tenant.set(identityVerification="off")
    tenant.try_login(key=tenant.pk, userId="u-1", email=EMAIL)
    told = resolved(tenant, userId="u-1", email=EMAIL)
    assert (told["rule"], told["user"]) == ("new-user-id", None)
    assert told["candidates"] == {"userId": None, "email": []}


@pytest.mark.parametrize("kind", ["jwt", "hmac"])
def test_a_proof_decides_as_it_would_at_login(tenant, rows, kind):
    _, secret = identity_key(tenant, proof=kind)
    id = tenant.known(userId="u-1")
    kept = rows()
    claim = (
        {"proof": proof_of(tenant, secret, sub="u-1", email=EMAIL)}
        if kind == "jwt"
        else {"userId": "u-1", "email": EMAIL, "proof": hmac_of("u-1", secret)}
    )
    told = resolved(tenant, **claim)

    assert (told["rule"], told["user"]["id"], told["changes"]) == ("known-user-id", id, ["email"])
    assert rows() == kept
    assert tenant.login(**claim)["resolution"]["rule"] == "known-user-id"


@cases(
    "claim, status",
    ("placeholder", {"userId": "null"}, 422),
    ("no email", {"email": "jane"}, 422),
    ("short device ID", {"deviceId": "short"}, 422),
    ("unknown member", {"session": "x"}, 422),
    ("wrong proof", {"userId": "u-1", "proof": "e30.e30.e30"}, 401),
)
def test_what_a_login_refuses_it_refuses_in_the_same_words(tenant, rows, claim, status):
    identity_key(tenant)
    kept = rows()
    response = resolve(tenant, **claim)
    login = tenant.try_login(**claim)
    assert response.status_code == login.status_code == status
    assert {**response.json, "requestId": ""} == {**login.json, "requestId": ""}
    assert rows() == kept
