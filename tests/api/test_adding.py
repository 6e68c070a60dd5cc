"""Users whom the backend adds: the rules of a login, without a device and a session."""

import pytest

from service.store.tables import Devices, Sessions
from tests.support.cases import cases
from tests.support.responses import problem_of, refused_fields

EMAIL = "jane@example.org"


def add(tenant, key=None, **claim):
    return tenant.call("POST", "/v1/users", key or tenant.sk, claim)


# What was there before, what is added, and what is answered: status, rule, whose id by its place, changes.
@cases("before, claim, expected",
    ("known-user-id", [{"userId": "u-1"}], {"userId": "u-1", "email": EMAIL, "name": "Jane"},
     (200, "known-user-id", 0, ["email", "name"])),
    ("attach-user-id", [{"email": EMAIL}], {"userId": "u-1", "email": "JANE@example.org"},
     (200, "attach-user-id", 0, ["userId"])),
    ("new-user-id", [{"userId": "u-1", "email": EMAIL}], {"userId": "u-2", "email": EMAIL},
     (201, "new-user-id", None, [])),
    ("known-email", [{"email": EMAIL}], {"email": EMAIL}, (200, "known-email", 0, [])),
    ("shared-email", [{"userId": "u-1", "email": EMAIL}, {"userId": "u-2", "email": EMAIL}],
     {"email": EMAIL}, (201, "shared-email", None, [])),
    ("new-email", [{"userId": "u-1"}], {"email": EMAIL}, (201, "new-email", None, [])),
)  # fmt: skip
def test_it_is_decided_as_a_login_is_and_as_resolve_says(tenant, sound, before, claim, expected):
    there = [tenant.known(**one) for one in before]
    told = tenant.call("POST", "/v1/resolve", tenant.sk, claim).json
    answer = add(tenant, **claim)
    status, rule, whose, changes = expected
    assert answer.status_code == status
    assert set(answer.json) == {"user", "created", "resolution"}
    assert answer.json["created"] is (status == 201)
    assert whose is None or answer.json["user"]["id"] == there[whose]
    resolution = answer.json["resolution"]
    assert (resolution["rule"], resolution["changes"]) == (rule, changes)
    assert resolution == {name: told[name] for name in ("rule", "because", "changes", "ignored")}


def test_a_user_is_shown_as_a_login_shows_them(tenant):
    added = add(tenant, userId="u-1", email=EMAIL, name="Jane")
    login = tenant.login(userId="u-1")
    assert added.json["user"] == login["user"]
    assert login["created"] is False


def test_whoever_is_added_is_verified_and_has_no_device_and_no_session(tenant, store):
    id = add(tenant, userId="u-1", email=EMAIL).json["user"]["id"]
    assert tenant.user(id)["verified"] is True
    for table in (Devices, Sessions):
        assert list(store.database.rows(table.select().where(table.app == tenant.id))) == []


def test_the_history_tells_who_added_whom_and_why(tenant):
    id = add(tenant, userId="u-1", name="Jane").json["user"]["id"]
    (entry,) = tenant.history(id)
    assert (entry["event"], entry["rule"], entry["by"][:4]) == ("created", "new-user-id", "key_")
    assert entry["after"] == {"userId": "u-1", "email": None, "name": "Jane"}


def test_what_was_said_replaces_and_what_was_not_said_stays(tenant):
    add(tenant, userId="u-1", email=EMAIL, name="Jane")
    again = add(tenant, userId="u-1", email="joan@example.org").json
    assert (again["user"]["email"], again["user"]["name"]) == ("joan@example.org", "Jane")
    assert add(tenant, userId="u-1").json["resolution"]["changes"] == []


@cases(
    "claim, ignored",
    ("an email beside a user ID", {"userId": "u-1", "email": "jane"}, [("/email", "invalid-email")]),
    ("a name beside a user ID", {"userId": "u-1", "name": 7}, [("/name", "not-a-string")]),
    ("a name beside an email", {"email": EMAIL, "name": 7}, [("/name", "not-a-string")]),
)
def test_what_cannot_be_used_beside_an_identity_is_left_out_and_named(tenant, claim, ignored):
    answer = add(tenant, **claim)
    assert answer.status_code == 201
    named = [(one["pointer"], one["code"]) for one in answer.json["resolution"]["ignored"]]
    assert named == ignored


@cases(
    "claim, fields",
    ("nothing", {}, [("", "identity-required")]),
    ("nothing but a name", {"name": "Jane"}, [("", "identity-required")]),
    ("what means nothing", {"userId": "", "email": None}, [("", "identity-required")]),
    ("white space for an email", {"email": " "}, [("", "identity-required")]),
    ("an email that is none", {"email": "jane"}, [("/email", "invalid-email")]),
    ("a user ID that stands for none", {"userId": "null", "email": EMAIL}, [("/userId", "placeholder")]),
    ("an anonymous user's ID", {"userId": "$anon:1"}, [("/userId", "reserved")]),
    ("a device", {"userId": "u-1", "deviceId": "d" * 16}, [("/deviceId", "unknown")]),
    ("a proof", {"userId": "u-1", "proof": "x"}, [("/proof", "unknown")]),
)
def test_nobody_is_added_whom_nothing_names(tenant, rows, claim, fields):
    before = rows()
    assert refused_fields(add(tenant, **claim)) == fields
    assert rows() == before


def test_a_body_is_not_needed_to_be_told_what_is_missing(tenant):
    assert refused_fields(tenant.call("POST", "/v1/users", tenant.sk)) == [("", "identity-required")]


def test_nobody_is_added_by_a_publishable_key(tenant):
    assert problem_of(add(tenant, tenant.pk, userId="u-1")) == (403, "not-allowed")


def test_the_unproven_world_is_not_looked_at(tenant, sound):
    claimed = tenant.claimed("u-1")
    added = add(tenant, userId="u-1")
    assert (added.status_code, added.json["user"]["id"] != claimed) == (201, True)


@pytest.mark.parametrize("claim", [{"userId": "u-1"}, {"email": EMAIL}, {"userId": "u-1", "email": EMAIL}])
def test_at_once_they_make_one_user_and_one_says_that_it_made_them(tenant, sound, claim):
    calls = [lambda own: add(own, **claim), lambda own: own.try_login(**claim)] * 4
    answers = tenant.at_once(*calls)
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert [answer.json["created"] for answer in answers].count(True) == 1
    assert len({answer.json["user"]["id"] for answer in answers}) == 1
