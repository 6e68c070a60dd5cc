"""Users in the store: what the indexes decide, and what no API test reaches."""

from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from service.model.errors import StaleState
from service.model.identifiers import new_id
from service.model.merges import Filled, Merge, Moved
from service.model.users import User
from service.rules import fields as rules
from service.store import Store
from service.store.database import Database
from service.store.tables import Users
from tests.store.conftest import an_app
from tests.support.marks import at_once


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


def a_user(user_id: str | None = None, email: str | None = None, *, verified: bool = True) -> User:
    return User(new_id("usr"), user_id, email, None, (), 1, verified)


def add(store: Store, app: str, user: User) -> User:
    with store.transaction():
        store.of(app).users.create(user)
    return user


def absorb(store: Store, app: str, user: User, into: User) -> str:
    nothing, id = Moved((), (), (), ()), new_id("mrg")
    store.of(app).merges.add(Merge(id, user.id, into.id, "explicit", nothing, Filled(), 1))
    store.of(app).users.absorb(user.id, into, into.id)
    store.of(app).fields.put((*rules.own(into), *rules.own(user)))
    return id


@pytest.mark.parametrize(
    "claim",
    [{"user_id": "u-1"}, {"email": "jane@example.org"}, {"user_id": "u-1", "email": "jane@example.org"}],
    ids=["user ID", "email", "both"],
)
def test_of_many_who_add_the_same_user_at_once_one_does(store, app_id, claim):
    adders = [lambda: add(store, app_id, a_user(**claim))] * 8

    ended = at_once(*adders)

    assert sorted(type(one).__name__ for one in ended) == ["StaleState"] * 7 + ["User"]


def test_each_world_has_an_unclaimed_user_of_an_email(store, app_id):
    users = [
        add(store, app_id, a_user(email="jane@example.org", verified=verified)) for verified in (True, False)
    ]

    found = [store.of(app_id).users.with_email("Jane@example.org", verified=world) for world in (True, False)]

    assert found == [(user,) for user in users]


def test_who_decides_by_an_email_waits_for_whoever_does_in_another_letter_case(store, app_id):
    def decide() -> None:
        with store.transaction():
            store.of(app_id).users.lock_emails(None, "JANE@example.org")
            store.database.ping()

    with ThreadPoolExecutor(1) as other:
        with store.transaction():
            store.of(app_id).users.lock_emails("jane@example.org")
            store.database.ping()
            decided = other.submit(decide)
            ended, _ = wait([decided], timeout=0.3)
        decided.result()

    assert not ended


def test_an_email_that_an_unclaimed_user_has_is_refused_to_another_and_nothing_changes(store, app_id):
    add(store, app_id, a_user(email="jane@example.org"))
    joan = add(store, app_id, a_user(email="joan@example.org"))

    def change() -> None:
        with store.transaction():
            store.of(app_id).users.set_name(joan, "Joan")
            store.of(app_id).users.set_email(joan, "JANE@example.org")

    with pytest.raises(StaleState):
        change()

    assert store.of(app_id).users.with_id(joan.id) == joan


def test_the_unclaimed_user_of_a_shared_email_comes_first(store, app_id):
    shared = "jane@example.org"
    users = [add(store, app_id, a_user(user_id, shared)) for user_id in ("u-1", "u-2", None)]

    found = store.of(app_id).users.with_email(shared, verified=True)

    assert found == (users[2], users[0])


def test_of_a_chain_of_merges_everybody_leads_to_the_last_and_is_part_of_it(store, app_id):
    users = [add(store, app_id, a_user(f"u-{number}")) for number in range(4)]
    with store.transaction():
        for user, into in zip(users, users[1:], strict=False):
            absorb(store, app_id, user, into)

    survivors = [store.of(app_id).users.survivor(user.id) for user in users]

    assert {survivor.id for survivor in survivors} == {users[3].id}
    assert survivors[0].user_ids == ("u-3", *survivors[0].aliases)
    assert set(survivors[0].aliases) == {"u-0", "u-1", "u-2"}
    assert set(store.of(app_id).users.part_of(users[3].id)) == {user.id for user in users[:3]}


@pytest.mark.parametrize("gone", ["absorb", "erase"])
def test_who_is_gone_can_no_longer_be_changed(store, app_id, gone):
    jane, mary = add(store, app_id, a_user("u-1")), add(store, app_id, a_user("u-2"))
    with store.transaction():
        if gone == "absorb":
            absorb(store, app_id, jane, mary)
        else:
            store.of(app_id).users.erase((jane.id,), 2)

    with pytest.raises(StaleState), store.transaction():
        store.of(app_id).users.set_name(jane, "Jane")

    assert (store.of(app_id).users.with_id(jane.id), store.of(app_id).users.is_gone(jane.id)) == (None, True)


