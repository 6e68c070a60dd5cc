"""Resolve: which rule a login would be decided by, to whom it would lead, and why."""

import pytest

from service.store.tables import TABLES, Keys
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


def rows(store, tenant: Tenant):
    """Read all that an app owns; when its keys were used is noted whatever they are used for."""
    return {
        table: sorted(map(repr, store.database.rows(table.select().where(table.app == tenant.id).tuples())))
        for table in TABLES
        if table is not Keys
    }


def show(tenant: Tenant, id: str):
    """A user, without what nobody asks for here."""
    shown = dict(tenant.call("GET", f"/v1/users/{id}", tenant.sk).json)
    assert shown.pop("purchases") == []
    return shown


# What was there before, the claim, and what is decided: rule, then, whose id by its place, changes.
SITUATIONS = [
    pytest.param(
        [{"userId": "u-1"}],
        {"userId": "u-1", "email": EMAIL, "name": "Jane"},
        ("known-user-id", "use", 0, ["email", "name"]),
        id="known-user-id",
    ),
    pytest.param(
        [{"userId": "u-1", "email": EMAIL}],
        {"userId": "u-1", "email": EMAIL},
        ("known-user-id", "use", 0, []),
        id="known-user-id, nothing new",
    ),
    pytest.param(
        [{"email": EMAIL}],
        {"userId": "u-1", "email": "JANE@example.org", "name": "Jane"},
        ("attach-user-id", "attach", 0, ["userId", "name"]),
        id="attach-user-id",
    ),
    pytest.param(
        [{"userId": "u-1", "email": EMAIL}],
        {"userId": "u-2", "email": EMAIL},
        ("new-user-id", "create", None, []),
        id="new-user-id",
    ),
    pytest.param([{"email": EMAIL}], {"email": EMAIL}, ("known-email", "use", 0, []), id="known-email"),
    pytest.param(
        [{"userId": "u-1", "email": EMAIL}, {"userId": "u-2", "email": EMAIL}],
        {"email": EMAIL},
        ("shared-email", "create", None, []),
        id="shared-email",
    ),
    pytest.param(
        [{"userId": "u-1", "email": EMAIL}, {"userId": "u-2", "email": EMAIL}, {"email": EMAIL}],
        {"email": EMAIL, "name": "Jane"},
        ("known-email", "use", 2, ["name"]),
        id="known-email beside those who share it",
    ),
    pytest.param([{"userId": "u-1"}], {"email": EMAIL}, ("new-email", "create", None, []), id="new-email"),
    pytest.param([], {}, ("anonymous", "create", None, []), id="anonymous"),
    pytest.param([], {"name": "Jane", "email": " "}, ("anonymous", "create", None, []), id="a name alone"),
]


@pytest.mark.parametrize(("before", "claim", "expected"), SITUATIONS)
def test_it_says_what_a_login_would_do_and_the_login_does_it(tenant, store, before, claim, expected):
    there = [tenant.login(**one)["user"]["id"] for one in before]
    kept = rows(store, tenant)

    told = resolved(tenant, **claim)

    assert set(told) == MEMBERS
    rule, then, whose, changes = expected
    assert (told["rule"], told["then"], told["changes"]) == (rule, then, changes)
    assert told["user"] == (None if whose is None else show(tenant, there[whose]))
    assert rows(store, tenant) == kept
    login = tenant.login(**claim)
    assert login["resolution"] == {name: told[name] for name in ("rule", "because", "changes", "ignored")}
    assert login["created"] is (then == "create")
    assert told["user"] is None or login["user"]["id"] == told["user"]["id"]


def test_the_candidates_are_who_has_the_user_id_and_all_who_have_the_email(tenant):
    by_id = tenant.login(userId="u-1", email="joan@example.org")["user"]["id"]
    sharing = [tenant.login(userId=f"u-{number}", email=EMAIL)["user"]["id"] for number in (2, 3)]
    unclaimed = tenant.login(email=EMAIL)["user"]["id"]
    told = resolved(tenant, userId="u-1", email="JANE@example.org")
    assert told["candidates"]["userId"] == by_id
    assert sorted(told["candidates"]["email"]) == sorted([*sharing, unclaimed])


