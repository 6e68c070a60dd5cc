"""Which request a thread serves next.

Whoever is woken by a request serves it. Where that has waited for a while, as all threads were busy, there
are others: from then on they wait in lines, until for a second nobody has waited for as long, and ``waiting``
says whose turn it is and who is refused. Before a thread serves the next, it looks who has come meanwhile:
whoever is of an app that asks for little would else wait with the kernel, behind a flood of others.

Where the interpreter or a processor is what they wait for, more threads than one only take turns at it, and
each request takes longer for it; so then the others rest.

To look at a request costs little. To refuse it costs a tenth of serving one, so only some are refused before
the next is served: else a flood would leave no time for anything else. Those who are to be refused wait until
they are, and ask for nothing else meanwhile. While all threads are busy for long, the main thread does both.
"""

import socket
import time
from collections import deque
from contextlib import suppress
from threading import Lock, get_ident
from typing import Any

from service import threads
from service.admission import Kind
from service.server import demand, refusing
from service.server.connections import Connections
from service.server.refusing import Refusal, Refusals
from service.server.waiting import Lines

# At how many connections a thread looks before it serves the next, and the main thread while none is served.
MANY, ALL = 64, 1000
# After how many seconds for which a request has waited others are thought to wait, too, and for how long.
CROWD, CALM = 0.05, 1.0
# How many a thread refuses before it serves the next.
REFUSED = 4
# Which part of a processor all threads ask for where one is enough, and that one if it is. One that has
# served the same request for so many seconds waits for something else, and is not counted.
BUSY, ENOUGH, LONG = 0.9, 0.7, 0.02
# For how many seconds all of them serve after that one was too few.
ALL_FOR = 5.0


class Turns:
    """Gives each of a worker's threads what it serves next."""

    def __init__(self, connections: Connections, count: int) -> None:
        self._connections = connections
        # How many threads there are, and how many serve at most.
        self._count = self._most = count
        # When each of those that serve meanwhile began with a request.
        self._began: dict[int, float] = {}
        # When the main thread looked last, and how many seconds of a processor had been asked for by then.
        self._looked = self._wanted = 0.0
        # Until when all threads serve.
        self._all_until = 0.0
        self._lines = Lines()
        self._refusals = Refusals()
        # How many requests were served, more or less, and how many when the main thread looked last.
        self._taken = self._seen = 0
        # Who is to be refused.
        self._refused: deque[tuple[Any, str, Kind]] = deque()
        # Until when others are thought to wait.
        self._crowded_until = 0.0
        # How many threads wait until something happens.
        self._idle = 0
        self._lock = Lock()

    def next(self) -> Any:
        """Wait until there is a request to serve, and return its connection; None when it is over."""
        self._rest()
        while True:
            ready, is_over = self._poll()
            if len(ready) == 1 and not self._lines:
                threads.begin(ready[0].sock)
                now = time.monotonic()
                self._note_wait(threads.waited(), now)
                if now >= self._crowded_until:
                    self._taken += 1
                    return ready[0]
                # Unless others are looked at now, this one would be alone in its line.
                ready += self._connections.poll(MANY, waits=False)[0]
            self._line_up(ready)
            self._refuse(REFUSED)
            if is_over:
                return None
            if connection := self._take():
                return connection

    def _rest(self) -> None:
        """Wait while as many other threads serve as are of use."""
        if not self._may_serve():
            with threads.waiting:
                while not self._may_serve():
                    time.sleep(LONG)

    def _may_serve(self) -> bool:
        """Return whether more threads are of use than serve beside this one, which is counted then."""
        if self._most == self._count:
            return True
        me, now = get_ident(), time.monotonic()
        with self._lock:
            self._began.pop(me, None)
            may_serve = sum(now - began < LONG for began in self._began.values()) < self._most
            if may_serve:
                self._began[me] = now
        return may_serve

    def _note_wait(self, seconds: float, now: float) -> None:
        if seconds >= CROWD:
            self._crowded_until = now + CALM

    def _poll(self) -> tuple[list[Any], bool]:
        with self._lock:
            # Whoever adds to a line looks afterwards whether somebody waits.
            self._idle += 1
            waits = not (self._lines or self._refused)
        try:
            return self._connections.poll(1 if waits else MANY, waits=waits)
        finally:
            with self._lock:
                self._idle -= 1

    def _line_up(self, ready: list[Any]) -> None:
        """Have requests wait for their turn, or to be refused."""
        now = time.monotonic()
        for connection in ready:
            client = connection.sock
            line, kind = refusing.read(client.received)
            if client.was_looked_at:
                # It was admitted before its body was waited for.
                kind = Kind.ADMITTED
            if not client.received:
                # Nobody asks for anything any more.
                self._connections.part(connection)
            elif not self._lines.add(connection, line, kind, now):
                self._refused.append((connection, line, kind))
        for connection in self._lines.take_late(now):
            self._refused.append((connection, *refusing.read(connection.sock.received)))

    def _take(self) -> Any:
        """Return the connection whose turn it is, if there is one."""
        now = time.monotonic()
        taken = self._lines.take(now)
        if not taken:
            return None
        line, waited, connection = taken
        self._note_wait(waited, now)
        connection.sock.turn = line, now
        self._taken += 1
        threads.begin(connection.sock, waited if line.is_long else 0.0)
        self._share()
        return connection

    def _share(self) -> None:
        """Wake a thread where somebody waits for one."""
        with self._lock:
            wakes = (self._lines or self._refused) and self._idle
        if wakes:
            self._connections.wake()

    def end(self, connection: Any) -> None:
        """Note that a thread is done with a request."""
        if connection.sock.turn:
            (line, began), connection.sock.turn = connection.sock.turn, None
            self._lines.add_use(line, time.monotonic() - began)

    def relieve(self) -> None:
        """Refuse whoever would wait for too long, if all threads are busy with what they were busy with."""
        self._count_threads(time.monotonic(), demand.wanted())
        is_stuck, self._seen = self._taken == self._seen, self._taken
        # Twice, as whoever has just connected may have sent something.
        for _ in range(2):
            if is_stuck and not self._idle:
                self._line_up(self._connections.poll(ALL, waits=False)[0])
                self._refuse(ALL)
        self._share()
        self._refusals.tell()

    def _count_threads(self, now: float, wanted: float) -> None:
        """Have one serve as long as it keeps a processor busy, and all of them else; also for a while after
        one was too few: others waited for it, and it for something else."""
        busy = BUSY if self._most == self._count else ENOUGH
        is_busy = wanted - self._wanted >= busy * (now - self._looked)
        if self._most < self._count and not is_busy and not self._idle:
            self._all_until = now + ALL_FOR
        self._most = 1 if is_busy and now >= self._all_until else self._count
        self._looked, self._wanted = now, wanted

    def _refuse(self, most: int) -> None:
        """Refuse at most so many of those who are to be."""
        for _ in range(most):
            try:
                connection, line, kind = self._refused.popleft()
            except IndexError:
                return
            self._refusals.add(line, kind)
            self._answer(connection)

    def _answer(self, connection: Any) -> None:
        """Answer a request that it is not served."""
        refusal = Refusal(connection.sock.received)
        keeps = not refusal.closes and connection.sock.drop()
        said = refusal.answer(keeps=keeps)
        # Who does not read is not waited for.
        with suppress(OSError):
            if connection.sock.send(said, socket.MSG_DONTWAIT) == len(said) and keeps:
                self._connections.wait_for_rest(connection)
                return
        self._connections.part(connection)
