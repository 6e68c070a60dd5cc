"""Run statements and transactions in a store, and say what went wrong in our own words."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import peewee
import psycopg

from service.model.errors import InvalidCredential, OutcomeUnknown, StaleState, StoreUnavailable, UsherError
from service.model.revocations import Revocation, Revoked
from service.store.engine.libpq import WaitTimeout
from service.store.engine.postgres import Postgres
from service.store.engine.prepared import Question, Rows, Statement
from service.store.engine.sqlite import Sqlite
from service.store.journal import Journal
from service.times import now

# Within 3 seconds an answer is owed, so the store has somewhat less, in seconds.
TIMEOUT = 2.0
# As many connections as may turn out to be dead before a question is given up.
ATTEMPTS = 3

# What the drivers call it: PostgreSQL's SQLSTATE, SQLite's result code.
MISSING_APP = {"23503", "SQLITE_CONSTRAINT_FOREIGNKEY"}
LOST_RACES = {
    # A unique index; a serialization failure, a deadlock.
    *("23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "40001", "40P01"),
    # What was prepared is gone, or has spoilt a transaction by being there: a pooler has put us before
    # another server process. It is run again there.
    *("26000", "25P02"),
}
# The server that we are connected to has become a standby.
READ_ONLY = {"25006"}
BUSY = {"SQLITE_BUSY", "SQLITE_BUSY_RECOVERY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_LOCKED"}

# What is none of the above, and one of these, is a mistake of our own.
MISTAKES = (peewee.ProgrammingError, peewee.DataError, peewee.IntegrityError)
MISTAKEN = {"SQLITE_ERROR"}
FAILURES = (peewee.DatabaseError, peewee.InterfaceError, psycopg.Error, sqlite3.Error)

Answer = TypeVar("Answer")


class _Here(threading.local):
    """What this thread is about: until when it wants its answers, if it has a deadline; how deep in what has
    a connection it is; what is to be added, and done, before its transaction ends; what was revoked in it;
    and whether what it does may have been committed."""

    def __init__(self) -> None:
        self.until: float | None = None
        self.depth = 0
        self.added: list[Statement] = []
        self.steps: list[Callable[[], None]] = []
        self.revoked: list[Revocation] = []
        self.committing = False


class Database:
    """One store. Queries, prepared or not, are built from ``tables`` and know no database until they are run
    here.

    Raises of every method: StoreUnavailable if the store is away or too slow, its OutcomeUnknown if it may
    have changed something all the same, StaleState if another transaction was first (then nothing was
    changed), InvalidCredential if the app is gone.
    """

    def __init__(self, url: str, timeout: float = TIMEOUT, journal: Journal | None = None) -> None:
        self.timeout = timeout
        self.journal = journal or Journal()
        self.peewee = Sqlite(url) if url.startswith("sqlite:") else Postgres(url)
        self._here = _Here()
        self._connected = _Connected(self)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite."""
        return isinstance(self.peewee, Sqlite)

    def start_deadline(self, waited: float = 0.0) -> None:
        """Have all that this thread asks from now on answered within the store's timeout, taken together,
        and over one connection.

        ``waited`` is for how many seconds whoever asks had waited for this thread.
        """
        self._here.until = time.monotonic() + self.timeout
        self.peewee.deadline.waited = waited

    def end_deadline(self) -> None:
        """Let each question and transaction take as long as the store's timeout again; give back the
        connection."""
        self._here.until = None
        self.peewee.deadline.waited = 0.0
        self.peewee.close()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Give back the connection while something else is done inside, in no transaction. A deadline has all
        of its time again after that."""
        until = self._here.until
        self.end_deadline()
        try:
            yield
        finally:
            if until is not None:
                self.start_deadline()

    def rows(self, query: Any) -> list[tuple[Any, ...]]:
        """Run a query, and return its rows. One that changes anything belongs into a transaction."""
        return self.ask(self._fetch, query)

    def row(self, query: Any) -> tuple[Any, ...] | None:
        """Run a query of at most one row, and answer it or None."""
        rows = self.rows(query)
        return rows[0] if rows else None

    def rows_at_once(self, query: Statement) -> Rows:
        """As ``rows``, of a statement that changes something, is a transaction by itself, and may be run
        again if its answer is lost: it does no more then."""
        return self.ask(self._fetch_change, query)

    def rows_and(self, query: Statement, *questions: Question) -> tuple[Rows, list[Any]]:
        """As ``rows``, with the answers to questions that are put in the same round trip."""
        return self.ask(self._fetch_all, query, questions)

    def change(self, query: Any) -> int:
        """Run a statement that answers no rows, and return how many rows it changed."""
        if self.peewee.in_transaction():
            return self._count(query)
        with self._connected:
            self._begin_to_commit()
            return int(self.peewee.alone(self._count, query))

    def put(self, table: Any, rows: list[dict[str, Any]]) -> None:
        """Write rows, of which there is at least one, in place of those with the same primary keys."""
        fields = {field.name: field for field in table._meta.sorted_fields}
        keys = [fields.pop(name) for name in table._meta.primary_key.field_names]
        written = table.insert_many(rows).on_conflict(conflict_target=keys, preserve=[*fields.values()])
        self.change(written)

    def copy(self, table: Any, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Add many rows in this transaction, none of which is there: whatever is, is a lost race."""
        self._add_all()
        self.peewee.copy(table._meta.table_name, columns, rows)

    def is_among(self, column: Any, values: Iterable[Any]) -> Any:
        """Return the condition that a column has one of these values, of which there may be a great many."""
        return self.peewee.is_among(column, list(values))

    def contains(self, column: Any, word: str) -> Any:
        """Return the condition that a text holds a word of letters, marks, digits and symbols, in whatever
        case."""
        return self.peewee.contains(column, [_cases(one) for one in word])

    def matches(self, table: Any, words: Sequence[str], *, any_of: bool = False) -> Any:
        """Return the condition that a row of an index has all of some words of letters and digits, or any of
        them."""
        return self.peewee.matches(table, words, any_of=any_of)

    def add(self, statement: Statement) -> None:
        """Add a row, or to one, in this transaction, before whatever is asked next or when it ends; so a row
        that is there already is a lost race by then.

        What is added one after the other is one statement: its parts see nothing of each other.
        """
        if not self.peewee.in_transaction():
            with self.transaction():
                self.add(statement)
                return
        if any(other.query is statement.query for other in self._here.added):
            self._add_all()
        self._here.added.append(statement)

    def at_the_end(self, step: Callable[[], None]) -> None:
        """Take a step in this transaction, after all else that is done in it."""
        assert self.peewee.in_transaction()  # noqa: S101 - else it would never be taken
        self._here.steps.append(step)

    def revoke(self, what: Revoked, app: str, id: str, text: str | None = None) -> None:
        """Have the journal say, when this transaction ends, what was revoked in it: which of several things
        that an id may mean, a ``text`` tells."""
        assert self.peewee.in_transaction()  # noqa: S101 - else nobody would ever write it down
        which = None if text is None else self.journal.digest(app, id, text)
        self._here.revoked.append(Revocation(what, app, id, now(), which))

    def row_at_once(self, query: Any) -> tuple[Any, ...] | None:
        """As ``row``, of a statement that changes something: it is a transaction by itself, unless there is
        one, and needs no messages around it. It is not run again if its answer is lost."""
        rows = self.rows_of_change(query)
        return rows[0] if rows else None

    def rows_of_change(self, query: Any) -> Rows:
        """As ``row_at_once``, of any number of rows."""
        return self.rows(query) if self._here.depth else self.ask(self._commit, query)

    def ask(self, question: Callable[..., Answer], *about: Any) -> Answer:
        """Run what changes nothing, anew if the connection was dead before the question was put."""
        if self._here.depth:
            # What is lost inside a transaction is run again as a whole.
            return question(*about)
        for _ in range(ATTEMPTS):
            try:
                with self._connected:
                    return question(*about)
            except StaleState:
                continue
        raise StoreUnavailable

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all or nothing of what is done inside; on SQLite nobody else writes meanwhile."""
        with self._connected:
            # What was added before a transaction inside another is none of its business.
            self._add_all()
            is_outermost = not self.peewee.in_transaction()
            if is_outermost:
                self.peewee.require_committing()
            steps, self._here.steps = self._here.steps, []
            revoked, self._here.revoked = self._here.revoked, []
            with self.peewee.atomic():
                try:
                    yield
                    for step in self._here.steps:
                        step()
                    if is_outermost and self._here.revoked:
                        # After all that may fail but the commit.
                        self._add_all()
                        self.journal.write(self._here.revoked)
                    else:
                        revoked += self._here.revoked
                    if added := self._here.added:
                        end = self.peewee.execute_at_the_end if is_outermost else self.peewee.execute_all
                        end([statement.sql(self.peewee) for statement in added])
                finally:
                    self._here.added, self._here.steps, self._here.revoked = [], steps, revoked
                # What fails from here on may have been committed, so it must not be run again.
                self._here.committing = self.peewee.deadline.changes = True

    @contextmanager
    def snapshot(self, seconds: int) -> Iterator[None]:
        """See one state of the store inside, whatever others write meanwhile, and for how long at most."""
        with self._connected:
            self.peewee.begin_snapshot()
            self.extend_deadline(seconds)
            try:
                yield
            finally:
                self.peewee.rollback()

    def look_at(self, tables: Iterable[type[peewee.Model]]) -> None:
        """Have the server look at how the rows of tables are distributed, one after the other. It plans by
        what it saw last, and then goes through all of an app that was empty for each row of it."""
        for table in tables:
            with self.transaction():
                self.extend_deadline(60)
                self.peewee.look_at(table._meta.table_name)

    def lock(self, app: str, *names: str) -> None:
        """Lock these names of an app until the transaction ends, waiting for whoever has locked one, before
        the next statement is run."""
        self._add_all()
        self.peewee.lock(app, *names)

    def lock_here(self, name: str) -> None:
        """As ``lock``, a name of no app, and at the server that is asked, which may have no table yet."""
        self._add_all()
        self.peewee.lock_here(name)

    def try_lock(self, app: str, name: str) -> bool:
        """As ``lock``, if nobody has locked it; return whether that is so."""
        self._add_all()
        return self.peewee.try_lock(app, name)

    def locked(self, query: Any, how: str = "UPDATE", of: Any = None) -> Any:
        """Return a query that also locks its rows.

        ``UPDATE`` is to change them, ``SHARE`` to rely on them, ``NO KEY UPDATE`` to change them while others
        add rows that refer to them.
        """
        return self.peewee.locked(query, how, of)

    def ping(self) -> None:
        """Ask the store for anything."""
        self.rows(peewee.Select(columns=[peewee.Value(1)]))

    def extend_deadline(self, seconds: int) -> None:
        """Let this transaction last longer than an answer should, and extend the thread's deadline as well:
        it erases a lot, or migrates."""
        until = self.peewee.deadline.until = time.monotonic() + seconds
        if self._here.until is not None:
            self._here.until = until
        self.peewee.extend_deadline(seconds)

    def expect_many(self) -> None:
        """Have this transaction's statements planned for a great many rows."""
        self.peewee.expect_many()

    def give_up_locks_after(self, seconds: float) -> None:
        """Raise StoreUnavailable, in this transaction, if a statement has to wait longer for what somebody
        else has locked."""
        self.peewee.give_up_locks_after(seconds)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self.peewee.close_idle()

    def connected(self) -> AbstractContextManager[None]:
        """Connect for what is done inside, and raise failures as our own errors."""
        return self._connected

    def _fetch(self, query: Any) -> list[tuple[Any, ...]]:
        return list(self._run(query).fetchall())

    def _fetch_all(self, query: Statement, questions: Sequence[Question]) -> tuple[Rows, list[Any]]:
        self._add_all()
        statements = query, *(question.statement for question in questions)
        rows, *answers = self.peewee.execute_together([one.sql(self.peewee) for one in statements])
        return rows, [question.read(answer) for question, answer in zip(questions, answers, strict=True)]

    def _commit(self, query: Any) -> Rows:
        self._begin_to_commit()
        return self._fetch(query)

    def _fetch_change(self, query: Statement) -> Rows:
        self.peewee.require_committing()
        self.peewee.deadline.changes = True
        return self._fetch(query)

    def _begin_to_commit(self) -> None:
        # What is sent once only is not what finds out that a connection was dead before.
        self.peewee.require_alive()
        self.peewee.require_committing()
        self._here.committing = self.peewee.deadline.changes = True

    def _count(self, query: Any) -> int:
        return int(self._run(query).rowcount)

    def _add_all(self) -> None:
        if added := self._here.added:
            self._here.added = []
            self.peewee.execute_all([statement.sql(self.peewee) for statement in added])

    def _run(self, query: Any) -> Any:
        self._add_all()
        if isinstance(query, Statement):
            return self.peewee.execute_prepared(*query.sql(self.peewee))
        return self.peewee.execute(query)

    def _until(self) -> float:
        now = time.monotonic()
        until = self._here.until or now + self.timeout
        if until <= now:
            raise StoreUnavailable
        return until

    def _in_our_words(self, error: Exception) -> UsherError | None:
        """Return what a driver's error means to us, or None if it is a mistake of our own."""
        found = list(causes(error))
        codes = {getattr(cause, name, None) for cause in found for name in ("sqlstate", "sqlite_errorname")}
        if codes & MISSING_APP:
            # Only an app is ever deleted as a row, and its credentials with it.
            return InvalidCredential()
        if codes & LOST_RACES:
            return StaleState()
        if isinstance(error, MISTAKES) or codes & MISTAKEN:
            return None
        timed_out = any(isinstance(cause, WaitTimeout) for cause in found)
        silent = timed_out or codes & BUSY
        if silent:
            self.peewee.silent = True
        # What a server refuses, being a standby now, it has not done.
        refused = bool(codes & READ_ONLY)
        dead = self.peewee.is_dead() or refused
        if dead:
            # Whatever broke this connection broke those in the pool as well.
            self.peewee.close_idle()
        self.peewee.discard()
        if dead and not silent and (refused or not self._here.committing):
            return StaleState()
        if not (dead and self.peewee.deadline.changes):
            return StoreUnavailable()
        self.peewee.stuck = timed_out
        return OutcomeUnknown()


def found_first(column: peewee.Field) -> Any:
    """Return a column of texts by which to put in order what is found by others: else SQLite would go through
    all rows of an app in that order, and not through the few that were found."""
    return column.concat("")


class _Connected:
    """Has a connection inside, which is kept while there is a deadline, and raises our own errors."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        database, here = self._database, self._database._here
        here.depth += 1
        if here.depth > 1:
            return
        try:
            here.committing = database.peewee.deadline.changes = False
            database.peewee.deadline.until = database._until()
            if database.peewee.is_closed():
                database.peewee.connect()
        except BaseException as error:
            self._leave(error)
            raise

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        self._leave(error)

    def _leave(self, error: BaseException | None) -> None:
        database, here = self._database, self._database._here
        here.depth -= 1
        if here.depth:
            return
        try:
            words = database._in_our_words(error) if isinstance(error, FAILURES) else None
            if words is not None:
                raise words from error
        finally:
            if here.until is None:
                database.peewee.close()


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Return an error, and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _cases(letter: str) -> str:
    """Return a letter in its cases, of those that are one letter."""
    return "".join(sorted({one for one in (letter, letter.lower(), letter.upper()) if len(one) == 1}))
