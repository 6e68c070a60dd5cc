"""The migrations never stop at an odd history, and leave a sound store; ``check`` names what is left."""

import pytest

from service.desk.checking import Verdict, check
from service.store.migrating import migrate
from tests.conftest import ENGINES
from tests.store.test_old_store import Moved
from tests.support import old_store as old

CLIENT_MADE = "$RCAnonymousID:"
# A person has to give an email to somebody else first, or to decide who two are.
LEFT = {
    "an email that has another unclaimed user": {"nobody_proven_rests_on_a_claim"},
    "accounts of somebody without an ID": {"nobody_proven_rests_on_a_claim"},
}


@pytest.fixture(params=ENGINES)
def move(request, databases, tmp_path):
    """Move an odd store to this version, on each engine."""
    moved = []

    def move(odd):
        url = databases.fresh(request.param)
        known = old.fill(url, tmp_path, odd)
        migrate(url)
        moved.append(Moved(url, {**known, **known["known"], "people": known["known"], "merges": {}}))
        return moved[-1]

    yield move
    for one in moved:
        one.store.database.close()


def violated(moved):
    return {found.name for found in check(moved.store) if found.verdict is Verdict.VIOLATED}


@pytest.mark.parametrize("odd", old.ODD)
def test_a_store_is_sound_after_the_migrations(move, odd):
    assert violated(move(odd)) == LEFT.get(odd, set())


def test_a_merge_that_was_made_again_stands(move):
    moved = move("a merge that was undone and made again")

    a, _ = moved.having("a")
    assert (a["verified"], a["aliases"]) == (True, ["hugo"])
    assert [merge["undoneAt"] is None for merge in moved.exported(a["id"])["merges"]] == [False, True]


def test_who_was_filled_with_an_id_has_none_again(move):
    moved = move("an email's owner who took in a public user")

    assert (moved.shown("v")["userId"], moved.shown("v")["email"]) == (None, "v@x.example")
    assert moved.tenant.login(userId="mallory")["created"] is True


@pytest.mark.parametrize("by", ["vera", "mallory"])
def test_a_visitor_whom_the_backend_named_too_has_that_id_alone(move, by):
    moved = move("a named visitor whom the backend named too")

    assert moved.shown("v")["userId"] == "vera"
    assert moved.tenant.login(userId=by)["created"] is (by == "mallory")


def test_a_visitor_who_was_named_and_merged_is_a_visitor_by_the_undo(move):
    moved = move("a named visitor who is part of another")

    moved.undo(moved.known["m"])

    assert moved.shown("v")["anonymous"] is True
    assert violated(moved) == set()


def test_what_public_calls_told_of_an_id_is_told_of_whoever_claimed_it_first(move):
    moved = move("an ID in both worlds")

    [hugo] = moved.having("hugo")
    assert [bought["claimed"] for bought in hugo["purchases"]] == [True]
    assert [one["value"] for one in moved.exported(hugo["id"])["attributes"]] == ["Bern"]


def test_the_backends_anonymous_users_are_proven_where_nobody_else_called(move):
    moved = move("the backend's anonymous users alone")

    [anonymous] = moved.having(CLIENT_MADE + "b" * 32)
    assert (anonymous["verified"], [one["claimed"] for one in anonymous["purchases"]]) == (True, [False])


def test_an_account_that_was_claimed_for_a_visitor_waits_for_nobody(move):
    moved = move("a receipt for a visitor")
    tenant = moved.tenant
    account = {"store": "revenuecat", "account": "victims-token"}

    restored = tenant.call("POST", "/v1/restore", tenant.sk, {"userId": "victim", "storeAccount": account})

    assert restored.json["resolution"]["rule"] == "first-claim"
    assert tenant.conversations(tenant.session(userId="victim")) == []


def test_a_visitor_within_claims_is_back_when_all_is_undone(move):
    moved = move("a visitor within a claim within a claim")

    moved.undo(*moved.known["ms"])
    moved.undo(next(merge["id"] for merge in moved.exported("v")["merges"] if merge["undoneAt"] is None))

    assert violated(moved) == set()
    assert moved.tenant.login(deviceId=moved.known["dev"])["user"]["id"] == moved.known["v"]


@pytest.mark.parametrize(
    ("odd", "user_id"),
    [
        ("the backend's anonymous user within a user", CLIENT_MADE + "a" * 32),
        ("a public anonymous user whom the backend joined", CLIENT_MADE + "9" * 32),
    ],
)
def test_an_anonymous_id_that_the_backend_joined_leads_to_the_user(move, odd, user_id):
    moved = move(odd)

    assert [user["userId"] for user in moved.having(user_id) if user["verified"]] == ["p"]
    [p] = moved.having("p")
    assert [bought["claimed"] for bought in p["purchases"]] == [True]


def test_a_visitor_who_took_an_id_reads_nothing_of_whoever_came_by_it(move):
    moved = move("a visitor who took an ID before its owner came")
    victim = moved.tenant.login(userId="victim")

    assert moved.reads(moved.known["tok"]) == {"attacker's own"}
    assert moved.reads(victim["session"]["token"]) == {"victim's secret", "agent to victim"}
    assert (victim["user"]["email"], victim["user"]["name"]) == ("victim@x.example", "Vic")
    [bought] = moved.shown(victim["user"]["id"])["purchases"]
    assert bought["claimed"] is False
    assert "victim@x.example" not in str(moved.exported("v"))
