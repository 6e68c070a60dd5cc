"""Users who are probably one person: listed, likeliest first, kept up as things change, and dismissed."""

import pytest

from service.desk.comparing import MAX_TRAITS
from service.rules.duplicates import MOST
from tests.support.comparing import compare
from tests.support.measuring import listed
from tests.support.signing import identity_key, proof_of

pytestmark = pytest.mark.usefixtures("sound")

DEVICE = "device-of-the-test-0001"
ACCOUNT = {"store": "app_store", "account": "apple-1"}


@pytest.fixture
def pairs(tenant):
    """Return the pairs that are listed, each by the last parts of the user IDs, with the signals."""

    def look():
        return {
            tuple(sorted(tenant.get(f"/v1/users/{id}").json["userId"] or id for id in pair["users"])): [
                reason["signal"] for reason in pair["reasons"]
            ]
            for pair in listed(tenant)
        }

    return look


def added(tenant, user_id, email=None, name=None):
    return tenant.login(userId=user_id, email=email, name=name)["user"]["id"]


def dismiss(tenant, *users, **headers):
    return tenant.call("POST", "/v1/duplicates/dismissals", tenant.sk, {"users": [*users]}, **headers)


def merge(tenant, source, target):
    answer = tenant.call("POST", "/v1/merges", tenant.sk, {"from": source, "into": target})
    assert answer.status_code == 201
    return answer.json["id"]


def alike(tenant):
    """Add two users who are probably one person."""
    both = added(tenant, "a", "jo@gmail.com", "Jo Doe"), added(tenant, "b", "j.o@gmail.com", "Jo Doe")
    compare(tenant)
    return both


def test_a_pair_is_there_once_the_second_user_is_compared(tenant):
    one, other = alike(tenant)

    [pair] = tenant.get("/v1/duplicates").json["data"]

    assert (pair["users"], pair["score"]) == (sorted([one, other]), 0.94)
    assert [reason["signal"] for reason in pair["reasons"]] == ["email-variant", "similar-names"]
    assert all(reason["detail"].endswith(".") for reason in pair["reasons"])


def test_pairs_are_listed_the_likeliest_first_a_page_at_a_time(tenant):
    for number in range(4):
        added(tenant, f"a{number}", f"jo{number}@x.example", "Jo" if number % 2 else None)
        added(tenant, f"b{number}", f"jo{number}@x.example", "Jo")
    compare(tenant)

    whole = tenant.get("/v1/duplicates").json
    found, after = [], {}
    while after is not None:
        page = tenant.get("/v1/duplicates", limit=1, **after).json
        found += page["data"]
        after = page["nextCursor"] and {"cursor": page["nextCursor"]}

    assert found == whole["data"]
    assert [pair["score"] for pair in found] == [0.96, 0.96, 0.9, 0.9]


def test_another_apps_users_are_no_pair(tenant, other_tenant, pairs):
    added(tenant, "a", "jo@x.example")
    added(other_tenant, "b", "jo@x.example")

    assert pairs() == {}


def test_a_changed_email_or_name_changes_the_pair(tenant, pairs):
    _, other = alike(tenant)

    added(tenant, "b", name="Kim Petrov")
    assert pairs() == {}
    added(tenant, "b", name="Johanna")
    assert pairs() == {("a", "b"): ["email-variant"]}
    added(tenant, "b", "jo@gmail.com")
    assert pairs() == {("a", "b"): ["same-email"]}
    tenant.call("PATCH", f"/v1/users/{other}", tenant.sk, {"email": "kim@gmail.com"})
    assert pairs() == {}


def test_one_email_that_many_have_is_no_pair_and_is_one_again_when_few_are_left(tenant, pairs):
    ids = [added(tenant, f"u{number}", "test@x.example") for number in range(MOST + 2)]
    assert pairs() == {}

    for id in ids[MOST - 1 :]:
        tenant.call("DELETE", f"/v1/users/{id}", tenant.sk)

    assert len(pairs()) == (MOST - 1) * (MOST - 2) // 2


