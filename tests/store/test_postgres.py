"""A PostgreSQL that goes away, falls silent or is slow: what is run again, what never is, and for how
long anybody waits."""

import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

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
from service.store.tables import Apps, Contacts, Rates
from tests.conftest import Databases
from tests.store.conftest import an_app, give_up_soon
from tests.support.marks import LONG, at_once, count, mark
from tests.support.proxies import Network, silent_address
from tests.support.servers import wait_until

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
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def opened(open_database: Callable[..., Database], url: str) -> Callable[..., Database]:
    return lambda at=url, timeout=LONG: open_database(at, timeout=timeout)


@pytest.fixture
def network(url: str) -> Iterator[Network]:
    with Network(url) as network:
        yield network


def backend(database: Database) -> int:
    return database.row(peewee.Select(columns=[peewee.fn.pg_backend_pid()]))[0]


def sleep(seconds: object) -> peewee.Select:
    return peewee.Select(columns=[peewee.fn.pg_sleep(seconds)])


sleep_prepared = Prepared(sleep)


def kill(operator: psycopg.Connection, *backends: int) -> None:
    """End connections from the server's side, and wait until they are."""
    for backend in backends:
        operator.execute("SELECT pg_terminate_backend(%s, %s)", (backend, LONG * 1000))


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def until(operator: psycopg.Connection, sql: str, *values: object) -> None:
    """Wait until a question is answered with true."""
    wait_until(lambda: operator.execute(sql, values).fetchone()[0], lambda: sql)


def lock(database: Database, app: str, name: str) -> None:
    """Lock a name with the statement that comes next."""
    database.lock(app, name)
    database.ping()


# --- races -------------------------------------------------------------------------------------------


def test_of_two_use_cases_that_wait_for_each_other_the_loser_is_run_again(opened, app_id):
    store = Store(opened())
    met, attempts = threading.Barrier(2), []

    @one_transaction
    def cross(store: Store, first: str, second: str) -> str:
        attempts.append(first)
        store.database.change(mark(app_id, first))
        lock(store.database, app_id, first)
        if len(attempts) <= 2:
            met.wait(LONG)
        lock(store.database, app_id, second)
        return "done"

    ended = at_once(lambda: cross(store, "a", "b"), lambda: cross(store, "b", "a"))

    assert (ended, len(attempts), count(store.database, app_id)) == (["done", "done"], 3, 2)


def test_the_same_name_of_another_app_is_another(opened, app_id):
    database = opened()

    def lock_of_another() -> str:
        with database.transaction():
            lock(database, "app_other", "name")
        return "locked"

    with database.transaction():
        lock(database, app_id, "name")
        assert at_once(lock_of_another) == ["locked"]


# --- connections that die ----------------------------------------------------------------------------


def test_a_transaction_that_begins_on_a_dead_connection_is_run_again(opened, operator, app_id):
    store = Store(opened())
    kill(operator, backend(store.database))

    leave_a_mark = one_transaction(lambda store: store.database.change(mark(app_id)))

    assert (leave_a_mark(store), count(store.database, app_id)) == (1, 1)


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


@pytest.mark.parametrize(
    "leave",
    [
        lambda database, left: database.change(left),
        lambda database, left: database.row_at_once(left.returning(Rates.kind)),
    ],
    ids=["a change", "a statement that could commit by itself"],
)
def test_a_transaction_that_dies_in_the_middle_is_run_again_and_committed_once(
    opened, operator, app_id, leave
):
    store, attempts = Store(opened()), []

    @one_transaction
    def leave_marks(store: Store) -> None:
        attempts.append(backend(store.database))
        leave(store.database, mark(app_id, "first"))
        if len(attempts) == 1:
            kill(operator, attempts[0])
        leave(store.database, mark(app_id, "second"))

    leave_marks(store)

    assert (len(attempts), count(store.database, app_id)) == (2, 2)


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
            connection.ask(connection.pgconn.send_query_prepared, b"none", [])
        for call, *values in (
            (connection.pgconn.send_query, b"SELECT 1"),
            (connection.pgconn.send_prepare, b"one", b"SELECT 1"),
            (connection.pgconn.send_query_prepared, b"one", []),
        ):
            with pytest.raises(psycopg.OperationalError, match="no connection"):
                connection.ask(call, *values)


