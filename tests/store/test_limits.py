"""What is counted and what is remembered, also by many at once."""

import pytest

from service.model.identifiers import new_id
from service.model.users import User
from service.store import Store
from service.store.database import Database
from tests.support.marks import at_once


@pytest.fixture
def store(patient: Database) -> Store:
    return Store(patient)


@pytest.fixture
def user(store: Store, app_id: str) -> str:
    return a_user(store, app_id)


def a_user(store: Store, app: str) -> str:
    """Add a user, whom keys may have to do with."""
    user = User(new_id("usr"), "u-1", None, None, (), 1)
    with store.transaction():
        store.users.create(app, user)
    return user.id


def remember(store: Store, app: str, user: str, makes: str, by: str = "agent", at: int = 1):
    with store.transaction():
        return store.idempotency_keys.remember(app, user, by, "key-1", request="asked", made=makes, at=at)


def test_of_many_who_use_a_key_at_once_one_makes_and_the_others_learn_what(store, app_id, user):
    makers = [lambda makes=f"cnv_{number}": remember(store, app_id, user, makes) for number in range(8)]

    ended = at_once(*makers)

    assert ended.count(None) == 1
    assert {before for before in ended if before} == {("asked", f"cnv_{ended.index(None)}")}


def test_a_key_that_was_rolled_back_was_never_used(store, app_id, user):
    def fail() -> None:
        with store.transaction():
            made = {"request": "asked", "made": "cnv_1"}
            store.idempotency_keys.remember(app_id, user, "agent", "key-1", **made, at=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert remember(store, app_id, user, "cnv_2") is None


def test_keys_are_forgotten_that_are_older_than_a_time(store, app_id, user):
    for at in (1, 2, 3):
        remember(store, app_id, user, f"cnv_{at}", by=f"device-{at}", at=at)

    forgotten = store.idempotency_keys.forget_before(app_id, 3)

    assert (forgotten, remember(store, app_id, user, "other", by="device-3")) == (2, ("asked", "cnv_3"))


def test_many_at_once_are_all_counted(store, app_id):
    ended = at_once(*[lambda: store.rates.count(app_id, "login", "address", 7)] * 12)

    assert sorted(ended) == list(range(1, 13))


@pytest.mark.parametrize("minute", [6, 8], ids=["one before", "one after"])
def test_another_minute_is_counted_anew(store, app_id, minute):
    store.rates.count(app_id, "login", "address", 7)

    counted = store.rates.count(app_id, "login", "address", minute)

    assert (counted, store.rates.current(app_id, "login", "address", 7)) == (1, 0)


@pytest.mark.parametrize(("kind", "address"), [("proof", "one"), ("login", "two")], ids=["kind", "address"])
def test_another_kind_and_another_address_are_counted_by_themselves(store, app_id, kind, address):
    store.rates.count(app_id, "login", "one", 7)

    assert store.rates.current(app_id, kind, address, 7) == 0
