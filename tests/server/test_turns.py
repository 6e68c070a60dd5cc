"""A worker whose threads are all busy refuses whoever would wait for too long, and serves others in turn."""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import get_ident

import pytest
from gunicorn.config import Config

from service.admission import MAX_WAIT, Kind
from service.server import turns, waiting
from service.server.connections import Connections
from service.server.turns import Turns
from tests.support.servers import TIMEOUT, wait_until
from tests.support.workers import GET, Held, get, in_the_middle, listening, working

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@contextmanager
def nobody_may_wait():
    """Refuse inside whoever would wait at all: on a slow machine also whoever waits for a free thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "FEW", 0)
        for kind in (Kind.CALL, Kind.LOGIN):
            patch.setitem(MAX_WAIT, kind, -1.0)
        yield


def test_while_all_threads_are_busy_whoever_would_wait_for_too_long_is_refused():
    with in_the_middle() as (served, first, app):
        client = served.connect()
        with nobody_may_wait():
            client.send()
            assert client.read()[0] == 503
        app.free.release()
        assert first.read()[0] == 200


@pytest.mark.parametrize("sent", [GET, POST], ids=["without a body", "with one"])
def test_a_connection_is_kept_after_a_refusal_and_served_later(sent):
    with in_the_middle() as (served, first, app):
        client = served.connect()
        with nobody_may_wait():
            client.send(sent)
            assert client.read()[::2] == (503, False)
        app.free.release(2)
        first.read()
        assert client.ask(sent) == b"hello"


@pytest.mark.parametrize(
    "sent",
    [CHUNKED, GET + GET, GET.replace(b"1.1", b"1.0"), b"nonsense\r\n\r\n"],
    ids=["chunks", "two at once", "of old", "no request"],
)
def test_a_connection_on_which_more_may_come_of_it_is_closed_after_a_refusal(sent):
    with in_the_middle() as (served, first, app):
        client = served.connect()
        with nobody_may_wait():
            client.send(sent)
            assert client.read()[::2] == (503, True)
        assert client.is_closed(within=TIMEOUT)
        app.free.release()
        first.read()


def test_who_hangs_up_while_all_threads_are_busy_is_not_counted_as_refused():
    with in_the_middle() as (served, first, app):
        silent = served.connect()
        other = served.connect()
        with nobody_may_wait():
            silent.close()
            other.send()
            assert other.read()[0] == 503
        assert sum(served.worker.turns._refusals._refused.values()) <= 1
        app.free.release()
        first.read()


def test_whether_all_is_well_is_answered_before_those_who_came_earlier():
    with in_the_middle() as (served, first, app):
        clients = [served.connect() for _ in range(5)]
        for client in clients:
            client.send(get("/call"))
        served.connect().send(get("/healthz"))
        served.connect()
        assert clients[0].hears_nothing(0.6)
        app.free.release(7)
        first.read()
        assert [client.read()[0] for client in clients] == [200] * 5
    assert app.served.index("/healthz") <= 2


def test_who_waits_for_too_long_nevertheless_is_refused(monkeypatch):
    with in_the_middle() as (served, first, app):
        monkeypatch.setattr(waiting, "TOO_LATE", 0.0)
        monkeypatch.setattr(waiting, "FEW", 0)
        client = served.connect()
        client.send()
        assert client.read()[0] == 503
        app.free.release()
        first.read()


def test_what_waits_in_a_line_is_shared_by_threads_that_are_free():
    app = Held()
    with working(app, threads=2) as served:
        held = [served.connect() for _ in range(2)]
        for client in held:
            client.send(get("/held"))
            app.begun.acquire()
        clients = [served.connect() for _ in range(4)]
        for client in clients:
            client.send(get("/next"))
        assert clients[0].hears_nothing(0.6)
        app.free.release(1)
        app.begun.acquire()
        app.free.release(1)
        app.begun.acquire()
        app.free.release(4)
        assert [client.read()[0] for client in (*held, *clients)] == [200] * 6


def test_only_some_are_refused_before_the_next_is_served(monkeypatch):
    monkeypatch.setattr(turns, "REFUSED", 1)
    listener = listening()
    made = Connections(Config(), [listener], 10)
    with ExitStack() as stack:
        for path in ("/1", "/healthz", "/2", "/3"):
            client = stack.enter_context(socket.create_connection(listener.getsockname()))
            client.sendall(get(path))
        ready = []
        while len(ready) < 4:
            ready += made.poll(1, waits=True)[0]
        worker = Turns(made, 4)
        with nobody_may_wait():
            worker._line_up(ready)

        assert worker.next().sock.received == get("/healthz")
        assert len(worker._refused) == 2
        for connection in ready:
            connection.close()
    made.refuse()


def test_a_thread_that_waits_is_woken_by_one_who_leaves_others_in_a_line():
    listener = listening()
    made = Connections(Config(), [listener], 10)
    worker = Turns(made, 2)
    with ExitStack() as stack, ThreadPoolExecutor(1) as other:
        for path in ("/1", "/2"):
            client = stack.enter_context(socket.create_connection(listener.getsockname()))
            client.sendall(get(path))
        ready = []
        while len(ready) < 2:
            ready += made.poll(1, waits=True)[0]
        next_of_another = other.submit(worker.next)
        wait_until(lambda: worker._idle)
        worker._line_up(ready)

        assert worker._take().sock.received == get("/1")
        assert next_of_another.result().sock.received == get("/2")
        for connection in ready:
            connection.close()
    made.refuse()


class Clock:
    """Time that passes while somebody sleeps."""

    def __init__(self):
        self.now, self.while_asleep = 100.0, []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        for look in self.while_asleep:
            look()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(turns, "time", clock)
    return clock


@pytest.fixture
def busy(clock):
    """Turns of 4 threads, of which two keep a processor busy, and one other has just begun with a request."""
    worker = Turns(None, 4)
    worker._most = 2
    worker._began = {1: clock.now}
    return worker


def test_a_thread_serves_while_fewer_others_do_than_keep_a_processor_busy(clock, busy):
    busy._rest()

    assert clock.now == 100.0
    assert len(busy._began) == 2


def test_a_thread_rests_and_is_not_counted_until_another_takes_long(clock, busy):
    busy._rest()
    busy._began[2] = clock.now
    counts = []
    clock.while_asleep.append(lambda: counts.append(len(busy._began)))
    busy._rest()

    assert clock.now > 100.0
    assert set(counts) == {2}
    assert busy._began.keys() == {1, 2, get_ident()}


def test_nobody_rests_while_more_threads_are_of_use(clock, busy):
    busy._began[2] = clock.now
    busy._most = 4
    busy._rest()

    assert clock.now == 100.0


def test_a_thread_rests_no_longer_than_until_more_are_of_use(clock, busy):
    busy._began[2] = clock.now

    def more_are_of_use():
        busy._began[2], busy._most = clock.now, 4

    clock.while_asleep.append(more_are_of_use)
    busy._rest()

    assert clock.now == 100.0 + turns.LONG


def counted(worker, *looks):
    """How many threads serve at most after each look, at a time and by how many seconds were asked for."""
    most = []
    for now, wanted in looks:
        worker._count_threads(now, wanted)
        most.append(worker._most)
    return most


def test_one_thread_serves_as_long_as_it_keeps_a_processor_busy():
    worker = Turns(None, 4)
    # Somebody waits for requests, so there are none that wait for a thread.
    worker._idle = 1
    looks = (1.0, 1.0), (2.0, 1.95), (3.0, 2.7), (4.0, 3.3), (5.0, 4.1), (6.0, 5.0)

    assert counted(worker, *looks) == [1, 1, 1, 4, 4, 1]


def test_all_threads_serve_for_a_while_after_one_was_too_few():
    worker = Turns(None, 4)
    looks = (1.0, 1.0), (2.0, 1.5), (3.0, 2.5), (6.9, 7.0), (7.0, 7.1)

    assert counted(worker, *looks) == [1, 4, 4, 4, 1]
