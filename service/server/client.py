"""The connection to a client, as a thread sees it: what it reads was read before, so that it never waits,
and what it sends is sent together."""

import socket
import time
from contextlib import suppress
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException

from service.model.errors import Busy, FilesUnavailable
from service.server.framing import LIMIT, MAX_HEAD, Rest, end_of, is_whole
from service.server.spool import Full, Room, Spool
from service.server.waiting import Line
from service.threads import BodyAwaited, waiting

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class TooSlow(ParseException):  # type: ignore[misc]
    """A request did not come in time."""


class NoRoom(ParseException):  # type: ignore[misc]
    """There is no room for a large request until others have gone."""


class NoDisk(ParseException):  # type: ignore[misc]
    """There is no room for a large request on the disk."""


class Client(socket.socket):
    """The connection to a client.

    What has come of a request waits here until a thread reads it: in memory at first, and in ``room`` what is
    too large for that. The head of a response, which gunicorn sends by itself, waits for what comes after it:
    a client that is woken for it would have to be woken again.

    ``began`` is when the request that is unfinished was first seen to be, by ``time.monotonic()``, and
    ``is_whole`` whether it is known to be there when a thread begins to serve it.
    """

    def __init__(self, accepted: socket.socket, room: Room) -> None:
        super().__init__(fileno=accepted.detach())
        self.began: float | None = None
        self.is_whole = False
        # In which line this request has waited, if in one, and since when it is served.
        self.turn: tuple[Line, float] | None = None
        # Why no more of this request is waited for.
        self.refusal: ParseException | None = None
        self._room = room
        self._received = b""
        # How many bytes of that a thread has read. All are kept: the request may have to be read again.
        self._read = 0
        self._spool: Spool | None = None
        # What is still to come, of a request that a thread has looked at before it was there.
        self._rest: Rest | None = None
        # How many bytes of the body whoever reads it takes.
        self._most = float("inf")
        self._is_gone = self._expects = False
        # None before the first that is sent of a response, and empty after.
        self._head: bytes | None = None

    @property
    def gathered(self) -> int:
        """How many bytes of the body have come, of a request that a thread has looked at."""
        return self._rest.body if self._rest else 0

    @property
    def received(self) -> bytes:
        """What has come of a request, as far as it is kept in memory."""
        return self._received

    @property
    def was_looked_at(self) -> bool:
        """Whether a thread has looked at this request before it was whole."""
        return self._rest is not None

    def drop(self) -> bool:
        """Forget a request that is refused, and return whether another can come: nothing else is there."""
        if self.is_whole and not self._rest and end_of(self._received) == len(self._received):
            self._received, self.began = b"", None
            return True
        return False

    def receive(self) -> bool:
        """Read what has come, without waiting, and return whether a thread should serve it now."""
        if self.refusal:
            return True
        if self._rest:
            self._gather(self._rest)
            self.is_whole = self._rest.is_over and not self._is_gone
            return self._is_enough(self._rest)
        try:
            came = super().recv(max(LIMIT - len(self._received), 0), socket.MSG_DONTWAIT)
        except BlockingIOError:
            # Nothing new: a request was here already, or a thread was woken for who was closed meanwhile.
            return self._has_come()
        except OSError:
            came = b""
        if not came:
            # Or there is no more room in memory, and what is there is for a thread to look at.
            self._is_gone = len(self._received) < LIMIT
            return True
        self._received += came
        return self._has_come()

    def take_back(self, rest: bytes) -> bool:
        """Keep what was read beyond a request, and return whether it is another one."""
        self.began = None
        self._received = rest + self._received[self._read :]
        self._read = 0
        if self._rest:
            self._forget()
        return self._has_come()

    def _forget(self) -> None:
        self._rest, self._most, self._expects = None, float("inf"), False
        if self._spool:
            self._received += self._spool.read()
            self._close_spool()

    def _close_spool(self) -> None:
        if self._spool:
            self._spool.close()
            self._spool = None

    def _has_come(self) -> bool:
        if not self._received:
            return False
        has_come = is_whole(self._received)
        self.is_whole = has_come is True
        if has_come is not False:
            return True
        if self.began is None:
            self.began = time.monotonic()
        return False

    def has_body(self, most: int) -> bool:
        """Return whether all of the body has come, and is no larger than ``most``; False as soon as it is
        larger. Raises BodyAwaited as long as neither is so, and TimeoutError, Busy and FilesUnavailable if it
        will not be."""
        rest, self._most = self._looked_at(), most
        while not self._is_enough(rest):
            if not self._gather(rest):
                raise BodyAwaited
        if isinstance(self.refusal, TooSlow):
            raise TimeoutError
        if isinstance(self.refusal, NoDisk):
            raise FilesUnavailable
        if self.refusal:
            raise Busy
        self.is_whole = rest.is_over and not self._is_gone
        return rest.body <= most

    def begin_again(self) -> None:
        """Have all that came of a request read once more when the rest is there, and tell its client to send
        that if it waits to be told."""
        self._looked_at()
        self.began = self.began or time.monotonic()
        self._read = 0
        if self._spool:
            self._spool.rewind()
        if self._expects:
            self._expects = False
            with suppress(OSError):
                super().send(CONTINUE, socket.MSG_DONTWAIT)

    def _looked_at(self) -> Rest:
        if not self._rest:
            self._rest = Rest()
            self._rest.add(self._received)
        return self._rest

    def _is_enough(self, rest: Rest) -> bool:
        return bool(rest.is_over or rest.body > self._most or self._is_gone or self.refusal)

    def _gather(self, rest: Rest) -> bool:
        """Read more of a large request, and return whether there was anything to learn."""
        try:
            came = super().recv(rest.size, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            came = b""
        self._is_gone = not came
        try:
            self._keep(came)
        except OSError as error:
            self.refusal = NoRoom() if isinstance(error, Full) else NoDisk()
            self._close_spool()
        rest.add(came)
        if rest.too_large:
            is_url = rest.lacks_line
            self.refusal = LimitRequestLine(MAX_HEAD, LIMIT) if is_url else LimitRequestHeaders("too large")
        return True

    def _keep(self, came: bytes) -> None:
        if not self._spool:
            if len(self._received) + len(came) <= LIMIT:
                self._received += came
                return
            self._spool = Spool(self._room)
        self._spool.write(came)

    def recv(self, size: int, _flags: int = 0) -> bytes:
        """Read what was received before; nothing where no more is waited for. Raises BodyAwaited where it
        is, and ParseException for a request that does not come in time, or is too large to be kept."""
        if self._read < len(self._received):
            data = self._received[self._read : self._read + size]
            self._read += len(data)
            return data
        if self._spool and (data := self._spool.read(size)):
            return data
        # A request that is answered already is not served again.
        if self._is_gone or self._head is not None:
            return b""
        if self.refusal:
            raise self.refusal
        # Of what is whole, or is refused as it is, nobody wants more.
        if self._rest and self._rest.is_over:
            return b""
        raise BodyAwaited

    def has_hung_up(self) -> bool:
        """Return whether the client is gone; what it still sends is not heeded."""
        try:
            return not super().recv(LIMIT, socket.MSG_DONTWAIT)
        except OSError:
            return True

    def setblocking(self, flag: bool) -> None:
        """Do nothing. Nobody waits for what is read, and the kernel bounds how long one waits who sends. That
        gunicorn asks for this four times a request would be as many chances for another thread to take the
        interpreter."""

    def settimeout(self, value: float | None) -> None:
        """Do nothing, as ``setblocking``."""

    def send(self, data: Any, flags: int = 0) -> int:
        """Send data; that a client should go on is sent when somebody wants to read on."""
        if data == CONTINUE:
            self._expects = True
            return len(CONTINUE)
        return super().send(data, flags)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send data, with the head before it; the head itself waits."""
        if self._head is None:
            self._head = data
        else:
            head, self._head = self._head, b""
            self._send(head + data if head else data, flags)

    def _send(self, data: Any, flags: int) -> None:
        """Send data: what the kernel does not take at once, when the client has read some of it."""
        sent = 0
        with suppress(BlockingIOError):
            sent = super().send(data, flags | socket.MSG_DONTWAIT)
        if sent < len(data):
            with waiting:
                super().sendall(memoryview(data)[sent:], flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file after the head."""
        self.sendall(b"")
        with waiting:
            return super().sendfile(file, offset, count)

    def flush(self) -> None:
        """Send the head if it still waits, as a response ends here."""
        head, self._head = self._head, None
        if head:
            self._send(head, 0)

    def close(self) -> None:
        """Close the connection, and keep nothing of what came by it."""
        self._close_spool()
        super().close()