@pytest.mark.parametrize("to_change", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        lambda users, jane: users.set_email(jane, "jane@example.org"),
        lambda users, jane: users.set_name(jane, "Jane"),
        lambda users, jane: users.add_user_id(jane, "u-3", 2),
        lambda users, jane: users.set_primary(jane, "u-1", verified=False),
        lambda users, jane: (users.clear(jane, 2), users.erase((jane.id,), 2))[1],
        lambda users, jane: users.erase((jane.id,), 2),
    ],
    ids=["email", "name", "ID", "primary ID", "cleared", "erased"],
)
def test_who_has_changed_is_not_locked_as_they_were(store, app_id, change, to_change):
    jane = add(store, app_id, a_user("u-1"))
    with store.transaction():
        store.of(app_id).users.lock(jane, to_change=to_change)
        after = change(store.of(app_id).users, jane)

    with pytest.raises(StaleState), store.transaction():
        store.of(app_id).users.lock(jane, to_change=to_change)

    assert after in (None, store.of(app_id).users.with_id(jane.id))


def test_who_was_merged_is_not_locked_as_they_were_before_nor_when_they_stand_again(store, app_id):
    jane, mary = add(store, app_id, a_user("u-1")), add(store, app_id, a_user("u-2"))
    with store.transaction():
        merge = absorb(store, app_id, jane, mary)
    for user in (jane, mary):
        with pytest.raises(StaleState), store.transaction():
            store.of(app_id).users.lock(user, to_change=True)
    with store.transaction():
        store.of(app_id).users.release(jane, mary.id, (jane.id,))
        store.of(app_id).fields.forget((jane.id, mary.id))
        store.of(app_id).merges.mark_undone(merge, 2)

    with pytest.raises(StaleState), store.transaction():
        store.of(app_id).users.lock(jane, to_change=True)


@pytest.mark.parametrize("prefix", ["a", "A", "\u00e9", "\ud7ff", "\U0010ffff", "a\U0010ffff"], ids=ascii)
def test_whose_id_begins_so_is_found_and_nobody_else(store, app_id, prefix):
    begins = [add(store, app_id, a_user(f"{prefix}{end}")) for end in ("", "1", "\U0010fffd")]
    add(store, app_id, a_user("z"))

    found = store.of(app_id).users.page(user_id=None, email=None, begins=prefix, after="", limit=10)

    assert found == tuple(begins)


def test_a_page_takes_up_after_the_last_one(store, app_id):
    users = [add(store, app_id, a_user(f"u-{number}")) for number in range(5)]

    def page(after: str) -> tuple[User, ...]:
        return store.of(app_id).users.page(user_id=None, email=None, begins="u-", after=after, limit=2)

    pages = [page(after) for after in ("", users[1].id, users[3].id, users[4].id)]

    assert pages == [tuple(users[:2]), tuple(users[2:4]), tuple(users[4:]), ()]


def test_nobody_of_another_app_is_found(store, app_id, database_url):
    jane = add(store, app_id, a_user("u-1", "jane@example.org"))
    other = an_app(database_url)

    found = (
        store.of(other).users.with_id(jane.id),
        store.of(other).users.survivor(jane.id),
        store.of(other).users.with_user_id("u-1", verified=True),
        store.of(other).users.with_email("jane@example.org", verified=True),
        store.of(other).users.page(user_id=None, email=None, begins="", after="", limit=10),
        store.of(other).users.is_gone(jane.id),
    )

    assert found == (None, None, None, (), (), None)


def test_of_who_was_erased_no_column_is_left_that_may_be_empty(store, app_id):
    jane = add(store, app_id, User(new_id("usr"), "u-1", "jane@example.org", "Jane", (), 1))
    kept = {"merged_into", "cleared_at", "erased_at"}
    personal = [field for field in Users._meta.sorted_fields if field.null and field.name not in kept]
    row = Users.select(*personal).where((Users.app == app_id) & (Users.id == jane.id))
    with store.transaction():
        store.of(app_id).users.set_attributes(jane, {"plan": "gold"})
    assert None not in store.database.row(row)

    with store.transaction():
        store.of(app_id).users.erase((jane.id,), 2)

    assert set(store.database.row(row)) == {None}
