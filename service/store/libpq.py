"""A connection that never waits for too long, and statements sent over it by libpq's own calls: what a cursor
of psycopg's does for each of them takes longer than the server takes to answer. Values, rows and errors
are written and read by psycopg as ever."""

import hashlib
import re
import select
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, TransactionStatus

from service.store.stock import Clock

_PLACE = re.compile("%[s%]")
_IDLE = TransactionStatus.IDLE
_WITH_ROWS = ExecStatus.TUPLES_OK
_FINE = frozenset({_WITH_ROWS, ExecStatus.COMMAND_OK})


class Bounded(psycopg.Connection[Any]):
    """A connection on which no wait goes past its thread's clock, whatever the network does."""

    clock = Clock()

    @cached_property
    def prepared(self) -> "PreparedCursor":
        """The cursor that all prepared statements share."""
        return PreparedCursor(self)

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait as psycopg does, no longer than the clock has left."""
        alone = self._is_alone()
        try:
            return super().wait(gen, interval=interval, timeout=timeout or self.clock.left())
        except psycopg.errors._WaitTimeout:
            self._give_up(alone)
            raise

    def ask(self, send: Callable[..., None], *what: Any) -> Any:
        """Send something by a call of libpq's, wait for all results, and answer the last one.

        Raises psycopg.Error for a result that is an error.
        """
        pgconn, alone = self.pgconn, self._is_alone()
        send(*what)
        while pgconn.flush():
            self._listen(alone, select.POLLIN | select.POLLOUT)
        # Until then it is busy for sure, and even to ask would let another thread go first.
        self._listen(alone, select.POLLIN)
        last = failed = None
        while True:
            while pgconn.is_busy():
                self._listen(alone, select.POLLIN)
            result = pgconn.get_result()
            if result is None:
                break
            last = result
            if result.status not in _FINE:
                failed = failed or result
        if failed:
            raise psycopg.errors.error_from_result(failed, encoding="utf-8")
        return last

    def _listen(self, alone: bool, events: int) -> None:
        self._socket.register(self.pgconn.socket, events)
        if not self._socket.poll(1000 * self.clock.left()):
            self._give_up(alone)
            raise psycopg.errors._WaitTimeout
        self.pgconn.consume_input()

    @cached_property
    def _socket(self) -> "select.poll":
        return select.poll()

    def _is_alone(self) -> bool:
        return self.pgconn.transaction_status == _IDLE

    def _give_up(self, alone: bool) -> None:
        # In a transaction the server ends a slow statement by itself, and a commit is never cut off.
        if alone:
            with suppress(psycopg.Error):
                self.cancel_safe(timeout=0.1)
        # The answer may still come, to a question that nobody asks any more.
        self.pgconn.finish()


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
            result = self._connection.ask(self._connection.pgconn.send_query_prepared, name, sent)
        except psycopg.errors.InvalidSqlStatementName:
            self._names.clear()
            raise
        self.rowcount = result.command_tuples or 0
        self._rows = []
        if result.status == _WITH_ROWS:
            self._types.set_pgresult(result)
            self._rows = self._types.load_rows(0, result.ntuples, tuple)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Answer the rows of the last statement."""
        return self._rows

    def say(self, statements: str) -> None:
        """Run statements without values and answers in one message, so in one round trip."""
        self._connection.ask(self._connection.pgconn.send_query, statements.encode())

    def _prepare(self, sql: str, types: tuple[int, ...]) -> bytes:
        places = iter(range(1, len(types) + 1))
        numbered = _PLACE.sub(lambda found: "%" if found[0] == "%%" else f"${next(places)}", sql)
        # Behind a pooler another may have prepared it here already, and then it is the same.
        told = f"{types} {numbered}".encode()
        name = b"usher_" + hashlib.blake2b(told, digest_size=16).hexdigest().encode()
        with suppress(psycopg.errors.DuplicatePreparedStatement):
            self._connection.ask(self._connection.pgconn.send_prepare, name, numbered.encode(), types)
        self._names[sql, types] = name
        return name
