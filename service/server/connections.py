"""The connections of a worker: who is waited for, and what the kernel is told of them.

All threads wait on one epoll, and whoever is woken serves the connection by itself; where others wait,
``turns`` says which. gunicorn's gthread hands each request from its main thread to a pool and back, and that
costs more than an endpoint that does nothing: a queue, a future, a pipe, and a switch of threads each way.

epoll forgets a connection when it has told of it, until it is asked again (``EPOLLONESHOT``). So each has one
thread at a time, and no lock is needed: whoever takes a connection out of ``idle`` or ``begun``, to serve it
or to close it, has it alone.

A thread serves a request when all of it is there. Until then the connection waits again, with what has come
of it, so that slow clients keep no thread. What ``framing`` does not wait for is served from its beginning,
so that nobody sends much in vain; if its body is wanted, which may come slowly, it is given up, and served
again when the body is there.
"""

import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import TConn

from service import threads
from service.server.client import Client, TooSlow
from service.server.spool import Room

# For how many seconds a client may say nothing in the middle of a request, and take to hang up after it.
SILENCE, GOODBYE = 10, 0.5
# For how many seconds a request may come in, however little at a time; and longer only while its body comes
# with so many bytes a second on average.
PATIENCE, LEAST = 30, 32 * 1024

# The same, as the kernel is told: a number of seconds, and of microseconds.
_SILENCE = struct.pack("ll", SILENCE, 0)

_READABLE = select.EPOLLIN | select.EPOLLONESHOT
_WRITABLE = select.EPOLLOUT | select.EPOLLONESHOT


