"""Whoever follows what changes misses nothing and is told nothing twice, however it is committed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest

from service.desk import following
from service.desk.erasing import tidy
from service.model.errors import EventGone
from service.model.events import Event, EventType
from service.model.identifiers import new_id
from tests.support.following import all_told, told, types_of

WRITERS, EACH = 4, 25


def changed(user: str) -> Event:
    return Event(new_id("evt"), EventType.USER_UPDATED, 1, user)


def users_told(tenant, after):
    events, after = told(tenant, after)
    return [event["data"]["user"]["id"] for event in events], after


def test_what_is_committed_late_is_told_before_what_began_after_it(tenant, store):
    if store.database.is_sqlite:
        pytest.skip("there one transaction comes after the other")
    own = store.of(tenant.id)
    _, after = all_told(tenant)
    wrote, go_on = threading.Event(), threading.Event()

    def first():
        with own.transaction():
            own.events.add(changed("first"))
            own.database.ping()
            wrote.set()
            assert go_on.wait(30)
        own.database.close()

    with ThreadPoolExecutor(1) as threads:
        late = threads.submit(first)
        assert wrote.wait(30)
        with own.transaction():
            own.events.add(changed("second"))
        before, place = users_told(tenant, after)
        of_a_type = tenant.get("/v1/events", after=after, types="user.updated").json
        go_on.set()
        late.result()

    assert (before, place) == ([], after)
    assert of_a_type == {"data": [], "after": after, "more": False}
    then = [event["data"]["user"]["id"] for event in all_told(tenant, after)[0]]
    assert then == ["first", "second"]


def test_a_transaction_that_is_undone_holds_up_nobody_and_tells_nothing(tenant, store):
    own = store.of(tenant.id)
    _, after = all_told(tenant)

    with pytest.raises(ZeroDivisionError), own.transaction():
        own.events.add(changed("nobody"))
        own.database.ping()
        raise ZeroDivisionError

    assert all_told(tenant, after)[0] == []


def test_events_of_one_transaction_are_told_in_their_order(tenant, store):
    own, ids = store.of(tenant.id), [f"usr_{number}" for number in range(20)]
    _, after = all_told(tenant)

    with own.transaction():
        for id in ids:
            own.events.add(changed(id))
    assert [event["data"]["user"]["id"] for event in all_told(tenant, after)[0]] == ids


def test_who_follows_while_many_write_is_told_each_change_once(tenant, store):
    """Each writer's transactions write several events, with others between."""
    own = store.of(tenant.id)
    _, after = all_told(tenant)

    def write(number):
        for turn in range(EACH):
            with own.transaction():
                own.events.add(changed(f"{number}-{turn}-a"))
                own.database.ping()
                own.events.add(changed(f"{number}-{turn}-b"))
        own.database.close()

    found = []
    with ThreadPoolExecutor(WRITERS) as threads:
        writing = [threads.submit(write, number) for number in range(WRITERS)]
        place = after
        while not all(one.done() for one in writing):
            more, place = users_told(tenant, place)
            found += more
    for one in writing:
        one.result()
    found += [event["data"]["user"]["id"] for event in all_told(tenant, place)[0]]

    expected = [f"{w}-{turn}-{part}" for w in range(WRITERS) for turn in range(EACH) for part in "ab"]
    assert sorted(found) == sorted(expected)
    for number in range(WRITERS):
        own_order = [one for one in found if one.startswith(f"{number}-")]
        assert own_order == [one for one in expected if one.startswith(f"{number}-")]


def test_a_step_for_the_end_of_a_transaction_needs_one(store):
    with pytest.raises(AssertionError), store.database.connected():
        store.database.at_the_end(lambda: None)


# --- what is old -------------------------------------------------------------------------------------


def tidied(store, tenant, days=30):
    app = store.apps.with_id(tenant.id)
    return tidy(
        store.of(tenant.id), app, idle_days=999, empty_days=999, cleared_days=999, event_days=days
    ).events


def test_what_is_older_than_so_many_days_is_forgotten_in_small_steps(tenant, store, time_machine):
    begin = datetime(2030, 1, 1, tzinfo=UTC)
    for day in range(6):
        time_machine.move_to(begin + timedelta(days=day), tick=False)
        tenant.known(userId=f"u-{day}")
    old, _ = all_told(tenant)
    time_machine.move_to(begin + timedelta(days=13), tick=False)

    with mock.patch("service.store.feed.BATCH", 2):
        assert tidied(store, tenant, 10) == 3

    assert [event["id"] for event in all_told(tenant)[0]][:3] == [event["id"] for event in old[3:]]
    with pytest.raises(EventGone):
        following.follow(store.of(tenant.id), after=old[2]["id"], types=(), limit=1)
    assert tidied(store, tenant, 10) == 0


def test_the_last_event_stays_for_who_has_followed_up_to_it(tenant, store, time_machine):
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
    tenant.known(userId="jane")
    _, last = all_told(tenant)
    time_machine.move_to(datetime(2031, 1, 1, tzinfo=UTC), tick=False)

    assert tidied(store, tenant) == 1
    assert tidied(store, tenant) == 0
    tenant.known(userId="mary")

    assert types_of(all_told(tenant, last)[0]) == ["user.created"]


def test_of_an_app_without_events_none_are_forgotten(tenant, store):
    assert tidied(store, tenant) == 0
