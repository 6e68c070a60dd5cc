"""Send requests at a rate, whether the server keeps up or not, from a process of its own.

Clients of a loop that is closed send the next when they are answered, so a server that is slow is asked less.
Here each request is due at a time that nothing changes, and how long it takes is counted from then. Where all
connections wait for an answer it is not sent, which is counted.
"""

import os
import random
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing import get_context
from typing import Any

from bench.load import Call, Load, answer_of

TIMEOUT = 10  # seconds for answers after the last request
NICE = 10  # by how much a process gives way that yields


@dataclass(frozen=True)
class Stream:
    """One kind of request, so many a second at random moments, over so many connections."""

    call: Call
    rate: float
    connections: int


@dataclass(frozen=True)
class Sent:
    """What became of a stream: when each request was due, in seconds since the first, how long its answer
    took, its status, and on which connection; and how many were not sent, as all connections waited."""

    seconds: float
    answers: tuple[tuple[float, float, int, int], ...]
    status: int
    unsent: int = 0

    @property
    def served(self) -> Load:
        """What was served."""
        times = sorted(took for _, took, status, _ in self.answers if status == self.status)
        return Load(len(times), self.seconds, tuple(times))

    @property
    def refused(self) -> float:
        """Which part was refused, of which all is 1."""
        return sum(status == 503 for _, _, status, _ in self.answers) / (len(self.answers) or 1)

    @property
    def refusals(self) -> Load:
        """How soon they were."""
        times = sorted(took for _, took, status, _ in self.answers if status == 503)
        return Load(len(times), self.seconds, tuple(times))

    @property
    def others(self) -> int:
        """How many answers were neither."""
        return sum(status not in (503, self.status) for _, _, status, _ in self.answers)

    def by_connection(self) -> list[int]:
        """Return how many were served on each connection, the fewest first."""
        counts = dict.fromkeys((one for *_, one in self.answers), 0)
        for _, _, status, one in self.answers:
            counts[one] += status == self.status
        return sorted(counts.values())

    def since(self, begin: float, end: float) -> "Sent":
        """Return those that were due in a time."""
        answers = tuple(one for one in self.answers if begin <= one[0] < end)
        return Sent(end - begin, answers, self.status)


class Senders:
    """Processes, each of which sends one group of streams."""

    def __init__(self, processes: int = 2) -> None:
        self._pool = ProcessPoolExecutor(processes, get_context("spawn"), max_tasks_per_child=1)

    def send(
        self, port: int, streams: Sequence[Stream], seconds: float, at: float, *, yields: bool = False
    ) -> "Future[list[Sent]]":
        """Send streams for so many seconds, from a time by ``time.perf_counter()`` on; a process that
        ``yields`` leaves the processors to others, as if it were on another machine."""
        return self._pool.submit(_send, port, streams, seconds, at, yields)

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


@dataclass
class _Sending:
    stream: Stream
    texts: Iterator[bytes]
    idle: deque[socket.socket]
    due: float = 0.0
    answers: list[tuple[float, float, int, int]] = field(default_factory=list)
    unsent: int = 0


class _Sender:
    """Sends streams in one process, by one thread."""

    def __init__(self, port: int, streams: Sequence[Stream]) -> None:
        self._port = port
        self._selector = selectors.EpollSelector()
        self._sendings = [
            _Sending(
                stream,
                cycle([request.written() for request in stream.call.requests]),
                deque(self._connect() for _ in range(stream.connections)),
            )
            for stream in streams
        ]
        self._began = 0.0
        # By file descriptor: of what stream a request is, and when it was due.
        self._waiting: dict[int, tuple[_Sending, float]] = {}

    def send(self, seconds: float, at: float) -> list[Sent]:
        """Send for so many seconds from a time on, and wait for the last answers."""
        time.sleep(max(0.0, at - time.perf_counter()))
        self._began = time.perf_counter()
        until = self._began + seconds
        for one in self._sendings:
            one.due = self._began + random.expovariate(one.stream.rate)
        while (now := time.perf_counter()) < until:
            for one in self._sendings:
                self._send_due(one, now)
            self._read(min(until, *(one.due for one in self._sendings)))
        while self._waiting and time.perf_counter() < until + TIMEOUT:
            self._read(until + TIMEOUT)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
        return [
            Sent(seconds, tuple(one.answers), one.stream.call.status, one.unsent) for one in self._sendings
        ]

    def _send_due(self, one: _Sending, now: float) -> None:
        while one.due <= now:
            if one.idle:
                connection = one.idle.popleft()
                self._waiting[connection.fileno()] = one, one.due
                connection.sendall(next(one.texts))
            else:
                one.unsent += 1
            one.due += random.expovariate(one.stream.rate)

    def _read(self, until: float) -> None:
        for key, _ in self._selector.select(max(0.0, until - time.perf_counter())):
            connection: Any = key.fileobj
            one, due = self._waiting.pop(key.fd)
            answer = answer_of(connection)
            took = time.perf_counter() - due
            one.answers.append((due - self._began, took, int(answer[9:12]), key.fd))
            if b"\r\nConnection: close\r\n" in answer:
                self._selector.unregister(connection)
                connection.close()
                connection = self._connect()
            one.idle.append(connection)

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(connection, selectors.EVENT_READ)
        return connection


def _send(port: int, streams: Sequence[Stream], seconds: float, at: float, yields: bool) -> list[Sent]:
    # A process may only give way more, so this one ends with what it was begun for.
    if yields:
        os.nice(NICE)
    return _Sender(port, streams).send(seconds, at)
