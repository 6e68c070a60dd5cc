"""A connection that never waits for too long, and statements sent over it by libpq's own calls: what a cursor
of psycopg's does for each of them takes longer than the server takes to answer. Values, rows and errors
are written and read by psycopg as ever."""

import hashlib
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from service.store.engine.pool import Deadline

# By how much an answer may be later than it should, in seconds, before somebody looks.
LATE = 0.1

# Raised by psycopg's functions that wait; it has no public name, so here alone it is named.
WaitTimeout = psycopg.errors._WaitTimeout

_PLACE = re.compile("%[s%]")
_IDLE = TransactionStatus.IDLE
_WITH_ROWS = ExecStatus.TUPLES_OK
_FINE = frozenset({_WITH_ROWS, ExecStatus.COMMAND_OK})


class Bounded(psycopg.Connection[Any]):
    """A connection on which no wait goes past its thread's deadline, whatever the network does."""

    deadline = Deadline()
    # Until when the answer has to come that is waited for inside of libpq, by `time.monotonic()`.
    until = float("inf")
    _alone = _is_cut = False

    @cached_property
    def prepared(self) -> "PreparedCursor":
        """The cursor that all prepared statements share."""
        return PreparedCursor(self)

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait as psycopg does, no longer than the deadline leaves."""
        alone = self._is_alone()
        try:
            return super().wait(gen, interval=interval, timeout=timeout or self.deadline.left())
        except WaitTimeout:
            self._cancel(alone)
            # The answer may still come, to a question that nobody asks any more.
            self.pgconn.finish()
            raise

    def ask(self, call: Callable[..., PGresult], *what: Any) -> PGresult:
        """Make a call of libpq's that waits for an answer, as long as it is watched.

        Raises psycopg.Error for an answer that is an error.
        """
        self._alone, self.until = self._is_alone(), self.deadline.late()
        try:
            result = call(*what)
        finally:
            self.until = float("inf")
        if self._is_cut:
            self.pgconn.finish()
        if result.status in _FINE:
            return result
        if self._is_cut:
            raise WaitTimeout
        raise psycopg.errors.error_from_result(result, encoding="utf-8")

    def cut(self) -> None:
        """End another thread's wait for an answer that did not come in time."""
        self.until, self._is_cut = float("inf"), True
        self._cancel(self._alone)
        with suppress(psycopg.Error, OSError):
            line = socket.socket(fileno=self.pgconn.socket)
            try:
                line.shutdown(socket.SHUT_RDWR)
            finally:
                line.detach()

    def _is_alone(self) -> bool:
        return self.pgconn.transaction_status == _IDLE

    def _cancel(self, alone: bool) -> None:
        # In a transaction the server ends a slow statement by itself, and a commit is never cut off.
        if alone:
            with suppress(psycopg.Error):
                self.cancel_safe(timeout=0.1)


class Watch:
    """Cuts off connections whose answer is late: who waits inside of libpq cannot look at a clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: weakref.WeakSet[Bounded] = weakref.WeakSet()
        self._is_kept = False

    def add(self, connection: Bounded) -> None:
        """Watch a connection for as long as it lasts."""
        with self._lock:
            self._connections.add(connection)
            if not self._is_kept:
                self._is_kept = True
                threading.Thread(target=self._keep, name="watch", daemon=True).start()

    def _keep(self) -> None:
        while self._look():
            time.sleep(LATE)

    def _look(self) -> bool:
        with self._lock:
            connections = list(self._connections)
            self._is_kept = bool(connections)
        now = time.monotonic()
        for connection in connections:
            if connection.until <= now:
                # Those that are late are late together, and each may have to be cancelled first.
                threading.Thread(target=connection.cut, name="cut", daemon=True).start()
        return bool(connections)


class PreparedCursor:
    """As much of a cursor as statements need that stay prepared for as long as their connection lasts. It is
    used for one after the other; what one answers is read before the next one is sent."""

    def __init__(self, connection: Bounded) -> None:
        self._connection = connection
        self._types = Transformer(connection)
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}
        self._rows: list[tuple[Any, ...]] = []
        self.rowcount = 0

    def execute(self, sql: str, values: Any = ()) -> None:
        """Run a statement with its values."""
        sent = self._types.dump_sequence(values, [PyFormat.TEXT] * len(values))
        # As in psycopg: what a text is, the server knows; what else a value is, it is told.
        types = self._types.types or ()
        name = self._names.get((sql, types)) or self._prepare(sql, types)
        try:
            result = self._connection.ask(self._connection.pgconn.exec_prepared, name, sent)
        except psycopg.errors.InvalidSqlStatementName:
            self._names.clear()
            raise
        self.rowcount = result.command_tuples or 0
        self._rows = []
        if result.status == _WITH_ROWS:
            self._types.set_pgresult(result)
            self._rows = self._types.load_rows(0, result.ntuples, tuple)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows of the last statement."""
        return self._rows

    def say(self, statements: str) -> None:
        """Run statements without values and answers in one message, so in one round trip."""
        self._connection.ask(self._connection.pgconn.exec_, statements.encode())

    def _prepare(self, sql: str, types: tuple[int, ...]) -> bytes:
        places = iter(range(1, len(types) + 1))
        numbered = _PLACE.sub(lambda found: "%" if found[0] == "%%" else f"${next(places)}", sql)
        # Behind a pooler another may have prepared it here already, and then it is the same.
        told = f"{types} {numbered}".encode()
        name = b"usher_" + hashlib.blake2b(told, digest_size=16).hexdigest().encode()
        with suppress(psycopg.errors.DuplicatePreparedStatement):
            self._connection.ask(self._connection.pgconn.prepare, name, numbered.encode(), types)
        self._names[sql, types] = name
        return name
