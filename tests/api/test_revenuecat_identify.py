"""A login as oneself changes nothing, and nobody logs in from an ID that cannot be one."""

import pytest

from tests.support.responses import problem_of
from tests.support.subscribers import ANON, ANON_2, alias, identify, original, rows_of


def someone(rc):
    rc("GET", "/subscribers/u-1")


def somebody_who_was_anonymous(rc):
    identify(rc, ANON, "u-1")


def two_devices_of_one(rc):
    identify(rc, ANON, "u-1")
    alias(rc, "u-1", ANON_2)
    alias(rc, "u-1", "u-2")


def a_visitor(rc):
    rc("GET", f"/subscribers/{ANON}")


def two_visitors_who_are_one(rc):
    alias(rc, ANON, ANON_2)


def nobody(rc):
    pass


ONESELF = [
    pytest.param(someone, "u-1", "u-1", "u-1", id="an ID"),
    pytest.param(somebody_who_was_anonymous, "u-1", "u-1", ANON, id="an ID with an alias"),
    pytest.param(somebody_who_was_anonymous, ANON, "u-1", ANON, id="from the alias"),
    pytest.param(somebody_who_was_anonymous, "u-1", ANON, ANON, id="as the anonymous alias"),
    pytest.param(somebody_who_was_anonymous, ANON, ANON, ANON, id="the alias"),
    pytest.param(two_devices_of_one, ANON, ANON_2, ANON, id="from one anonymous alias as another"),
    pytest.param(two_devices_of_one, "u-1", "u-2", ANON, id="from one ID as another"),
    pytest.param(two_devices_of_one, "u-2", "u-2", ANON, id="a further ID"),
    pytest.param(a_visitor, ANON, ANON, ANON, id="an anonymous ID"),
    pytest.param(two_visitors_who_are_one, ANON, ANON_2, ANON, id="from an anonymous ID as its alias"),
    pytest.param(two_visitors_who_are_one, ANON_2, ANON, ANON, id="from the alias of an anonymous ID"),
    pytest.param(nobody, "u-1", "u-1", "u-1", id="an unknown ID"),
    pytest.param(nobody, ANON, ANON, ANON, id="an unknown anonymous ID"),
]


@pytest.mark.parametrize(("begin", "before", "after", "first"), ONESELF)
def test_a_login_as_oneself_changes_nothing(rc, tenant, store, begin, before, after, first):
    begin(rc)
    was = rows_of(store, tenant.id)
    response = identify(rc, before, after)
    assert (response.status_code, original(response)) == (200, first)
    assert rows_of(store, tenant.id) == was


IMPOSSIBLE = {
    "a placeholder": "null",
    "another placeholder": "[object Object]",
    "too short for an anonymous ID": "$RCAnonymousID:short",
    "too long for an anonymous ID": ANON + "a",
    "capitals in an anonymous ID": ANON[:-1] + "A",
    "no anonymous ID at all": "$RCAnonymousID:",
    "an anonymous ID of ours that is nobody's": "$anon:00000000-0000-4000-8000-000000000000",
    "a text that begins as ours": "$anon:u-1",
    "white space at the end": "u-1 ",
    "a line feed": "u\n1",
    "a slash": "u/1",
    "101 characters": "u" * 101,
    "nothing": "",
    "a surrogate": "\ud800",
}


@pytest.mark.parametrize("known", [False, True], ids=["to nobody", "to somebody"])
@pytest.mark.parametrize("id", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_nobody_logs_in_from_an_id_that_cannot_be_one(rc, tenant, store, id, known):
    if known:
        rc("GET", "/subscribers/u-1")
    was = rows_of(store, tenant.id)
    responses = [identify(rc, id, "u-1"), identify(rc, id, id)]
    assert [(one.status_code, one.json["code"]) for one in responses] == [(400, 7220)] * 2
    assert rows_of(store, tenant.id) == was


@pytest.mark.parametrize("id", ["$RCAnonymousID:short", "$anon:u-1"])
def test_no_alias_is_given_to_an_id_that_cannot_be_one(rc, id):
    assert problem_of(alias(rc, id, "u-1")) == (400, 7220)


@pytest.mark.parametrize("known", [False, True], ids=["unknown", "known"])
@pytest.mark.parametrize("before", ["u-1", ANON])
def test_nobody_logs_in_as_another_anonymous_user(rc, tenant, store, before, known):
    rc("GET", f"/subscribers/{before}")
    if known:
        rc("GET", f"/subscribers/{ANON_2}")
    was = rows_of(store, tenant.id)
    assert problem_of(identify(rc, before, ANON_2)) == (400, 7220)
    assert rows_of(store, tenant.id) == was
