"""What is counted and what is remembered, also by many at once."""

import pytest

from service.model.idempotency_keys import IdempotencyKey
from service.model.identifiers import new_id
from service.model.users import User
from service.store import Store
from service.store.database import Database
from tests.support.marks import at_once


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


@pytest.fixture
def user(store: Store, app_id: str) -> str:
    """A user, whom keys may have to do with."""
    user = User(new_id("usr"), "u-1", None, None, (), 1)
    with store.transaction():
        store.of(app_id).users.create(user)
    return user.id


def remember(store: Store, app: str, user: str, makes: str, by: str = "agent", at: int = 1):
    key = IdempotencyKey(by, "key-1", "digest")
    with store.transaction():
        return store.of(app).idempotency_keys.remember(key, made=makes, home=user, at=at)


def test_of_many_who_use_a_key_at_once_one_makes_and_the_others_learn_what(store, app_id, user):
    makers = [lambda makes=f"cnv_{number}": remember(store, app_id, user, makes) for number in range(8)]

    ended = at_once(*makers)

    assert ended.count(None) == 1
    assert {before for before in ended if before} == {("digest", f"cnv_{ended.index(None)}")}


def test_a_key_that_was_rolled_back_was_never_used(store, app_id, user):
    with pytest.raises(ZeroDivisionError), store.transaction():
        key = IdempotencyKey("agent", "key-1", "digest")
        store.of(app_id).idempotency_keys.remember(key, made="cnv_1", home=user, at=1)
        raise ZeroDivisionError

    assert remember(store, app_id, user, "cnv_2") is None


def test_keys_are_forgotten_that_are_older_than_a_time(store, app_id, user):
    for at in (1, 2, 3):
        remember(store, app_id, user, f"cnv_{at}", by=f"device-{at}", at=at)

    forgotten = store.of(app_id).idempotency_keys.forget_before(3).forgotten

    assert (forgotten, remember(store, app_id, user, "other", by="device-3")) == (2, ("digest", "cnv_3"))


def test_many_at_once_are_all_counted(store, app_id):
    ended = at_once(*[lambda: store.of(app_id).rates.count("login", "address", 7)] * 12)

    assert sorted(ended) == list(range(1, 13))


@pytest.mark.parametrize(
    "other",
    [("login", "one", 6), ("login", "one", 8), ("proof", "one", 7), ("login", "two", 7)],
    ids=["the minute before", "the minute after", "another kind", "another address"],
)
def test_what_differs_is_counted_by_itself(store, app_id, other):
    store.of(app_id).rates.count("login", "one", 7)

    assert store.of(app_id).rates.current(*other) == 0
    assert store.of(app_id).rates.count(*other) == 1