def test_a_contact_leads_to_whoever_has_it(tenant, pairs):
    added(tenant, "a", "jo@x.example")
    visitor = tenant.login()
    token = visitor["session"]["token"]

    tenant.call("PUT", "/v1/me/contact", token, {"email": "JO@x.example", "phone": "+49 30 1234"})
    assert [*pairs().values()] == [["same-contact"]]
    tenant.call("PUT", "/v1/me/contact", token, {"phone": "+49 30 1234"})
    assert pairs() == {}

    second = tenant.login()["session"]["token"]
    tenant.call("PUT", "/v1/me/contact", second, {"phone": "0049 (0) 30-1234"})
    assert [*pairs().values()] == [["same-phone"]]


def test_a_device_that_two_used_in_turn_makes_a_pair_until_a_third_does(tenant, pairs):
    for user in ("a", "b", "a"):
        token = tenant.session(userId=user, deviceId=DEVICE)
        tenant.call("POST", "/v1/logout", token)
    assert pairs() == {("a", "b"): ["shared-device"]}

    tenant.login(deviceId=DEVICE)
    assert len(pairs()) == 1
    tenant.session(userId="c", deviceId=DEVICE)
    assert pairs() == {}


def test_who_is_one_with_the_last_user_of_a_device_is_no_pair_with_them(tenant, pairs):
    one = tenant.login(userId="a", deviceId=DEVICE)["user"]["id"]
    merge(tenant, one, added(tenant, "b"))

    tenant.login(userId="b", deviceId=DEVICE)
    assert pairs() == {}
    tenant.login(userId="c", deviceId=DEVICE)
    assert pairs() == {("b", "c"): ["shared-device"]}


def test_who_was_erased_used_no_device(tenant, pairs):
    one = tenant.login(userId="a", deviceId=DEVICE)["user"]["id"]
    tenant.call("DELETE", f"/v1/users/{one}", tenant.sk)

    tenant.login(userId="b", deviceId=DEVICE)

    assert pairs() == {}


def test_who_uses_a_great_many_devices_after_others_is_compared_by_some(tenant, store, pairs):
    busy = added(tenant, "busy")
    for number in range(MAX_TRAITS + 2):
        device = f"{DEVICE}-{number}"
        tenant.login(userId=f"u{number}", deviceId=device)
        tenant.login(userId="busy", deviceId=device)

    assert len(store.of(tenant.id).duplicates.traits_of([busy])[busy]) == MAX_TRAITS
    assert len(pairs()) == MAX_TRAITS


def test_a_store_account_that_changed_hands_makes_a_pair(tenant, pairs):
    tenant.set(restoreBehavior="transfer")
    for user in ("a", "b"):
        added(tenant, user)
        restored = tenant.call("POST", "/v1/restore", tenant.sk, {"userId": user, "storeAccount": ACCOUNT})
        assert restored.status_code == 200

    assert pairs() == {("a", "b"): ["store-account"]}


def test_a_merge_ends_the_pair_and_brings_its_others_along_and_an_undo_brings_all_back(tenant, pairs):
    one, other = alike(tenant)
    tenant.login(userId="a", deviceId=DEVICE)
    tenant.login(userId="c", deviceId=DEVICE)
    before = pairs()
    assert before == {("a", "b"): ["email-variant", "similar-names"], ("a", "c"): ["shared-device"]}

    merged = merge(tenant, one, other)
    assert pairs() == {("b", "c"): ["shared-device"]}

    tenant.call("DELETE", f"/v1/merges/{merged}", tenant.sk)
    assert pairs() == before


def test_what_is_said_of_a_part_is_compared_as_their_survivors(tenant, pairs):
    merge(tenant, added(tenant, "a", "jo@x.example"), added(tenant, "b", "kim@x.example"))
    added(tenant, "c", "jo@x.example")
    assert pairs() == {("b", "c"): ["same-email"]}

    added(tenant, "a", "lee@x.example")

    assert pairs() == {}


def test_who_only_claims_makes_a_pair_that_says_so_and_is_told_nothing(tenant, pairs):
    tenant.set(identityVerification="off")
    added(tenant, "a", "jo@x.example", "Jo Doe")
    claimed = tenant.try_login(key=tenant.pk, userId="b", email="jo@x.example", name="Jo Doe").json

    assert [*pairs().values()] == [["same-email", "similar-names", "unproven"]]
    token = claimed["session"]["token"]
    assert tenant.get("/v1/duplicates", token).status_code == 403
    assert tenant.get("/v1/me", token).json["user"].keys() == claimed["user"].keys()


