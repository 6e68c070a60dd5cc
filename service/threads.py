"""What a thread knows of the request that it serves: how long that had waited for the thread, and whether its
body is there. And which of those threads runs that could.
"""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# For how many seconds a thread that runs keeps others from it.
LIMIT = 0.02
# Where in Linux's `struct tcp_info` is `tcpi_last_data_recv`, a number of milliseconds, and where it ends.
_BEGINS, _ENDS = 52, 56


class BodyAwaited(BaseException):
    """The body of the request is not there yet, and no thread waits for it: the request is given up as if
    nobody had served it, and served again from its beginning when the body is there.

    As a cancellation, it is no error that anybody answers.
    """


class _Here(threading.local):
    waited = in_line = 0.0
    has_body: Callable[[int], bool] | None = None
    runs_in_turn = False
    # What this thread has while it runs.
    running: "threading.Lock | None" = None


_here = _Here()


class _Waiting:
    """Inside, a thread waits for something, and another may run."""

    def __init__(self) -> None:
        self._running = threading.Lock()
        self._replacing = threading.Lock()

    def __enter__(self) -> None:
        running, _here.running = _here.running, None
        if running:
            running.release()

    def __exit__(self, *_: object) -> None:
        # It runs already if it waited for something inside of another wait.
        if not _here.runs_in_turn or _here.running:
            return
        while not (running := self._running).acquire(timeout=LIMIT):
            # Whoever runs does not say that it waits, as for a slow client: nobody waits for it any more.
            with self._replacing:
                if self._running is running:
                    self._running = threading.Lock()
        _here.running = running


waiting = _Waiting()


@contextmanager
def in_turn() -> Iterator[None]:
    """Have this thread run inside while no other does that is in here, and is not ``waiting``.

    Only one of them has the interpreter at a time in any case. But a thread gives up the interpreter's lock a
    dozen times in a request, and each time another would take it that is ready to go on: both then spend a
    part of the request on taking turns.
    """
    _here.runs_in_turn = True
    waiting.__exit__()
    try:
        yield
    finally:
        _here.runs_in_turn = False
        waiting.__enter__()


def begin(connection: socket.socket, in_line: float = 0.0) -> None:
    """Begin to serve the request that came in on a connection: only the kernel knows when. For so many
    seconds it has waited in a line that is long.

    Of what did not come over TCP the kernel does not tell.
    """
    _here.waited, _here.in_line, _here.has_body = 0.0, in_line, None
    with suppress(OSError):
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ENDS)
        _here.waited = int.from_bytes(told[_BEGINS:_ENDS], sys.byteorder) / 1000


def waited() -> float:
    """Return for how many seconds the request that this thread serves had waited for a thread."""
    return _here.waited


def in_line() -> float:
    """Return for how many seconds the request that this thread serves had waited in a line with many others,
    as all threads were busy."""
    return _here.in_line


def ask_for_body(has_body: Callable[[int], bool]) -> None:
    """Have ``has_body`` called before the body of the request that this thread serves is read."""
    _here.has_body = has_body


def has_body(most: int) -> bool:
    """Return whether the body of the request that this thread serves can be read without waiting; False if
    it has more bytes than ``most``.

    To be called before anything of it is read, or done because of it. Raises BodyAwaited, and
    TimeoutError, Busy and FilesUnavailable for a body of which no more is waited for.
    """
    return _here.has_body is None or _here.has_body(most)
