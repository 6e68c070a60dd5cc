"""No alias, no merge and no client of RevenueCat's makes one of two people who each had a user ID, unless
somebody asked for just that.

As in test_fusing.py, every situation of the tables is made over HTTP.
"""

from itertools import product

import pytest

from service.rules import aliasing, merging
from service.rules.aliasing import ALIASING
from service.rules.correcting import (
    CORRECTING,
    REMOVING,
    Correct,
    Given,
    Keep,
    Left,
    Primary,
    Remove,
    Whose,
)
from service.rules.merging import MERGING, By, Same, Who
from service.rules.subscribing import IDENTIFYING, SIGHTING, Both, Id, Identify, Make, Names
from tests.support.people import who
from tests.support.rulebook import every

CLIENT_MADE, CLIENT_MADE_TOO = ("$RCAnonymousID:" + letter * 32 for letter in "ab")
NO_VISIT = "$anon:0b8f0d1c-5a0e-4f0e-8d53-1c6f5f1f5c5e"


# Nobody is anonymous who has a personal ID.
@pytest.mark.parametrize(
    ("owner", "looks", "whom"),
    every(
        ALIASING,
        but=[
            (aliasing.Owner.ANONYMOUS, aliasing.UserId.PERSONAL),
            # Nobody who was cleared has a personal ID, nor takes anybody in.
            (aliasing.Owner.THE_USER, aliasing.Whom.CLEARED),
        ],
    ),
)
def test_no_alias_makes_one_of_two_whoever_has_the_id(tenant, people, owner, looks, whom):
    user_id = {
        aliasing.Owner.NOBODY: "u-new",
        aliasing.Owner.THE_USER: "u-1",
        aliasing.Owner.ANONYMOUS: None,
        aliasing.Owner.IDENTIFIED: "u-2",
    }[owner]
    if looks is aliasing.UserId.ANONYMOUS:
        visit = NO_VISIT if owner is aliasing.Owner.NOBODY else tenant.login()["user"]["userId"]
        if user_id in people:
            absorb(tenant, people[user_id], visit)
        user_id = visit

    whose = [cleared(tenant)] if whom is aliasing.Whom.CLEARED else people["u-1"]
    answer = absorb(tenant, whose, user_id)

    act = ALIASING.decide(owner, looks, whom).then
    refused = {aliasing.Act.REFUSE: 422, aliasing.Act.TAKEN: 409, aliasing.Act.CLEARED: 409}
    assert answer.status_code == refused.get(act, 201 if owner is aliasing.Owner.NOBODY else 200)
    assert who(tenant) == people


def absorb(tenant, users, user_id):
    """Have an ID lead to a user."""
    return tenant.call("POST", f"/v1/users/{users[0]}/aliases", tenant.sk, {"userId": user_id})


def cleared(tenant):
    """Have a device's anonymous user who was cleared; return our id."""
    visit = tenant.login()
    tenant.call("POST", "/v1/clearAnonymousUser", tenant.sk, {"deviceId": visit["deviceId"]})
    tenant.login(userId="u-1", deviceId=visit["deviceId"])
    return visit["user"]["id"]


def unclaimed(tenant):
    return tenant.known(email="jane@example.org")


def has_an_alias(tenant, people):
    tenant.alias(people["u-1"][0], "u-new")


def has_an_email(tenant, people):
    tenant.change(people["u-1"][0], email="jane@example.org")


def has_an_email_of_another(tenant, people):
    unclaimed(tenant)
    has_an_email(tenant, people)


@pytest.mark.parametrize(("whose", "left"), every(REMOVING))
def test_no_id_that_is_taken_away_makes_one_of_two(tenant, people, whose, left):
    prepare = {
        Left.THE_PRIMARY: has_an_alias,
        Left.ANOTHER_ID: has_an_alias,
        Left.AN_EMAIL: has_an_email,
        Left.AN_UNCLAIMED_EMAIL: has_an_email_of_another,
    }
    prepare.get(left, lambda *_: None)(tenant, people)
    own = "u-new" if left is Left.THE_PRIMARY else "u-1"

    answer = tenant.remove_id(people["u-1"][0], own if whose is Whose.THE_USERS else "u-2")

    refused = {
        Remove.NOT_FOUND: (404, "not-found"),
        Remove.NOTHING_LEFT: (409, "nothing-left"),
        Remove.UNCLAIMED_EMAIL: (409, "unclaimed-email"),
    }
    act = REMOVING.decide(whose, left).then
    assert (answer.status_code, answer.json.get("code")) == refused.get(act, (200, None))
    is_gone = own == "u-1" and act not in refused
    assert who(tenant) == (people | {"u-1": []} if is_gone else people)


# Whose primary ID is none of their own has no such alias either.
IMPOSSIBLE = [
    (primary, given)
    for primary in (Primary.ANONYMOUS, Primary.CLEARED, Primary.NONE)
    for given in (Given.THE_USER_AS_PRIMARY, Given.THE_USER_AS_ALIAS)
]


