"""Connections that threads share one after the other, and how long they wait for a store.

Each thread has a connection of its own while it works, and gives it back to a common pool after. One is
opened when it is first needed, and none is used on the other side of a fork.
"""

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from service.model.errors import StoreUnavailable


class Deadline(threading.local):
    """Until when a thread's questions have to be answered, by ``time.monotonic()``; for how many seconds
    whoever asks had waited for the thread; and whether what is asked changes something, and so is never
    cancelled."""

    until = float("inf")
    waited = 0.0
    changes = False

    def left(self) -> float:
        """Return how many seconds are left; a little always is, to put things in order."""
        return min(self.late() - time.monotonic(), threading.TIMEOUT_MAX)

    def late(self) -> float:
        """Return when it is too late, by ``time.monotonic()``; as ``left``."""
        return max(self.until, time.monotonic() + 0.05)


class _Next(threading.local):
    """What this thread connects with, whether the statement that it runs is a prepared one, and what it runs
    when its transaction ends."""

    connection: Any = None
    is_prepared = False

    def __init__(self) -> None:
        self.last: list[Any] = []


class Pool:
    """Keep connections for the next thread that needs one.

    peewee's own pool holds a lock while it connects, so that with the store away the threads would
    wait for each other's timeouts in a row; it also probes with a round trip at each check-out. Here
    a dead connection is noticed when it is used, and what was begun on it is run again.
    """

    # Whether a connection can serve somebody else.
    _is_clean: Callable[[Any], bool]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._idle: deque[Any] = deque()
        self.deadline = Deadline()
        # Whether somebody has waited in vain, and nobody has been answered since.
        self.silent = False
        # Whether somebody has waited in vain for a commit, which may wait for a standby still.
        self.stuck = False
        self._next = _Next()
        super().__init__(*args, **kwargs)
        _pools.add(self)

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Connect this thread. peewee lets one connect at a time, so what may take long is done before."""
        try:
            self._next.connection = self._idle.pop()
        except IndexError:
            self._next.connection = self.open()
        return bool(super().connect(reuse_if_open))  # type: ignore[misc]

    def open(self) -> Any:
        """Open a connection."""
        return super()._connect()  # type: ignore[misc]

    # These two are what peewee has a new kind of database override.

    def _connect(self) -> Any:
        return self._next.connection

    def _close(self, connection: Any) -> None:
        if self._is_clean(connection):
            self._idle.append(connection)
        else:
            connection.close()

    def late_to_wait(self) -> float:
        """Return until when to wait for a store that may be silent, by ``time.monotonic()``.

        While it is, the time counts that a request has waited for its thread: else those who queue for
        the threads that wait for the store would wait after them, and each as long again.
        """
        return self.deadline.late() - (self.deadline.waited if self.silent else 0.0)

    def left_to_wait(self) -> float:
        """Return for how many seconds to wait, as ``late_to_wait``. Raises StoreUnavailable if for none."""
        left = min(self.late_to_wait() - time.monotonic(), threading.TIMEOUT_MAX)
        if left <= 0:
            raise StoreUnavailable
        return left

    def close_idle(self) -> None:
        """Close the connections that nobody uses."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def discard(self) -> None:
        """Close this thread's connection, if it has one, for nobody to use it again."""
        if self.is_closed():  # type: ignore[attr-defined]
            return
        connection = self.connection()  # type: ignore[attr-defined]
        self.dispose()  # type: ignore[attr-defined]
        connection.close()

    def after_fork(self) -> None:
        """Leave alone what was opened before a fork: closing it here would end it there."""
        self._inherited = self._idle
        self._idle = deque()


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in _pools:
        pool.after_fork()


os.register_at_fork(after_in_child=_after_fork)