def test_a_proof_that_names_the_same_email_is_compared_too(tenant, pairs):
    added(tenant, "a", "jo@gmail.com")
    proof = proof_of(tenant, identity_key(tenant)[1], sub="b", email="j.o+x@googlemail.com")
    tenant.try_login(key=tenant.pk, proof=proof)

    assert pairs() == {("a", "b"): ["email-variant"]}


# --- dismissed -----------------------------------------------------------------------------------


def test_a_dismissed_pair_is_never_listed_again_whatever_they_share(tenant, pairs):
    one, other = alike(tenant)

    first, again = dismiss(tenant, one, other), dismiss(tenant, other, one)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert first.json["users"] == sorted([one, other])
    added(tenant, "b", "jo@gmail.com")
    tenant.login(userId="a", deviceId=DEVICE)
    tenant.login(userId="b", deviceId=DEVICE)
    assert pairs() == {}


def test_a_dismissal_goes_with_whoever_it_was_said_of_and_back(tenant, pairs):
    one, other = alike(tenant)
    dismiss(tenant, one, other)
    third = added(tenant, "c", "jo@gmail.com")
    assert pairs() == {("a", "c"): ["same-email"], ("b", "c"): ["email-variant"]}

    merged = merge(tenant, third, other)
    assert pairs() == {}

    tenant.call("DELETE", f"/v1/merges/{merged}", tenant.sk)
    assert pairs() == {("a", "c"): ["same-email"], ("b", "c"): ["email-variant"]}


def test_a_dismissal_is_of_whoever_a_merged_user_became(tenant):
    one, other = alike(tenant)
    third = added(tenant, "c")
    merge(tenant, one, third)

    assert dismiss(tenant, one, other).json["users"] == sorted([third, other])
    assert dismiss(tenant, one, third).json["code"] == "one-user"


def test_a_dismissal_with_the_same_key_is_the_same_again(tenant):
    one, other = alike(tenant)

    first = dismiss(tenant, one, other, Idempotency_Key="key-1")
    merge(tenant, one, other)
    again = dismiss(tenant, one, other, Idempotency_Key="key-1")

    assert (first.status_code, again.status_code, again.json) == (201, 200, first.json)
    third = added(tenant, "c")
    refused = dismiss(tenant, other, third, Idempotency_Key="key-1").json["errors"]
    assert [error["code"] for error in refused] == ["idempotency-key-reused"]


def test_what_is_no_two_users_is_refused(tenant, other_tenant):
    one = added(tenant, "a")
    foreign = added(other_tenant, "b")

    for users in ([], [one], [one, one], [one, one, one]):
        assert dismiss(tenant, *users).json["errors"][0]["code"] == "not-two"
    assert dismiss(tenant, one, foreign).status_code == 404
    assert dismiss(tenant, one, "usr_1").status_code == 404


def test_of_who_was_erased_nothing_is_compared_and_nothing_dismissed(tenant, rows):
    one, other = alike(tenant)
    third = added(tenant, "c", "jo@gmail.com")
    dismiss(tenant, one, other)

    for id in (one, other, third):
        tenant.call("DELETE", f"/v1/users/{id}", tenant.sk)

    left = rows()
    assert not any(left[table] for table in ("duplicate_keys", "duplicates", "dismissals"))


def test_an_export_of_a_user_has_what_they_are_compared_by_and_who_they_are_not(tenant):
    one, other = alike(tenant)
    at = dismiss(tenant, one, other).json["createdAt"]

    export = tenant.get(f"/v1/users/{one}/export").json

    assert export["comparedBy"] == [{"source": "email", "key": "email jo@gmail.com"}]
    assert export["dismissals"] == [{"users": sorted([one, other]), "createdAt": at}]


def test_a_dismissal_beside_a_merge_ends_as_one_after_the_other(tenant):
    for number in range(5):
        one, other, third = (added(tenant, f"{name}{number}", f"jo{number}@x.example") for name in "abc")

        tenant.at_once(
            lambda at, pair=(one, other): dismiss(at, *pair),
            lambda at, pair=(other, third): merge(at, *pair),
            lambda at, name=f"a{number}": added(at, name, name="Jo"),
        )

        assert [pair["users"] for pair in listed(tenant)] == []
