"""Of the threads of a worker one runs at a time, and none is kept from it for long."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event

import psycopg
import pytest
from gunicorn.config import Config

from service import threads
from service.server.connections import Connections
from service.server.turns import Turns
from service.store.database import Database
from tests.support.marks import LONG
from tests.support.servers import wait_until
from tests.support.workers import listening


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def patient(monkeypatch):
    """Threads wait for each other however long one runs."""
    monkeypatch.setattr(threads, "LIMIT", LONG)


class Runner:
    """Runs in turn with others, until it is let go on, and then waits until the end."""

    def __init__(self):
        self.began, self.may_wait, self.may_end = Event(), Event(), Event()

    def run(self):
        with threads.in_turn():
            self.began.set()
            self.may_wait.wait()
            with threads.waiting:
                self.may_end.wait()

    def end(self):
        self.may_wait.set()
        self.may_end.set()


def test_a_thread_runs_while_another_waits_and_not_before(patient, pool):
    one, other = Runner(), Runner()
    ran = [pool.submit(one.run)]
    one.began.wait()
    ran.append(pool.submit(other.run))

    assert not other.began.wait(0.1)
    one.may_wait.set()
    assert other.began.wait(LONG)
    for runner in (one, other):
        runner.end()
    for future in ran:
        future.result(LONG)


def test_a_thread_that_has_ended_keeps_nobody(patient, pool):
    def fail():
        with threads.in_turn():
            raise ValueError("gone")

    with pytest.raises(ValueError, match="gone"):
        pool.submit(fail).result()
    runner = Runner()
    runner.end()
    pool.submit(runner.run).result(LONG)


def test_whoever_runs_for_long_is_not_waited_for(pool, monkeypatch):
    """And nobody who comes later waits either."""
    slow = Runner()
    ran = [pool.submit(slow.run)]
    slow.began.wait()
    others = [Runner(), Runner()]
    ran += [pool.submit(other.run) for other in others]
    for other in others:
        assert other.began.wait(LONG)
        other.end()
    for future in ran[1:]:
        future.result(LONG)
    monkeypatch.setattr(threads, "LIMIT", LONG)
    last = Runner()
    last.end()
    pool.submit(last.run).result(LONG)

    slow.end()
    ran[0].result(LONG)


def test_a_wait_inside_of_another_is_one(patient, pool):
    def wait_twice():
        with threads.in_turn(), threads.waiting, threads.waiting:
            pass

    pool.submit(wait_twice).result(LONG)
    runner = Runner()
    runner.end()
    pool.submit(runner.run).result(LONG)


def test_a_thread_that_does_not_run_in_turn_waits_for_none(patient, pool):
    runner = Runner()
    ran = pool.submit(runner.run)
    runner.began.wait()

    with threads.waiting:
        pass

    runner.end()
    ran.result(LONG)


def asked(url, began, ask):
    """Ask a database in turn with others, once it is connected."""
    with threads.in_turn(), closing(Database(url)) as database, database.connected():
        database.ping()
        began.set()
        ask(database.peewee)


@pytest.mark.parametrize(
    "ask",
    [
        lambda database: database.execute_prepared("SELECT pg_advisory_xact_lock(7)", ()),
        lambda database: database.execute_sql("SELECT pg_advisory_xact_lock(7)"),
    ],
    ids=["a prepared statement", "any other"],
)
def test_another_runs_while_one_waits_for_the_database(patient, pool, databases, ask):
    url, began, runner = databases.fresh("postgresql"), Event(), Runner()
    runner.end()
    with psycopg.connect(url) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(7)")
        waits = pool.submit(asked, url, began, ask)
        assert began.wait(LONG)

        pool.submit(runner.run).result(LONG)
        holder.rollback()
    waits.result(LONG)


def test_another_runs_while_one_waits_for_a_request(patient, pool):
    listener, runner = listening(), Runner()
    runner.end()
    connections = Connections(Config(), [listener], 10)
    turns = Turns(connections, 2)

    def serve():
        with threads.in_turn():
            return turns.next()

    waits = pool.submit(serve)
    wait_until(lambda: turns._idle)
    pool.submit(runner.run).result(LONG)

    connections.end()
    assert waits.result(LONG) is None
    connections.refuse()
