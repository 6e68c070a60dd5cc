"""A login as oneself changes nothing, and nobody logs in from an ID that cannot be one."""

import pytest

from tests.support.cases import cases
from tests.support.responses import problem_of
from tests.support.subscribers import ANON, ANON_2, alias, identify, original


def somebody_who_was_anonymous(rc):
    identify(rc, ANON, "u-1")


def two_devices_of_one(rc):
    identify(rc, ANON, "u-1")
    alias(rc, "u-1", ANON_2)
    alias(rc, "u-1", "u-2")


def two_visitors_who_are_one(rc):
    alias(rc, ANON, ANON_2)


@cases(
    "begin, before, after, first",
    ("an ID", lambda rc: rc("GET", "/subscribers/u-1"), "u-1", "u-1", "u-1"),
    ("an ID with an alias", somebody_who_was_anonymous, "u-1", "u-1", ANON),
    ("from the alias", somebody_who_was_anonymous, ANON, "u-1", ANON),
    ("the alias", somebody_who_was_anonymous, ANON, ANON, ANON),
    ("from one anonymous alias as another", two_devices_of_one, ANON, ANON_2, ANON),
    ("from one ID as another", two_devices_of_one, "u-1", "u-2", ANON),
    ("an anonymous ID", lambda rc: rc("GET", f"/subscribers/{ANON}"), ANON, ANON, ANON),
    ("from an anonymous ID as its alias", two_visitors_who_are_one, ANON, ANON_2, ANON),
    ("an unknown ID", lambda rc: None, "u-1", "u-1", "u-1"),
    ("an unknown anonymous ID", lambda rc: None, ANON, ANON, ANON),
)
def test_a_login_as_oneself_changes_nothing(rc, tenant, rows, begin, before, after, first):
    begin(rc)
    was = rows()
    response = identify(rc, before, after)
    assert (response.status_code, original(response)) == (200, first)
    assert rows() == was


@pytest.mark.parametrize("known", [False, True], ids=["to nobody", "to somebody"])
@cases(
    "id",
    ("a placeholder", "null"),
    ("too short for an anonymous ID", "$RCAnonymousID:short"),
    ("capitals in an anonymous ID", ANON[:-1] + "A"),
    ("an anonymous ID of ours that is nobody's", "$anon:00000000-0000-4000-8000-000000000000"),
    ("a line feed", "u\n1"),
    ("a slash", "u/1"),
    ("101 characters", "u" * 101),
    ("nothing", ""),
    ("a surrogate", "\ud800"),
)
def test_nobody_logs_in_from_an_id_that_cannot_be_one(rc, tenant, rows, id, known):
    if known:
        rc("GET", "/subscribers/u-1")
    was = rows()
    responses = [identify(rc, id, "u-1"), identify(rc, id, id)]
    assert [(one.status_code, one.json["code"]) for one in responses] == [(400, 7220)] * 2
    assert rows() == was


@pytest.mark.parametrize("id", ["$RCAnonymousID:short", "$anon:u-1"])
def test_no_alias_is_given_to_an_id_that_cannot_be_one(rc, id):
    assert problem_of(alias(rc, id, "u-1")) == (400, 7220)


@pytest.mark.parametrize("known", [False, True], ids=["unknown", "known"])
@pytest.mark.parametrize("before", ["u-1", ANON])
def test_nobody_logs_in_as_another_anonymous_user(rc, tenant, rows, before, known):
    rc("GET", f"/subscribers/{before}")
    if known:
        rc("GET", f"/subscribers/{ANON_2}")
    was = rows()
    assert problem_of(identify(rc, before, ANON_2)) == (400, 7220)
    assert rows() == was
