"""Whoever is added is compared with others by whoever works, who follows the events that tell of them: nobody
is missed, and nobody waits for it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from service.desk import comparing
from service.desk.comparing import compare_some
from service.desk.duplicates import dismiss
from service.desk.erasing import tidy
from service.model.errors import StoreUnavailable
from service.model.events import Event, EventType
from service.store import Store
from service.store.comparing import ComparingStore
from service.store.database import Database
from service.store.events import EventStore
from service.store.feed import BEGINNING
from service.store.tables import DuplicateKeys, DuplicateProgress, Duplicates, Events, Users
from tests.support.cases import cases
from tests.support.comparing import compare
from tests.support.following import all_told
from tests.support.marks import LONG

pytestmark = pytest.mark.usefixtures("sound")

FIRST, SECOND = "jo@gmail.com", "j.o@gmail.com"
# On SQLite nobody else writes meanwhile.
where_others_write = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def mine(store, tenant):
    """The store of the app."""
    return store.of(tenant.id)


@pytest.fixture
def added(tenant):
    """Add somebody with an email, and return our id of them."""
    return lambda email: tenant.known(email=email)


@pytest.fixture
def pairs(mine):
    """Return the pairs that were found."""
    found = Duplicates.select(Duplicates.first, Duplicates.second).where(Duplicates.app == mine.app_id)
    return lambda: {frozenset(pair) for pair in mine.database.rows(found)}


@pytest.fixture
def compared(mine):
    """Return who was compared with others."""
    keys = DuplicateKeys.select(DuplicateKeys.user).where(DuplicateKeys.app == mine.app_id)
    return lambda: {user for (user,) in mine.database.rows(keys)}


@pytest.fixture
def other(config):
    """Another connection to the server."""
    database = Database(config.database_url, LONG)
    yield database
    database.close()


def follow(mine):
    """Take steps for as long as there may be more."""
    while compare_some(mine):
        pass


# --- who is compared


def test_a_login_that_adds_somebody_leaves_it_to_whoever_works(tenant, added, compared, pairs):
    both = {added(FIRST), added(SECOND)}
    assert (compared(), pairs()) == (set(), set())

    compare(tenant)

    assert (compared(), pairs()) == (both, {frozenset(both)})


@cases(
    "at_once, steps",
    ("each in a step", 1, 3),
    ("both in one", 10, 1),
)
def test_two_of_one_mailbox_are_a_pair_whether_or_not_one_step_finds_both(
    tenant, mine, added, pairs, monkeypatch, at_once, steps
):
    monkeypatch.setattr(comparing, "EVENTS", at_once)
    both = frozenset({added(FIRST), added(SECOND)})
    all_told(tenant)
    taken = 1
    while compare_some(mine):
        taken += 1

    assert pairs() == {both}
    assert taken >= steps


def test_one_step_compares_a_few_of_those_who_are_added_and_the_next_goes_on(
    tenant, mine, added, compared, monkeypatch
):
    monkeypatch.setattr(comparing, "AT_ONCE", 2)
    everyone = [added(f"{number}@example.org") for number in range(5)]
    all_told(tenant)

    seen = []
    while compare_some(mine):
        seen.append(compared())

    assert seen == [{*everyone[:2]}, {*everyone[:4]}]
    assert compared() == {*everyone}


def test_where_nothing_happened_there_is_nothing_to_do(store):
    nobody = store.of("app_nobody")
    assert not compare_some(nobody)
    assert nobody.comparing.place() == BEGINNING


def test_who_has_no_email_and_what_else_happens_is_passed_over(tenant, mine, compared):
    tenant.begin(tenant.session(userId="u-kim"))
    compare(tenant)
    assert compared() == set()
    assert mine.app_id not in Store(mine.database).comparing.behind()


@cases("goes", ("merged", "merge"), ("erased", "erase"))
def test_who_is_no_more_when_it_is_their_turn_is_passed_over(tenant, added, compared, pairs, goes):
    one, third = added(FIRST), added("kim@example.org")
    if goes == "merge":
        tenant.merge(one, third)
    else:
        tenant.erase(one)

    compare(tenant)
    assert compared() == {third}

    other = added(SECOND)
    compare(tenant)
    assert pairs() == ({frozenset({other, third})} if goes == "merge" else set())


def test_who_was_compared_is_not_compared_again(tenant, mine, added, pairs):
    added(FIRST), added(SECOND)
    compare(tenant)
    for table in (DuplicateProgress, Duplicates):
        mine.database.change(table.delete().where(table.app == mine.app_id))

    compare(tenant)

    assert pairs() == set()


# --- what happens meanwhile


def late(other, mine, email):
    """Add somebody in another transaction, as a login does."""
    id = f"usr_{email}"
    row = {"id": id, "verified": True, "email": email, "email_key": email, "created_at": 1}
    other.change(Users.insert(app=mine.app_id, **row))
    EventStore(other, mine.app_id).add(Event(f"evt_{email}", EventType.USER_CREATED, 1, id))
    return id


@where_others_write
@cases("first, second", ("the former is added late", FIRST, SECOND), ("the latter is", SECOND, FIRST))
def test_who_is_added_late_is_compared_with_who_came_meanwhile(
    tenant, mine, other, added, pairs, first, second
):
    with other.transaction():
        one = late(other, mine, first)
        other.ping()
        two = added(second)
        follow(mine)
        assert pairs() == set()

    compare(tenant)
    assert pairs() == {frozenset({one, two})}


@cases("gone", ("as it fails", RuntimeError), ("as the process ends", SystemExit))
def test_who_is_gone_before_all_is_done_leaves_nothing_and_the_next_one_does_it(
    tenant, mine, added, compared, pairs, monkeypatch, gone
):
    both = frozenset({added(FIRST), added(SECOND)})
    all_told(tenant)

    def end(self, place):
        raise gone

    with monkeypatch.context() as patched, pytest.raises(gone):
        patched.setattr(ComparingStore, "put_place", end)
        compare_some(mine)
    assert (compared(), pairs()) == (set(), set())

    compare(tenant)
    assert pairs() == {both}


@where_others_write
def test_no_two_follow_at_once(tenant, mine, other, added, pairs):
    both = frozenset({added(FIRST), added(SECOND)})
    all_told(tenant)
    with other.transaction():
        assert Store(other).of(mine.app_id).comparing.try_lock()
        assert not compare_some(mine)
    assert pairs() == set()

    follow(mine)
    assert pairs() == {both}


def test_several_who_work_beside_each_other_do_it_once(tenant, mine, added, pairs, monkeypatch):
    monkeypatch.setattr(comparing, "EVENTS", 1)
    both = [frozenset({added(f"{n}.x@gmail.com"), added(f"{n}x@gmail.com")}) for n in range(5)]
    all_told(tenant)

    with ThreadPoolExecutor(3) as threads:
        for done in [threads.submit(compare, tenant) for _ in range(3)]:
            done.result()

    assert pairs() == {*both}


def waits(tenant, mine, other, do):
    """Require that nobody is compared while another transaction does something, and return what comes of
    it."""
    all_told(tenant)
    with other.transaction():
        done = do(Store(other).of(mine.app_id))
        other.ping()
        with pytest.raises(StoreUnavailable):
            compare_some(mine)
    compare(tenant)
    return done


@where_others_write
def test_whoever_decides_by_the_same_key_is_seen(tenant, mine, other, added, pairs):
    one = added("kim@example.org")
    compare(tenant)
    two = added(SECOND)

    def change(own):
        user = own.users.with_id(one)
        own.users.lock(user, to_change=True)
        own.users.set_email(user, FIRST)
        comparing.look_again(own, [one])

    waits(tenant, mine, other, change)
    assert pairs() == {frozenset({one, two})}


@where_others_write
def test_who_is_changed_is_compared_as_they_are_then(tenant, mine, other, added, pairs):
    one, two = added(FIRST), added("lee@example.org")

    def change(own):
        user = own.users.with_id(two)
        own.users.lock(user, to_change=True)
        own.users.set_email(user, SECOND)

    waits(tenant, mine, other, change)
    assert pairs() == {frozenset({one, two})}


@where_others_write
def test_who_are_said_not_to_be_the_same_are_no_pair(tenant, mine, other, added, pairs):
    one, two = added(FIRST), added(SECOND)
    waits(tenant, mine, other, lambda own: dismiss(own, (one, two)))
    assert pairs() == set()


# --- when the place is lost


def test_who_is_missed_as_events_are_forgotten_is_compared_when_the_app_is_tidied(
    tenant, mine, store, added, pairs
):
    compare(tenant)
    one, two = added(FIRST), added(SECOND)
    all_told(tenant)
    last = mine.feed.end()[0]
    mine.database.change(Events.delete().where((Events.app == mine.app_id) & (Events.xid < last)))
    compare(tenant)
    assert pairs() == set()

    days = {"idle_days": 90, "empty_days": 90, "cleared_days": 90, "event_days": 30}
    tidy(mine, store.apps.with_id(tenant.id), **days)
    assert pairs() == {frozenset({one, two})}
    three = added("jo+3@gmail.com")
    compare(tenant)
    assert pairs() == {frozenset(pair) for pair in ((one, two), (one, three), (two, three))}


def test_on_a_server_that_numbers_anew_it_goes_on_where_it_was(tenant, mine, added, pairs):
    one = added(FIRST)
    compare(tenant)
    with mine.transaction():
        mine.feed.renumber()
    two = added(SECOND)
    assert mine.app_id in Store(mine.database).comparing.behind()
    compare(tenant)
    assert pairs() == {frozenset({one, two})}
