"""No two people who each had a user ID ever become one, but by a merge that somebody asked for, and by a
restore where the app says that it shows them to be one person.

Every situation of every table is made over HTTP, so that no rule is left out. After it each user ID
leads to whom it led before.
"""

import pytest

from service.model.apps import RestoreBehavior
from service.rules.anonymous import ANONYMOUS, Absorbed, Before, Clearing, Setting
from service.rules.login import LOGIN, Email, UserId
from service.rules.restoring import RESTORING, Act, Doing, Owner, Sharing
from tests.support.people import who
from tests.support.rulebook import RULEBOOK, every
from tests.support.signing import identity_key, proof_of

DEVICE = "device-of-a-test-1"
EMAIL = "jane@example.org"
ACCOUNT = {"store": "app_store", "account": "apple-1"}
# As many people have the email as the situation says.
HOLDERS = {Email.CLAIMED: ("u-2",), Email.SHARED: ("u-2", "u-3")}
# Here, and in test_fusing_ids.py.
WALKED = {"login", "anonymous", "restoring", "aliasing", "merging", "removing", "correcting"}
WALKED |= {"sighting", "identifying"}
# They decide before anybody is looked for, or what is said of two who are one already.
APART = {"believing", "covering", "keys", "allowing", "showing", "counting", "describing", "moving"}
APART |= {"records"}


def test_every_table_is_walked_that_could_make_one_of_two():
    assert set(RULEBOOK) == WALKED | APART


@pytest.mark.parametrize(("user_id", "email"), every(LOGIN))
def test_no_login_makes_one_of_two(tenant, people, user_id, email):
    if email is Email.UNCLAIMED:
        tenant.login(email=EMAIL)
    for holder in HOLDERS.get(email, ()):
        tenant.login(userId=holder, email=EMAIL)
    claim = {
        "userId": {UserId.NOT_GIVEN: None, UserId.UNKNOWN: "u-new", UserId.KNOWN: "u-1"}[user_id],
        "email": None if email is Email.NOT_GIVEN else EMAIL,
    }

    login = tenant.login(**claim)

    assert login["resolution"]["rule"] == LOGIN.decide(user_id, email).name
    assert who(tenant) == people


@pytest.mark.parametrize(
    ("clearing", "setting", "before", "absorbed"), every(ANONYMOUS, but=[(Setting.IDENTIFY,)])
)
def test_no_login_makes_one_of_two_by_way_of_an_anonymous_user(
    tenant, people, clearing, setting, before, absorbed
):
    if absorbed is Absorbed.YES:
        visit = tenant.login()["user"]["userId"]
        tenant.call("POST", f"/v1/users/{people['u-1'][0]}/aliases", tenant.sk, {"userId": visit})
    tenant.login(deviceId=DEVICE)
    if before is Before.IDENTIFIED:
        tenant.login(deviceId=DEVICE, userId="u-2")
    flag = {"deviceId": DEVICE, "clear": clearing is Clearing.ON}
    tenant.call("POST", "/v1/clearAnonymousUser", tenant.sk, flag)
    tenant.set(anonymousOnLogin=str(setting.name).lower().replace("_", "-"))

    login = tenant.login(deviceId=DEVICE, userId="u-1")

    rule = ANONYMOUS.decide(clearing, setting, before, absorbed)
    assert rule.because in login["resolution"]["because"]
    assert who(tenant) == people


@pytest.mark.parametrize("behavior", RestoreBehavior)
@pytest.mark.parametrize(("owner", "doing", "sharing"), every(RESTORING))
def test_a_restore_makes_one_of_two_only_where_the_app_says_so(
    tenant, people, owner, doing, sharing, behavior
):
    owned_by = {Owner.CALLER: "u-1", Owner.IDENTIFIED: "u-2"}.get(owner)
    if owner is Owner.ANONYMOUS:
        owned_by = tenant.login()["user"]["userId"]
    if owned_by is not None:
        claim(tenant, Doing.RESTORE, owned_by)
    tenant.set(restoreBehavior=behavior.value)
    allows = {"deviceId": DEVICE, "allow": sharing is Sharing.ALLOWED}
    tenant.call("POST", "/v1/allowSharingStoreAccount", tenant.sk, allows)
    rule = RESTORING.decide(owner, doing, sharing)
    act = rule.then
    if act is Act.AS_THE_APP_SAYS and behavior is RestoreBehavior.KEEP:
        act = Act.REFUSE

    answer = claim(tenant, doing, "u-1", deviceId=DEVICE)

    assert answer.status_code == (409 if act is Act.REFUSE else 200)
    assert act is Act.REFUSE or answer.json["resolution"]["rule"] == rule.name
    if act is Act.AS_THE_APP_SAYS and behavior is RestoreBehavior.ALIAS:
        assert rule.name in ("restore", "shared-purchase")
        assert who(tenant) == people | {"u-2": people["u-1"]}
    else:
        assert who(tenant) == people


def claim(tenant, doing, user_id, **members):
    """Purchase or restore under the account."""
    body = {"storeAccount": ACCOUNT, "userId": user_id, **members}
    if doing is Doing.RESTORE:
        return tenant.call("POST", "/v1/restore", tenant.sk, body)
    return tenant.call("POST", "/v1/purchases", tenant.sk, body | {"product": "pro", "transaction": "t-1"})


def alias_by_backend(tenant, people, token):
    return tenant.call("POST", f"/v1/users/{people['u-1'][0]}/aliases", tenant.sk, {"userId": "u-2"})


def alias_by_session(tenant, people, token):
    proof = proof_of(tenant, identity_key(tenant)[1], sub="u-2")
    return tenant.call("POST", "/v1/aliases", token, {"userId": "u-2", "proof": proof})


def alias_by_client(tenant, people, token):
    return tenant.call("POST", "/v1/subscribers/u-1/alias", tenant.pk, {"new_app_user_id": "u-2"})


@pytest.mark.parametrize("alias", [alias_by_backend, alias_by_session, alias_by_client])
def test_no_alias_makes_one_of_two(tenant, people, alias):
    tenant.set(revenuecat="on")

    answer = alias(tenant, people, tenant.session(userId="u-1"))

    assert answer.status_code >= 400
    assert who(tenant) == people


@pytest.mark.parametrize(
    ("kind", "user_id", "status"),
    [("pk", "u-2", 201), ("pk", "u-new", 201), ("sk", "u-2", 200), ("sk", "u-new", 201)],
)
def test_nobody_makes_one_of_two_by_identifying(tenant, people, kind, user_id, status):
    tenant.set(revenuecat="on")
    sent = {"app_user_id": "u-1", "new_app_user_id": user_id}

    answer = tenant.call("POST", "/v1/subscribers/identify", getattr(tenant, kind), sent)

    assert answer.status_code == status
    assert who(tenant) == people


def test_a_merge_that_somebody_asks_for_makes_one_of_two(tenant, people):
    sent = {"from": people["u-2"][0], "into": people["u-1"][0]}

    answer = tenant.call("POST", "/v1/merges", tenant.sk, sent)

    assert answer.status_code == 201
    assert who(tenant) == people | {"u-2": people["u-1"]}
