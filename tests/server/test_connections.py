"""A worker's threads wait for connections themselves: each has one thread at a time, and none while it is
silent."""

import errno
import os
import select
import socket
import struct
import time

import pytest
from gunicorn.config import Config

from service import threads
from service.server import connections
from service.server.connections import Connections
from service.server.turns import Turns
from tests.support.servers import TIMEOUT, wait_until
from tests.support.workers import GET, Held, get, hello, listening, working

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
# How far the kernel's clock may be from ours, in seconds.
SLACK = 0.5


def test_requests_are_answered_on_a_connection_that_is_kept():
    with working(hello) as served:
        client = served.connect()
        assert [client.ask() for _ in range(3)] == [b"hello"] * 3


def test_who_connects_and_sends_nothing_takes_no_thread():
    with working(hello) as served:
        silent = [served.connect() for _ in range(20)]
        assert served.ask() == b"hello"
        assert silent[-1].ask() == b"hello"


@pytest.mark.parametrize("asks", [False, True], ids=["who sends nothing", "who has been answered"])
def test_an_idle_connection_is_closed_after_a_while(asks):
    def app(environ, start):
        # From its answer on; until then it may have as long as it takes.
        vars(served.worker.cfg)["keepalive"] = 1
        return hello(environ, start)

    with working(app, keepalive=TIMEOUT if asks else 1) as served:
        began, client = time.monotonic(), served.connect()
        if asks:
            client.ask()
        assert client.is_closed(within=TIMEOUT)
        assert time.monotonic() - began > 0.9


def test_a_connection_is_as_long_idle_as_its_last_request_is_ago():
    with working(hello, keepalive=2) as served:
        client, other = served.connect(), served.connect()
        wait_until(lambda: client.ask() == b"hello" and other.is_closed(within=0.1))
        assert client.ask() == b"hello"


def test_there_are_never_more_connections_than_allowed_and_again_some_when_others_have_gone():
    with working(hello, worker_connections=3) as served:
        first, _, _ = [served.connect() for _ in range(3)]
        fourth = served.connect()
        fourth.send()
        assert fourth.hears_nothing(1.5)
        first.close()
        assert fourth.read()[1] == b"hello"


def test_who_is_asked_for_while_the_last_is_accepted_waits():
    class AskedForAgain(FullListener):
        def accept(self):
            made.listen()
            return super().accept()

    listener = AskedForAgain(None)
    made = Connections(Config(), [listener], 1)
    with (
        socket.create_connection(listener.getsockname()) as first,
        socket.create_connection(listener.getsockname()),
    ):
        first.sendall(GET)
        connection = Turns(made, 4).next()
        made.end()
        assert Turns(made, 4).next() is None
        assert len(made) == 1
        connection.close()
    made.refuse()


def test_where_almost_all_connections_are_idle_an_answer_is_the_last():
    with working(hello, worker_connections=3) as served:
        silent = [served.connect(), served.connect()]
        client = served.connect()
        client.send()
        assert client.read() == (200, b"hello", True)
        assert silent[0].ask() == b"hello"


def test_requests_that_were_sent_at_once_are_answered_in_their_order_and_others_in_between():
    app = Held()
    with working(app) as served:
        eager, other = served.connect(), served.connect()
        app.free.release()
        other.ask(get("/other"))
        app.begun.acquire()
        eager.send(get("/1") + get("/2") + get("/3"))
        app.begun.acquire()
        other.send(get("/other"))
        # Until it is there.
        time.sleep(0.2)
        app.free.release(4)
        assert [eager.read()[0] for _ in range(3)] == [200] * 3
        assert other.read()[0] == 200
    assert app.served == ["/other", "/1", "/other", "/2", "/3"]


def test_a_body_that_nobody_read_is_no_part_of_the_next_request():
    with working(hello) as served:
        client = served.connect()
        assert [client.ask(POST), client.ask(), client.ask(POST), client.ask()] == [b"hello"] * 4


def test_threads_serve_at_the_same_time_and_never_two_of_them_one_connection():
    app = Held()
    with working(app, threads=2) as served:
        one, two = served.connect(), served.connect()
        one.send(get("/1"))
        app.begun.acquire()
        one.send(get("/1"))
        two.send(get("/2"))
        app.begun.acquire()
        assert not app.begun.acquire(timeout=0.2)
        app.free.release(3)
        assert [one.read()[0], one.read()[0], two.read()[0]] == [200] * 3


def large(_environ, start):
    start("200 OK", [("Content-Length", str(1 << 26))])
    return [bytes(1 << 26)]


@pytest.mark.parametrize("before", [b"", GET], ids=["at first", "after a request"])
def test_who_does_not_read_lets_go_of_the_thread(monkeypatch, before):
    def first_hello(environ, start):
        return (large if environ["REMOTE_PORT"] in stalling else hello)(environ, start)

    stalling = set()
    monkeypatch.setattr(connections, "_SILENCE", struct.pack("ll", 0, 300_000))
    with working(first_hello) as served:
        client = served.connect()
        if before:
            assert client.ask(before) == b"hello"
        stalling.add(str(client.socket.getsockname()[1]))
        client.send()
        time.sleep(0.1)
        assert served.ask() == b"hello"


