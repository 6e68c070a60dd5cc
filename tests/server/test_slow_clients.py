"""A request that comes slowly keeps no thread, and nobody may take for ever over one."""

import fcntl
import json
import secrets
import socket
import struct
import tempfile
import termios
import time

import pytest

from service import threads
from service.admission import MAX_WAIT, Kind
from service.model.errors import Busy, FilesUnavailable
from service.server import connections, epoll, spool, waiting
from service.server.client import CONTINUE, TooSlow
from service.server.framing import LIMIT
from tests.support.servers import TIMEOUT, wait_until
from tests.support.workers import GET, hello, in_the_middle, working

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
WAITING = POST[:-9] + b"\r\nExpect: 100-continue\r\n\r\n"
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


def test_who_sends_a_lot_may_take_as_long_as_that_does(monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE", 0)
    # Whoever is slow here has as long as a slow machine takes.
    monkeypatch.setattr(connections, "LEAST", LIMIT // 128)
    monkeypatch.setattr(connections, "SILENCE", 10 * TIMEOUT)
    with working(echo) as served:
        client = served.connect()
        client.send(LARGE + bytes(LIMIT // 2))
        begun = served.worker.connections.begun
        wait_until(lambda: [one.sock.gathered for one in list(begun.values())] == [LIMIT // 2])
        (connection,) = begun.values()
        assert connection.timeout - connection.sock.began == LIMIT / 2 / connections.LEAST
        client.send(bytes(LIMIT // 2))
        assert client.read()[1] == bytes(LIMIT)


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
        for _ in range(2):
            client.send(WAITING)
            assert client.socket.recv(1000) == CONTINUE
            assert served.connect().ask(POST) == b"hello"
            client.send(b"hello")
            assert client.read() == (200, b"hello", False)


def test_who_waits_for_us_and_is_refused_is_not_told_to_go_on():
    with working(hello) as served:
        client = served.connect()
        client.send(WAITING)
        assert client.read() == (200, b"hello", True)
        assert client.is_closed(within=TIMEOUT)


def test_who_says_it_waits_for_us_and_does_not_is_told_nothing():
    with working(echo) as served:
        assert served.connect().ask(WAITING + b"hello") == b"hello"


@pytest.mark.parametrize("framing", ["Content-Length", "Transfer-Encoding"])
def test_200_clients_that_send_large_bodies_byte_by_byte_hold_up_nobody(framing, monkeypatch):
    # On a slow machine the last would wait for too long, and the first fall silent meanwhile.
    monkeypatch.setitem(MAX_WAIT, Kind.CALL, float("inf"))
    monkeypatch.setattr(waiting, "TOO_LATE", float("inf"))
    for name in ("SILENCE", "PATIENCE"):
        monkeypatch.setattr(connections, name, 10 * TIMEOUT)
    is_chunked = framing == "Transfer-Encoding"
    head = f"POST / HTTP/1.1\r\nHost: x\r\n{framing}: {'chunked' if is_chunked else 2**20}\r\n\r\n".encode()
    with working(echo, threads=1) as served:
        slow = [served.connect() for _ in range(200)]
        for client in slow:
            client.send(head)
        wait_until(has_begun(served, len(slow)))
        quick = served.connect()
        for _ in range(5):
            for client in slow:
                client.send(b"1\r\nx\r\n" if is_chunked else b"x")
            assert quick.ask(POST) == b"hello"
            assert served.connect().ask(CHUNKED) == b"hello"
            assert served.connect().ask(LARGE + bytes(LIMIT)) == bytes(LIMIT)
        wait_until(has_begun(served, len(slow)))


@pytest.mark.parametrize("size", [100, LIMIT, 1 << 20])
@pytest.mark.parametrize("framing", ["Content-Length", "Transfer-Encoding"])
def test_a_large_body_that_comes_in_parts_is_served_once_it_is_there_and_what_follows_after_it(framing, size):
    def app(environ, start):
        served_paths.append(environ["PATH_INFO"])
        return echo(environ, start)

    served_paths = []
    body = secrets.token_bytes(LIMIT + size)
    half = len(body) // 2
    if framing == "Content-Length":
        head = b"POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        parts = [head, body[:half], body[half:]]
    else:
        head = b"POST /large HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunks = [b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:])]
        parts = [head, chunks[0], chunks[1] + b"0\r\nX: y\r\n\r\n"]
    with working(app) as served:
        client = served.connect()
        for part in parts[:-1]:
            client.send(part)
            wait_until(has_begun(served))
        client.send(parts[-1] + POST + POST)
        assert client.read() == (200, body, False)
        assert [client.read()[1] for _ in range(2)] == [b"hello"] * 2
        wait_until(lambda: served.worker.connections._room._files == 0)
    # Once when its head was there, and once when all of it was.
    assert served_paths[:2] == ["/large"] * 2
    assert served_paths.count("/large") == 2


def test_a_large_body_of_which_all_is_there_when_it_is_wanted_is_served_at_once():
    def app(environ, start):
        assert threads.has_body(most=10 * LIMIT)
        served_paths.append(environ["PATH_INFO"])
        return echo(environ, start)

    served_paths = []
    body = secrets.token_bytes(3 * LIMIT)
    with in_the_middle() as (served, first, held):
        served.worker.wsgi = app
        client = served.connect()
        client.send(LARGE.replace(b"%d" % LIMIT, b"%d" % len(body)) + body)
        # All is with the kernel before the only thread looks.
        wait_until(lambda: is_unsent(client.socket) == 0)
        held.free.release()
        assert first.read()[1] == b"hello"
        assert client.read() == (200, body, False)
    assert served_paths == ["/"]


def is_unsent(connection):
    """Return how many bytes of what was sent the other side's kernel does not have yet."""
    return struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0]


def asking(most):
    """An application that takes so many bytes."""

    def app(environ, start):
        try:
            if threads.has_body(most):
                return echo(environ, start)
            status = "413 Content Too Large"
        except TimeoutError:
            status = "408 Request Timeout"
        except FilesUnavailable:
            status = "507 Insufficient Storage"
        except Busy:
            status = "503 Service Unavailable"
        start(status, [("Content-Length", "0")])
        return []

    return app


def test_a_body_is_refused_as_soon_as_it_is_too_large_though_it_goes_on():
    with working(asking(most=LIMIT)) as served:
        client = served.connect()
        client.send(CHUNKED[: CHUNKED.index(b"2\r\n")])
        wait_until(has_begun(served))
        client.send(b"%x\r\n%b\r\n1\r\nx" % (LIMIT, bytes(LIMIT)))
        assert client.read() == (413, b"", True)


def test_a_body_that_does_not_come_in_time_is_refused_by_whoever_reads_it(monkeypatch):
    monkeypatch.setattr(connections, "SILENCE", 0.1)
    with working(asking(most=2 * LIMIT)) as served:
        client = served.connect()
        client.send(LARGE + b"x")
        assert client.read() == (408, b"", True)


@pytest.mark.parametrize(("name", "most"), [("MAX_FILES", 1), ("MAX_BYTES", LIMIT)])
def test_what_there_is_no_room_for_is_refused_until_others_have_gone(monkeypatch, name, most):
    monkeypatch.setattr(spool, name, most)
    head = LARGE.replace(b"%d" % LIMIT, b"%d" % (4 * LIMIT))
    with working(asking(most=4 * LIMIT)) as served:
        room = served.worker.connections._room
        first, second, third = [served.connect() for _ in range(3)]
        first.send(head + bytes(2 * LIMIT))
        wait_until(lambda: room._bytes >= LIMIT)
        second.send(head + bytes(2 * LIMIT))
        assert second.read() == (503, b"", True)
        third.send(GET[:-2] + b"X: y\r\n" * 5000)
        status, body, _ = third.read()
        assert (status, json.loads(body)["code"]) == (503, "busy")
        # However much there is of it: nobody else has anything there.
        first.send(bytes(2 * LIMIT))
        assert first.read()[1] == bytes(4 * LIMIT)
        assert served.connect().ask(head + bytes(4 * LIMIT)) == bytes(4 * LIMIT)
        wait_until(lambda: (room._files, room._bytes) == (0, 0))


def test_where_no_file_can_be_made_what_is_large_is_refused(monkeypatch):
    with working(asking(most=4 * LIMIT)) as served:
        monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
        client = served.connect()
        client.send(LARGE.replace(b"%d" % LIMIT, b"%d" % (4 * LIMIT)) + bytes(2 * LIMIT))
        assert client.read() == (507, b"", True)
        client = served.connect()
        client.send(GET[:-2] + b"X: y\r\n" * 5000)
        assert client.read()[0] == 503
        assert served.worker.connections._room._files == 0
        assert served.ask() == b""


@pytest.mark.parametrize("linger", [None, struct.pack("ii", 1, 0)], ids=["hangs up", "vanishes"])
def test_of_who_goes_in_the_middle_of_a_large_body_nothing_is_kept(linger):
    with working(echo) as served:
        room = served.worker.connections._room
        client = served.connect()
        client.send(LARGE.replace(b"%d" % LIMIT, b"%d" % (4 * LIMIT)) + bytes(2 * LIMIT))
        wait_until(lambda: room._bytes >= LIMIT)
        if linger:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.close()
        wait_until(lambda: len(served.worker.connections) == 0)
        assert (room._files, room._bytes) == (0, 0)


@pytest.mark.parametrize(
    ("sent", "more", "status"),
    [(GET[:-2], b"X: y\r\n", 431), (b"GET /", b"12345", 414)],
    ids=["fields", "URL"],
)
def test_a_head_that_is_too_large_is_refused_before_its_end(sent, more, status):
    with working(hello, limit_request_line=0) as served:
        client = served.connect()
        client.send(sent + more * 4000)
        wait_until(has_begun(served))
        client.send(more * 10000)
        assert client.read()[0] == status


def test_a_large_request_that_is_refused_as_it_is_waits_for_nobody():
    with working(echo) as served:
        client = served.connect()
        client.send(CHUNKED[: CHUNKED.index(b"2\r\n")] + b"5;a\r\nhel")
        wait_until(has_begun(served))
        client.send(b"lonely")
        assert client.read()[0] == 400


def test_what_follows_the_last_chunk_has_a_limit():
    with working(echo) as served:
        client = served.connect()
        client.send(CHUNKED[:-2] + b"X: y\r\n" * 3000)
        wait_until(has_begun(served))
        client.send(b"X: y\r\n" * 9000)
        assert client.read()[0] == 400


def test_what_is_read_after_the_answer_has_begun_is_not_waited_for():
    def app(environ, start):
        write = start("200 OK", [("Content-Length", "5")])
        write(b"hel")
        assert not environ["wsgi.input"].read()
        return [b"lo"]

    with working(app) as served:
        client = served.connect()
        client.send(LARGE)
        assert client.read()[1] == b"hello"


def test_who_is_answered_before_all_was_sent_may_go_on_and_hears_the_answer_and_keeps_no_thread(
    monkeypatch,
):
    monkeypatch.setattr(connections, "GOODBYE", 10 * TIMEOUT)
    with working(hello) as served:
        client = served.connect()
        client.send(LARGE)
        wait_until(lambda: served.worker.connections.parting)
        client.send(b"x")
        assert served.connect().ask(POST) == b"hello"
        client.send(b"x")
        assert client.read() == (200, b"hello", True)
        assert client.is_closed(within=TIMEOUT)
        client.close()
        wait_until(lambda: not served.worker.connections.parting)


@pytest.mark.parametrize("linger", [None, struct.pack("ii", 1, 0)], ids=["hangs up", "vanishes"])
def test_who_goes_after_the_last_answer_is_forgotten_at_once(monkeypatch, linger):
    monkeypatch.setattr(connections, "GOODBYE", 10 * TIMEOUT)
    with working(hello) as served:
        client = served.connect()
        client.send(LARGE)
        assert client.read()[0] == 200
        wait_until(lambda: served.worker.connections.parting)
        if linger:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.close()
        wait_until(lambda: len(served.worker.connections) == 0)


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


@pytest.mark.parametrize(
    "sent", [GET[:-1], POST[:-1], CHUNKED[:-1], POST + POST[:-1], LARGE + b"x", b"\x16\x03\x01"]
)
def test_who_falls_silent_in_the_middle_is_refused_long_before_who_is_idle(monkeypatch, sent):
    monkeypatch.setattr(connections, "SILENCE", 0.1)
    with working(echo) as served:
        idle, client = served.connect(), served.connect()
        client.send(sent)
        if sent.startswith(POST + POST[:1]):
            assert client.read()[1] == b"hello"
        status, body, is_last = client.read()
        assert (status, json.loads(body)["code"], is_last) == (408, "too-slow", True)
        assert client.is_closed(within=TIMEOUT)
        assert idle.ask(POST) == b"hello"


@pytest.mark.parametrize("sent", [GET[:-2], LARGE, CHUNKED[:-5]], ids=["head", "body", "chunks"])
def test_who_goes_on_sending_is_refused_in_the_end(monkeypatch, sent):
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    monkeypatch.setattr(connections, "LEAST", 2**40)
    with working(echo) as served:
        client = served.connect()
        client.send(sent)
        while client.hears_nothing(0.05):
            client.send(b"1\r\nx\r\n" if sent in CHUNKED else b"X: y\r\n")
        assert client.read()[0] == 408


def test_who_does_not_even_read_is_closed_without_an_answer():
    with working(hello) as served:
        client = served.connect()
        client.send(POST[:-1])
        wait_until(has_begun(served))
        (connection,) = served.worker.connections.begun.values()
        connection.sock.refusal = TooSlow()
        connection.timeout = 0
        wait_until(lambda: len(served.worker.connections) == 0)
        assert client.is_closed(within=TIMEOUT)


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
def test_a_request_that_has_begun_before_a_stop_is_answered_if_the_rest_comes(request_, body, monkeypatch):
    monkeypatch.setattr(epoll, "LINGER", 0.2)
    with working(echo) as served:
        client = served.connect()
        client.send(request_[:-1])
        wait_until(has_begun(served))
        served.worker.stop()
        # Longer than a connection may be idle then.
        assert not served.has_ended(within=1)
        client.send(request_[-1:])
        assert client.read() == (200, body, True)
        assert served.has_ended()


def test_a_request_that_has_begun_delays_a_stop_no_longer_than_its_client_may_say_nothing(monkeypatch):
    monkeypatch.setattr(epoll, "LINGER", 0)
    with working(echo) as served:
        client = served.connect()
        client.send(POST[:-1])
        wait_until(has_begun(served))
        (connection,) = served.worker.connections.begun.values()
        connection.timeout = time.monotonic() + 1
        served.worker.stop()
        assert served.has_ended()
        assert client.read()[0] == 408


def test_a_request_that_has_begun_delays_a_stop_no_longer_than_the_time_for_it(monkeypatch):
    monkeypatch.setattr(connections, "SILENCE", connections.PATIENCE)
    with working(echo, graceful_timeout=1) as served:
        client = served.connect()
        client.send(POST[:-1])
        wait_until(has_begun(served))
        began = time.monotonic()
        served.worker.stop()
        assert served.has_ended()
        assert client.is_closed(within=TIMEOUT)
        assert time.monotonic() - began < connections.PATIENCE
