"""A PostgreSQL that goes away, falls silent or is slow: what is run again, what never is, and for how
long anybody waits."""

import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import peewee
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from service.desk.transactions import one_transaction
from service.model.errors import BadSettings, StaleState, StoreUnavailable
from service.store import Store
from service.store.database import Database
from service.store.engine.prepared import Prepared
from service.store.migrating import migrate
from service.store.tables import Apps, Rates
from tests.conftest import Databases
from tests.store.conftest import an_app
from tests.support.marks import LONG, at_once, count, mark
from tests.support.proxies import Network, silent_address

# What a transaction may leave on its connection.
TRACES = """
SELECT pg_backend_pid(), current_setting('statement_timeout'),
    current_setting('idle_in_transaction_session_timeout'),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
"""
# Rows that a lost COMMIT may have left are counted when the server is done with it.
DEFERRED = """
CREATE TABLE slow (a TEXT);
CREATE FUNCTION wait_a_while() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION wait_a_while();
"""


@pytest.fixture(scope="module")
def url(databases: Databases) -> str:
    """A migrated database of this file's own."""
    url = databases.fresh("postgresql")
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute(DEFERRED)
    return url


@pytest.fixture
def app_id(url: str) -> str:
    return an_app(url)


@pytest.fixture
def operator(url: str) -> Iterator[psycopg.Connection]:
    """Who looks at the server beside us."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def opened(url: str) -> Iterator[Callable[..., Database]]:
    """Open databases, and close them after."""
    with ExitStack() as stack:

        def open_(at: str = url, timeout: float = LONG) -> Database:
            database = Database(at, timeout=timeout)
            stack.callback(database.close)
            return database

        yield open_


@pytest.fixture
def network(url: str) -> Iterator[Network]:
    with Network(url) as network:
        yield network


def backend(database: Database) -> int:
    """Answer which of the server's processes serves this thread."""
    return database.row(peewee.Select(columns=[peewee.fn.pg_backend_pid()]))[0]


def sleep(seconds: object) -> peewee.Select:
    return peewee.Select(columns=[peewee.fn.pg_sleep(seconds)])


sleep_prepared = Prepared(sleep)


def kill(operator: psycopg.Connection, *backends: int) -> None:
    """End connections from the server's side, and wait until they are."""
    operator.execute(
        "SELECT pg_terminate_backend(pid, %s) FROM unnest(%s) AS pid", (LONG * 1000, list(backends))
    )


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def until(operator: psycopg.Connection, sql: str, *values: object) -> None:
    """Wait until a question is answered with true."""
    end = time.monotonic() + LONG
    while not operator.execute(sql, values).fetchone()[0]:
        assert time.monotonic() < end, sql
        time.sleep(0.02)


# --- races -------------------------------------------------------------------------------------------


def test_two_that_wait_for_each_other_end_as_a_winner_and_a_lost_race(opened, app_id):
    database = opened()
    met = threading.Barrier(2)

    def cross(first: str, second: str) -> str:
        with database.transaction():
            database.change(mark(app_id, first))
            database.lock(app_id, first)
            met.wait(LONG)
            database.lock(app_id, second)
        return "done"

    ended = at_once(lambda: cross("a", "b"), lambda: cross("b", "a"))

    assert sorted(type(end).__name__ for end in ended) == ["StaleState", "str"]
    assert count(database, app_id) == 1


def test_a_use_case_that_lost_such_a_race_is_run_again(opened, app_id):
    store = Store(opened())
    met = threading.Barrier(2)
    attempts = []

    @one_transaction
    def cross(store: Store, first: str, second: str) -> str:
        attempts.append(first)
        store.database.change(mark(app_id, first))
        store.database.lock(app_id, first)
        if len(attempts) <= 2:
            met.wait(LONG)
        store.database.lock(app_id, second)
        return "done"

    ended = at_once(lambda: cross(store, "a", "b"), lambda: cross(store, "b", "a"))

    assert ended == ["done", "done"]
    assert len(attempts) == 3
    assert count(store.database, app_id) == 2


def test_the_same_name_of_another_app_is_another(opened, app_id):
    database = opened()

    def hold_of_another() -> str:
        with database.transaction():
            database.lock("app_other", "name")
        return "held"

    with database.transaction():
        database.lock(app_id, "name")
        ended = at_once(hold_of_another)

    assert ended == ["held"]


# --- connections that die ----------------------------------------------------------------------------


def test_a_connection_that_was_killed_while_idle_is_replaced_unnoticed(opened, operator):
    database = opened()
    dead = backend(database)
    kill(operator, dead)

    alive = backend(database)

    assert alive != dead