@pytest.mark.parametrize(("given", "primary", "keep"), every(CORRECTING, but=IMPOSSIBLE))
def test_no_id_that_is_corrected_makes_one_of_two(tenant, people, given, primary, keep):
    jane = people["u-1"][0]
    if primary is not Primary.PERSONAL:
        jane = {Primary.ANONYMOUS: tenant.known, Primary.CLEARED: lambda: cleared(tenant)}.get(
            primary, lambda: unclaimed(tenant)
        )()
    if given is Given.THE_USER_AS_ALIAS:
        has_an_alias(tenant, people)
    user_id = {Given.ANOTHER: "u-2", Given.THE_USER_AS_PRIMARY: "u-1"}.get(given, "u-new")

    answer = tenant.correct_id(jane, user_id, keep=keep is Keep.YES)

    act = CORRECTING.decide(given, primary, keep).then
    code = {Correct.TAKEN: "alias-taken", Correct.CLEARED: "user-cleared"}.get(act)
    assert (answer.status_code, answer.json.get("code")) == (409 if code else 200, code)
    assert code is not None or (answer.json["id"], answer.json["userId"]) == (jane, user_id)
    assert who(tenant) == (people | {"u-1": []} if act is Correct.REPLACE else people)


def subscriber(tenant, key, user_id):
    """Have a client of RevenueCat's make somebody; return our id."""
    assert tenant.call("GET", f"/v1/subscribers/{user_id}", key).status_code == 201
    found = tenant.call("GET", f"/v1/users?userId={user_id}", tenant.sk).json["data"]
    return next(user["id"] for user in found if user["verified"] is (key == tenant.sk))


def make(tenant, people, kind, *, first):
    """Have a user of a kind."""
    client_made = CLIENT_MADE if first else CLIENT_MADE_TOO
    match kind:
        case Who.PROVEN:
            return people["u-1" if first else "u-2"][0]
        case Who.PROVEN_ANONYMOUS:
            return subscriber(tenant, tenant.sk, client_made)
        case Who.DEVICE_ANONYMOUS:
            return tenant.login()["user"]["id"]
        case Who.UNPROVEN:
            return subscriber(tenant, tenant.pk, "u-3" if first else "u-4")
        case Who.UNPROVEN_ANONYMOUS:
            return subscriber(tenant, tenant.pk, client_made)
        case Who.CLEARED:
            return cleared(tenant)


# Who is one with somebody is of the same kind.
TWO_KINDS = [(one, other, Same.YES) for one, other in product(Who, Who) if one is not other]


@pytest.mark.parametrize(("goes", "stays", "same", "by"), every(MERGING, but=[(By.RULE,), *TWO_KINDS]))
def test_a_merge_that_somebody_asks_for_makes_one_of_two_where_that_may_be(
    tenant, people, goes, stays, same, by
):
    tenant.set(revenuecat="on")
    source = make(tenant, people, goes, first=True)
    target = source if same is Same.YES else make(tenant, people, stays, first=False)

    answer = tenant.call("POST", "/v1/merges", tenant.sk, {"from": source, "into": target})

    rule = MERGING.decide(goes, stays, same, by)
    if rule.then is merging.Act.MERGE:
        assert (answer.status_code, answer.json["rule"]) == (201, rule.name)
    else:
        assert (answer.status_code, f"409 `{answer.json['code']}`") == (409, rule.then)
    joined = {"u-1": people["u-2"]} if answer.status_code == 201 and goes is stays is Who.PROVEN else {}
    assert who(tenant) == people | joined


IDS = {Id.PERSONAL: "u-new", Id.CLIENT_MADE: CLIENT_MADE, Id.OTHER_ANONYMOUS: NO_VISIT}


@pytest.mark.parametrize(("looks", "names"), every(SIGHTING))
def test_no_id_that_is_seen_first_makes_one_of_two(tenant, people, looks, names):
    tenant.set(revenuecat="on")
    id = IDS[looks]
    method, path, sent = {
        Names.SUBSCRIBER: ("GET", f"/v1/subscribers/{id}", None),
        Names.WHO_WAS_THERE: ("POST", f"/v1/subscribers/{id}/alias", {"new_app_user_id": "u-newer"}),
        Names.ALIAS: ("POST", "/v1/subscribers/u-1/alias", {"new_app_user_id": id}),
    }[names]

    answer = tenant.call(method, path, tenant.sk, sent)

    made = SIGHTING.decide(looks, names).then
    if made is Make.REFUSE:
        assert answer.json["code"] == 7220
    elif made is Make.NOBODY and names is Names.WHO_WAS_THERE:
        assert answer.status_code == 404
    elif looks is Id.OTHER_ANONYMOUS:
        assert answer.status_code == 400
    else:
        assert answer.status_code in (200, 201)
    assert who(tenant) == people


@pytest.mark.parametrize(("both", "looks"), every(IDENTIFYING))
def test_no_client_makes_one_of_two_whatever_it_identifies_as(tenant, people, both, looks):
    tenant.set(revenuecat="on")
    new = tenant.login()["user"]["userId"] if looks is Id.OTHER_ANONYMOUS else IDS[looks]
    sent = {"app_user_id": new if both is Both.ONE else "u-1", "new_app_user_id": new}

    answer = tenant.call("POST", "/v1/subscribers/identify", tenant.sk, sent)

    status = {Identify.NOTHING: 200, Identify.REFUSE: 400, Identify.LOGIN: 201}
    assert answer.status_code == status[IDENTIFYING.decide(both, looks).then]
    assert who(tenant) == people
