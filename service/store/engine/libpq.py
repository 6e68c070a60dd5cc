"""A connection that never waits for too long, and statements sent over it by libpq's own calls: what a cursor
of psycopg's does for each of them takes longer than the server takes to answer. Values, rows and errors
are written and read by psycopg as ever."""

import hashlib
import re
import select
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from service import threads
from service.store.engine.citus import with_app
from service.store.engine.pool import Deadline
from service.store.engine.prepared import Rows

# Raised by psycopg's functions that wait; it has no public name, so here alone it is named.
WaitTimeout = psycopg.errors._WaitTimeout

_PLACE = re.compile("%[s%]")
# How many statements a connection keeps where each app has its own: one takes up to 200 kB of the server.
KEPT = 256
_IDLE = TransactionStatus.IDLE
_WITH_ROWS = ExecStatus.TUPLES_OK
_FINE = frozenset({_WITH_ROWS, ExecStatus.COMMAND_OK})
# Where a server's words come from that something is committed, and its standby may not have it: somebody
# cancelled the wait. It is a warning, beside an answer that says nothing of it, and in any language.
_UNREPLICATED = "SyncRepWaitForLSN"

Sql = tuple[str, Sequence[Any]]
# A function that sends a statement, and what it is to be called with.
Asked = tuple[Any, ...]


