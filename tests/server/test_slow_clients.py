"""A request that comes slowly keeps no thread, and nobody may take for ever over one."""

import socket
import struct
import time

import pytest

from service.server import client as client_module
from service.server import connections
from service.server.framing import LIMIT
from tests.support.servers import TIMEOUT, wait_until
from tests.support.workers import GET, hello, working

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
LARGE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % LIMIT

# With the one thread that a worker has here, whoever kept it would keep everybody from being served.
REQUESTS = [
    pytest.param(GET, b"", id="head"),
    pytest.param(POST, b"hello", id="body"),
    pytest.param(CHUNKED, b"hello", id="chunks"),
]


def echo(environ, start):
    body = environ["wsgi.input"].read()
    start("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def has_begun(served, count=1):
    return lambda: len(served.worker.connections.begun) == count


@pytest.mark.parametrize(("request_", "body"), REQUESTS)
def test_what_comes_byte_by_byte_is_served_when_it_is_there(request_, body):
    with working(echo) as served:
        slow, quick = served.connect(), served.connect()
        slow.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):
            for at in range(len(request_)):
                slow.send(request_[at : at + 1])
                assert quick.ask(POST) == b"hello"
            assert slow.read() == (200, body, False)


def test_many_slow_clients_hold_up_nobody():
    with working(echo, threads=4) as served:
        clients = [served.connect() for _ in range(50)]
        for client in clients:
            client.send(POST[:-1])
        wait_until(has_begun(served, 50))
        assert served.connect().ask(POST) == b"hello"
        for client in clients:
            client.send(POST[-1:])
        assert [client.read()[1] for client in clients] == [b"hello"] * 50


@pytest.mark.parametrize(("request_", "body"), REQUESTS)
def test_a_part_of_a_request_behind_another_keeps_no_thread(request_, body):
    with working(echo) as served:
        client = served.connect()
        client.send(POST + POST + request_[:-1])
        assert [client.read()[1] for _ in range(2)] == [b"hello"] * 2
        assert served.connect().ask(POST) == b"hello"
        client.send(request_[-1:] + POST)
        assert [client.read()[1] for _ in range(2)] == [body, b"hello"]


def test_as_many_requests_as_are_kept_at_once_are_all_answered():
    count = 2 * LIMIT // len(POST)
    with working(echo) as served:
        client = served.connect()
        client.send(POST * count)
        assert [client.read()[1] for _ in range(count)] == [b"hello"] * count


@pytest.mark.parametrize("size", [LIMIT - 200, LIMIT, 20 * LIMIT])
def test_a_body_arrives_as_it_is_whether_it_is_kept_or_not(size):
    body = bytes(at % 251 for at in range(size))
    with working(echo) as served:
        client = served.connect()
        for _ in range(2):
            assert (
                client.ask(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + body) == body
            )


def test_who_takes_too_long_over_a_request_that_has_a_thread_loses_it(monkeypatch):
    monkeypatch.setattr(client_module, "PATIENCE", 0)
    with working(echo) as served:
        slow = served.connect()
        slow.send(LARGE)
        time.sleep(0.01)
        slow.send(b"h")
        assert slow.socket.recv(1000) == b""
        assert served.connect().ask(POST) == b"hello"