class Connections:
    """The connections that came in by ``listeners``, at most ``limit`` at once.

    ``idle`` are those that no thread serves, by file descriptor, and the longest idle first. Beside them, in
    no order, ``begun`` are those of whose next request a part is there, and ``parting`` those which had their
    last answer.
    """

    def __init__(self, cfg: Any, listeners: Sequence[socket.socket], limit: int) -> None:
        self._cfg = cfg
        self._limit = limit
        self._epoll = select.epoll()
        self._given = listeners
        # gunicorn's own sockets cannot be asked for anything once they are closed, as a thread still may.
        copies = [listener.dup() for listener in listeners]
        self._listeners = {listener.fileno(): listener for listener in copies}
        self._addresses = {listener: listener.getsockname() for listener in copies}
        self._all: set[Any] = set()
        self.idle: dict[int, Any] = {}
        self.begun: dict[int, Any] = {}
        self.parting: dict[int, Any] = {}
        self._room = Room()
        # Who reads this learns that it is over. It is never read empty, so that each thread learns it.
        self._over = os.eventfd(0)
        self._epoll.register(self._over, select.EPOLLIN)
        # One thread that waits is woken for this whenever it is asked for: it can always be written to.
        self._awake = os.eventfd(0)
        self._epoll.register(self._awake, 0)
        for number, listener in self._listeners.items():
            listener.setblocking(False)
            self._epoll.register(number, _READABLE)

    def __len__(self) -> int:
        return len(self._all)

    def poll(self, most: int, *, waits: bool) -> tuple[list[Any], bool]:
        """Return the connections of those who have sent a request, of at most so many with whom something has
        happened, and whether it is over. May wait until something happens."""
        happened = self._epoll.poll(0, most)
        if waits and not happened:
            with threads.waiting:
                happened = self._epoll.poll(None, most)
        numbers = [number for number, _ in happened]
        # While others wait nobody is left who would accept the next.
        accepts = 1 if waits else most
        return [one for number in numbers if (one := self._hear(number, accepts))], self._over in numbers

    def _hear(self, number: int, accepts: int) -> Any:
        connection = self.idle.pop(number, None) or self.begun.pop(number, None)
        if connection:
            if connection.sock.receive():
                return connection
            self.wait_for_rest(connection)
        elif connection := self.parting.pop(number, None):
            self._hear_out(connection)
        # Else the main thread was faster at closing it.
        elif listener := self._listeners.get(number):
            self._accept(listener, accepts)
        return None

    def wake(self) -> None:
        """Wake a thread that waits, as there is something to do."""
        self._epoll.modify(self._awake, _WRITABLE)

    def listen(self) -> None:
        """Wait for who connects; again, if there were too many connections, or too many files were open."""
        for listener in self._listeners.values():
            self._wait_for(listener)

    def _wait_for(self, listener: socket.socket) -> None:
        if len(self) < self._limit:
            # It may be closed by now.
            with suppress(OSError, ValueError):
                self._epoll.modify(listener.fileno(), _READABLE)

    def _accept(self, listener: socket.socket, most: int) -> None:
        """Wait for a request from those who connect, at most so many: a connection on which nothing is sent
        takes no thread."""
        for _ in range(most):
            if len(self) >= self._limit:
                # The main thread asked for who connects just before somebody did.
                return
            try:
                client, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                # Another worker was faster, or the client did not wait.
                break
            except OSError:
                # Too many files are open. To try it again at once would go on and on.
                return
            self._add(client, address, listener)
        self._wait_for(listener)

    def _add(self, client: socket.socket, address: Any, listener: socket.socket) -> None:
        # Who does not read would keep a thread for good. The kernel counts, as the socket is a blocking one.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _SILENCE)
        connection = TConn(self._cfg, Client(client, self._room), address, self._addresses[listener])
        # Else gunicorn would wait for it in the thread.
        connection.data_ready = True
        connection.set_timeout()
        self._all.add(connection)
        self.idle[connection.sock.fileno()] = connection
        self._epoll.register(connection.sock.fileno(), _READABLE)

    def keep(self, connection: Any) -> None:
        """Wait for the next request on a connection."""
        if connection.sock.take_back(connection.parser.unreader.take_buffered()):
            # What was read already makes nothing readable. But it can be written to: this is told at once,
            # and after whom it is told of now, so that nobody who sends one request after the other holds up
            # others.
            connection.set_timeout()
            self._put(self.idle, connection, _WRITABLE)
        else:
            self.wait_for_rest(connection)

    def wait_for_rest(self, connection: Any) -> None:
        """Wait for a request, or for the rest of the one that has begun."""
        began = connection.sock.began
        if began is None:
            connection.set_timeout()
            self._put(self.idle, connection, _READABLE)
        else:
            patience = max(PATIENCE, connection.sock.gathered / LEAST)
            connection.timeout = min(time.monotonic() + SILENCE, began + patience)
            self._put(self.begun, connection, _READABLE)

    def wait_for_body(self, connection: Any) -> None:
        """Wait for the rest of a request that a thread has given up, until it can be served again."""
        connection.sock.begin_again()
        # gunicorn makes a new one.
        connection.parser, connection.initialized = None, False
        self.wait_for_rest(connection)

    def _put(self, place: dict[int, Any], connection: Any, events: int) -> None:
        number = connection.sock.fileno()
        place[number] = connection
        # When the server stops, the main thread may be faster at closing it.
        with suppress(OSError):
            self._epoll.modify(number, events)

    def part(self, connection: Any) -> None:
        """Close a connection after its last answer, when its client has heard that: whoever still sends would
        else be cut off before. No thread waits for it."""
        connection.timeout = time.monotonic() + GOODBYE
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            # The client is gone.
            self._forget(connection)
        else:
            self._put(self.parting, connection, _READABLE)

    def _hear_out(self, connection: Any) -> None:
        if connection.sock.has_hung_up():
            self._forget(connection)
        else:
            self._put(self.parting, connection, _READABLE)

    def close_idle(self, until: float = float("inf")) -> None:
        """Close whoever has been idle for too long; and whoever is idle at all from ``until`` on, by
        ``time.monotonic()``."""
        now = time.monotonic()
        for connection in list(self.idle.values()):
            if min(connection.timeout, until) > now:
                break
            self._close(self.idle, connection)

    def close_begun(self, until: float = float("inf")) -> None:
        """Have whoever takes too long over a request refused, and close whoever does not hang up after the
        last answer; close all of both from ``until`` on."""
        now = time.monotonic()
        is_over = until <= now
        for connection in list(self.begun.values()):
            if is_over or (connection.timeout <= now and connection.sock.refusal):
                self._close(self.begun, connection)
            elif connection.timeout <= now and self.begun.pop(connection.sock.fileno(), None):
                # The thread that is woken refuses it. None is while the client does not read former answers.
                connection.sock.refusal = TooSlow()
                connection.timeout = now + SILENCE
                self._put(self.begun, connection, _WRITABLE)
        for connection in list(self.parting.values()):
            if min(connection.timeout, until) <= now:
                self._close(self.parting, connection)

    def _close(self, place: dict[int, Any], connection: Any) -> None:
        # Else a thread was faster at serving it.
        if place.pop(connection.sock.fileno(), None):
            self._forget(connection)

    def _forget(self, connection: Any) -> None:
        connection.close()
        self._all.discard(connection)

    def refuse(self) -> None:
        """Accept nobody any more."""
        for number, listener in self._listeners.items():
            # To close it is not enough, as other processes have it open too.
            self._epoll.unregister(number)
            listener.close()
        for listener in self._given:
            listener.close()

    def end(self) -> None:
        """Let each thread that has nothing to serve end; may be called by a signal."""
        os.eventfd_write(self._over, 1)
