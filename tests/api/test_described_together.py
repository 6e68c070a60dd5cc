"""What is said of users by name, where several records are one person: each keeps its own, the latest is
shown, and an undo leaves each with theirs."""

import pytest

from service.model.attributes import MAX_ATTRIBUTES
from tests.support.cases import cases
from tests.support.signing import proof_of

pytestmark = pytest.mark.usefixtures("sound")


@pytest.fixture
def two(tenant):
    """Two users of whom something was said, the second one last; return our ids."""
    ann = tenant.known(userId="u-1", attributes={"plan": "free", "ann": 1})
    bo = tenant.known(userId="u-2", attributes={"plan": "gold", "bo": True})
    return ann, bo


def shown(tenant, id):
    return tenant.user(id)["attributes"]


def test_who_stays_keeps_theirs_and_is_filled_with_what_is_new(tenant, two):
    ann, bo = two
    tenant.merge(bo, ann)
    assert shown(tenant, ann) == shown(tenant, bo) == {"plan": "free", "ann": 1, "bo": True}
    [user] = tenant.find()
    assert user["attributes"] == {"plan": "free", "ann": 1, "bo": True}


def test_after_an_undo_each_has_their_own(tenant, two):
    ann, bo = two
    tenant.undo(tenant.merge(bo, ann))
    assert (shown(tenant, ann), shown(tenant, bo)) == (
        {"plan": "free", "ann": 1},
        {"plan": "gold", "bo": True},
    )


def test_what_was_removed_of_who_goes_hides_nothing_of_who_stays(tenant, two):
    ann, bo = two
    tenant.change(bo, attributes={"plan": None})
    merge = tenant.merge(bo, ann)
    assert shown(tenant, ann)["plan"] == "free"
    tenant.undo(merge)
    assert shown(tenant, bo) == {"bo": True}


def test_what_was_removed_of_who_stays_is_filled(tenant, two):
    ann, bo = two
    tenant.change(ann, attributes={"plan": None})
    merge = tenant.merge(bo, ann)
    assert shown(tenant, ann)["plan"] == "gold"
    tenant.undo(merge)
    assert shown(tenant, ann) == {"ann": 1}


def test_a_login_says_it_of_whose_id_it_was_and_the_latest_is_shown(tenant, two, secret):
    ann, bo = two
    merge = tenant.merge(bo, ann)
    tenant.login(userId="u-2", attributes={"plan": "silver", "ann": 2})
    assert shown(tenant, ann) == {"plan": "silver", "ann": 2, "bo": True}
    proof = proof_of(tenant, secret, sub="u-1", attributes={"plan": "free"})
    again = tenant.try_login(key=tenant.pk, proof=proof).json
    assert again["resolution"]["changes"] == ["attributes"]
    assert shown(tenant, ann)["plan"] == "free"
    tenant.undo(merge)
    assert shown(tenant, ann) == {"plan": "free", "ann": 1}
    assert shown(tenant, bo) == {"plan": "silver", "ann": 2, "bo": True}


def test_an_agent_says_it_of_the_survivor(tenant, two):
    ann, bo = two
    merge = tenant.merge(bo, ann)
    tenant.change(bo, attributes={"plan": "silver", "bo": None})
    assert shown(tenant, ann) == {"plan": "silver", "ann": 1}
    tenant.undo(merge)
    assert shown(tenant, ann) == {"plan": "silver", "ann": 1}
    assert shown(tenant, bo) == {"plan": "gold", "bo": True}


def test_what_hides_the_word_of_another_is_remembered(tenant, two):
    ann, bo = two
    tenant.merge(bo, ann)
    tenant.change(ann, attributes={"bo": None})
    for first in range(0, 3 * MAX_ATTRIBUTES, 25):
        names = [f"name{number}" for number in range(first, first + 25)]
        tenant.change(ann, attributes=dict.fromkeys(names, 1))
        tenant.change(ann, attributes=dict.fromkeys(names))
    assert shown(tenant, ann) == {"plan": "free", "ann": 1}


def test_the_history_stays_with_whom_it_was_said_of(tenant, two):
    ann, bo = two
    merge = tenant.merge(bo, ann)
    tenant.login(userId="u-2", attributes={"canary": 1})
    tenant.undo(merge)
    names = {
        id: [entry["after"] for entry in tenant.history(id) if entry["event"] == "attributes-changed"]
        for id in two
    }
    assert names == {ann: [{"set": ["ann", "plan"]}], bo: [{"set": ["bo", "plan"]}, {"set": ["canary"]}]}


