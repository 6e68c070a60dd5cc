"""What goes out to PostgreSQL together: whose failure it is, what is run again, and that nothing is left over
for the next who asks."""

from collections.abc import Callable, Iterator

import peewee
import psycopg
import pytest
from psycopg.pq import PipelineStatus, TransactionStatus

from service.desk.transactions import one_transaction
from service.model.errors import InvalidCredential, StaleState, StoreUnavailable
from service.store import Store
from service.store.database import Database
from service.store.engine.prepared import Prepared, Question, inserting
from service.store.tables import Rates
from tests.store.conftest import give_up_soon
from tests.support.marks import LONG, count, mark
from tests.support.proxies import Network

ADD = inserting(Rates.app, Rates.kind, Rates.address, Rates.minute, Rates.count)
MARKED = Prepared(lambda app: Rates.select(Rates.kind).where(Rates.app == app))
FAIL = Prepared(lambda app: Rates.select(peewee.SQL("1 / 0")).where(Rates.app == app))
SLEEP = Prepared(lambda seconds: peewee.Select(columns=[peewee.fn.pg_sleep(seconds)]))

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def opened(open_database: Callable[..., Database], database_url: str) -> Callable[..., Database]:
    return lambda at=database_url, timeout=LONG: open_database(at, timeout=timeout)


@pytest.fixture
def network(database_url: str) -> Iterator[Network]:
    with Network(database_url) as network:
        yield network


def add(database: Database, app: str, kind: str = "mark") -> None:
    database.add(ADD(app, kind, "", 0, 1))


def require_nothing_left(database: Database) -> None:
    """Require that the connection that is used next is as good as new."""
    with database.connected():
        connection = database.peewee.connection()
        assert connection.pgconn.transaction_status == TransactionStatus.IDLE
        assert connection.pgconn.pipeline_status == PipelineStatus.OFF
        assert (connection.prepared.before, connection.prepared.beside) == ([], ())
        assert database.peewee._next.last == []


def test_a_row_that_is_refused_with_the_commit_is_a_lost_race_and_leaves_nothing(opened, app_id):
    database = opened()
    add(database, app_id)

    with pytest.raises(StaleState), database.transaction():
        database.change(mark(app_id, "other"))
        add(database, app_id)

    require_nothing_left(database)
    assert count(database, app_id) == 1


def test_a_row_of_an_app_that_is_gone_is_refused_with_the_commit_and_leaves_nothing(opened, app_id):
    database = opened()

    with pytest.raises(InvalidCredential), database.transaction():
        database.change(mark(app_id, "other"))
        add(database, "app_gone")

    require_nothing_left(database)
    assert count(database, app_id) == 0


def test_a_transaction_in_which_nothing_was_asked_is_told_to_nobody(opened, app_id):
    database = opened()
    database.ping()

    with database.transaction():
        database.lock(app_id, "name")
    require_nothing_left(database)
    with pytest.raises(ZeroDivisionError), database.transaction():
        database.lock(app_id, "name")
        raise ZeroDivisionError

    require_nothing_left(database)
    assert count(database, app_id) == 0


@pytest.mark.parametrize("fails", ["the first", "the second"])
def test_of_two_questions_the_one_that_fails_says_why(opened, app_id, fails):
    database = opened()
    database.change(mark(app_id))
    first, second = (FAIL, MARKED) if fails == "the first" else (MARKED, FAIL)

    # A mistake of our own, which nobody else is to be blamed for.
    with pytest.raises(peewee.DataError, match="division by zero"):
        database.rows_and(first(app_id), Question(second(app_id), len))

    require_nothing_left(database)
    assert database.rows_and(MARKED(app_id), Question(MARKED(app_id), len)) == ([("mark",)], [1])


def test_a_first_statement_that_takes_too_long_is_given_up_and_the_next_succeeds(opened, app_id):
    database = opened()
    database.ping()
    database.timeout = 0.5

    with pytest.raises(StoreUnavailable), database.transaction():
        database.rows(SLEEP(LONG))

    database.timeout = LONG
    require_nothing_left(database)
    assert count(database, app_id) == 0


@pytest.mark.parametrize("fails", ["its answer is lost", "it never arrives"])
def test_what_was_left_for_a_commit_that_is_lost_is_never_added_again(opened, network, app_id, fails):
    store, attempts = Store(opened(network.url)), []

    @one_transaction
    def lose_the_commit(store: Store) -> None:
        attempts.append("one")
        store.database.change(mark(app_id, f"changed {len(attempts)}"))
        add(store.database, app_id, f"added {len(attempts)}")
        (network.lose_answers if fails == "its answer is lost" else network.fall_silent)()
        give_up_soon(store.database)

    add(store.database, app_id, "before")
    with pytest.raises(StoreUnavailable):
        lose_the_commit(store)

    network.cut() if fails == "it never arrives" else None
    network.recover()
    require_nothing_left(store.database)
    assert (len(attempts), count(store.database, app_id)) in ((1, 1), (1, 3))


def test_what_one_transaction_left_undone_is_not_done_by_the_next(opened, app_id):
    database = opened()

    with pytest.raises(ZeroDivisionError), database.transaction():
        database.ping()
        add(database, app_id)
        database.lock(app_id, "name")
        raise ZeroDivisionError
    with database.transaction():
        database.change(mark(app_id, "other"))

    require_nothing_left(database)
    assert database.rows(MARKED(app_id)) == [("other",)]


def test_many_large_values_arrive_together(opened, network, app_id):
    echo = Prepared(lambda text: peewee.Select(columns=[peewee.Cast(text, "TEXT")]))
    database, text = opened(network.url), "x" * 2**22

    rows, answers = database.rows_and(echo(text), *[Question(echo(text), len)] * 3)

    assert (rows, answers) == ([(text,)], [1, 1, 1])
    require_nothing_left(database)


def test_an_operator_who_ends_a_connection_between_two_statements_ends_nothing_else(
    opened, database_url, app_id
):
    store, attempts = Store(opened()), []

    @one_transaction
    def add_two(store: Store) -> None:
        attempts.append(store.database.rows(peewee.Select(columns=[peewee.fn.pg_backend_pid()]))[0][0])
        if len(attempts) == 1:
            with psycopg.connect(database_url, autocommit=True) as operator:
                operator.execute("SELECT pg_terminate_backend(%s, %s)", (attempts[0], LONG * 1000))
        store.database.lock(app_id, "name")
        store.database.change(mark(app_id, "one"))
        add(store.database, app_id, "two")

    add_two(store)

    require_nothing_left(store.database)
    assert (len(attempts), count(store.database, app_id)) == (2, 2)
