"""A worker whose threads serve one request after the other, as long as none takes long.

sqlite3 gives up the interpreter's lock some twenty times in a request, and each time another thread takes it
that is ready to go on. They gain nothing by it: a request on SQLite hardly waits for anything, and threads
that serve at the same time spend a part of it on taking turns.

So one thread has the lead: it waits for connections, and serves one after the other. The others stand by, and
the next of them takes the lead when a request keeps its thread for long: it is large, its client does not
read, a disk is slow. Then the former leader, when it is done, stands by.
"""

import time
from threading import Event, Lock

from service.server.epoll import EpollWorker

# For how many seconds a request may keep the lead.
LIMIT = 0.01


class Leader:
    """A thread, for as long as it leads. ``since`` is when it began to serve whom it serves."""

    since: float | None = None


class Lead:
    """Which of a worker's threads waits for connections."""

    def __init__(self) -> None:
        self._leader: Leader | None = None
        # Whoever has it is the next to lead, and watches. The others sleep.
        self._next = Lock()
        # What the next to lead sleeps until. It is set once for many requests, so that it costs them nothing.
        self._has_begun = Event()

    def take(self) -> Leader:
        """Wait until this thread is to lead."""
        with self._next:
            while leader := self._leader:
                since = leader.since
                if since is None:
                    self._sleep_until_busy(leader)
                elif (left := since + LIMIT - time.monotonic()) > 0:
                    time.sleep(left)
                else:
                    break
            self._leader = mine = Leader()
        return mine

    def _sleep_until_busy(self, leader: Leader) -> None:
        self._has_begun.clear()
        # Else it was set just before.
        if leader.since is None and self._leader is leader:
            self._has_begun.wait()

    def is_of(self, leader: Leader) -> bool:
        """Return whether nobody has taken the lead since."""
        return self._leader is leader

    def begin(self, leader: Leader) -> None:
        """Begin to serve somebody."""
        leader.since = time.monotonic()
        if not self._has_begun.is_set():
            self._has_begun.set()

    def give_up(self, leader: Leader) -> None:
        """Let the next take the lead now, if it is this leader's."""
        if self._leader is leader:
            self._leader = None
            self._has_begun.set()


class SerialWorker(EpollWorker):
    """Threads of which one serves, and another if that takes long."""

    def init_process(self) -> None:
        """Begin in the new process."""
        self.lead = Lead()
        super().init_process()

    def _serve(self) -> None:
        while True:
            leader = self.lead.take()
            try:
                while self.lead.is_of(leader):
                    connection = self.connections.next()
                    if connection is None:
                        return
                    self.lead.begin(leader)
                    self._answer(connection)
                    leader.since = None
            finally:
                # At the end, or this thread could not go on.
                self.lead.give_up(leader)