def test_who_is_answered_nothing_takes_the_connection_for_lost(opened):
    database = opened()

    with pytest.raises(StoreUnavailable):
        database.ask(lambda: database.peewee.connection().ask(lambda: None))


def test_a_question_that_is_the_death_of_every_connection_is_given_up(opened, operator):
    database = opened()

    with pytest.raises(StoreUnavailable):
        database.ask(lambda: kill(operator, backend(database)) or backend(database))


@one_transaction
def commit_slowly(store: Store) -> None:
    store.database.peewee.execute_sql("INSERT INTO slow VALUES ('x')")


def insert_slowly(store: Store) -> None:
    store.database.row_at_once(peewee.SQL("INSERT INTO slow VALUES ('x') RETURNING a"))


@pytest.mark.parametrize(
    ("change", "query"),
    [(commit_slowly, "COMMIT"), (insert_slowly, "INSERT INTO slow")],
    ids=["COMMIT", "INSERT"],
)
def test_what_dies_while_it_is_committed_is_never_run_again(opened, operator, change, query):
    store, statements = Store(opened()), []
    store.database.peewee.query_hooks.append(lambda event: statements.append(event.sql))

    def kill_at_commit() -> None:
        active = (
            "FROM pg_stat_activity WHERE starts_with(query, %s) AND state = 'active'"
            " AND datname = current_database() AND pid <> pg_backend_pid()"
        )
        until(operator, f"SELECT count(*) = 1 {active}", query)
        kill(operator, *operator.execute(f"SELECT pid {active}", (query,)).fetchone())

    ended = at_once(lambda: change(store), kill_at_commit)

    assert isinstance(ended[0], StoreUnavailable)
    assert len([sql for sql in statements if "INSERT INTO slow" in sql]) == 1


def test_a_commit_whose_answer_is_lost_is_never_run_again(opened, network, app_id):
    store, attempts = Store(opened(network.url)), []

    @one_transaction
    def lose_the_answer(store: Store) -> None:
        attempts.append("one")
        store.database.change(mark(app_id, str(len(attempts))))
        network.lose_answers()
        give_up_soon(store.database)

    with pytest.raises(StoreUnavailable):
        lose_the_answer(store)

    network.recover()
    database = opened()
    wait_until(lambda: count(database, app_id))
    assert (len(attempts), count(database, app_id)) == (1, 1)


def test_a_server_that_became_a_standby_is_left_for_its_successor(opened, app_id):
    store = Store(opened())
    # What a connection sees whose server was demoted without being restarted.
    store.database.ask(lambda: store.database.peewee.execute_sql("SET default_transaction_read_only = on"))

    assert one_transaction(lambda store: store.database.change(mark(app_id)))(store) == 1


def test_a_value_longer_than_a_socket_takes_at_once_arrives(opened, network):
    echo = Prepared(lambda text: peewee.Select(columns=[peewee.Cast(text, "TEXT")]))
    text = secrets.token_hex(2**22)

    for database in (opened(), opened(network.url)):
        assert database.row(echo(text)) == (text,)


def forget_names(database: Database) -> None:
    """Have this process not know what is prepared there, as if another had done so."""
    database.ask(lambda: database.peewee.connection().prepared)._names.clear()


@pytest.mark.parametrize(
    "forget",
    [
        lambda database: database.ask(lambda: database.peewee.execute_sql("DEALLOCATE ALL")),
        lambda database: database.ask(lambda: database.peewee.execute_sql("DISCARD ALL")),
        forget_names,
    ],
    ids=["the server deallocates", "the server discards", "the client forgets"],
)
def test_what_was_prepared_and_is_forgotten_is_prepared_anew(opened, app_id, forget):
    store = Store(opened())
    for _ in range(2):
        assert store.apps.with_id(app_id) is not None
        forget(store.database)

    @one_transaction
    def look_twice(store: Store) -> list[str]:
        return [store.apps.with_id(app_id).id for _ in range(2)]

    assert look_twice(store) == [app_id, app_id]