def test_without_candidates_it_says_none(tenant):
    tenant.login(userId="u-1", email=EMAIL)
    assert resolved(tenant)["candidates"] == {"userId": None, "email": []}
    assert resolved(tenant, userId="u-2")["candidates"] == {"userId": None, "email": []}


def test_it_tells_of_the_devices_anonymous_user(tenant, store):
    visit = tenant.login(name="Somebody")
    kept = rows(store, tenant)
    told = resolved(tenant, deviceId=visit["deviceId"], name="Jane")
    assert (told["rule"], told["then"], told["changes"]) == ("anonymous", "use", ["name"])
    assert told["user"] == {**visit["user"], "verified": False}
    assert rows(store, tenant) == kept


@cases(
    "policy, words, changes",
    ("keep", "keep", "was kept", []),
    ("clear", "clear", "was cleared", []),
    ("merge", "merge", "became part of this user", ["aliases"]),
    ("merge-once", "merge-once", "became part of this user", ["aliases"]),
)
def test_it_tells_what_would_become_of_the_devices_anonymous_user(tenant, store, policy, words, changes):
    tenant.set(anonymousOnLogin=policy)
    tenant.login(userId="u-1")
    visit = tenant.login()
    kept = rows(store, tenant)

    told = resolved(tenant, userId="u-1", deviceId=visit["deviceId"])

    assert words in told["because"]
    assert told["changes"] == changes
    assert rows(store, tenant) == kept
    login = tenant.login(userId="u-1", deviceId=visit["deviceId"])
    assert login["resolution"] == {name: told[name] for name in ("rule", "because", "changes", "ignored")}


def test_a_device_that_nobody_knows_stays_unknown(tenant, store):
    kept = rows(store, tenant)
    assert resolved(tenant, deviceId="dev_of_somebody_new", userId="u-1")["rule"] == "new-user-id"
    assert rows(store, tenant) == kept


def test_users_of_the_unverified_world_are_no_candidates(tenant):
    tenant.set(identityVerification="off")
    tenant.try_login(key=tenant.pk, userId="u-1", email=EMAIL)
    told = resolved(tenant, userId="u-1", email=EMAIL)
    assert (told["rule"], told["user"]) == ("new-user-id", None)
    assert told["candidates"] == {"userId": None, "email": []}


@pytest.mark.parametrize("kind", ["jwt", "hmac"])
def test_a_proof_decides_as_it_would_at_login(tenant, store, kind):
    _, secret = identity_key(tenant, proof=kind)
    id = tenant.login(userId="u-1")["user"]["id"]
    kept = rows(store, tenant)
    claim = (
        {"proof": proof_of(tenant, secret, sub="u-1", email=EMAIL)}
        if kind == "jwt"
        else {"userId": "u-1", "email": EMAIL, "proof": hmac_of("u-1", secret)}
    )

    told = resolved(tenant, **claim)

    assert (told["rule"], told["user"]["id"], told["changes"]) == ("known-user-id", id, ["email"])
    assert rows(store, tenant) == kept
    assert tenant.login(**claim)["resolution"]["rule"] == "known-user-id"


REFUSED = [
    pytest.param({"userId": "null"}, 422, id="placeholder"),
    pytest.param({"userId": 17}, 422, id="number"),
    pytest.param({"email": "jane"}, 422, id="no email"),
    pytest.param({"deviceId": "short"}, 422, id="short device ID"),
    pytest.param({"session": "x"}, 422, id="unknown member"),
    pytest.param({"userId": "u-1", "proof": "e30.e30.e30"}, 401, id="wrong proof"),
    pytest.param({"proof": "bm8="}, 401, id="proof of nobody"),
]


@pytest.mark.parametrize(("claim", "status"), REFUSED)
def test_what_a_login_refuses_it_refuses_in_the_same_words(tenant, store, claim, status):
    identity_key(tenant)
    kept = rows(store, tenant)

    response = resolve(tenant, **claim)

    login = tenant.try_login(**claim)
    assert response.status_code == login.status_code == status
    assert {**response.json, "requestId": ""} == {**login.json, "requestId": ""}
    assert rows(store, tenant) == kept
