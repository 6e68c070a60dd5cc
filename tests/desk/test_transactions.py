"""A use case happens as a whole or not at all, and is decided again when another was first."""

import pytest
from prometheus_client import REGISTRY

from service.desk.transactions import one_transaction
from service.model.errors import Contended, NotFound, StaleState
from service.model.identifiers import new_id
from service.model.users import User
from service.store.tables import UserIds, Users


def person(user_id: str) -> User:
    return User(new_id("usr"), user_id, None, None, (), 1)


def there(store, tenant):
    """Return the user IDs of an app, as its users have them and as they lead to its users."""
    by_user = store.database.rows(Users.select(Users.user_id).where(Users.app == tenant.id))
    by_id = store.database.rows(UserIds.select(UserIds.value).where(UserIds.app == tenant.id))
    assert sorted(by_user) == sorted(by_id)
    return sorted(value for (value,) in by_id)


def races_lost():
    return REGISTRY.get_sample_value("usher_races_lost_total") or 0


@one_transaction
def create(store, tenant, user_id):
    """Create a user. Raises StaleState inside if somebody has the user ID."""
    user = person(user_id)
    store.of(tenant.id).users.create(user)
    return user


def test_a_use_case_returns_what_it_returns_and_keeps_its_name(store, tenant):
    user = create(store, tenant, user_id="u-17")

    assert store.of(tenant.id).users.with_user_id("u-17", verified=True) == user
    assert (create.__name__, create.__doc__[:14]) == ("create", "Create a user.")


def test_a_lost_race_is_decided_again_on_what_is_there_then(store, tenant):
    first = create(store, tenant, "u-17")
    looks = []

    @one_transaction
    def find_or_create(store):
        # The first look comes too early to see whoever is first.
        found = store.of(tenant.id).users.with_user_id("u-17", verified=True) if looks else None
        looks.append(found)
        if found is None:
            store.of(tenant.id).users.create(person("u-18"))
            store.of(tenant.id).users.create(person("u-17"))
        return found

    found = find_or_create(store)

    assert found == first
    assert looks == [None, first]
    assert there(store, tenant) == ["u-17"]


def test_twelve_lost_races_are_too_many_and_leave_nothing_behind(store, tenant):
    create(store, tenant, "u-17")
    before, attempts = races_lost(), []

    @one_transaction
    def collide(store):
        attempts.append(1)
        store.of(tenant.id).users.create(person("u-18"))
        store.of(tenant.id).users.create(person("u-17"))

    with pytest.raises(Contended):
        collide(store)

    assert (len(attempts), races_lost() - before) == (12, 12)
    assert there(store, tenant) == ["u-17"]
    # The store serves on.
    create(store, tenant, "u-18")


def test_a_use_case_that_wins_at_last_happens_once(store, tenant):
    attempts = []

    @one_transaction
    def win_at_last(store):
        attempts.append(1)
        store.of(tenant.id).users.create(person("u-17"))
        if len(attempts) < 12:
            raise StaleState

    win_at_last(store)

    assert len(attempts) == 12
    assert there(store, tenant) == ["u-17"]


@pytest.mark.parametrize("failure", [NotFound, RuntimeError, SystemExit])
def test_any_other_failure_undoes_everything_and_is_not_tried_again(store, tenant, failure):
    attempts = []

    @one_transaction
    def fail(store):
        attempts.append(1)
        store.of(tenant.id).users.create(person("u-17"))
        raise failure

    with pytest.raises(failure):
        fail(store)

    assert len(attempts) == 1
    assert there(store, tenant) == []


def test_a_race_lost_within_decides_the_whole_again(store, tenant):
    create(store, tenant, "u-17")
    attempts = []

    @one_transaction
    def outer(store):
        attempts.append(1)
        store.of(tenant.id).users.create(person("u-18"))
        # What it collides with on the first attempt is not asked for on the second.
        create(store, tenant, "u-17" if len(attempts) == 1 else "u-19")

    outer(store)

    assert len(attempts) == 2
    assert there(store, tenant) == ["u-17", "u-18", "u-19"]
