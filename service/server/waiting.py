"""Requests that wait for a thread: whose turn is next, and who is refused.

This knows no sockets and no HTTP, and what time it is, it is told, in seconds by ``time.monotonic()``.

Each app has a line of its own. Whenever a thread is free, it serves the app that has had least of the
threads' time, counted from when its requests began to wait, or a little before; so a line that is short is
soon over, however long others are. Of an app's requests logins go first, but each fourth turn is for the
others.

A request is refused as it comes, if many are in its line and it would wait for too long: so many before it,
each of which has to be waited for as long as those who were served last, or the first of them has waited for
that time. How long a turn takes is measured where it counts, from one to the next of the same line while some
wait. So it says by itself how many threads there are, what a request costs, and what others take.
"""

from collections import deque
from threading import Lock
from typing import Any

from service.admission import MAX_WAIT, Kind

# So many of a line are not refused, whatever they wait for: many who come at once for once are no flood, and
# a server that is slow for a moment is not asked for too much.
FEW = 200

# After how many seconds a request is refused if it waits nevertheless, as suddenly nobody is served any more.
TOO_LATE = 2.0
# Of how many turns one is not for logins.
TURNS = 4

# How long a turn is thought to take before any was measured: then 250 calls may wait.
TURN = 0.002
# How much one turn counts in what is expected of the next, and how many times as long as expected it may be
# for that. So one that takes a second changes little, and ten such do.
WEIGHT, MOST = 1 / 16, 8
# How many seconds of the threads' time a line may have saved while nobody waited in it: requests come at
# random moments, and whoever asks for little is not to wait when some of theirs come together.
SAVED = 0.1
# How many lines are remembered.
MAX_LINES = 100


class Queue:
    """Requests of one kind in one line, the first to come first."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, Any]] = deque()
        self._turn = TURN
        # When the last was taken out.
        self._moved = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request: Any, now: float) -> None:
        """Have a request wait."""
        self._waiting.append((now, request))

    def expected(self, now: float) -> float:
        """Return for how many seconds whoever comes now will wait."""
        if not self._waiting:
            return 0.0
        return max(len(self._waiting) * self._turn, now - self._waiting[0][0])

    def take(self, now: float) -> tuple[float, Any]:
        """Take out the first, and return since when it has waited, and what it is."""
        since, request = self._waiting.popleft()
        if since <= self._moved:
            took = min(now - self._moved, MOST * self._turn)
            self._turn += (took - self._turn) * WEIGHT
        if not self._waiting:
            # It was pessimistic, or the rush is over.
            self._turn = max(TURN, self._turn / 2)
        self._moved = now
        return since, request

    def take_late(self, before: float) -> list[Any]:
        """Take out those who have waited since before a time."""
        late = []
        while self._waiting and self._waiting[0][0] < before:
            late.append(self._waiting.popleft()[1])
        return late


class Line:
    """The requests of an app, and for how many seconds its threads have ``used`` the threads, more or less:
    who has not waited for a while is as if they had used as much as everybody."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.used = self.taken = 0.0
        self.queues = {kind: Queue() for kind in Kind}
        self._turns = 0

    def __len__(self) -> int:
        return sum(map(len, self.queues.values()))

    @property
    def is_long(self) -> bool:
        """Whether so many wait that some may be refused."""
        return len(self) >= FEW

    def take(self, now: float) -> tuple[float, Any]:
        """Take out a request, and return since when it has waited, and what it is."""
        self.taken = now
        self._turns += 1
        admitted, logins, calls = (self.queues[kind] for kind in (Kind.ADMITTED, Kind.LOGIN, Kind.CALL))
        first, second = (logins, calls) if self._turns % TURNS else (calls, logins)
        return (admitted or first or second).take(now)

    def take_late(self, before: float) -> list[Any]:
        """Take out those who have waited since before a time, and may be refused."""
        if not self.is_long:
            return []
        return [one for kind in (Kind.LOGIN, Kind.CALL) for one in self.queues[kind].take_late(before)]


class Lines:
    """All requests that wait for a worker's threads; any thread may ask."""

    def __init__(self) -> None:
        self._lock = Lock()
        # By name; those in which somebody waits a second time.
        self._lines: dict[str, Line] = {}
        self._waiting: dict[str, Line] = {}
        # What whose turn it was last had used.
        self._used = 0.0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, request: Any, name: str, kind: Kind, now: float) -> bool:
        """Have a request wait in a line, or return False if it would wait for too long."""
        with self._lock:
            line = self._lines.get(name) or self._begin(name)
            queue = line.queues[kind]
            if line.is_long and queue.expected(now) > MAX_WAIT[kind]:
                return False
            if name not in self._waiting:
                line.used = max(line.used, self._used - SAVED)
                self._waiting[name] = line
            queue.add(request, now)
        return True

    def _begin(self, name: str) -> Line:
        if len(self._lines) >= MAX_LINES:
            self._lines = dict(self._waiting)
        line = self._lines[name] = Line(name)
        return line

    def take(self, now: float) -> tuple[Line, float, Any] | None:
        """Take out the request whose turn it is, and return its line, for how long it has waited, and what it
        is; None if there is none."""
        with self._lock:
            if not self._waiting:
                return None
            # Of those who have used as much, whoever has not been served for longest.
            line = min(self._waiting.values(), key=lambda one: (one.used, one.taken))
            since, request = line.take(now)
            self._used = line.used
            if not line:
                del self._waiting[line.name]
        return line, now - since, request

    def add_use(self, line: Line, seconds: float) -> None:
        """Count for how long a thread has served a request."""
        with self._lock:
            line.used += seconds

    def take_late(self, now: float) -> list[Any]:
        """Take out those who have waited for too long nevertheless."""
        with self._lock:
            lines = list(self._waiting.values())
            late = [one for line in lines for one in line.take_late(now - TOO_LATE)]
            self._waiting = {line.name: line for line in lines if line}
        return late
