"""Store accounts: purchases, restores, and whether a device shares its account."""

import pytest

from tests.support.responses import problem_of, refused_fields
from tests.support.signing import identity_key, proof_of

ACCOUNT = {"store": "app_store", "account": "apple-1"}


def buy(tenant, user_id, transaction="t-1", **members):
    body = {"storeAccount": ACCOUNT, "product": "pro", "transaction": transaction, "userId": user_id}
    return tenant.call("POST", "/v1/purchases", tenant.sk, body | members)


def restore(tenant, user_id, **members):
    return tenant.call(
        "POST", "/v1/restore", tenant.sk, {"storeAccount": ACCOUNT, "userId": user_id, **members}
    )


def test_the_first_purchase_claims_the_account(tenant):
    jane = tenant.known(userId="u-1")
    response = buy(tenant, "u-1", expiresAt="2999-01-01T00:00:00Z")
    assert response.json["resolution"]["rule"] == "first-claim"
    [purchase] = response.json["user"]["purchases"]
    assert (purchase["product"], purchase["active"]) == ("pro", True)
    assert tenant.user(jane)["purchases"] == [purchase]
    assert tenant.get("/v1/me", tenant.session(userId="u-1")).json["user"]["purchases"] == [purchase]


def test_a_user_buys_for_nobody_else(tenant):
    tenant.known(userId="u-1")
    tenant.set(clientPurchases="on")
    body = {"storeAccount": ACCOUNT, "product": "pro", "transaction": "t-1", "userId": "u-1"}
    refused = tenant.call("POST", "/v1/purchases", tenant.session(userId="u-2"), body)
    assert refused_fields(refused) == [("/userId", "agents-only")]


def test_the_same_transaction_twice_changes_nothing(tenant):
    tenant.known(userId="u-1")
    first = buy(tenant, "u-1")
    again = buy(tenant, "u-1", product="other")
    assert again.json["resolution"]["rule"] == "same-user"
    assert again.json["user"] == first.json["user"]


def test_purchases_are_listed_by_when_they_were_made(tenant):
    jane = tenant.known(userId="u-1")
    buy(tenant, "u-1", "t-1", purchasedAt="2026-01-02T00:00:00Z")
    buy(tenant, "u-1", "t-2", purchasedAt="2026-01-03T00:00:00Z")
    buy(tenant, "u-1", "t-3", purchasedAt="2026-01-01T00:00:00Z")
    assert [one["transaction"] for one in tenant.user(jane)["purchases"]] == ["t-3", "t-1", "t-2"]


def test_what_has_ended_is_not_active(tenant):
    tenant.known(userId="u-1")
    response = buy(tenant, "u-1", expiresAt="2001-01-01T00:00:00+01:00")
    [purchase] = response.json["user"]["purchases"]
    assert (purchase["expiresAt"], purchase["active"]) == ("2000-12-31T23:00:00.000Z", False)


def test_an_anonymous_owner_becomes_part_of_the_caller(tenant):
    visit = tenant.login()
    buy(tenant, visit["user"]["userId"])
    jane = tenant.known(userId="u-1")
    response = buy(tenant, "u-1", "t-2")
    assert response.json["resolution"]["rule"] == "anonymous-owner"
    assert response.json["user"]["id"] == jane
    assert len(response.json["user"]["purchases"]) == 2


def test_a_purchase_on_a_device_that_does_not_share_is_refused(tenant):
    tenant.known(userId="u-1"), tenant.known(userId="u-2")
    buy(tenant, "u-1")
    assert problem_of(buy(tenant, "u-2", "t-2")) == (409, "store-account-taken")
    assert len(restore(tenant, "u-1").json["user"]["purchases"]) == 1


def test_a_restore_makes_the_two_one_and_the_older_stays(tenant):
    jane, _ = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    buy(tenant, "u-1")
    response = restore(tenant, "u-2")
    assert response.json["resolution"]["rule"] == "restore"
    assert (response.json["user"]["id"], response.json["user"]["aliases"]) == (jane, ["u-2"])


def test_a_restore_may_transfer_instead(tenant):
    tenant.set(restoreBehavior="transfer")
    jane, joan = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    buy(tenant, "u-1")
    response = restore(tenant, "u-2")
    assert response.json["user"]["id"] == joan
    assert len(response.json["user"]["purchases"]) == 1
    assert tenant.user(jane)["purchases"] == []


def test_a_restore_may_be_refused(tenant):
    tenant.set(restoreBehavior="keep")
    tenant.known(userId="u-1"), tenant.known(userId="u-2")
    buy(tenant, "u-1")
    assert problem_of(restore(tenant, "u-2")) == (409, "store-account-taken")


@pytest.mark.parametrize(("allow", "status"), [(True, 200), (False, 409)])
def test_a_device_says_whether_it_shares(tenant, allow, status):
    tenant.known(userId="u-1")
    buy(tenant, "u-1")
    device = tenant.login(userId="u-2")["deviceId"]
    flag = tenant.call(
        "POST", "/v1/allowSharingStoreAccount", tenant.sk, {"allow": allow, "deviceId": device}
    )
    assert flag.json == {"allowSharingStoreAccount": allow}
    assert buy(tenant, "u-2", "t-2", deviceId=device).status_code == status


def test_logging_out_shares_again(tenant):
    tenant.known(userId="u-1")
    buy(tenant, "u-1")
    login = tenant.login(userId="u-2")
    tenant.call("POST", "/v1/allowSharingStoreAccount", login["session"]["token"], {"allow": False})
    tenant.call("POST", "/v1/logout", login["session"]["token"])
    response = buy(tenant, "u-2", "t-2", deviceId=login["deviceId"])
    assert response.json["resolution"]["rule"] == "shared-purchase"


def test_clients_tell_of_purchases_where_the_app_has_it_on(tenant):
    token = tenant.session(userId="u-1")
    proof = proof_of(tenant, identity_key(tenant)[1], sub="u-1", storeAccount=ACCOUNT)
    body = {"storeAccount": ACCOUNT, "product": "pro", "transaction": "t-1", "proof": proof}
    refused = tenant.call("POST", "/v1/purchases", token, body)
    tenant.set(clientPurchases="on")
    assert (refused.status_code, tenant.call("POST", "/v1/purchases", token, body).status_code) == (403, 200)


@pytest.mark.parametrize("user_id", ["", None], ids=["empty", "null"])
def test_a_backend_says_for_whom(tenant, user_id):
    for refused in (buy(tenant, user_id), restore(tenant, user_id)):
        assert refused_fields(refused) == [("/userId", "required")]


def test_an_unknown_user_id_is_404(tenant):
    assert (buy(tenant, "nobody").status_code, restore(tenant, "nobody").status_code) == (404, 404)


@pytest.mark.parametrize("moment", ["", "soon", "2026-11-21", "2026-11-21T09:00:00", "0000-01-01T00:00:00Z"])
def test_a_time_without_a_zone_or_sense_is_refused(tenant, moment):
    tenant.known(userId="u-1")
    assert buy(tenant, "u-1", expiresAt=moment).status_code == (200 if not moment else 422)
