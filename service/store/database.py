"""Open a store, run statements in it, and say what went wrong in our own words.

SQLite and PostgreSQL differ here and nowhere else. Each thread has its own connection while it works
and gives it back to a common stock after; the connections are opened when first needed, so never
before a server forks.
"""

import hashlib
import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import peewee
import psycopg
from psycopg.conninfo import conninfo_to_dict

from service import errors

# Within 3 seconds an answer is owed, so the store has somewhat less.
PATIENCE = 2.5

FOREIGN_KEY_VIOLATION = "23503"
LOST_RACES = {"40001", "40P01"}  # serialization failure, deadlock


class _Stock:
    """Keep connections for the next thread that needs one.

    peewee's own pool holds a lock while it connects, so that with the store away the threads would
    wait for each other's timeouts in a row; it also probes with a round trip at each check-out. Here
    a dead connection is noticed when it is used, and what was begun on it is run again.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._idle: deque[Any] = deque()
        super().__init__(*args, **kwargs)
        # The state that this lock guards is thread-local already.
        self._lock = nullcontext()

    def _connect(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return super()._connect()  # type: ignore[misc]

    def _close(self, connection: Any) -> None:
        if self.is_clean(connection):
            self._idle.append(connection)
        else:
            super()._close(connection)  # type: ignore[misc]

    def is_clean(self, connection: Any) -> bool:
        """Tell whether a connection can serve somebody else."""
        raise NotImplementedError

    def expect_within(self, seconds: float) -> None:
        """Let nothing on this thread's connection take longer from now on."""

    def close_idle(self) -> None:
        while self._idle:
            super()._close(self._idle.pop())  # type: ignore[misc]


class _Sqlite(_Stock, peewee.SqliteDatabase):
    def is_clean(self, connection: Any) -> bool:
        return not connection.in_transaction


class _Bounded(psycopg.Connection[Any]):
    """A connection on which no wait goes past the deadline, whatever the network does."""

    deadline = math.inf

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        left = max(0.05, min(self.deadline - time.monotonic(), threading.TIMEOUT_MAX))
        try:
            return super().wait(gen, interval=interval, timeout=timeout or left)
        except psycopg.errors._WaitTimeout:
            # The answer may still come, to a question that nobody asks any more.
            self.pgconn.finish()
            raise


class _BoundedAdapter(peewee.Psycopg3Adapter):
    def connect(self, db: "_Postgres", **params: Any) -> _Bounded:
        return _Bounded.connect(dbname=db.database, **params)


class _Postgres(_Stock, peewee.PostgresqlDatabase):
    psycopg3_adapter = _BoundedAdapter

    def begin(self, isolation_level: str | None = None) -> None:  # noqa: ARG002 - peewee's signature
        # One message, so one round trip; SET LOCAL also holds behind a pooler. The server gives up
        # before we do, so that no statement runs on unheard.
        left = self.connection().deadline - time.monotonic()
        with peewee.__exception_wrapper__:  # type: ignore[attr-defined]
            self.cursor().execute(f"BEGIN; SET LOCAL statement_timeout = {max(1, int(left * 900))}")

    def expect_within(self, seconds: float) -> None:
        self.connection().deadline = time.monotonic() + seconds

    def is_clean(self, connection: Any) -> bool:
        idle: bool = connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.IDLE
        return idle


