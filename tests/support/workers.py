"""A worker of gunicorn's in a thread of the test, with an application of the test, and its clients."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import parse_headers
from typing import Any

from gunicorn.config import Config

from service.server.epoll import EpollWorker
from service.server.logger import Logger
from tests.support.servers import TIMEOUT

App = Callable[..., Any]
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Log(logging.LoggerAdapter):
    """Lines go where the test's go."""

    access = Logger.access

    def close_on_exec(self) -> None:
        """Do nothing: there is no file."""


class WorkerInThread(EpollWorker):
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
        try:
            return self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True
        finally:
            self.socket.settimeout(TIMEOUT)

    def close(self) -> None:
        self._answers.close()
        self.socket.close()


class Served:
    """A worker that serves."""

    def __init__(self, app: App, settings: dict[str, Any], listener: socket.socket) -> None:
        config = Config()
        for name, value in settings.items():
            config.set(name, value)
        self.address = listener.getsockname()
        log = Log(logging.getLogger("gunicorn.error"))
        self.worker = WorkerInThread(0, os.getppid(), [listener], app, 30, config, log)
        self.thread = threading.Thread(target=self.worker.init_process)
        self.clients: list[Client] = []
        self.thread.start()

    def connect(self) -> Client:
        self.clients.append(Client(self.address))
        return self.clients[-1]

    def ask(self) -> bytes:
        """Ask over a connection of its own."""
        return self.connect().ask()

    def has_ended(self, within: float = TIMEOUT) -> bool:
        self.thread.join(within)
        return not self.thread.is_alive()


@contextmanager
def working(app: App, listener: socket.socket | None = None, **settings: Any) -> Iterator[Served]:
    """Have a worker with one thread, or as the settings say; its end is part of the test."""
    with listener or socket.create_server(("127.0.0.1", 0)) as bound:
        served = Served(
            app, {"threads": 1, "keepalive": TIMEOUT, "graceful_timeout": TIMEOUT} | settings, bound
        )
        try:
            yield served
        finally:
            for client in served.clients:
                client.close()
            served.worker.stop()
            assert served.has_ended()
            served.worker.tmp.close()