def test_what_a_pooler_forgets_is_prepared_no_more(opened, app_id):
    store, names = Store(opened()), "SELECT name FROM pg_prepared_statements"
    for _ in range(3):
        store.database.ask(lambda: store.database.peewee.execute_sql("DEALLOCATE ALL"))
        assert store.apps.with_id(app_id) is not None

    assert store.database.ask(lambda: store.database.peewee.execute_sql(names).fetchall()) == []


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
        lock(database, app_id, "name")
        database.extend_deadline(600)
        raise StaleState
    first = backend(database)

    assert database.ask(lambda: database.peewee.execute_sql(TRACES).fetchone()) == (first, "0", "0", 0)


@pytest.mark.parametrize("threads", [1, 4])
def test_there_are_never_more_connections_than_threads_that_worked_at_once(opened, threads):
    database = opened()

    used = at_once(*[lambda: {backend(database) for _ in range(25)}] * threads)

    assert len(set.union(*used)) <= threads


# --- slow statements ---------------------------------------------------------------------------------

IS_OVER = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %s AND state = 'active'"


@pytest.mark.parametrize("asking", [sleep, sleep_prepared], ids=["built", "prepared"])
def test_a_slow_question_is_given_up_ends_on_the_server_too_and_the_next_succeeds(opened, operator, asking):
    database = opened()
    process = backend(database)
    database.timeout = 0.5

    with pytest.raises(StoreUnavailable), within(LONG / 2):
        database.rows(asking(2 * LONG))

    until(operator, IS_OVER, process)
    database.timeout = LONG
    database.ping()


def test_slow_questions_of_many_threads_are_given_up_together(opened):
    database = opened(timeout=0.5)

    with within(LONG / 2):
        refused = at_once(*[lambda: database.rows(sleep_prepared(2 * LONG)) for _ in range(8)])

    assert [type(answer) for answer in refused] == [StoreUnavailable] * 8


def test_a_slow_transaction_is_given_up_once_and_ends_on_the_server_too(opened, operator, app_id):
    store, attempts = Store(opened()), []
    process = backend(store.database)
    store.database.timeout = 0.5

    @one_transaction
    def wait_inside(store: Store) -> None:
        attempts.append("one")
        store.database.change(mark(app_id))
        store.database.rows(sleep(LONG))

    with pytest.raises(StoreUnavailable), within(LONG / 2):
        wait_inside(store)

    until(operator, IS_OVER, process)
    store.database.timeout = LONG
    assert (len(attempts), count(store.database, app_id)) == (1, 0)


def test_waiting_for_a_lock_is_bounded_like_everything(opened, operator, app_id):
    holder, database = opened(), opened(timeout=0.5)

    with holder.transaction():
        lock(holder, app_id, "name")
        with pytest.raises(StoreUnavailable), within(LONG / 2), database.transaction():
            lock(database, app_id, "name")


def test_one_clock_bounds_several_questions_together(opened):
    database = opened(timeout=0.5)
    database.start_deadline()
    with pytest.raises(StoreUnavailable):
        database.rows(sleep(LONG))

    with pytest.raises(StoreUnavailable):
        database.ping()


def test_whoever_stops_in_the_middle_of_a_transaction_holds_its_locks_for_a_while_only(opened, app_id):
    stopped, database = opened(), opened()
    locked = threading.Event()
    stopped.ping()
    # So long it may take to lock, and so long it is waited for then.
    stopped.timeout = 3

    def take_over() -> str:
        locked.wait(LONG)
        with database.transaction():
            lock(database, app_id, "name")
        return "locked"

    with pytest.raises(StoreUnavailable), stopped.transaction():
        lock(stopped, app_id, "name")
        locked.set()
        taken = at_once(take_over)

    assert taken == ["locked"]


def test_a_transaction_may_take_the_time_that_it_asks_for(opened):
    database = opened()
    database.ping()
    database.timeout = 0.5

    with database.transaction():
        database.extend_deadline(LONG)
        database.rows(sleep(1))


# --- a server that is not there; more of it is in tests/faults/test_outages.py -----------------------


def test_connections_that_a_network_broke_are_replaced_unnoticed(opened, network):
    database = opened(network.url)
    before = backend(database)

    network.cut()

    assert backend(database) != before


@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "is silent"])
def test_of_several_hosts_the_first_that_answers_serves(opened, url, silent):
    parts = conninfo_to_dict(url)
    with silent_address() as port:
        hosts = f"host=127.0.0.1,{parts['host']}&port={port if silent else 1},{parts.get('port', 5432)}"

        opened(f"postgres:///{parts['dbname']}?user={parts['user']}&{hosts}").ping()


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
    return network.url.replace("127.0.0.1", "store.example")