def test_of_more_names_than_there_may_be_the_last_said_are_shown_and_none_is_lost(tenant, time_machine):
    ann = tenant.known(userId="u-1", attributes={f"a{n:02}": n for n in range(MAX_ATTRIBUTES)})
    bo = tenant.known(userId="u-2", attributes={f"b{n:02}": n for n in range(30)})
    merge = tenant.merge(ann, bo)
    told = shown(tenant, bo)
    assert len(told) == MAX_ATTRIBUTES
    assert {f"b{n:02}" for n in range(30)} < told.keys()
    refused = tenant.change(bo, attributes={"c": 1})
    assert refused.status_code == 422
    tenant.undo(merge)
    assert (len(shown(tenant, ann)), len(shown(tenant, bo))) == (MAX_ATTRIBUTES, 30)


def test_several_merges_are_undone_in_any_order(tenant, two):
    ann, bo = two
    carol = tenant.known(userId="u-3", attributes={"plan": "x", "carol": 1})
    first, second = tenant.merge(bo, ann), tenant.merge(carol, ann)
    tenant.login(userId="u-3", attributes={"plan": "y"})
    assert shown(tenant, ann) == {"plan": "y", "ann": 1, "bo": True, "carol": 1}
    tenant.undo(first)
    assert shown(tenant, ann) == {"plan": "y", "ann": 1, "carol": 1}
    tenant.undo(second)
    assert [shown(tenant, id) for id in (ann, bo, carol)] == [
        {"plan": "free", "ann": 1},
        {"plan": "gold", "bo": True},
        {"plan": "y", "carol": 1},
    ]


@cases(
    "policy, of_the_user, of_the_visitor",
    ("merged", "merge", {"page": "/pricing", "plan": "gold"}, {"page": "/pricing", "plan": "gold"}),
    ("kept", "keep", {"plan": "gold"}, {"page": "/pricing", "plan": "free"}),
    ("cleared", "clear", {"plan": "gold"}, {"page": "/pricing", "plan": "free"}),
)
def test_what_a_backend_said_of_a_visitor_goes_where_the_visitor_goes(
    tenant, policy, of_the_user, of_the_visitor
):
    tenant.set(anonymousOnLogin=policy)
    tenant.known(userId="u-1", attributes={"plan": "gold"})
    visit = tenant.login(attributes={"page": "/pricing", "plan": "free"})
    login = tenant.login(userId="u-1", deviceId=visit["deviceId"])
    assert login["user"]["attributes"] == of_the_user
    assert shown(tenant, visit["user"]["id"]) == of_the_visitor


def test_a_visitor_who_is_given_an_id_keeps_it(tenant):
    id = tenant.known(attributes={"page": "/pricing"})
    tenant.alias(id, "u-1")
    assert tenant.login(userId="u-1", attributes={"plan": "x"})["user"]["attributes"] == {
        "page": "/pricing",
        "plan": "x",
    }


def test_an_unclaimed_user_who_is_given_an_id_keeps_it(tenant):
    tenant.login(email="jane@example.org", attributes={"page": "/pricing"})
    login = tenant.login(userId="u-1", email="jane@example.org", attributes={"plan": "x"})
    assert login["resolution"]["changes"] == ["userId", "attributes"]
    assert login["user"]["attributes"] == {"page": "/pricing", "plan": "x"}


def test_an_unproven_part_of_a_proven_user_shows_nothing_and_what_is_part_of_it_neither(tenant, rc):
    for id, value in (("u-8", "one"), ("u-9", "other")):
        rc("POST", f"/subscribers/{id}/attributes", {"attributes": {f"of-{id}": {"value": value}}})
    first, second = (tenant.find(userId=id)[0]["id"] for id in ("u-8", "u-9"))
    jane = tenant.known(userId="u-1", attributes={"plan": "gold"})
    inner = tenant.merge(first, second)
    assert shown(tenant, second) == {"of-u-8": "one", "of-u-9": "other"}
    outer = tenant.merge(second, jane)
    assert shown(tenant, jane) == {"plan": "gold"}
    tenant.undo(outer)
    assert shown(tenant, second) == {"of-u-8": "one", "of-u-9": "other"}
    tenant.undo(inner)
    assert (shown(tenant, first), shown(tenant, second)) == ({"of-u-8": "one"}, {"of-u-9": "other"})


def test_a_visitor_who_is_part_of_who_only_claims_shows_nothing_there(tenant):
    tenant.set(identityVerification="off", anonymousOnLogin="merge")
    visit = tenant.login(attributes={"page": "/pricing"})
    tenant.try_login(key=tenant.pk, userId="u-1", deviceId=visit["deviceId"])
    [claims] = [user for user in tenant.find(userId="u-1") if not user["verified"]]
    assert claims["attributes"] == {}
    merge = tenant.get(f"/v1/users/{claims['id']}/export").json["merges"][0]["id"]
    tenant.undo(merge)
    assert shown(tenant, visit["user"]["id"]) == {"page": "/pricing"}
