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

# For how many seconds a request may keep the lead. Half of that often passes where it waits for a core, or
# for another process to commit, and then threads take turns again; and to look more often costs more.
LIMIT = 0.02


class Leader:
    """A thread, for as long as it leads. ``since`` is when it began to serve whom it serves."""

    since: float | None = None


class Lead:
    """Which of a worker's threads waits for connections."""

    def __init__(self) -> None:
        self._leader: Leader | None = None
        # Whoever has it is the next to lead, and watches. The others sleep.
        self._next = Lock()
        # What the next to lead sleeps until: while nobody calls, until somebody does; else until the lead is
        # free. The first is set once for many requests, so that it costs them nothing.
        self._has_begun, self._is_free = Event(), Event()

    def take(self) -> Leader:
        """Wait until this thread is to lead."""
        with self._next:
            while leader := self._leader:
                since = leader.since
                if since is None:
                    self._sleep_while_idle(leader)
                elif (left := since + LIMIT - time.monotonic()) > 0:
                    self._sleep_while_busy(leader, left)
                else:
                    break
            self._leader = mine = Leader()
        return mine

    # Both look again after they have cleared what wakes them: it may have been set just before.

    def _sleep_while_idle(self, leader: Leader) -> None:
        self._has_begun.clear()
        if leader.since is None and self.is_of(leader):
            self._has_begun.wait()

    def _sleep_while_busy(self, leader: Leader, seconds: float) -> None:
        self._is_free.clear()
        if self.is_of(leader):
            self._is_free.wait(seconds)

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
        if self.is_of(leader):
            self._leader = None
            self._has_begun.set()
            self._is_free.set()


class SerialWorker(EpollWorker):
    """Threads of which one serves, and another if that takes long."""

    def init_process(self) -> None:
        """Begin in the new process."""
        self.lead = Lead()
        super().init_process()

    def _serve(self) -> None:
        while self._serve_in_lead():
            pass

    def _serve_in_lead(self) -> bool:
        """Serve for as long as this thread leads, and return whether there is more to do."""
        leader = self.lead.take()
        try:
            while self.lead.is_of(leader):
                connection = self.turns.next()
                if not connection:
                    return False
                self.lead.begin(leader)
                self._answer(connection)
                leader.since = None
        finally:
            # At the end, or if this thread cannot go on.
            self.lead.give_up(leader)
        return True