def test_a_silent_name_server_is_not_waited_for(opened, named, name_server):
    name_server.clear()

    with pytest.raises(StoreUnavailable), within(LONG / 2):
        opened(named, timeout=0.5).ping()


def refuse_names(monkeypatch, code: int) -> None:
    def refuse(*_args, **_named):
        raise socket.gaierror(code, "no address")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("fails", ["is silent", "does not know it any more"])
def test_while_the_name_server_fails_the_address_that_it_gave_last_serves(
    opened, named, name_server, monkeypatch, fails
):
    database = opened(named)
    database.ping()
    database.close()

    if fails == "is silent":
        name_server.clear()
    else:
        refuse_names(monkeypatch, socket.EAI_AGAIN)

    database.ping()


def test_a_name_that_never_was_is_a_store_that_is_away(opened, named, monkeypatch):
    refuse_names(monkeypatch, socket.EAI_NONAME)

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


@pytest.mark.parametrize("attrs", ["any", "standby", "prefer-standby", "read-only"])
def test_a_url_that_may_lead_to_a_standby_is_refused(attrs):
    with pytest.raises(BadSettings, match="target_session_attrs"):
        Database(f"postgres://u@a,b/d?target_session_attrs={attrs}")


@pytest.mark.parametrize("hosts", ["@/d?host=a,b,c&port=1,2", "@a:x/d", "@a:1,b:2,c:x/d"])
def test_hosts_whose_ports_are_none_are_refused_at_the_start(hosts):
    with pytest.raises(BadSettings, match="port for each host"):
        Database(f"postgres://u:secret{hosts}")


@pytest.mark.parametrize(
    ("hosts", "meant"),
    [
        ("@a:1,b:2/d", {"host": "a,b", "port": "1,2"}),
        ("@a,b:2/d", {"host": "a,b", "port": ",2"}),
        ("@/d?host=a,b&port=5", {"host": "a,b", "port": "5"}),
        ("@/d?hostaddr=127.0.0.1,::1&port=1,2", {"hostaddr": "127.0.0.1,::1"}),
        ("@[::1]:1,%2Frun%2Fpg:2/d", {"host": "::1,/run/pg", "port": "1,2"}),
    ],
)
def test_several_hosts_have_a_port_each_or_one_for_all(hosts, meant):
    opened = Database(f"postgres://u{hosts}").peewee

    assert meant.items() <= opened.connect_params.items()
    assert opened.connect_params["target_session_attrs"] == "primary"


def test_a_host_that_was_silent_is_not_waited_for_again(opened, url):
    parts = conninfo_to_dict(url)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hosts = f"host=127.0.0.1,{parts['host']}&port={silent.getsockname()[1]},{parts.get('port', 5432)}"
        database = opened(f"postgres:///{parts['dbname']}?user={parts['user']}&{hosts}")
        # Half of a handshake's time for the silent one.
        database.ping()
        database.close()
        silent.accept()[0].close()

        database.ping()

        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_what_a_standby_refuses_is_not_done_and_so_done_elsewhere(opened, app_id):
    database = opened()
    database.ask(lambda: database.peewee.execute_sql("SET default_transaction_read_only = on"))

    with pytest.raises(StaleState):
        database.change(mark(app_id))

    assert database.change(mark(app_id)) == 1


# --- what it plans by --------------------------------------------------------------------------------


def test_it_knows_of_tables_that_it_looked_at(databases, open_database):
    url = databases.fresh("postgresql")
    migrate(url)
    rows = "SELECT reltuples FROM pg_class WHERE relname = 'contacts'"
    with psycopg.connect(url, autocommit=True) as operator:
        # What was never looked at has none, not even 0.
        assert operator.execute(rows).fetchone() == (-1,)

        open_database(url).look_at([Contacts])

        assert operator.execute(rows).fetchone() == (0,)


def test_plans_are_for_an_app_of_average_size_but_where_citus_makes_them(opened):
    database = opened()

    def planned() -> str:
        with database.connected():
            mode: str = database.peewee.execute_sql("SHOW plan_cache_mode").fetchone()[0]
            return mode

    assert planned() == "force_generic_plan"
    with database.connected():
        database.peewee.spread.set()
    assert planned() == "auto"