def test_a_transaction_that_begins_on_a_dead_connection_is_run_again(opened, operator, app_id):
    store = Store(opened())
    kill(operator, backend(store.database))

    @one_transaction
    def leave_a_mark(store: Store) -> int:
        return store.database.change(mark(app_id))

    assert leave_a_mark(store) == 1
    assert count(store.database, app_id) == 1


def test_all_connections_that_died_together_are_replaced_unnoticed(opened, operator):
    database = opened()
    met = threading.Barrier(4)

    def use_one_each() -> int:
        with database.connected():
            met.wait(LONG)
            return backend(database)

    dead = set(at_once(*[use_one_each] * 4))
    kill(operator, *dead)

    alive = set(at_once(*[lambda: backend(database)] * 4))

    assert len(dead) == 4
    assert not alive & dead
    assert {type(number) for number in alive} == {int}


def test_a_transaction_that_dies_in_the_middle_is_run_again_and_committed_once(opened, operator, app_id):
    store = Store(opened())
    attempts = []

    @one_transaction
    def leave_marks(store: Store) -> None:
        attempts.append(backend(store.database))
        store.database.change(mark(app_id, "first"))
        if len(attempts) == 1:
            kill(operator, attempts[0])
        store.database.change(mark(app_id, "second"))

    leave_marks(store)

    assert len(attempts) == 2
    assert count(store.database, app_id) == 2


def test_a_transaction_that_always_dies_is_given_up(opened, operator, app_id):
    store = Store(opened())

    @one_transaction
    def never_end(store: Store) -> None:
        kill(operator, backend(store.database))
        store.database.change(mark(app_id))

    with pytest.raises(StoreUnavailable):
        never_end(store)

    assert count(store.database, app_id) == 0


def test_who_asks_a_connection_that_is_known_to_be_lost_is_told_so(opened, operator):
    database = opened()
    backend(database)
    with database.connected():
        connection = database.peewee.connection()
        kill(operator, connection.info.backend_pid)

        with pytest.raises(psycopg.Error, match="closed the connection|terminating connection"):
            connection.ask(connection.pgconn.exec_prepared, b"none", [])
        for call, *values in (
            (connection.pgconn.exec_, b"SELECT 1"),
            (connection.pgconn.prepare, b"one", b"SELECT 1"),
            (connection.pgconn.exec_prepared, b"one", []),
        ):
            with pytest.raises(psycopg.OperationalError, match="no connection"):
                connection.ask(call, *values)


def test_a_question_that_is_the_death_of_every_connection_is_given_up(opened, operator):
    database = opened()

    with pytest.raises(StoreUnavailable):
        database.ask(lambda: kill(operator, backend(database)) or backend(database))


def test_a_transaction_that_dies_while_it_is_committed_is_never_run_again(opened, operator, app_id):
    store = Store(opened())
    attempts = []

    @one_transaction
    def commit_slowly(store: Store) -> None:
        attempts.append(backend(store.database))
        store.database.change(mark(app_id))
        store.database.peewee.execute_sql("INSERT INTO slow VALUES ('x')")

    def kill_at_commit() -> None:
        until(
            operator,
            "SELECT count(*) = 1 FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'"
            " AND datname = current_database()",
        )
        kill(operator, attempts[0])

    ended = at_once(lambda: commit_slowly(store), kill_at_commit)

    assert isinstance(ended[0], StoreUnavailable)
    assert len(attempts) == 1


def test_a_statement_that_dies_while_it_commits_by_itself_is_never_run_again(opened, operator):
    database = opened()
    asked = []
    database.peewee.query_hooks.append(lambda event: asked.append(event.sql))

    def kill_at_commit() -> None:
        active = (
            "FROM pg_stat_activity WHERE starts_with(query, 'INSERT INTO slow') AND state = 'active'"
            " AND datname = current_database()"
        )
        until(operator, f"SELECT count(*) = 1 {active}")
        kill(operator, *operator.execute(f"SELECT pid {active}").fetchone())

    ended = at_once(
        lambda: database.row_at_once(peewee.SQL("INSERT INTO slow VALUES ('x') RETURNING a")), kill_at_commit
    )

    assert isinstance(ended[0], StoreUnavailable)
    assert len(asked) == 1


def test_a_statement_that_could_commit_by_itself_is_part_of_a_transaction_that_is_run_again(
    opened, operator, app_id
):
    store = Store(opened())
    attempts = []

    @one_transaction
    def leave_marks(store: Store) -> None:
        attempts.append(backend(store.database))
        store.database.row_at_once(mark(app_id, "first").returning(Rates.kind))
        if len(attempts) == 1:
            kill(operator, attempts[0])
        store.database.row_at_once(mark(app_id, "second").returning(Rates.kind))

    leave_marks(store)

    assert len(attempts) == 2
    assert count(store.database, app_id) == 2


