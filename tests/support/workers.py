"""A worker of gunicorn's in a thread of the test, with an application of the test, and its clients."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import parse_headers
from typing import Any

from gunicorn.config import Config
from gunicorn.sock import TCPSocket

from service.server.epoll import EpollWorker
from service.server.lead import SerialWorker
from service.server.logger import Logger
from tests.support.servers import TIMEOUT, wait_until

App = Callable[..., Any]
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def get(path: str) -> bytes:
    """Write a request for a path."""
    return GET.replace(b" / ", f" {path} ".encode())


def hello(_environ: Any, start: App) -> list[bytes]:
    """Say hello."""
    start("200 OK", [("Content-Length", "5")])
    return [b"hello"]


class Held:
    """An application that serves only when the test lets it, and remembers the order."""

    def __init__(self) -> None:
        self.begun, self.free = threading.Semaphore(0), threading.Semaphore(0)
        self.served: list[str] = []

    def __call__(self, environ: Any, start: App) -> list[bytes]:
        self.begun.release()
        self.free.acquire()
        self.served.append(environ["PATH_INFO"])
        return hello(environ, start)


class Log(logging.LoggerAdapter):
    """Lines go where the test's go."""

    access = Logger.access

    def close_on_exec(self) -> None:
        """Do nothing: there is no file."""


class InThread:
    """A worker that no signal reaches."""

    def init_signals(self) -> None:
        """Leave signals to the test."""

    def load_wsgi(self) -> None:
        """Take the application as it is."""
        self.wsgi = self.app

    def stop(self) -> None:
        """Do what SIGTERM does."""
        self.handle_exit(None, None)
        os.write(self.PIPE[1], b"1")


class WorkerInThread(InThread, EpollWorker):
    """As on PostgreSQL."""


class SerialWorkerInThread(InThread, SerialWorker):
    """As on SQLite."""


class Client:
    """A connection to the worker."""

    def __init__(self, address: Any) -> None:
        self.socket = socket.create_connection(address, timeout=TIMEOUT)
        self._answers = self.socket.makefile("rb")

    def send(self, sent: bytes = GET) -> None:
        self.socket.sendall(sent)

    def read(self) -> tuple[int, bytes, bool]:
        """Read one answer: its status, its body, and whether it is the last."""
        status = int(self._answers.readline().split()[1])
        headers = parse_headers(self._answers)
        return status, self._answers.read(int(headers["Content-Length"])), headers["Connection"] == "close"

    def ask(self, sent: bytes = GET) -> bytes:
        """Send a request, and return the body of its answer."""
        self.send(sent)
        return self.read()[1]

    def is_closed(self, within: float) -> bool:
        """Return whether the worker closes the connection within so many seconds, and says nothing before."""
        self.socket.settimeout(within)
        with suppress(TimeoutError, BlockingIOError):
            try:
                return self.socket.recv(1) == b""
            except ConnectionResetError:
                return True
        return False

    def hears_nothing(self, seconds: float) -> bool:
        """Return whether for so many seconds the worker neither sends anything nor closes the connection."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(TIMEOUT)
        return False

    def close(self) -> None:
        self._answers.close()
        self.socket.close()


def listening() -> TCPSocket:
    """Listen on a port that is free, as gunicorn does."""
    return TCPSocket(("127.0.0.1", 0), Config(), None)


class Served:
    """A worker that serves."""

    def __init__(self, app: App, settings: dict[str, Any], listener: Any, kind: type[EpollWorker]) -> None:
        config = Config()
        for name, value in settings.items():
            config.set(name, value)
        self.address = listener.getsockname()
        log = Log(logging.getLogger("gunicorn.error"))
        self.worker = kind(0, os.getppid(), [listener], app, 30, config, log)
        self.thread = threading.Thread(target=self.worker.init_process)
        self.clients: list[Client] = []
        self.thread.start()
        wait_until(lambda: self.worker.booted)

    def connect(self) -> Client:
        self.clients.append(Client(self.address))
        return self.clients[-1]

    def ask(self) -> bytes:
        """Ask over a connection of its own."""
        return self.connect().ask()

    def refuses(self) -> bool:
        """Return whether nobody can connect any more."""
        try:
            client = Client(self.address)
        # Reset, if it was just being closed.
        except (ConnectionRefusedError, ConnectionResetError):
            return True
        # Else the worker would wait for it before it ends.
        client.close()
        return False

    def has_ended(self, within: float = TIMEOUT) -> bool:
        self.thread.join(within)
        return not self.thread.is_alive()


@contextmanager
def working(
    app: App, listener: Any = None, kind: type[EpollWorker] = WorkerInThread, **settings: Any
) -> Iterator[Served]:
    """Have a worker with one thread, or as the settings say; its end is part of the test."""
    settings = {"threads": 1, "keepalive": TIMEOUT, "graceful_timeout": TIMEOUT} | settings
    served = Served(app, settings, listener or listening(), kind)
    try:
        yield served
    finally:
        for client in served.clients:
            client.close()
        served.worker.stop()
        assert served.has_ended()
        served.worker.tmp.close()


@contextmanager
def in_the_middle(**settings: Any) -> Iterator[tuple[Served, Client, Held]]:
    """Have a worker in the middle of a client's request, which ends when the test lets it."""
    app = Held()
    with working(app, **settings) as served:
        client = served.connect()
        client.send()
        app.begun.acquire()
        yield served, client, app
