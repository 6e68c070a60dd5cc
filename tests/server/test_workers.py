"""gunicorn's worker: what it refuses, and what of gunicorn's own it stands on."""

import logging
import socket
import time
from types import SimpleNamespace

import pytest
from gunicorn import util
from gunicorn.config import Config
from gunicorn.glogging import Logger as GunicornLogger
from gunicorn.http import errors
from gunicorn.workers.gthread import TConn, ThreadWorker

from service.server.logger import Logger
from service.server.workers import Worker
from service.store.migrating import migrate
from tests.support import servers

LOG = logging.getLogger("gunicorn.error")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        pytest.param(errors.InvalidRequestLine("x"), 400, "bad-request", id="no request"),
        pytest.param(errors.UnsupportedTransferCoding("x"), 400, "bad-request", id="an unknown coding"),
        pytest.param(errors.LimitRequestLine(1, 2), 414, "url-too-long", id="a long URL"),
        pytest.param(errors.LimitRequestHeaders("x"), 431, "headers-too-large", id="large headers"),
        pytest.param(errors.ExpectationFailed("x"), 417, "expectation-failed", id="an expectation"),
        pytest.param(errors.ConfigurationProblem("x"), 500, "error", id="a path of another server"),
        pytest.param(errors.InvalidResponseHeader("x"), 500, "error", id="a header of ours"),
        pytest.param(ValueError("x"), 500, "error", id="a fault"),
    ],
)
def test_what_never_becomes_a_request_is_refused_as_a_problem(error, status, code):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        Worker.handle_error(SimpleNamespace(log=LOG), None, ours, None, error)
        head, _, body = theirs.recv(4096).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b'"code": "%b"' % code.encode() in body


def test_who_is_gone_is_refused_nothing():
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        Worker.handle_error(SimpleNamespace(log=LOG), None, ours, None, ValueError("x"))


@pytest.mark.parametrize(
    "name",
    [
        *("init_process", "run", "handle_quit", "handle_error", "handle_request", "handle"),
        *("notify", "is_parent_alive"),
    ],
)
def test_gunicorn_has_the_method_that_the_worker_overrides_or_calls(name):
    assert callable(getattr(ThreadWorker, name, None)), f"gunicorn's ThreadWorker has no {name} any more"


def test_gunicorn_has_the_attributes_that_the_worker_uses():
    worker = ThreadWorker(0, 0, [], None, 1, Config(), LOG)
    worker.tmp.close()
    used = {"alive", "cfg", "keepalived_conns", "log", "sockets", "worker_connections"}

    missing = used - vars(worker).keys()

    assert not missing, f"gunicorn's ThreadWorker has no {missing} any more"


def test_gunicorn_counts_idle_connections_where_the_worker_keeps_them():
    used = ThreadWorker.handle_request.__code__.co_names

    assert "keepalived_conns" in used, "gunicorn's ThreadWorker does not count keepalived_conns any more"


def test_gunicorn_writes_for_each_signal_into_the_pipe_that_the_worker_waits_for():
    used = ThreadWorker.init_signals.__code__.co_names

    assert {"set_wakeup_fd", "PIPE"} <= set(used), "gunicorn's signals wake no worker by its PIPE any more"


def test_gunicorn_has_what_the_worker_uses_of_a_connection():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = TConn(Config(), ours, None, None)
        connection.init()
        connection.set_timeout()
        theirs.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nmore")
        next(connection.parser)

        assert connection.sock is ours, "gunicorn's TConn has no sock any more"
        assert connection.timeout > time.monotonic(), "gunicorn's TConn has no timeout any more"
        assert connection.data_ready is False, "gunicorn's TConn has no data_ready any more"
        assert connection.parser.unreader.take_buffered() == b"more", "gunicorn reads ahead elsewhere"


def test_gunicorn_has_the_function_that_closes_a_connection():
    assert callable(getattr(util, "close_graceful", None)), "gunicorn.util has no close_graceful any more"


def test_gunicorn_writes_the_line_of_a_request_with_the_method_that_the_logger_overrides():
    assert "access" in vars(GunicornLogger), "gunicorn's Logger has no access any more"

    Logger.access(SimpleNamespace(), *[None] * 4)


# What is imported already may have taken epoll for granted.
WITHOUT_EPOLL = """
import select, selectors, sys
del select.epoll
selectors.DefaultSelector = selectors.PollSelector
sys.modules["service.server.connections"] = None
from gunicorn.app.wsgiapp import run
run()
"""


def test_where_there_is_no_epoll_requests_are_served_and_what_is_none_is_refused(monkeypatch, tmp_path):
    url = f"sqlite:///{tmp_path}/usher.sqlite"
    migrate(url)
    monkeypatch.setattr(servers, "GUNICORN", ["-c", WITHOUT_EPOLL])
    with servers.serve(url, workers=1) as server:
        assert server.get("/healthz").status_code == 200
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"nonsense\r\n\r\n")
            assert b'"code": "bad-request"' in client.makefile("rb").read()