def test_who_sends_a_lot_may_take_as_long_as_that_does(monkeypatch):
    monkeypatch.setattr(client_module, "PATIENCE", 0)
    monkeypatch.setattr(client_module, "LEAST", 0)
    with working(echo) as served:
        slow = served.connect()
        slow.send(LARGE)
        for _ in range(4):
            slow.send(bytes(LIMIT // 4))
        assert slow.read()[1] == bytes(LIMIT)


def test_what_is_too_large_to_be_kept_is_refused_before_it_is_there():
    def refuse(_environ, start):
        start("413 Content Too Large", [("Content-Length", "0")])
        return []

    with working(refuse) as served:
        client = served.connect()
        client.send(LARGE)
        assert client.read()[0] == 413


def test_who_waits_for_us_is_told_to_go_on():
    with working(echo) as served:
        client = served.connect()
        client.send(POST[:-9] + b"\r\nExpect: 100-continue\r\n\r\n")
        assert client.socket.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"hello")
        assert client.read()[1] == b"hello"


@pytest.mark.parametrize("garbage", [b"nonsense\r\n", b"nonsense\n", b"get / HTTP/1.1\r\n"])
def test_what_is_no_request_is_refused_at_once(garbage):
    with working(hello) as served:
        client = served.connect()
        client.send(garbage)
        assert client.read()[0] == 400
        assert served.ask() == b"hello"


@pytest.mark.parametrize("linger", [None, struct.pack("ii", 1, 0)], ids=["hangs up", "vanishes"])
@pytest.mark.parametrize(("request_", "_body"), REQUESTS)
def test_who_goes_in_the_middle_is_forgotten(request_, _body, linger):
    with working(echo) as served:
        client = served.connect()
        client.send(request_[:-1])
        wait_until(has_begun(served))
        if linger:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.close()
        wait_until(lambda: len(served.worker.connections) == 0)
        assert served.connect().ask(POST) == b"hello"


@pytest.mark.parametrize("sent", [GET[:-1], POST[:-1], CHUNKED[:-1], POST + POST[:-1], b"\x16\x03\x01"])
def test_who_falls_silent_in_the_middle_is_closed_long_before_who_is_idle(monkeypatch, sent):
    monkeypatch.setattr(connections, "SILENCE", 0.1)
    with working(echo) as served:
        idle, client = served.connect(), served.connect()
        client.send(sent)
        if sent.startswith(POST + POST[:1]):
            assert client.read()[1] == b"hello"
        assert client.is_closed(within=TIMEOUT)
        assert idle.ask(POST) == b"hello"


def test_who_goes_on_sending_is_closed_in_the_end(monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    with working(hello) as served:
        client = served.connect()
        client.send(GET[:-2])

        def is_closed():
            try:
                client.send(b"X: y\r\n")
            except (BrokenPipeError, ConnectionResetError):
                return True
            return False

        wait_until(is_closed)


def test_each_byte_gives_a_client_more_time_and_each_request_all_of_it():
    with working(hello) as served:
        client = served.connect()
        client.send(GET[:1])
        wait_until(has_begun(served))
        (connection,) = served.worker.connections.begun.values()
        before, began = connection.timeout, connection.sock.began
        client.send(GET[1:2])
        wait_until(lambda: connection.timeout > before)
        assert connection.sock.began == began
        assert client.ask(GET[2:] + GET[:1]) == b"hello"
        wait_until(has_begun(served))
        assert connection.sock.began > began


# --- at a stop -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("request_", "body"), REQUESTS)
def test_a_request_that_has_begun_before_a_stop_is_answered_if_the_rest_comes(request_, body):
    with working(echo) as served:
        client = served.connect()
        client.send(request_[:-1])
        wait_until(has_begun(served))
        served.worker.stop()
        # Longer than a connection may be idle then.
        assert not served.has_ended(within=3)
        client.send(request_[-1:])
        assert client.read() == (200, body, True)
        assert served.has_ended()


def test_a_request_that_has_begun_delays_a_stop_no_longer_than_its_client_may_say_nothing(monkeypatch):
    monkeypatch.setattr(connections, "SILENCE", 3)
    with working(echo) as served:
        client = served.connect()
        client.send(POST[:-1])
        wait_until(has_begun(served))
        served.worker.stop()
        assert served.has_ended()
        assert client.is_closed(within=1)


def test_a_request_that_has_begun_delays_a_stop_no_longer_than_the_time_for_it():
    with working(echo, graceful_timeout=1) as served:
        client = served.connect()
        client.send(POST[:-1])
        wait_until(has_begun(served))
        began = time.monotonic()
        served.worker.stop()
        assert served.has_ended()
        assert client.is_closed(within=1)
        assert time.monotonic() - began < connections.SILENCE
