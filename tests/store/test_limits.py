"""What is counted and remembered, also by many at once."""

import pytest

from service.store import Store
from service.store.database import Database
from tests.store.marks import at_once


@pytest.fixture
def store(patient: Database) -> Store:
    return Store(patient)


def remember(store: Store, app: str, makes: str, key: str = "key", owner: str = "user usr_1"):
    with store.transaction():
        return store.repeats.remember(app, owner, key, request="digest", made=makes, at=1)


def test_a_new_key_was_never_used(store, app_id):
    assert remember(store, app_id, "cnv_1") is None


def test_a_used_key_tells_what_it_made_and_for_which_request(store, app_id):
    remember(store, app_id, "cnv_1")

    before = remember(store, app_id, "cnv_2")

    assert before == ("digest", "cnv_1")


@pytest.mark.parametrize("other", [{"key": "another"}, {"owner": "user usr_2"}], ids=["key", "owner"])
def test_another_is_another(store, app_id, other):
    remember(store, app_id, "cnv_1")

    assert remember(store, app_id, "cnv_2", **other) is None


def test_what_was_not_committed_is_forgotten(store, app_id):
    def fail() -> None:
        with store.transaction():
            store.repeats.remember(app_id, "user usr_1", "key", request="digest", made="cnv_1", at=1)
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        fail()

    assert remember(store, app_id, "cnv_2") is None


def test_of_many_who_use_a_key_at_once_one_makes_and_the_others_learn_what(store, app_id):
    ended = at_once(*[lambda makes=f"cnv_{number}": remember(store, app_id, makes) for number in range(8)])

    (made,) = {before for before in ended if before is not None}
    assert ended.count(None) == 1
    assert ended[int(made[1].removeprefix("cnv_"))] is None


def count(store: Store, app: str, address: str = "one", minute: int = 7) -> int:
    with store.transaction():
        return store.rates.count(app, "login", address, minute)


def test_a_minute_counts_from_one(store, app_id):
    assert [count(store, app_id) for _ in range(3)] == [1, 2, 3]


def test_the_next_minute_counts_anew(store, app_id):
    count(store, app_id, minute=7)

    assert count(store, app_id, minute=8) == 1


def test_each_address_is_counted_by_itself(store, app_id):
    count(store, app_id, "one")

    assert count(store, app_id, "two") == 1


def test_many_at_once_are_all_counted(store, app_id):
    ended = at_once(*[lambda: count(store, app_id)] * 12)

    assert sorted(ended) == list(range(1, 13))