class Bounded(psycopg.Connection[Any]):
    """A connection on which no wait goes past its thread's deadline, whatever the network does."""

    deadline = Deadline()
    # Set once it is known that the store is spread.
    spread = threading.Event()
    plans_for_average = False
    _is_unreplicated = False

    def watch_standby(self) -> None:
        """Raise psycopg.Error where a commit is answered that did not wait for its standby until the end."""
        self.add_notice_handler(self._note)

    def plan_for_average(self) -> None:
        """Have the server plan for an app of average size, and not for the one that is asked about: of one
        that was added since it last looked at a table it thinks that it has no row there, and goes through
        all that it has."""
        self.prepared.run((), "SET plan_cache_mode = force_generic_plan")
        self.plans_for_average = True

    @cached_property
    def prepared(self) -> "PreparedCursor":
        """The cursor that all prepared statements share."""
        return PreparedCursor(self)

    @cached_property
    def _readable(self) -> select.poll:
        return self._poll(select.POLLIN)

    def _poll(self, events: int) -> select.poll:
        poll = select.poll()
        poll.register(self.pgconn.socket, events)
        return poll

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait as psycopg does, no longer than the deadline leaves."""
        alone = self._is_alone()
        try:
            with threads.waiting:
                answer = super().wait(gen, interval=interval, timeout=timeout or self.deadline.left())
        except WaitTimeout:
            self._give_up(alone)
            raise
        self._require_replicated()
        return answer

    def ask(self, send: Callable[..., None], *what: Any) -> PGresult:
        """Send one message, and return the last answer to it.

        Raises psycopg.Error for an answer that is an error, and WaitTimeout if it does not come in time.
        """
        alone = self._is_alone()
        send(*what)
        self._flush(alone)
        last = result = self._answer(alone)
        while result is not None:
            last, result = result, self._answer(alone)
        self._require_replicated()
        return _fine(last)

    def ask_all(self, before: Sequence[str], asked: Sequence[Asked], after: Sequence[str]) -> list[PGresult]:
        """Run statements in one round trip, between others that are written out, and return the answers to
        the former. After one that fails none is run. Raises as ``ask``."""
        alone, pgconn = self._is_alone(), self.pgconn
        pgconn.enter_pipeline_mode()
        for sql in before:
            pgconn.send_query_params(sql.encode(), None)
        for send, *what in asked:
            send(*what)
        for sql in after:
            pgconn.send_query_params(sql.encode(), None)
        pgconn.pipeline_sync()
        self._flush(alone)
        results = []
        for _ in range(len(before) + len(asked) + len(after)):
            results.append(self._answer(alone))
            # It ends each of them.
            self._answer(alone)
        self._answer(alone)
        pgconn.exit_pipeline_mode()
        self._require_replicated()
        fine = [_fine(result) for result in results]
        return fine[len(before) : len(before) + len(asked)]

    def hear(self) -> None:
        """Take note of what the server said while nobody asked: mostly that it hangs up. Raises psycopg.Error
        then."""
        while self._readable.poll(0):
            self.pgconn.consume_input()

    def _answer(self, alone: bool) -> PGresult | None:
        """Wait for the next answer; None after the last to a statement."""
        pgconn = self.pgconn
        while pgconn.is_busy():
            self._receive(self._readable, alone)
        return pgconn.get_result()

    def _flush(self, alone: bool) -> None:
        """Send what the socket did not take at once; the server may have to be heard before it reads on."""
        while self.pgconn.flush():
            self._receive(self._poll(select.POLLIN | select.POLLOUT), alone)

    def _receive(self, poll: select.poll, alone: bool) -> None:
        with threads.waiting:
            is_ready = poll.poll(1000 * self.deadline.left())
        if not is_ready:
            self._give_up(alone)
            raise WaitTimeout
        self.pgconn.consume_input()

    def _note(self, said: psycopg.errors.Diagnostic) -> None:
        if said.source_function == _UNREPLICATED:
            self._is_unreplicated = True

    def _require_replicated(self) -> None:
        if self._is_unreplicated:
            self.pgconn.finish()
            raise psycopg.OperationalError("the standby may not have what was committed")

    def _is_alone(self) -> bool:
        return self.pgconn.transaction_status == _IDLE

    def _give_up(self, alone: bool) -> None:
        """End a wait. In a transaction the server ends a slow statement by itself. What may be a commit is
        never cancelled: while it waits for a standby nobody sees it, and all would from then on, though the
        loss of the server would undo it."""
        if alone and not self.deadline.changes:
            with suppress(psycopg.Error), threads.waiting:
                self.cancel_safe(timeout=0.1)
        # The answer may still come, to a question that nobody asks any more.
        self.pgconn.finish()


def _fine(result: PGresult | None) -> PGresult:
    if result is None:
        raise psycopg.OperationalError("the connection was lost")
    if result.status in _FINE:
        return result
    raise psycopg.errors.error_from_result(result, encoding="utf-8")


class PreparedCursor:
    """As much of a cursor as statements need that stay prepared for as long as their connection lasts. It is
    used for one after the other; what one answers is read before the next one is sent.

    Behind a pooler that puts each transaction before another server, and does not know what is prepared, what
    was is not there, and what was not may be. Once that shows, statements are sent as they are.

    ``before`` is to be run first, in the same round trip as what is run next.
    """

    def __init__(self, connection: Bounded) -> None:
        self._connection = connection
        self._types = Transformer(connection)
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}
        self._is_pooled = False
        self._rows: list[Rows] = []
        self.before: list[str] = []
        self.beside: Sequence[Sql] = ()
        self.rowcount = 0

    def execute(self, sql: str, values: Any = ()) -> None:
        """Run a statement with its values, and those ``beside`` it, in one round trip."""
        statements, self.beside = [(sql, values), *self.beside], ()
        self.run(statements)

    def fetchall(self) -> Rows:
        """Return the rows of the last statement."""
        return self._rows[0]

    def fetch_each(self) -> list[Rows]:
        """Return the rows of each of the last statements that were run in one round trip."""
        return self._rows

    def run(self, statements: Sequence[Sql], *after: str) -> None:
        """Run statements, and others ``after`` them, in one round trip."""
        asked = [self._asked(sql, values) for sql, values in statements]
        before, self.before = self.before, []
        try:
            if before or after or len(asked) > 1:
                results = self._connection.ask_all(before, asked, after)
            else:
                results = [self._connection.ask(*asked[0])]
        except psycopg.errors.InvalidSqlStatementName:
            self._is_pooled = True
            raise
        self.rowcount = results[0].command_tuples or 0 if results else 0
        self._rows = [self._read(result) for result in results]

    def flush(self) -> None:
        """Run what is to be run before anything else."""
        if self.before:
            self.run(())

    def _asked(self, sql: str, values: Sequence[Any]) -> Asked:
        """Return how a statement is sent with its values: by the name by which it is prepared."""
        if self._connection.spread.is_set():
            sql, values = with_app(sql, values)
        sent = self._types.dump_sequence(values, [PyFormat.TEXT] * len(values))
        # As in psycopg: what a text is, the server knows; what else a value is, it is told.
        types = self._types.types or ()
        name = None if self._is_pooled else self._name(sql, types)
        pgconn = self._connection.pgconn
        if name is None:
            return pgconn.send_query_params, _numbered(sql, len(types)), sent, types
        return pgconn.send_query_prepared, name, sent

    def _read(self, result: PGresult) -> Rows:
        if result.status != _WITH_ROWS:
            return []
        self._types.set_pgresult(result)
        return self._types.load_rows(0, result.ntuples, tuple)

    def _name(self, sql: str, types: tuple[int, ...]) -> bytes | None:
        """Return the name of a statement, and note that it is the last that was used. As ``_prepare``."""
        name = self._names.pop((sql, types), None) or self._prepare(sql, types)
        if name is not None:
            self._names[sql, types] = name
        return name

    def _prepare(self, sql: str, types: tuple[int, ...]) -> bytes | None:
        """Prepare a statement, and return its name; None if another has done so: who is behind a pooler."""
        # A pooler may put a transaction before another server than what comes before it.
        self.flush()
        numbered = _numbered(sql, len(types))
        # The same wherever it is prepared, so that whatever has this name is this.
        told = f"{types} ".encode() + numbered
        name = b"usher_" + hashlib.blake2b(told, digest_size=16).hexdigest().encode()
        pgconn = self._connection.pgconn
        prepare: Asked = pgconn.send_prepare, name, numbered, types
        try:
            if self._connection.spread.is_set() and len(self._names) >= KEPT:
                # The one that was used last the longest ago. A pooler knows this message, and not DEALLOCATE.
                close: Asked = pgconn.send_close_prepared, self._names.pop(next(iter(self._names)))
                self._connection.ask_all((), [close, prepare], ())
            else:
                self._connection.ask(*prepare)
        except psycopg.errors.DuplicatePreparedStatement:
            self._is_pooled = True
            return None
        return name


def _numbered(sql: str, values: int) -> bytes:
    """Write a statement with numbers for its places, as the server has them."""
    places = iter(range(1, values + 1))
    return _PLACE.sub(lambda found: "%" if found[0] == "%%" else f"${next(places)}", sql).encode()
