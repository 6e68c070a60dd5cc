"""Load a server from a process of its own, over connections that are kept alive."""

import selectors
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain, cycle
from multiprocessing import get_context
from statistics import mean
from typing import Any
from uuid import uuid4

LARGEST = 256 * 1024  # bytes of an answer
CONNECTIONS = 8


@dataclass(frozen=True)
class Request:
    """One request: ``{new}`` in its body becomes something that was never sent before."""

    method: str
    path: str
    credential: str = ""
    body: str = ""
    cookie: str = ""

    def written(self) -> bytes:
        """Write it as it is sent, with ``{new}`` left in it."""
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: localhost", "Accept: application/json"]
        if self.credential:
            lines.append(f"Authorization: Bearer {self.credential}")
        if self.cookie:
            lines.append(f"Cookie: {self.cookie}")
        if self.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.filled())}"]
        return "\r\n".join([*lines, "", self.body]).encode()

    def filled(self) -> bytes:
        """Return the body with something new in it."""
        return _with_something_new(self.body.encode())


@dataclass(frozen=True)
class Call:
    """A kind of request, by a few examples that take turns, and the status that each has to have."""

    name: str
    requests: tuple[Request, ...]
    status: int = 200


@dataclass(frozen=True)
class Load:
    """What a server bore: so many calls in so many seconds, and how long an answer took, in seconds, the
    shortest first."""

    calls: int
    seconds: float
    times: tuple[float, ...]

    @classmethod
    def together(cls, loads: "Sequence[Load]") -> "Load":
        """Return what several servers bore at once."""
        times = tuple(sorted(chain.from_iterable(load.times for load in loads)))
        return cls(sum(load.calls for load in loads), mean(load.seconds for load in loads), times)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.calls / self.seconds

    def percentile(self, percent: float) -> float:
        """Return within how many seconds so many of a hundred were answered."""
        return self.times[min(len(self.times) - 1, int(len(self.times) * percent / 100))]


class Loader:
    """A process that sends requests, or several for several servers."""

    def __init__(self, processes: int = 1) -> None:
        self._pool = ProcessPoolExecutor(processes, get_context("spawn"))

    def load(
        self, port: int, call: Call, *, seconds: float = 0, calls: int = 0, connections: int = CONNECTIONS
    ) -> Load:
        """Send one kind of request for so many seconds, or so often.

        Raises AssertionError for an answer of another status.
        """
        return self._pool.submit(_load, port, call, seconds, calls, connections).result()

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


def _load(port: int, call: Call, seconds: float, calls: int, connections: int) -> Load:
    examples = cycle([request.written() for request in call.requests])
    fresh = map(_with_something_new, examples)
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        one = socket.create_connection(("127.0.0.1", port))
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(one, selectors.EVENT_READ, one.sendall)
    began, times, sent = time.perf_counter(), [], {}
    until = began + seconds if seconds else float("inf")
    left = calls or float("inf")
    for key in selector.get_map().values():
        sent[key.fd] = time.perf_counter()
        key.data(next(fresh))
    waiting = connections
    while waiting:
        for key, _ in selector.select():
            connection: Any = key.fileobj
            _require(answer_of(connection), call.status)
            now = time.perf_counter()
            times.append(now - sent[key.fd])
            if now < until and len(times) + waiting <= left:
                sent[key.fd] = now
                key.data(next(fresh))
            else:
                waiting -= 1
                selector.unregister(connection)
                connection.close()
    return Load(len(times), time.perf_counter() - began, tuple(sorted(times)))


def _with_something_new(text: bytes) -> bytes:
    return text.replace(b"{new}", uuid4().hex.encode()) if b"{new}" in text else text


def answer_of(connection: socket.socket) -> bytes:
    """Read one answer, all of it. Raises AssertionError if the server hangs up instead."""
    data = connection.recv(LARGEST)
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(connection)
    at = data.find(b"Content-Length: ") + 16
    whole = end + 4 + int(data[at : data.index(b"\r", at)])
    while len(data) < whole:
        data += _more(connection)
    return data


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(LARGEST)
    assert data, "the server hung up"
    return data


def _require(answer: bytes, status: int) -> None:
    assert answer[9:12] == b"%d" % status, answer
