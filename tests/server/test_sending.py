"""What a worker sends: the head of a response together with what comes after it, and nothing too late."""

import secrets
import socket
import struct
import threading

from gunicorn.workers import gthread

from service.server.framing import LIMIT
from tests.support.servers import TIMEOUT
from tests.support.workers import GET, hello, in_the_middle, working


def test_an_answer_does_not_wait_for_a_body_that_nobody_reads(monkeypatch):
    # As long as gunicorn would wait for the rest, and so longer than we for the answer.
    monkeypatch.setattr(gthread, "DEFAULT_WORKER_DATA_TIMEOUT", 2 * TIMEOUT)
    with working(hello) as served:
        client = served.connect()
        client.send(GET[:-2] + b"Content-Length: %d\r\n\r\n" % LIMIT)
        assert client.read()[1] == b"hello"


def test_a_file_comes_after_its_head(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(1 << 18))

    def app(environ, start):
        start("200 OK", [("Content-Length", str(1 << 18))])
        return environ["wsgi.file_wrapper"](path.open("rb"))

    with working(app) as served:
        client = served.connect()
        assert [client.ask() for _ in range(2)] == [bytes(1 << 18)] * 2


def test_a_large_answer_arrives_as_it_is():
    body = secrets.token_bytes(1 << 22)

    def app(_environ, start):
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body[:10], body[10 : 1 << 20], body[1 << 20 :]]

    with working(app) as served:
        client = served.connect()
        assert [client.ask() for _ in range(2)] == [body] * 2


def test_what_has_a_head_only_arrives():
    def app(_environ, start):
        start("200 OK", [("Content-Length", "0")])
        return []

    with working(app) as served:
        client = served.connect()
        assert [client.ask() for _ in range(2)] == [b""] * 2


def test_what_is_made_bit_by_bit_arrives_bit_by_bit():
    free = threading.Semaphore(0)

    def app(_environ, start):
        start("200 OK", [("Content-Length", "2")])
        yield b"a"
        free.acquire()
        yield b"b"

    with working(app) as served:
        client = served.connect()
        client.send()
        heard = b""
        while not heard.endswith(b"\r\n\r\na"):
            heard += client.socket.recv(1)
        free.release()
        assert client.socket.recv(2) == b"b"


def test_who_sends_its_last_request_is_answered():
    with working(hello) as served:
        client = served.connect()
        client.send(GET + GET)
        client.socket.shutdown(socket.SHUT_WR)
        assert [client.read()[1] for _ in range(2)] == [b"hello"] * 2
        assert client.is_closed(within=TIMEOUT)


def test_who_vanishes_before_the_answer_harms_nobody():
    with in_the_middle() as (served, client, app):
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        app.free.release(2)
        assert served.ask() == b"hello"
