"""The connection to a client, as a thread sees it: what it reads may have been read before, and what it
sends is sent together."""

import socket
import time
from typing import Any

from service.server.framing import LIMIT, is_unfinished

# A thread waits for the rest of a request for so many seconds, and longer only while it comes with so many
# bytes a second on average.
PATIENCE, LEAST = 30, 32 * 1024


class Client(socket.socket):
    """The connection to a client.

    What has come of a request waits here until a thread reads it. The head of a response, which gunicorn
    sends by itself, waits for what comes after it: a client that is woken for it would have to be woken
    again.

    ``began`` is when the request that is unfinished was first seen to be, by ``time.monotonic()``.
    """

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(fileno=accepted.detach())
        self.began: float | None = None
        self._received = b""
        # Since when a thread waits for this request's rest, and how much of that has come.
        self._waits_since: float | None = None
        self._came = 0
        # None before the first that is sent of a response, and empty after.
        self._head: bytes | None = None

    def receive(self) -> bool:
        """Read what has come, without waiting, and return whether a thread should serve it now."""
        try:
            came = super().recv(max(LIMIT - len(self._received), 0), socket.MSG_DONTWAIT)
        except BlockingIOError:
            # Nothing new: a request was here already, or a thread was woken for who was closed meanwhile.
            return self._is_whole()
        except OSError:
            # Whatever it is, it is gunicorn's to tell.
            return True
        if not came:
            return True
        self._received += came
        return self._is_whole()

    def take_back(self, rest: bytes) -> bool:
        """Keep what was read beyond a request, and return whether it is another one."""
        self.began = self._waits_since = None
        self._came = 0
        self._received = rest + self._received
        return self._is_whole()

    def _is_whole(self) -> bool:
        if not self._received:
            return False
        if not is_unfinished(self._received):
            return True
        if self.began is None:
            self.began = time.monotonic()
        return False

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Read what was received before, and wait only if there is nothing of it. Raises TimeoutError if it
        comes too slowly."""
        if received := self._received:
            self._received = received[size:]
            return received[:size]
        if self._waits_since is None:
            self._waits_since = time.monotonic()
        data = super().recv(size, flags)
        self._came += len(data)
        waited = time.monotonic() - self._waits_since
        if waited > PATIENCE and self._came < waited * LEAST:
            raise TimeoutError
        return data

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send data, with the head before it; the head itself waits."""
        if self._head is None:
            self._head = data
        else:
            head, self._head = self._head, b""
            super().sendall(head + data if head else data, flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file after the head."""
        self.sendall(b"")
        return super().sendfile(file, offset, count)

    def flush(self) -> None:
        """Send the head if it still waits, as a response ends here."""
        head, self._head = self._head, None
        if head:
            super().sendall(head)
