"""Files on their way: how many at once, how fast at least, and how large.

Each keeps a thread of this process: one that is sent by us from its first byte to its last, and one that is
sent to us while it is written down, as no thread waits for it to come. So some threads are left for everybody
else, and who reads too slowly is hung up on.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import BoundedSemaphore

from flask import Request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, RequestTimeout

from service import threads
from service.files.pieces import Pieces
from service.model.errors import Busy

# Of the 4 threads of a process (gunicorn.conf.py) files may have so many, and those sent to us so many.
MAX_AT_ONCE, MAX_UPLOADS = 3, 2
# After so many seconds a file has to have come, or gone, with so many bytes a second on average.
PATIENCE, LEAST = 30, 32 * 1024
PIECE = 64 * 1024  # bytes


class Transfers:
    """The files that are on their way in a process."""

    def __init__(self) -> None:
        self._all = BoundedSemaphore(MAX_AT_ONCE)
        self._uploads = BoundedSemaphore(MAX_UPLOADS)

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Have room for a file that is sent to us, inside. Raises Busy."""
        with _room(self._uploads), _room(self._all):
            yield

    def download(self, read: Callable[[], Pieces]) -> "Download":
        """Have room for a file that is sent by us, until it is closed. Raises Busy, and as ``read`` does."""
        with ExitStack() as leaving:
            leaving.enter_context(_room(self._all))
            pieces = read()
            return Download(pieces, leaving.pop_all())


class Download:
    """The bytes of a file that is sent by us; who reads them too slowly does not get all."""

    def __init__(self, pieces: Pieces, room: ExitStack) -> None:
        self._pieces = pieces
        self._room = room

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes. Raises TimeoutError."""
        pace = Pace()
        for piece in self._pieces:
            yield piece
            pace.add(len(piece))

    def close(self) -> None:
        """Have room for another one."""
        self._pieces.close()
        self._room.close()


class Pace:
    """How fast bytes come or go, from now on."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._passed = 0

    def add(self, passed: int) -> None:
        """Count more bytes. Raises TimeoutError if there were too few by now."""
        self._passed += passed
        spent = time.monotonic() - self._began
        if spent > PATIENCE and self._passed < spent * LEAST:
            raise TimeoutError


def pieces_of(request: Request, most: int, begin: Callable[[], None] = lambda: None) -> Iterator[bytes]:
    """Read a request's body piece by piece, and call ``begin`` before, when it is there.

    Raises what becomes 400, 408, and 413 for more bytes than ``most``, as soon as there are more; and Busy
    and FilesUnavailable.
    """
    length, received = request.content_length or 0, 0
    if length > most or not _has_body(most):
        raise RequestEntityTooLarge
    begin()
    while received <= most:
        # No more than tells that there is too much.
        piece = _piece(request, min(PIECE, most + 1 - received))
        if not piece:
            if received < length:
                # The client is gone: of how a body ends too soon no server tells.
                raise BadRequest
            return
        received += len(piece)
        if received <= most:
            yield piece
    raise RequestEntityTooLarge


def _has_body(most: int) -> bool:
    try:
        return threads.has_body(most)
    except TimeoutError:
        raise RequestTimeout from None


def _piece(request: Request, size: int) -> bytes:
    try:
        return request.stream.read(size)
    except (TimeoutError, BlockingIOError):
        raise RequestTimeout from None
    except Exception:  # noqa: BLE001 - of a client that is gone each server tells by an error of its own
        raise BadRequest from None


@contextmanager
def _room(semaphore: BoundedSemaphore) -> Iterator[None]:
    if not semaphore.acquire(blocking=False):
        raise Busy
    try:
        yield
    finally:
        semaphore.release()
