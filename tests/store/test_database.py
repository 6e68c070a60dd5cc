"""A transaction is all or nothing, and what goes wrong in a store is told in our own words."""

from contextlib import suppress

import peewee
import pytest

from service.model.errors import InvalidCredential, NotFound, StaleState, StoreUnavailable
from service.store.engine.prepared import inserting
from service.store.tables import Keys, Rates
from tests.support.marks import LONG, at_once, count, mark

ADD = inserting(Rates.app, Rates.kind, Rates.address, Rates.minute, Rates.count)
ADD_KEY = inserting(Keys.app, Keys.id, Keys.kind, Keys.digest, Keys.created_at)


@pytest.mark.parametrize("error", [NotFound, ValueError, KeyboardInterrupt], ids=lambda error: error.__name__)
def test_an_error_undoes_all_of_a_transaction(database, app_id, error):
    with pytest.raises(error), database.transaction():
        database.change(mark(app_id, "first"))
        database.change(mark(app_id, "second"))
        raise error

    assert count(database, app_id) == 0


def test_a_refused_statement_undoes_those_before_it(database, app_id):
    database.change(mark(app_id, "taken"))

    with pytest.raises(StaleState), database.transaction():
        database.change(mark(app_id, "free"))
        database.change(mark(app_id, "taken"))

    assert count(database, app_id) == 1


def test_what_is_not_committed_is_seen_by_nobody_else(database, open_database, database_url, app_id):
    other = open_database(database_url)
    with database.transaction():
        database.change(mark(app_id))

        seen = count(other, app_id)

    assert (seen, count(other, app_id)) == (0, 1)


def kinds(database, app_id):
    return sorted(kind for (kind,) in database.rows(Rates.select(Rates.kind).where(Rates.app == app_id)))


def test_what_is_added_outside_of_a_transaction_is_there_at_once(
    database, open_database, database_url, app_id
):
    database.add(ADD(app_id, "one", "", 0, 1))

    assert kinds(open_database(database_url), app_id) == ["one"]


def keys(database, app_id):
    return [id for (id,) in database.rows(Keys.select(Keys.id).where(Keys.app == app_id))]


def test_what_is_there_already_is_a_lost_race_that_leaves_nothing(database, app_id):
    database.add(ADD(app_id, "taken", "", 0, 1))

    with pytest.raises(StaleState), database.transaction():
        database.add(ADD(app_id, "free", "", 0, 1))
        database.add(ADD_KEY(app_id, "key", "secret", "digest", 0))
        database.add(ADD(app_id, "taken", "", 0, 1))

    assert (kinds(database, app_id), keys(database, app_id)) == (["taken"], [])


def test_of_several_kinds_each_is_added_and_there_for_whatever_is_asked_next(database, app_id):
    with database.transaction():
        for kind in ("one", "two", "three"):
            database.add(ADD(app_id, kind, "", 0, 1))
        database.add(ADD_KEY(app_id, "key", "secret", "digest", 0))

        assert kinds(database, app_id) == ["one", "three", "two"]

    assert (kinds(database, app_id), keys(database, app_id)) == (["one", "three", "two"], ["key"])


def test_a_transaction_within_another_takes_nothing_of_it_along_when_it_fails(database, app_id):
    with database.transaction():
        database.add(ADD(app_id, "outer", "", 0, 1))
        with suppress(NotFound), database.transaction():
            # What it was about to add is never added.
            database.add(ADD(app_id, "inner", "", 0, 1))
            raise NotFound
        database.add(ADD(app_id, "later", "", 0, 1))

    assert kinds(database, app_id) == ["later", "outer"]


def test_a_change_says_how_many_rows_it_changed(database, app_id):
    for kind in ("one", "two", "three"):
        database.change(mark(app_id, kind))

    changed = database.change(Rates.update(count=7).where((Rates.app == app_id) & (Rates.kind != "two")))

    assert changed == 2


def test_a_transaction_inside_another_ends_with_it(database, app_id):
    with pytest.raises(NotFound), database.transaction():
        with database.transaction():
            database.change(mark(app_id))
        raise NotFound

    assert count(database, app_id) == 0


def test_a_unique_index_decides_a_race_as_a_primary_key_does(database, app_id):
    key = {"app": app_id, "kind": "secret", "digest": "same", "created_at": 1}
    database.change(Keys.insert(id="key_1", **key))

    with pytest.raises(StaleState):
        database.change(Keys.insert(id="key_2", **key))


def test_a_statement_that_the_engine_does_not_understand_is_a_mistake_of_our_own(database):
    with pytest.raises(peewee.DatabaseError):
        database.ask(lambda: database.peewee.execute_sql("SELEKT 1"))


BROKEN = {
    StaleState: mark,
    InvalidCredential: lambda app: mark("app_gone"),
    # A mistake of our own is never taken for a race.
    peewee.IntegrityError: lambda app: Rates.insert(app=app, kind="x", address="", minute=None, count=1),
}


@pytest.mark.parametrize(("error", "broken"), BROKEN.items(), ids=[error.__name__ for error in BROKEN])
def test_a_refusal_is_told_in_our_own_words_and_the_next_call_succeeds(database, app_id, error, broken):
    database.change(mark(app_id))
    with pytest.raises(error):
        database.change(broken(app_id))

    assert database.change(mark(app_id, "another")) == 1


def test_one_name_is_held_by_one_transaction_at_a_time(database, app_id):
    inside, most = [], []

    def hold(number: int) -> None:
        with database.transaction():
            database.lock(app_id, "name")
            database.ping()
            inside.append(number)
            most.append(len(inside))
            database.ping()
            inside.remove(number)

    at_once(*[lambda number=number: hold(number) for number in range(8)])

    assert most == [1] * 8


def test_threads_write_at_once_and_nothing_is_lost(database, app_id):
    def write(thread: int) -> int:
        return sum(database.change(mark(app_id, f"{thread} {number}")) for number in range(10))

    assert at_once(*[lambda thread=thread: write(thread) for thread in range(8)]) == [10] * 8
    assert count(database, app_id) == 80


def test_when_the_clock_has_run_out_no_question_is_put(database):
    database.timeout = 0
    database.start_deadline()

    with pytest.raises(StoreUnavailable):
        database.ping()


def test_a_clock_that_was_stopped_bounds_nothing(database):
    database.timeout = 0
    database.start_deadline()
    database.timeout = LONG

    database.end_deadline()

    database.ping()


def test_a_clock_is_that_of_one_thread(database):
    database.timeout = 0
    database.start_deadline()
    database.timeout = LONG

    assert at_once(database.ping) == [None]
