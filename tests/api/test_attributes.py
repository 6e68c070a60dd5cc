"""What is said of a user belongs to whose ID was named: through merges and undos, erasing and tidying."""

import json

import pytest

from service.desk.erasing import tidy
from service.times import now
from tests.support.cases import cases
from tests.support.subscribers import ANON, ANON_2, alias, exported, identify, kept, say, user_of


def history(tenant, id):
    return [entry for entry in exported(tenant, id)["history"] if entry["event"] == "attributes-changed"]


def merged(tenant, source, target):
    return tenant.merge(user_of(tenant, source)["id"], user_of(tenant, target)["id"])


@pytest.fixture
def two(rc, tenant):
    """Two users, of each of whom something was said; return their ids."""
    say(rc, "u-1", at=1, color="red", first="1")
    say(rc, "u-2", at=2, color="blue", second="2")
    return {user_id: user_of(tenant, user_id)["id"] for user_id in ("u-1", "u-2")}


def test_whoever_took_in_another_has_what_was_said_of_both(rc, tenant, two):
    merged(tenant, "u-1", "u-2")
    told = exported(tenant, two["u-2"])["attributes"]
    assert [(one["user"], one["name"], one["value"]) for one in told] == [
        (two["u-1"], "color", "red"),
        (two["u-2"], "color", "blue"),
        (two["u-1"], "first", "1"),
        (two["u-2"], "second", "2"),
    ]
    assert exported(tenant, two["u-1"]) == exported(tenant, two["u-2"])


def test_after_an_undo_each_has_their_own(rc, tenant, two):
    tenant.undo(merged(tenant, "u-1", "u-2"))
    assert kept(tenant, "u-1") == {"color": "red", "first": "1"}
    assert kept(tenant, "u-2") == {"color": "blue", "second": "2"}


def test_what_is_said_while_they_are_one_stays_with_whose_id_was_named(rc, tenant, two):
    merge = merged(tenant, "u-1", "u-2")
    say(rc, "u-1", at=3, color="green", since="1")
    say(rc, "u-2", at=3, color=None, since="2")
    tenant.undo(merge)
    assert kept(tenant, "u-1") == {"color": "green", "first": "1", "since": "1"}
    assert kept(tenant, "u-2") == {"color": None, "second": "2", "since": "2"}


def test_the_history_of_it_stays_there_too(rc, tenant, two):
    merge = merged(tenant, "u-1", "u-2")
    say(rc, "u-1", at=3, canary="jane@example.org")
    tenant.undo(merge)
    assert history(tenant, two["u-1"])[-1]["after"] == {"set": ["canary"]}
    assert "canary" not in json.dumps(exported(tenant, two["u-2"]))


def test_the_history_names_what_was_said_and_not_what_it_was(rc, tenant):
    say(rc, "u-1", at=1, _email="jane@example.org")
    say(rc, "u-1", at=2, _email=None)
    assert "jane@example.org" not in json.dumps(exported(tenant, user_of(tenant, "u-1")["id"]))


def test_what_was_said_of_an_anonymous_id_goes_along_with_its_first_login(rc, tenant):
    say(rc, ANON, color="blue")
    identify(rc, ANON, "u-1")
    assert kept(tenant) == {"color": "blue"}


def test_and_into_whoever_has_the_id_already(rc, tenant):
    say(rc, "u-1", at=1, plan="gold")
    say(rc, ANON, at=1, color="blue")
    identify(rc, ANON, "u-1")
    say(rc, ANON, at=2, color="red")
    assert kept(tenant) == {"color": "red", "plan": "gold"}


def test_a_second_devices_anonymous_id_keeps_its_own(rc, tenant):
    identify(rc, ANON, "u-1")
    say(rc, ANON_2, color="blue")
    identify(rc, ANON_2, "u-1")
    assert kept(tenant) == {}
    assert kept(tenant, ANON_2) == {"color": "blue"}


def test_an_alias_names_the_same_user(rc, tenant):
    say(rc, "u-1", at=1, color="blue")
    alias(rc, "u-1", "u-2")
    say(rc, "u-2", at=2, color="red")
    assert kept(tenant) == {"color": "red"}


def test_a_change_is_in_the_history_with_the_names_that_changed_only(rc, tenant):
    say(rc, at=1, color="blue", plan="gold")
    say(rc, at=2, color="red", plan="gold", gone=None)
    say(rc, at=3, color=None, plan="gold")
    say(rc, at=1, color="late")
    say(rc, at=4, color=None, plan="gold")
    entries = history(tenant, user_of(tenant, "u-1")["id"])

    assert [(entry["before"], entry["after"]) for entry in entries] == [
        (None, {"set": ["color", "plan"]}),
        (None, {"set": ["color"]}),
        (None, {"removed": ["color"]}),
    ]
    keys = tenant.list_keys()
    assert {entry["by"] for entry in entries} == {key["id"] for key in keys if key["kind"] == "publishable"}


@pytest.mark.parametrize("erased", ["u-1", "u-2"])
def test_whoever_is_erased_goes_with_what_was_said_of_all_their_parts(rc, tenant, rows, two, erased):
    merged(tenant, "u-1", "u-2")
    rc("DELETE", f"/subscribers/{erased}", key=tenant.sk)
    assert rows()["attributes"] == []
    assert "blue" not in json.dumps(rows())


@pytest.mark.parametrize(("erased", "left"), [("u-1", "u-2"), ("u-2", "u-1")])
def test_whoever_is_erased_after_an_undo_leaves_the_other_theirs(rc, tenant, rows, two, erased, left):
    tenant.undo(merged(tenant, "u-1", "u-2"))
    was = kept(tenant, left)
    tenant.erase(two[erased])
    assert kept(tenant, left) == was
    assert {row[1] for row in rows()["attributes"]} == {two[left]}


@cases("days, stays", ("long", 200, True), ("just long enough", 179, True), ("too short", 1, False))
@pytest.mark.parametrize("at", [None, 1], ids=["as of now", "as of long ago"])
def test_tidying_keeps_whom_something_was_said_of_lately(
    *, rc, tenant, store, rows, days, stays, at, time_machine
):
    time_machine.move_to(now() / 1000 - 300 * 24 * 3600)
    rc("GET", f"/subscribers/{ANON}")
    say(rc, ANON, color="blue")
    time_machine.move_to(now() / 1000 + 122 * 24 * 3600)
    say(rc, ANON, at, plan="gold")
    app = store.apps.with_id(tenant.id)
    time_machine.move_to(now() / 1000 + 178 * 24 * 3600)
    assert (
        tidy(store.of(app.id), app, idle_days=days, empty_days=days, cleared_days=30, event_days=30).users
        == 0
    ) is stays
    assert bool(rows()["attributes"]) is stays
