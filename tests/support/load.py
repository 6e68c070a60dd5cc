"""Threads that go on calling a server while something changes, and what they are answered."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from tests.support.processes import Call, Request, make
from tests.support.servers import TIMEOUT, Server

THREADS = 12
# Enough that each worker has its share of them.
ENOUGH = 3 * THREADS


class Load:
    """What threads ask, and what they are answered, for as long as it lasts."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._over = threading.Event()
        self._answered = threading.Condition()

    @contextmanager
    def on(self, server: Server, request: Callable[[int], Request]) -> Iterator["Load"]:
        """Have requests made, taken by a number, each over a connection of its own and so by any worker."""
        threads = [threading.Thread(target=self._ask, args=(server, request, n)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def wait(self, *, since: float = 0.0, of: Callable[[Request], bool] = bool) -> None:
        """Wait until enough requests that began after a moment are answered."""
        with self._answered:
            assert self._answered.wait_for(lambda: len(self.begun(since, of)) >= ENOUGH, TIMEOUT)

    def begun(self, since: float, of: Callable[[Request], bool] = bool) -> list[Call]:
        """Return the calls that began after a moment."""
        return [call for call in self.calls if call.began > since and of(call.request)]

    def _ask(self, server: Server, request: Callable[[int], Request], first: int) -> None:
        for number in count(first):
            if self._over.is_set():
                return
            call = make(server.open, request(number))
            with self._answered:
                self.calls.append(call)
                self._answered.notify_all()


def in_turn(requests: Sequence[Request]) -> Callable[[int], Request]:
    """Take one request after the other."""
    return lambda number: requests[number % len(requests)]