class Database:
    """One store. Queries are built from ``tables`` and know no database until they are run here.

    Raises of every method: StoreUnavailable if the store is away or too slow, LostRace if another
    transaction was first (then nothing was changed), InvalidCredential if the app is gone.
    """

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        self.patience = patience
        self.peewee: _Sqlite | _Postgres
        if url.startswith("sqlite:"):
            self.peewee = _open_sqlite(url, patience)
        else:
            self.peewee = _open_postgres(url)
        self._here = threading.local()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite, whose one writer at a time makes locks needless."""
        return isinstance(self.peewee, _Sqlite)

    def rows(self, query: Any) -> list[tuple[Any, ...]]:
        """Run a query, and answer its rows."""
        with suppress(errors.LostRace):
            return self._rows(query)
        # The connection was dead before the question was put; inside a transaction none gets here.
        return self._rows(query)

    def row(self, query: Any) -> tuple[Any, ...] | None:
        """Run a query of at most one row, and answer it or None."""
        rows = self.rows(query)
        return rows[0] if rows else None

    def change(self, query: Any) -> int:
        """Run a statement that answers no rows, and say how many rows it changed."""
        with self.connected():
            return int(self.peewee.execute(query).rowcount)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all or nothing of what is done inside; on SQLite nobody else writes meanwhile."""
        with self.connected(), self.peewee.atomic():
            yield
            # What fails from here on may have been committed, so it must not be run again.
            self._here.committing = True

    def lock(self, app: str, *names: str) -> None:
        """Hold these names of an app until the transaction ends, waiting for whoever holds one."""
        if self.is_sqlite:
            return
        for name in sorted(set(names)):
            number = hashlib.sha256(f"{app} {name}".encode()).digest()[:8]
            self.peewee.execute_sql(
                "SELECT pg_advisory_xact_lock(%s)", (int.from_bytes(number, signed=True),)
            )

    def held(self, query: Any, how: str = "UPDATE", of: Any = None) -> Any:
        """Have a query also lock its rows: ``UPDATE`` to change them, ``SHARE`` to rely on them."""
        return query if self.is_sqlite else query.for_update(f"FOR {how}", of=of)

    def ping(self) -> None:
        """Ask the store for anything."""
        self.rows(peewee.Select(columns=[peewee.Value(1)]))

    def take_time(self, seconds: int) -> None:
        """Let this transaction last longer than an answer should: it erases a lot, or migrates."""
        if isinstance(self.peewee, _Postgres):
            self.peewee.expect_within(seconds)
            self.peewee.execute_sql(f"SET LOCAL statement_timeout = {seconds * 1000}")

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self.peewee.close_idle()

    def _rows(self, query: Any) -> list[tuple[Any, ...]]:
        with self.connected():
            return list(self.peewee.execute(query).fetchall())

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Have a connection inside, and tell failures in our own words."""
        if not self.peewee.is_closed():
            yield
            return
        self._here.committing = False
        stocked = len(self.peewee._idle) > 0
        try:
            self.peewee.connect()
            self.peewee.expect_within(self.patience)
            yield
        except (peewee.DatabaseError, peewee.InterfaceError) as error:
            raise self._in_our_words(error, stocked) from error
        finally:
            self.peewee.close()

    def _in_our_words(self, error: Exception, stocked: bool) -> errors.UsherError:
        causes = list(_causes(error))
        states = {getattr(cause, "sqlstate", None) for cause in causes}
        if FOREIGN_KEY_VIOLATION in states or "FOREIGN KEY" in str(error):
            # Only an app is ever deleted as a row, and its credentials with it.
            return errors.InvalidCredential()
        if isinstance(error, peewee.IntegrityError) or states & LOST_RACES:
            return errors.LostRace()
        if isinstance(error, peewee.ProgrammingError | peewee.DataError):
            raise error
        # Whatever broke this connection broke those in stock as well.
        self.peewee.close_idle()
        slow = any(isinstance(cause, _SLOW) for cause in causes)
        if stocked and not slow and not self._here.committing:
            return errors.LostRace()
        return errors.StoreUnavailable()


# The store is there and does not answer in time, so asking once more only makes it later.
_SLOW = (psycopg.errors._WaitTimeout, psycopg.errors.QueryCanceled)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _open_sqlite(url: str, patience: float) -> _Sqlite:
    return _Sqlite(
        unquote(urlsplit(url).path)[1:],
        pragmas={"journal_mode": "wal", "foreign_keys": 1, "synchronous": "full"},
        timeout=patience,
        # A transaction that begins with a read and then writes would fail at once under load.
        lock_type="IMMEDIATE",
        check_same_thread=False,
        autoconnect=False,
    )


def _open_postgres(url: str) -> _Postgres:
    params = conninfo_to_dict(url, connect_timeout=2)
    return _Postgres(
        params.pop("dbname", None) or params.get("user") or "postgres",
        prefer_psycopg3=True,
        autoconnect=False,
        **params,
    )