def test_a_commit_whose_answer_is_lost_is_never_run_again(opened, network, app_id):
    store = Store(opened(network.url, timeout=1))
    attempts = []

    @one_transaction
    def lose_the_answer(store: Store) -> None:
        attempts.append("one")
        store.database.change(mark(app_id, str(len(attempts))))
        network.lose_answers()

    with pytest.raises(StoreUnavailable):
        lose_the_answer(store)

    network.recover()
    assert (len(attempts), count(opened(), app_id)) == (1, 1)


def test_a_server_that_became_a_standby_is_left_for_its_successor(opened, app_id):
    store = Store(opened())
    # What a connection sees whose server was demoted without being restarted.
    store.database.ask(lambda: store.database.peewee.execute_sql("SET default_transaction_read_only = on"))

    @one_transaction
    def leave_a_mark(store: Store) -> int:
        return store.database.change(mark(app_id))

    assert leave_a_mark(store) == 1


def test_a_value_longer_than_a_socket_takes_at_once_arrives(opened, network):
    echo = Prepared(lambda text: peewee.Select(columns=[peewee.Cast(text, "TEXT")]))
    text = secrets.token_hex(2**22)

    for database in (opened(), opened(network.url)):
        assert database.row(echo(text)) == (text,)


@pytest.mark.parametrize("forget", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_what_was_prepared_and_is_forgotten_is_prepared_anew(opened, app_id, forget):
    store = Store(opened())
    assert store.apps.with_id(app_id) is not None
    store.database.ask(lambda: store.database.peewee.execute_sql(forget))

    assert store.apps.with_id(app_id) is not None
    store.database.ask(lambda: store.database.peewee.execute_sql(forget))

    @one_transaction
    def look_twice(store: Store) -> tuple[str, ...]:
        return tuple(app.id for app in (store.apps.with_id(app_id), store.apps.with_id(app_id)) if app)

    assert look_twice(store) == (app_id, app_id)


def test_what_another_has_prepared_there_is_the_same(opened, app_id):
    store = Store(opened())
    assert store.apps.with_id(app_id) is not None
    forgetful = store.database.ask(lambda: store.database.peewee.connection().prepared)
    forgetful._names.clear()

    assert store.apps.with_id(app_id) is not None
    forgetful._names.clear()

    @one_transaction
    def look(store: Store) -> str:
        found = store.apps.with_id(app_id)
        return found.id if found else ""

    assert look(store) == app_id


def test_a_rollback_forgets_nothing_that_is_prepared(opened, app_id):
    store = Store(opened())
    for _ in range(7):
        store.database.rows(Apps.select(Apps.app).where(Apps.app == app_id))
        assert store.apps.with_id(app_id) is not None
        with suppress(StaleState), store.database.transaction(), store.database.transaction():
            raise StaleState

    names = store.database.ask(
        lambda: store.database.peewee.execute_sql("SELECT name FROM pg_prepared_statements").fetchall()
    )
    assert [name[:6] for (name,) in names] == ["usher_"]


def test_a_connection_is_handed_on_without_traces(opened, app_id):
    database = opened()
    with suppress(StaleState), database.transaction():
        database.lock(app_id, "name")
        database.extend_deadline(600)
        raise StaleState
    first = backend(database)

    traces = database.ask(lambda: database.peewee.execute_sql(TRACES).fetchone())

    assert traces == (first, "0", "0", 0)


def test_there_are_never_more_connections_than_threads_that_worked_at_once(opened):
    database = opened()

    def work() -> set[int]:
        return {backend(database) for _ in range(25)}

    used = at_once(*[work] * 4)

    assert len(set.union(*used)) <= 4


def test_one_thread_keeps_to_one_connection(opened):
    database = opened()

    used = {backend(database) for _ in range(25)}

    assert len(used) == 1


# --- slow statements ---------------------------------------------------------------------------------

IS_OVER = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %s AND state = 'active'"


@pytest.mark.parametrize("asking", [sleep, sleep_prepared], ids=["built", "prepared"])
def test_a_slow_question_is_given_up_and_ends_on_the_server_too(opened, operator, asking):
    database = opened(timeout=0.5)
    asked = backend(database)

    with pytest.raises(StoreUnavailable), within(LONG / 2):
        database.rows(asking(2 * LONG))

    until(operator, IS_OVER, asked)


def test_slow_questions_of_many_threads_are_given_up_together(opened):
    database = opened(timeout=0.5)

    with within(LONG / 2):
        refused = at_once(*[lambda: database.rows(sleep_prepared(2 * LONG)) for _ in range(8)])

    assert [type(answer) for answer in refused] == [StoreUnavailable] * 8


def test_a_slow_transaction_is_given_up_and_ends_on_the_server_too(opened, operator, app_id):
    database = opened(timeout=0.5)
    asked = backend(database)

    def wait_inside() -> None:
        with database.transaction():
            database.change(mark(app_id))
            database.rows(sleep(LONG))

    with pytest.raises(StoreUnavailable), within(LONG / 2):
        wait_inside()

    until(operator, IS_OVER, asked)
    assert count(database, app_id) == 0


def test_a_slow_transaction_is_not_run_again(opened):
    store = Store(opened(timeout=0.5))
    attempts = []

    @one_transaction
    def wait_inside(store: Store) -> None:
        attempts.append("one")
        store.database.rows(sleep(LONG))

    with pytest.raises(StoreUnavailable):
        wait_inside(store)

    assert len(attempts) == 1


def test_after_a_slow_statement_the_next_one_succeeds(opened):
    database = opened(timeout=0.5)
    with pytest.raises(StoreUnavailable):
        database.rows(sleep(LONG))
    database.timeout = LONG

    database.ping()


def test_waiting_for_a_lock_is_bounded_like_everything(opened, operator, app_id):
    holder, database = opened(), opened(timeout=0.5)

    def wait_for_it() -> None:
        with database.transaction():
            database.lock(app_id, "name")

    with holder.transaction():
        holder.lock(app_id, "name")
        with pytest.raises(StoreUnavailable), within(LONG / 2):
            wait_for_it()


def test_one_clock_bounds_several_questions_together(opened):
    database = opened(timeout=0.5)
    database.start_deadline()
    with pytest.raises(StoreUnavailable):
        database.rows(sleep(LONG))

    with pytest.raises(StoreUnavailable):
        database.ping()


def test_whoever_stops_in_the_middle_of_a_transaction_holds_its_locks_for_a_while_only(opened, app_id):
    stopped, database = opened(timeout=0.5), opened()
    held = threading.Event()

    def take_over() -> str:
        held.wait(LONG)
        with database.transaction():
            database.lock(app_id, "name")
        return "held"

    def stop_in_the_middle() -> None:
        with stopped.transaction():
            stopped.lock(app_id, "name")
            held.set()
            taken.append(at_once(take_over))

    taken = []
    with pytest.raises(StoreUnavailable):
        stop_in_the_middle()

    assert taken == [["held"]]


def test_a_transaction_may_take_the_time_that_it_asks_for(opened):
    database = opened(timeout=0.5)

    with database.transaction():
        database.extend_deadline(LONG)
        database.rows(sleep(1))


# --- a server that is not there ----------------------------------------------------------------------


def test_nobody_listening_is_told_at_once(opened):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(StoreUnavailable), within(LONG / 2):
        opened(f"postgres://postgres@127.0.0.1:{port}/usher").ping()


def test_a_server_that_lets_nobody_in_is_not_waited_for(opened):
    with silent_address() as port, pytest.raises(StoreUnavailable), within(LONG / 2):
        opened(f"postgres://postgres@127.0.0.1:{port}/usher", timeout=0.5).ping()


def test_a_network_that_falls_silent_is_not_waited_for(opened, network):
    database = opened(network.url, timeout=0.5)
    database.ping()
    network.fall_silent()

    with pytest.raises(StoreUnavailable), within(LONG / 2):
        database.ping()


def test_when_the_network_is_back_the_next_question_is_answered(opened, network):
    database = opened(network.url, timeout=0.5)
    network.fall_silent()
    with pytest.raises(StoreUnavailable):
        database.ping()
    database.timeout = LONG

    network.recover()

    database.ping()


def test_connections_that_a_network_broke_are_replaced_unnoticed(opened, network):
    database = opened(network.url)
    before = backend(database)
    network.cut()

    after = backend(database)

    assert after != before


def test_who_queued_while_somebody_waited_in_vain_does_not_wait_as_long_again(opened, network):
    database = opened(network.url, timeout=0.5)
    network.fall_silent()
    with pytest.raises(StoreUnavailable):
        database.ping()
    database.timeout = LONG
    database.start_deadline(waited=LONG)

    with pytest.raises(StoreUnavailable):
        database.ping()


def test_of_several_hosts_the_first_that_answers_serves(opened, url):
    parts = conninfo_to_dict(url)
    hosts, ports = f"127.0.0.1,{parts['host']}", f"1,{parts.get('port', 5432)}"

    database = opened(f"postgres:///{parts['dbname']}?user={parts['user']}&host={hosts}&port={ports}")

    database.ping()


def test_a_silent_host_leaves_time_for_the_next(opened, url):
    parts = conninfo_to_dict(url)
    with silent_address() as port:
        hosts, ports = f"127.0.0.1,{parts['host']}", f"{port},{parts.get('port', 5432)}"

        database = opened(
            f"postgres:///{parts['dbname']}?user={parts['user']}&host={hosts}&port={ports}", timeout=4
        )

        database.ping()


# --- names -------------------------------------------------------------------------------------------


@pytest.fixture
def name_server(monkeypatch):
    """Ask it for our host's name as for any other; it answers while it is set."""
    answering = threading.Event()
    answering.set()

    def look_up(host, *_args, **_named):
        assert host == "store.example"
        answering.wait(LONG)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield answering
    answering.set()


@pytest.fixture
def named(network, name_server) -> str:
    """The URL of a server by its name."""
    return network.url.replace("127.0.0.1", "store.example")


def test_a_server_is_found_by_its_name(opened, named):
    opened(named).ping()


def test_a_silent_name_server_is_not_waited_for(opened, named, name_server):
    name_server.clear()

    with pytest.raises(StoreUnavailable), within(LONG / 2):
        opened(named, timeout=0.5).ping()


def test_while_the_name_server_is_silent_the_address_that_it_gave_last_serves(opened, named, name_server):
    database = opened(named)
    database.ping()
    database.close()

    name_server.clear()

    database.ping()


def test_a_name_that_is_not_known_any_more_is_looked_for_where_it_was(opened, named, monkeypatch):
    database = opened(named)
    database.ping()
    database.close()

    def refuse(*_args, **_named):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    database.ping()


def test_a_name_that_never_was_is_a_store_that_is_away(opened, named, monkeypatch):
    def refuse(*_args, **_named):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    with pytest.raises(StoreUnavailable):
        opened(named).ping()


# --- URLs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "name", "meant"),
    [
        ("postgres://u:p@h:6432/d", "d", {"user": "u", "password": "p", "host": "h", "port": "6432"}),
        ("postgresql://u@h/d", "d", {"user": "u", "host": "h"}),
        ("postgres://u:p%40s%2Fs%3A%25@h/d", "d", {"password": "p@s/s:%"}),
        ("postgres://u%2B1:p@h/d%20e", "d e", {"user": "u+1"}),
        ("postgres://u:p@a:1,b:2/d", "d", {"host": "a,b", "port": "1,2"}),
        ("postgres://u@a,b/d?target_session_attrs=read-write", "d", {"target_session_attrs": "read-write"}),
        ("postgres://u@h/d?sslmode=require", "d", {"sslmode": "require"}),
        ("postgres://u@/d?host=/var/run/pg&port=5433", "d", {"host": "/var/run/pg", "port": "5433"}),
        ("postgres://%2Fvar%2Frun%2Fpg/d", "d", {"host": "/var/run/pg"}),
        ("postgres://u@h", "u", {"user": "u", "host": "h"}),
        ("postgres://h", "postgres", {"host": "h"}),
        ("postgres://u@[::1]:6432/d", "d", {"host": "::1", "port": "6432"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_url_means_what_libpq_reads_in_it(written, name, meant):
    opened = Database(written).peewee

    assert opened.database == name
    assert {key: opened.connect_params[key] for key in meant} == meant


def test_names_with_signs_are_sent_as_they_are_meant(opened, operator, url):
    parts = conninfo_to_dict(url)
    operator.execute('CREATE ROLE "who/are@you 100%" LOGIN SUPERUSER')
    at = f"host={parts['host']}&port={parts.get('port', 5432)}"

    database = opened(f"postgres://who%2Fare%40you%20100%25@/{parts['dbname']}?{at}")

    assert database.row(peewee.Select(columns=[peewee.SQL("current_user")])) == ("who/are@you 100%",)
    database.close()
    operator.execute('DROP ROLE "who/are@you 100%"')


@pytest.mark.parametrize(
    "written", ["postgres://u:se%cret@h/d", "postgres://u:secret@h/d?nonsense=1", "postgres://[::1/d"]
)
def test_a_url_that_cannot_be_read_is_refused_without_showing_it(written):
    with pytest.raises(BadSettings) as refused:
        Database(written)

    assert "DATABASE_URL" in str(refused.value)
    assert "cret" not in str(refused.value)