def test_a_request_knows_how_long_it_has_waited_for_a_thread():
    held = Held()

    def app(environ, start):
        waited[environ["PATH_INFO"]] = threads.waited()
        return held(environ, start)

    waited = {}
    with working(app) as served:
        first, second = served.connect(), served.connect()
        before_first = time.monotonic()
        first.send(get("/first"))
        held.begun.acquire()
        before_second = time.monotonic()
        second.send(get("/second"))
        time.sleep(1)
        held.free.release(2)
        assert second.read()[0] == 200
        after = time.monotonic()
    assert waited["/first"] < before_second - before_first + SLACK
    assert 0.9 < waited["/second"] < after - before_second + SLACK


def test_what_a_request_takes_to_come_is_no_wait_for_a_thread():
    def app(environ, start):
        waited.append(threads.waited())
        return hello(environ, start)

    waited = []
    with working(app) as served:
        client = served.connect()
        client.send(POST[:-1])
        time.sleep(1)
        before = time.monotonic()
        client.send(POST[-1:])
        assert client.read()[1] == b"hello"
        after = time.monotonic()
    assert waited[0] < after - before + SLACK


def test_of_what_does_not_come_over_tcp_nobody_knows_how_long_it_has_waited():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        threads.begin(ours)
    assert threads.waited() == 0


class FullListener(socket.socket):
    """A listener that has an error to tell before it accepts anybody."""

    def __init__(self, error):
        super().__init__()
        self.error = error
        self.bind(("127.0.0.1", 0))
        self.listen()

    def dup(self):
        return self

    def accept(self):
        error, self.error = self.error, None
        if error:
            raise error
        return super().accept()


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(BlockingIOError(), id="another worker was faster"),
        pytest.param(ConnectionAbortedError(), id="the client did not wait"),
        pytest.param(OSError(errno.EMFILE, os.strerror(errno.EMFILE)), id="too many open files"),
    ],
)
def test_who_could_not_be_accepted_is_accepted_later(error):
    with working(hello, FullListener(error)) as served:
        assert served.ask() == b"hello"


@pytest.fixture
def pair():
    """Connections with one in it, which this thread has taken."""
    listener = listening()
    made = Connections(Config(), [listener], 10)
    with socket.create_connection(listener.getsockname()) as client:
        client.sendall(GET)
        taken = Turns(made, 4).next()
        yield made, taken
        taken.close()
    made.refuse()


def test_what_is_told_of_a_connection_that_somebody_else_has_is_not_heeded(pair):
    made, taken = pair
    taken.init()
    made.keep(taken)
    made.idle.clear()
    made.end()

    assert Turns(made, 4).next() is None


def test_a_connection_on_which_nothing_has_come_after_all_is_still_idle(pair):
    made, taken = pair
    made.idle[taken.sock.fileno()] = taken
    made._epoll.modify(taken.sock.fileno(), select.EPOLLOUT | select.EPOLLONESHOT)
    taken.sock.recv(len(GET))
    taken.sock.take_back(b"")
    made.end()

    assert Turns(made, 4).next() is None
    assert list(made.idle) == [taken.sock.fileno()]
    assert not made.begun


class Seen(dict):
    """What somebody else takes something out of as soon as it was looked at."""

    def values(self):
        seen = list(super().values())
        self.clear()
        return seen


def test_a_connection_that_a_thread_has_taken_is_not_closed_as_idle(pair):
    made, taken = pair
    made.idle = Seen({taken.sock.fileno(): taken})

    made.close_idle(until=0)

    assert taken.sock.recv(1) == b"G"


def test_a_connection_that_a_thread_has_taken_is_not_closed_as_unfinished(pair):
    made, taken = pair
    made.begun = Seen({taken.sock.fileno(): taken})

    made.close_begun(until=0)

    assert taken.sock.recv(1) == b"G"


@pytest.mark.parametrize("moment", ["before it is accepted", "after"])
def test_who_connects_while_the_server_stops_harms_no_thread(moment):
    class Stopping(dict):
        """What a thread looks into before it accepts somebody, and puts them into after."""

        def stop(self):
            if not made.stopped:
                made.stopped = True
                made.refuse()
                made.end()

        def pop(self, *args):
            if moment == "before it is accepted":
                self.stop()
            return super().pop(*args)

        def __setitem__(self, *args):
            self.stop()
            super().__setitem__(*args)

    listener = listening()
    made = Connections(Config(), [listener], 10)
    made.idle, made.stopped = Stopping(), False
    with socket.create_connection(listener.getsockname()):
        assert Turns(made, 4).next() is None
    made.close_idle(until=0)
    assert len(made) == 0
