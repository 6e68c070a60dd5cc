"""On SQLite one thread serves one request after the other, and another when a request takes long."""

import runpy
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from service.server import epoll, lead
from service.server.connections import Connections
from service.server.epoll import EpollWorker
from service.server.lead import Lead, Leader, SerialWorker
from tests.support.servers import ADMIN_KEY, SECRET_KEY, TIMEOUT, wait_until
from tests.support.workers import Held, SerialWorkerInThread, get, hello, working


class Threads:
    """An application that remembers which threads served whom, and which holds who asks for /held."""

    def __init__(self):
        self.held = Held()
        self.served = {}

    def __call__(self, environ, start):
        path = environ["PATH_INFO"]
        self.served[path] = threading.get_ident()
        return (self.held if path.startswith("/held") else hello)(environ, start)


@contextmanager
def serially(app, threads=4, **settings):
    with working(app, kind=SerialWorkerInThread, threads=threads, **settings) as served:
        yield served


@contextmanager
def with_held(app, count, **settings):
    """Have a worker in the middle of so many requests, and their clients."""
    with serially(app, **settings) as served:
        clients = [served.connect() for _ in range(count)]
        for number, client in enumerate(clients):
            client.send(get(f"/held/{number}"))
            app.held.begun.acquire()
        yield served, clients
        app.held.free.release(count)


def stop_the_clock(monkeypatch):
    """What was begun has taken long, and no request that begins later does."""
    later = time.monotonic() + 1
    monkeypatch.setattr(lead, "time", SimpleNamespace(monotonic=lambda: later))


@pytest.mark.parametrize(
    ("url", "kind"), [("sqlite:///x", SerialWorker), ("postgres://x/y", EpollWorker), ("", SerialWorker)]
)
def test_threads_serve_one_after_the_other_on_sqlite_only(monkeypatch, url, kind):
    for name, value in {"DATABASE_URL": url, "ADMIN_KEY": ADMIN_KEY, "SECRET_KEY": SECRET_KEY}.items():
        monkeypatch.setenv(name, value)
    assert runpy.run_path("gunicorn.conf.py")["worker_class"] is kind


def test_one_thread_serves_one_request_after_the_other_while_none_takes_long(monkeypatch):
    stop_the_clock(monkeypatch)
    app = Threads()
    with with_held(app, 1) as (served, [first]):
        others = [served.connect() for _ in range(3)]
        for number, client in enumerate(others):
            client.send(get(f"/{number}"))
        assert others[0].hears_nothing(0.3)
        app.held.free.release()
        assert [client.read()[1] for client in (first, *others)] == [b"hello"] * 4
    assert len(set(app.served.values())) == 1


def test_when_a_request_takes_long_another_thread_serves():
    app = Threads()
    with with_held(app, 3) as (served, held):
        assert [served.ask() for _ in range(10)] == [b"hello"] * 10
        app.held.free.release(3)
        assert [client.read()[1] for client in held] == [b"hello"] * 3
    assert len({app.served[f"/held/{number}"] for number in range(3)}) == 3


def test_when_all_threads_are_busy_the_next_that_is_done_serves():
    app = Threads()
    with with_held(app, 2, threads=2) as (served, _):
        client = served.connect()
        client.send()
        assert client.hears_nothing(0.3)
        app.held.free.release()
        assert client.read()[1] == b"hello"


def test_who_has_lost_the_lead_stands_by_afterwards(monkeypatch):
    app = Threads()
    with with_held(app, 2) as (served, held):
        stop_the_clock(monkeypatch)
        other = served.connect()
        other.ask(get("/other"))
        app.held.free.release(2)
        assert [client.read()[1] for client in held] == [b"hello"] * 2
        for number in range(10):
            assert held[0].ask(get(f"/{number}")) == b"hello"
    assert {app.served[f"/{number}"] for number in range(10)} == {app.served["/other"]}


def test_a_worker_with_one_thread_serves():
    with serially(hello, threads=1) as served:
        assert [served.ask() for _ in range(3)] == [b"hello"] * 3


class Seen(Leader):
    """A leader that does something as soon as it was looked at."""

    def __init__(self, *seen):
        self.seen = list(seen)

    @property
    def since(self):
        seen = self.seen.pop(0)
        return seen() if callable(seen) else seen


def test_whoever_is_next_and_sees_no_request_looks_again_before_sleeping():
    made = Lead()
    made._leader = Seen(None, 0.0, 0.0)
    assert made.is_of(made.take())


def test_whoever_is_next_does_not_sleep_when_the_lead_was_given_up_just_before():
    def give_up():
        made.give_up(leader)
        return time.monotonic() + TIMEOUT

    made = Lead()
    made._leader = leader = Seen(give_up)
    assert made.is_of(made.take())


def test_a_thread_that_cannot_go_on_leaves_the_lead_to_another_and_the_worker_ends(monkeypatch):
    def lose(made, listener, most):
        if not lost:
            lost.append(threading.get_ident())
            raise MemoryError
        accept(made, listener, most)

    lost, accept = [], Connections._accept
    monkeypatch.setattr(Connections, "_accept", lose)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    app = Threads()
    with serially(app, threads=2) as served:
        # Accepted by whoever is left, unless the worker ends before.
        served.connect()
        assert served.has_ended()
    assert len(lost) == 1


# --- at a stop -----------------------------------------------------------------------------------------


def test_threads_that_stand_by_end_at_a_stop():
    before = set(threading.enumerate())
    with serially(hello) as served:
        served.ask()
        served.worker.stop()
        assert served.has_ended()
        assert set(threading.enumerate()) <= before


def test_while_a_request_takes_long_a_stop_waits_for_it_and_others_are_still_answered(monkeypatch):
    monkeypatch.setattr(epoll, "LINGER", TIMEOUT)
    app = Threads()
    with with_held(app, 1) as (served, [held]):
        kept = served.connect()
        assert kept.ask() == b"hello"
        served.worker.stop()
        wait_until(served.refuses)
        assert kept.ask() == b"hello"
        assert kept.is_closed(within=TIMEOUT)
        assert not served.has_ended(within=0.5)
        app.held.free.release()
        assert held.read()[1] == b"hello"
        held.close()
        assert served.has_ended()


def test_a_request_that_takes_longer_than_a_stop_does_not_keep_the_others_from_ending():
    app = Threads()
    before = set(threading.enumerate())
    with with_held(app, 1, graceful_timeout=1) as (served, _):
        served.worker.stop()
        assert served.has_ended()
        # Its thread would end with the process.
        wait_until(lambda: len(set(threading.enumerate()) - before) == 1)
        app.held.free.release()
        wait_until(lambda: served.worker.connections.idle)
        served.worker.connections.close_idle(until=0)
