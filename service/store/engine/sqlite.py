"""SQLite: a file of this machine. What is peculiar to it stands here and nowhere else."""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import peewee

from service.model.errors import StoreUnavailable
from service.store.engine.pool import Pool

# How long to be asleep at most before asking anew whether nobody writes any more, in seconds.
NAP = 0.008


class _File(sqlite3.Connection):
    """A connection that knows which file it has open, whatever may stand in its place by now."""

    which: tuple[int, int] | None = None


class Sqlite(Pool, peewee.SqliteDatabase):
    """One file, in which one transaction writes at a time; that makes locks needless."""

    def __init__(self, url: str) -> None:
        super().__init__(
            unquote(urlsplit(url).path)[1:],
            pragmas={
                "journal_mode": "wal",
                "foreign_keys": 1,
                "synchronous": "full",
                # What is deleted is overwritten, so that of whoever is erased no page of the file tells.
                "secure_delete": 1,
                # In KiB, as it is negative: the operating system keeps the file's pages too.
                "cache_size": -1024,
            },
            # A transaction that begins with a read and then writes would fail at once under load.
            lock_type="IMMEDIATE",
            check_same_thread=False,
            autoconnect=False,
            factory=_File,
            # SQLite's own waiting sleeps ever longer, and whoever sets a new file up does not wait: so we ask
            # again.
            timeout=NAP,
        )
        self._had_file = False
        self._queue = threading.Lock()

    def begin(self, lock_type: str | None = None) -> None:
        """Begin a transaction, waiting for whoever writes."""
        self.alone(self._after_others, super().begin, lock_type)

    def alone(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """Take a step that is a transaction by itself, waiting for whoever writes.

        SQLite lets anybody by, so that of thirty who write at once some never get their turn. So one thread
        at a time stands at its door.
        """
        if not self._queue.acquire(timeout=self.left_to_wait()):
            raise StoreUnavailable
        try:
            done = step(*arguments)
            self.silent = False
            return done
        finally:
            self._queue.release()

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """Run a statement."""
        return self._after_others(super().execute_sql, sql, params)

    def _after_others(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """Take a step, when nobody is in its way any more."""
        until = self.late_to_wait()
        while (done := _unless_busy(step, *arguments, until=until)) is None:
            pass
        return done[0]

    def begin_snapshot(self) -> None:
        """Begin to see the file as it is when first asked, while others write."""
        self.cursor().execute("BEGIN DEFERRED")

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Run a query, and return its rows as they are asked for."""
        return iter(self.connection().execute(sql))

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Add a great many rows to a table."""
        names, places = ", ".join(f'"{name}"' for name in columns), ", ".join("?" * len(columns))
        self.connection().executemany(f'INSERT INTO "{table}" ({names}) VALUES ({places})', rows)  # noqa: S608 - our own names

    copy = load

    def look_at(self, table: str) -> None:
        """Do nothing: it plans by the indexes alone."""

    def is_among(self, column: Any, values: list[Any]) -> Any:
        """Whether a column has one of many values, which are sent as one."""
        return column.in_(peewee.SQL("(SELECT value FROM json_each(?))", [json.dumps(values)]))

    def contains(self, column: Any, cases: Sequence[str]) -> Any:
        """Whether a text holds letters one after the other, each in one of its cases."""
        pattern = "".join(case if len(case) == 1 else f"[{case}]" for case in cases)
        return peewee.Expression(column, "GLOB", f"*{pattern}*")

    def matches(self, table: Any, words: Sequence[str], *, any_of: bool = False) -> Any:
        """Whether a row of an index has all of some words, or any of them; these are letters and digits."""
        pattern = (" OR " if any_of else " AND ").join(f'"{word}"' for word in words)
        return peewee.Expression(peewee.Column(table, table._meta.table_name), "MATCH", pattern)

    def forget_deleted(self, table: str, pages: int) -> bool:
        """Take so many pages of what was deleted out of an index, and return whether more may be left."""
        before = self.connection().total_changes
        self.execute_sql(f'INSERT INTO "{table}" ("{table}", "rank") VALUES (\'merge\', {-pages})')  # noqa: S608 - our own names
        # It counts as one change if there was nothing to do.
        return bool(self.connection().total_changes - before > 1)

    def drop(self, tables: Sequence[str]) -> None:
        """Drop tables, as far as they are there."""
        for table in tables:
            self.execute_sql(f'DROP TABLE IF EXISTS "{table}"')

    def after_fork(self) -> None:
        """Leave alone what was opened before a fork, and whoever waited there."""
        super().after_fork()
        self._queue = threading.Lock()

    def rollback(self) -> None:
        """Undo a transaction, unless SQLite has done so: it does where the disk fails."""
        if self.connection().in_transaction:
            super().rollback()

    def lock(self, app: str, *names: str) -> None:
        """Lock nothing: the transaction has locked everything."""

    def lock_here(self, name: str) -> None:
        """Lock nothing: the transaction has locked everything."""

    def try_lock(self, app: str, name: str) -> bool:  # noqa: ARG002 - PostgreSQL has a use for them
        """Return that nobody else has locked it: the transaction has locked everything."""
        return True

    def execute_prepared(self, sql: str, values: list[Any]) -> Any:
        """Run a statement."""
        return self.execute_sql(sql, values)

    def execute_all(self, statements: list[tuple[str, list[Any]]]) -> None:
        """Run statements one after the other, as a file is near."""
        for sql, values in statements:
            self.execute_sql(sql, values)

    execute_at_the_end = execute_all

    def execute_together(self, statements: Sequence[tuple[str, list[Any]]]) -> list[list[tuple[Any, ...]]]:
        """Run statements, and return the rows of each."""
        return [self.execute_sql(*statement).fetchall() for statement in statements]

    def locked(self, query: Any, how: str, of: Any) -> Any:  # noqa: ARG002 - PostgreSQL has a use for them
        """Return the query as it is: the transaction has locked all rows."""
        return query

    def extend_deadline(self, seconds: int) -> None:
        """Do nothing: no statement is ever cut off."""

    def expect_many(self) -> None:
        """Do nothing: statements are planned without a look at what there is."""

    def give_up_locks_after(self, seconds: float) -> None:
        """Do nothing: the transaction has locked everything."""

    def is_dead(self) -> bool:
        """Return whether this thread's connection was cut off: to a file none is."""
        return False

    def require_alive(self) -> None:
        """Do nothing: it always is."""

    def require_committing(self) -> None:
        """Do nothing: no commit waits for another machine."""

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Connect this thread to the file that is there: what is written into one that was removed or
        replaced is lost, and no error tells of it."""
        there = _which(self.database)
        if there is None and self._had_file:
            raise peewee.OperationalError("the database's file is gone")
        while super().connect(reuse_if_open) and self.connection().which not in (None, there):
            self.discard()
        self.connection().which = there or _which(self.database)
        self._had_file = True
        return True

    def open(self) -> Any:
        """Open a connection, and set it up, waiting for others who set up a new file."""
        until = time.monotonic() + self.deadline.left()
        while (opened := _unless_busy(super().open, until=until)) is None:
            time.sleep(NAP)
        return opened[0]

    def _is_clean(self, connection: Any) -> bool:
        return not connection.in_transaction


def _unless_busy(step: Callable[..., Any], *arguments: Any, until: float) -> tuple[Any] | None:
    """Take a step, and return its result; None if somebody is in its way, which raises from ``until`` on."""
    try:
        return (step(*arguments),)
    except (peewee.OperationalError, sqlite3.OperationalError) as error:
        codes = {getattr(cause, "sqlite_errorcode", 0) & 0xFF for cause in (error, error.__context__)}
        if sqlite3.SQLITE_BUSY not in codes or time.monotonic() >= until:
            raise
        return None


def _which(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
