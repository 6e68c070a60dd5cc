"""A worker that is asked to stop answers what was begun and what is on its way, and lets nobody delay it."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psutil
import pytest

from service.server import epoll
from service.server.connections import Connections
from service.store.migrating import migrate
from tests.support.servers import TIMEOUT, serve, wait_until
from tests.support.workers import Client, get, hello, in_the_middle, working

# What idle connections may delay a stop, in seconds, and what a machine that does other things may add.
LINGER, LATE = 2, 15


def test_idle_connections_delay_a_stop_for_a_moment_only():
    with working(hello) as served:
        silent, kept = served.connect(), served.connect()
        kept.ask()
        began = time.monotonic()
        served.worker.stop()
        assert served.has_ended()
        assert time.monotonic() - began < LINGER + LATE
        assert silent.is_closed(within=1)
        assert kept.is_closed(within=1)


def test_without_connections_nothing_delays_a_stop(monkeypatch):
    monkeypatch.setattr(epoll, "LINGER", TIMEOUT)
    with working(hello) as served:
        client = served.connect()
        client.ask()
        client.close()
        began = time.monotonic()
        served.worker.stop()
        assert served.has_ended()
        assert time.monotonic() - began < LATE


def test_a_request_on_its_way_is_answered_with_the_last_answer_of_its_connection(monkeypatch):
    monkeypatch.setattr(epoll, "LINGER", TIMEOUT)
    with working(hello) as served:
        new, kept = served.connect(), served.connect()
        kept.ask()
        served.worker.stop()
        wait_until(served.refuses)
        for client in (new, kept):
            client.send()
            assert client.read() == (200, b"hello", True)
            assert client.is_closed(within=TIMEOUT)


def test_what_was_begun_is_answered_and_nobody_is_accepted_meanwhile():
    with in_the_middle() as (served, client, app):
        served.worker.stop()
        wait_until(served.refuses)
        assert not served.has_ended(within=LINGER + 0.5)
        app.free.release()
        assert client.read() == (200, b"hello", False)
        assert served.has_ended()


def test_what_takes_longer_than_the_time_for_it_ends_with_the_process():
    with in_the_middle(graceful_timeout=1) as (served, _, app):
        served.worker.stop()
        assert served.has_ended(within=1 + LATE)
        # Here the process goes on.
        app.free.release()
        wait_until(lambda: served.worker.connections.idle)
        served.worker.connections.close_idle(until=0)


def test_a_worker_without_its_master_ends():
    with working(hello) as served:
        served.worker.ppid = -1
        assert served.has_ended()


def test_a_worker_that_has_served_as_many_requests_as_it_may_ends():
    with working(hello, max_requests=2) as served:
        client = served.connect()
        client.ask()
        client.send()
        assert client.read() == (200, b"hello", True)
        assert served.has_ended()


def test_an_application_that_wants_to_end_the_process_ends_its_connection_only():
    def app(environ, start):
        if environ["PATH_INFO"] == "/exit":
            raise SystemExit
        return hello(environ, start)

    with working(app) as served:
        client = served.connect()
        client.send(get("/exit"))
        assert client.is_closed(within=TIMEOUT)
        assert served.ask() == b"hello"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_has_lost_a_thread_ends(monkeypatch):
    def lose(*_):
        raise MemoryError

    monkeypatch.setattr(Connections, "_accept", lose)
    with working(hello, threads=2) as served:
        served.connect()
        assert served.has_ended()


# --- as a platform does it -----------------------------------------------------------------------------


@pytest.fixture
def server(databases):
    """A server of one worker, whose end without an error is part of the test."""
    url = databases.fresh("sqlite")
    migrate(url)
    with serve(url, workers=1) as server:
        yield server


@pytest.fixture
def half_a_login(server):
    """A request whose body never comes, which a thread looked at and gave up for now."""
    key = server.tenant().sk
    with closing(Client(("127.0.0.1", server.port))) as client:
        client.send(
            b"POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
            b"Expect: 100-continue\r\nAuthorization: Bearer %b\r\n\r\n" % key.encode()
        )
        assert client.socket.recv(1000).startswith(b"HTTP/1.1 100 ")
        yield client


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT], ids=["SIGQUIT", "SIGINT"])
def test_a_server_that_has_to_end_at_once_waits_for_nobody(server, half_a_login, number):
    began = time.monotonic()
    server.process.send_signal(number)
    assert server.process.wait(TIMEOUT) == 0
    assert time.monotonic() - began < LATE


def test_a_worker_whose_master_was_killed_ends(server):
    (worker,) = psutil.Process(server.process.pid).children()
    with closing(server.connect()) as kept:
        kept.open("/healthz")
        server.process.kill()
        worker.wait(TIMEOUT)
    # The fixture has a server that ends without an error.
    server.process.wait()
    server.process.returncode = 0


def test_a_server_that_is_asked_to_stop_does_so_although_connections_are_idle(server):
    with closing(server.connect()) as kept:
        kept.open("/healthz")
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(TIMEOUT) == 0
        assert time.monotonic() - began < LINGER + LATE


def test_while_workers_are_replaced_every_request_is_answered(server):
    answered = []

    def ask_until(done):
        while not done.is_set():
            answered.append(server.get("/healthz").status_code)

    done = threading.Event()
    with ThreadPoolExecutor(4) as clients:
        asking = [clients.submit(ask_until, done) for _ in range(4)]
        (before,) = psutil.Process(server.process.pid).children()
        server.process.send_signal(signal.SIGHUP)
        before.wait(TIMEOUT)
        done.set()
    assert [ask.result() for ask in asking] == [None] * 4
    assert set(answered) == {200}


def test_no_line_of_a_request_is_gunicorns_whatever_the_arguments_say(databases):
    url = databases.fresh("sqlite")
    migrate(url)
    with serve(url, workers=1, GUNICORN_CMD_ARGS="--access-logfile -") as server:
        server.get("/healthz?C4n4ry")
    assert [line for line in server.stdout if "C4n4ry" in line] == []
