"""RevenueCat's wire format over the same rules, with its codes and its trust."""

import pytest

from service.model.errors import StaleState
from service.store.users import UserStore
from tests.support.cases import cases
from tests.support.responses import problem_of
from tests.support.subscribers import ANON, ANON_2, identify, original


def test_all_of_it_is_404_where_the_app_has_it_off(tenant):
    assert problem_of(tenant.get("/v1/subscribers/u-1", tenant.pk)) == (404, 7259)


def test_a_subscriber_is_made_on_first_sight(rc):
    statuses = [rc("GET", "/subscribers/u-1").status_code for _ in range(2)]
    assert statuses == [201, 200]


@pytest.mark.parametrize("path", ["$RCAnonymousID:", "%24RCAnonymousID%3A"])
def test_raw_and_encoded_paths_are_the_same_id(rc, path):
    assert original(rc("GET", f"/subscribers/{path}{'a' * 32}")) == ANON


def test_the_first_login_of_an_anonymous_id_makes_it_somebody_once(rc):
    rc("GET", f"/subscribers/{ANON}")
    first, again = identify(rc, ANON, "u-1"), identify(rc, ANON, "u-1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert (original(first), original(again)) == (ANON, ANON)


@pytest.mark.parametrize("letter", "abcdef")
def test_an_anonymous_id_that_comes_with_its_login_is_the_original(rc, letter):
    anonymous = "$RCAnonymousID:" + letter * 32
    response = identify(rc, anonymous, "u-1")
    assert (response.status_code, original(response)) == (201, anonymous)


@pytest.mark.parametrize(("first", "second"), [(ANON, ANON_2), (ANON_2, ANON)], ids=["a b", "b a"])
def test_of_two_anonymous_ids_that_come_at_once_the_one_with_the_alias_is_the_original(rc, first, second):
    response = rc("POST", f"/subscribers/{first}/alias", {"new_app_user_id": second})
    assert original(response) == original(rc("GET", f"/subscribers/{second}")) == first


def test_a_second_devices_anonymous_id_is_not_merged(rc):
    identify(rc, ANON, "u-1")
    response = identify(rc, ANON_2, "u-1")
    assert (response.status_code, original(response)) == (200, ANON)
    assert original(rc("GET", f"/subscribers/{ANON_2}")) == ANON_2


def test_a_login_never_makes_two_identified_people_one(rc):
    rc("GET", "/subscribers/u-1")
    response = identify(rc, "u-1", "u-2")
    assert (response.status_code, original(response)) == (201, "u-2")


@pytest.mark.parametrize("id", ["null", "NaN", "a%2Fb", "a/b", "%20u", "x" * 101, "$RCAnonymousID:short"])
def test_an_invalid_id_has_its_code(rc, id):
    assert problem_of(rc("GET", f"/subscribers/{id}")) == (400, 7220)


def test_a_receipt_is_a_purchase_of_whoever_sends_it_first(rc):
    body = {"app_user_id": "u-1", "fetch_token": "token", "product_id": "pro"}
    taken = rc("POST", "/receipts", body)
    refused = rc("POST", "/receipts", body | {"app_user_id": "u-2"})
    assert list(taken.json["subscriber"]["non_subscriptions"]) == ["pro"]
    assert problem_of(refused) == (409, 7102)


def test_a_restore_follows_the_app(rc):
    rc("POST", "/receipts", {"app_user_id": "u-1", "fetch_token": "token", "product_id": "pro"})
    response = rc("POST", "/receipts", {"app_user_id": "u-2", "fetch_token": "token", "is_restore": True})
    assert original(response) == "u-1"
    assert list(response.json["subscriber"]["non_subscriptions"]) == ["pro"]


def test_an_alias_of_somebody_else_is_refused(rc):
    rc("GET", "/subscribers/u-1"), rc("GET", "/subscribers/u-2")
    added = rc("POST", "/subscribers/u-1/alias", {"new_app_user_id": "u-3"})
    refused = rc("POST", "/subscribers/u-1/alias", {"new_app_user_id": "u-2"})
    assert added.status_code == 201
    assert problem_of(refused) == (409, 7255)


def test_only_a_secret_key_erases(rc, tenant):
    rc("GET", "/subscribers/u-1")
    refused = rc("DELETE", "/subscribers/u-1")
    erased = rc("DELETE", "/subscribers/u-1", key=tenant.sk)
    assert problem_of(refused) == (401, 7225)
    assert erased.status_code == 200
    assert rc("GET", "/subscribers/u-1").status_code == 201


@cases(
    "method, path, body",
    ("erased", "DELETE", "/subscribers/u-1", None),
    ("given an alias", "POST", "/subscribers/u-1/alias", {"new_app_user_id": "u-2"}),
)
def test_whom_nobody_has_seen_is_not_there_to_be(rc, tenant, method, path, body):
    assert problem_of(rc(method, path, body, key=tenant.sk)) == (404, 7259)


@pytest.mark.parametrize("member", [{"is_restore": "yes"}, {"is_restore": 1}, {"product_id": 5}])
def test_a_receipt_of_another_kind_is_a_bad_request(rc, member):
    response = rc("POST", "/receipts", {"app_user_id": "u-1", "fetch_token": "t"} | member)
    assert problem_of(response) == (400, 7226)


def test_who_changes_while_they_log_in_is_looked_for_again(rc, tenant, monkeypatch):
    rc("GET", f"/subscribers/{ANON}")
    locked, lock = [], UserStore.lock

    def lock_the_second_time(*args, **kwargs):
        locked.append(args)
        if len(locked) == 1:
            raise StaleState
        return lock(*args, **kwargs)

    monkeypatch.setattr(UserStore, "lock", lock_the_second_time)
    response = identify(rc, ANON, "u-1")

    assert (response.status_code, original(response), len(locked)) == (201, ANON, 2)


@pytest.mark.parametrize("prefix", ["", "rcb_", "rcb_sb_", "test_"])
def test_a_key_may_have_a_prefix(rc, tenant, prefix):
    assert rc("GET", "/subscribers/u-1", key=prefix + tenant.pk).status_code == 201


@pytest.mark.parametrize("key", ["pk", "sk"])
@cases(
    "id",
    ("somebody", "u-1"),
    ("nobody yet", "u-2"),
    ("an anonymous ID", ANON),
    ("an ID with an escape", "a%2541"),
    ("an ID like a path", "offerings"),
    ("letters", "J%C3%B6rg%20%E4%BA%AC"),
)
def test_nothing_is_offered_to_anybody_and_nobody_is_made(rc, tenant, rows, id, key):
    rc("GET", "/subscribers/u-1")
    was = rows()
    response = rc("GET", f"/subscribers/{id}/offerings", key=getattr(tenant, key))
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.json == {"current_offering_id": None, "offerings": []}
    assert rows() == was


@pytest.mark.parametrize("id", ["null", "a%2Fb", "x" * 101, "$RCAnonymousID:short", "u%0A"])
def test_an_id_that_cannot_be_one_has_no_offerings(rc, id):
    assert problem_of(rc("GET", f"/subscribers/{id}/offerings")) == (400, 7220)


def test_there_are_no_offerings_without_a_key_or_where_it_is_off(rc, tenant):
    unknown = rc("GET", "/subscribers/u-1/offerings", key="rcb_pk_nothing")
    tenant.set(revenuecat="off")
    off = rc("GET", "/subscribers/u-1/offerings")
    assert [(one.status_code, one.json["code"]) for one in (unknown, off)] == [(401, 7225), (404, 7259)]


def test_an_unknown_key_and_no_json_have_their_codes(rc, tenant):
    unknown = rc("GET", "/subscribers/u-1", key="rcb_nothing")
    empty = rc("POST", "/subscribers/identify", {})
    assert problem_of(unknown) == (401, 7225)
    assert problem_of(empty) == (400, 7226)


def test_it_shows_no_name_no_email_and_no_conversation(rc, tenant):
    tenant.login(userId="u-1", email="jane@example.org", name="Jane")
    tenant.begin(tenant.session(userId="u-1"), "canary")
    response = rc("GET", "/subscribers/u-1")
    assert not any(word in response.text for word in ("jane@example.org", "Jane", "canary"))
