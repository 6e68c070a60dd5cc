"""PostgreSQL: a server, which may go away at any moment. What is peculiar to it stands here and nowhere
else."""

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import peewee
import psycopg
from psycopg.abc import ConnDict
from psycopg.conninfo import conninfo_attempts, conninfo_to_dict, make_conninfo
from psycopg.generators import connect
from psycopg.pq import TransactionStatus
from psycopg.waiting import wait_conn

from service import threads
from service.model.errors import BadSettings, StoreUnavailable
from service.store.engine.libpq import Bounded, PreparedCursor, Sql, WaitTimeout
from service.store.engine.pool import Pool
from service.store.engine.prepared import Rows

# How long a server may take to let us in, in seconds, where there is more time than that.
HANDSHAKE = 10.0
# What a URL need not say.
DEFAULTS = {
    # A machine that is gone is noticed within seconds, also by what may take a minute, as an erase.
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 3000,
    "target_session_attrs": "primary",
}
# How long to wait for a name server, in seconds, where an address is known.
LOOKUP = 0.5
# How many rows of a great many are fetched at once.
STREAMED = 2000
# What a connection may ask of its server: a standby hears later of what is revoked than that is answered.
PRIMARY = ("primary", "read-write")
# Whether somebody's commit waits for a standby that confirms nothing.
_IS_STUCK = """
SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'SyncRep'
    AND query_start < clock_timestamp() - interval '1 second' LIMIT 1
"""


_PORT = re.compile("[0-9]{0,5}")


class _Names:
    """Look up hosts without waiting for a silent name server: what it said last serves meanwhile."""

    def __init__(self) -> None:
        self._asking = ThreadPoolExecutor(max_workers=4)
        self._known: list[ConnDict] = []
        # Who let us in last, to be asked first: of several hosts one may be gone for good.
        self.last: ConnDict = {}

    def addresses(self, params: dict[str, Any], seconds: float) -> list[ConnDict]:
        """Return the parameters of each address that there is to try, in this order."""
        asked = self._asking.submit(self._ask, params)
        try:
            with threads.waiting:
                asked.result(min(seconds, LOOKUP) if self._known else seconds)
        except TimeoutError:
            asked.cancel()
            if not self._known:
                raise WaitTimeout("no name server answers") from None
        except psycopg.OperationalError:
            if not self._known:
                raise
        return sorted(self._known, key=lambda address: address != self.last)

    def _ask(self, params: dict[str, Any]) -> None:
        self._known = conninfo_attempts(params)


class _Adapter(peewee.Psycopg3Adapter):
    def connect(self, db: "Postgres", **params: Any) -> Bounded:
        # libpq bounds the wait for each address by itself, so that two silent ones take twice as long.
        until = time.monotonic() + min(db.left_to_wait(), HANDSHAKE)
        addresses = db.names.addresses({"dbname": db.database} | params, until - time.monotonic())
        while True:
            address = addresses.pop(0)
            share = max(0.0, until - time.monotonic()) / (len(addresses) + 1)
            try:
                with threads.waiting:
                    connection = Bounded(wait_conn(connect(make_conninfo("", **address)), 0.1, share))
                db.names.last = address
                break
            except psycopg.OperationalError:
                if not addresses:
                    raise
        connection.watch_standby()
        connection.deadline, db.silent = db.deadline, False
        connection.spread = db.spread
        # What psycopg prepares by itself it forgets after a rollback, and all else that is prepared with it.
        connection.prepare_threshold = None
        if not db.spread.is_set():
            connection.plan_for_average()
        return connection


class Postgres(Pool, peewee.PostgresqlDatabase):
    """One server, or several of which one is the primary, and the others follow it."""

    psycopg3_adapter = _Adapter

    def __init__(self, url: str) -> None:
        try:
            named = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise BadSettings("DATABASE_URL is no URL that PostgreSQL's libpq can read") from None
        params = DEFAULTS | named
        _require_primary(params)
        name = params.pop("dbname", None) or params.get("user") or "postgres"
        self.names = _Names()
        # Set once it is known that the store's tables are spread over a cluster of Citus.
        self.spread = threading.Event()
        super().__init__(name, prefer_psycopg3=True, autoconnect=False, **params)

    def begin(self, isolation_level: str | None = None) -> None:  # noqa: ARG002 - peewee's signature
        """Begin a transaction, with its first statement."""
        # The server gives up before we do, so that no statement runs on unheard.
        self._prepared().before[:] = ["BEGIN", *_within(self.deadline.left() * 0.9)]

    def begin_snapshot(self) -> None:
        """Begin to see the store as it is when first asked, while others write."""
        self._prepared().before[:] = ["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"]

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Run a query, and return its rows as they are asked for; in a transaction."""
        self._prepared().flush()
        with self.connection().cursor("stream") as cursor:
            cursor.itersize = STREAMED
            yield from cursor.execute(sql)

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Add a great many rows to a table, and have the server know what there is by then."""
        self.copy(table, columns, rows)
        self.look_at(table)

    def look_at(self, table: str) -> None:
        """Have the server look at a table, and know by and by what is in it, unless somebody changes it."""
        with self.cursor() as cursor:
            cursor.execute(f'ANALYZE (SKIP_LOCKED) "{table}"')

    def is_among(self, column: Any, values: list[Any]) -> Any:
        """Whether a column has one of many values, which are sent as one."""
        return column == peewee.SQL("ANY(%s)", [values])

    def contains(self, column: Any, cases: Sequence[str]) -> Any:
        """Whether a text holds letters one after the other, each in one of its cases; no locale is asked."""
        parts = (f"[{case}]" if len(case) > 1 else f"\\{case}" if case in "+^|$" else case for case in cases)
        return column.regexp("".join(parts))

    def matches(self, table: Any, words: Sequence[str], *, any_of: bool = False) -> Any:
        """Whether a row of an index has all of some words, or any of them; these are letters and digits."""
        query = peewee.SQL("CAST(%s AS tsquery)", [(" | " if any_of else " & ").join(words)])
        return peewee.Expression(table.pieces, "@@", query)

    def forget_deleted(self, table: str, pages: int) -> bool:  # noqa: ARG002 - SQLite has a use for them
        """Return that nothing is left: the server takes out by itself what was deleted."""
        return False

    def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Add many rows to a table."""
        names = ", ".join(f'"{name}"' for name in columns)
        with self.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)

    def drop(self, tables: Sequence[str]) -> None:
        """Drop tables, as far as they are there, when nobody uses them any more."""
        self.execute_sql(f"DROP TABLE IF EXISTS {', '.join(tables)}")

    def lock(self, app: str, *names: str) -> None:
        """Lock these names of an app until the transaction ends, before the next statement is run."""
        numbers = [_number(app, name) for name in sorted(set(names))]
        if len(numbers) == 1:
            self._prepared().before.append(f"SELECT pg_advisory_xact_lock({numbers[0]}) {_where(app)}")
        elif numbers:
            # One after the other, in one statement: for a great many the server takes far less so.
            each = f"unnest(ARRAY{numbers}) AS number"
            locked = f"SELECT count(pg_advisory_xact_lock(number)) FROM {each}"  # noqa: S608 - of numbers alone
            self._prepared().before.append(f"SELECT ({locked}) {_where(app)}")

    def try_lock(self, app: str, name: str) -> bool:
        """As ``lock``, if nobody has locked it; return whether that is so."""
        locked = 'SELECT pg_try_advisory_xact_lock(%s) FROM "apps" WHERE "app" = %s HAVING true'
        return bool(self.execute_sql(locked, [_number(app, name), app]).fetchone()[0])

    def lock_here(self, name: str) -> None:
        """As ``lock``, a name of no app, at the server that is asked."""
        self._prepared().before.append(f"SELECT pg_advisory_xact_lock({_number('', name)})")

    def cursor(self, named_cursor: Any = None) -> Any:
        """Open a cursor; what is prepared shares one."""
        if self._next.is_prepared:
            self._next.is_prepared = False
            return self._prepared()
        self._prepared().flush()
        return super().cursor(named_cursor)

    def execute_prepared(self, sql: str, values: Sequence[Any]) -> Any:
        """Run a statement whose answer is read before the next one is run."""
        self._next.is_prepared = True
        return self.execute_sql(sql, values)

    def execute_together(self, statements: Sequence[Sql]) -> list[Rows]:
        """Run statements in one round trip, and return the rows of each."""
        first, *beside = statements
        self._prepared().beside = beside
        rows: list[Rows] = self.execute_prepared(*first).fetch_each()
        return rows

    def commit(self) -> None:
        """Commit a transaction, if anything was done in it, with what was left for its end."""
        prepared, (last, self._next.last) = self._prepared(), (self._next.last, [])
        if "BEGIN" in prepared.before and not last:
            prepared.before.clear()
        else:
            prepared.run(last, "COMMIT")

    def rollback(self) -> None:
        """Undo a transaction, and nothing else: psycopg would also forget what is prepared."""
        prepared, self._next.last = self._prepared(), []
        begun = "BEGIN" not in prepared.before
        prepared.before.clear()
        if begun:
            prepared.run((), "ROLLBACK")

    def alone(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """Take a step that is a transaction by itself."""
        return step(*arguments)

    def execute_all(self, statements: list[Sql]) -> None:
        """Run statements that add rows, and see nothing of each other, as one."""
        self.execute_together(self._shaped(statements))

    def execute_at_the_end(self, statements: list[Sql]) -> None:
        """As ``execute_all``, when the transaction is committed; at once if it is all of the transaction, as
        on a connection that turns out to be dead it is tried again, which a commit may not be."""
        if self._prepared().before:
            self.execute_all(statements)
        else:
            self._next.last = self._shaped(statements)

    def _shaped(self, statements: list[Sql]) -> list[Sql]:
        """Return statements that add rows as one; or as they are, of which Citus keeps the plans."""
        return statements if self.spread.is_set() else [_as_one(statements)]

    def locked(self, query: Any, how: str, of: Any) -> Any:
        """Return a query that locks its rows."""
        return query.for_update(f"FOR {how}", of=of)

    def extend_deadline(self, seconds: int) -> None:
        """Let the statements of this transaction take as long."""
        self._prepared().before.extend(_within(seconds))

    def expect_many(self) -> None:
        """Have this transaction's statements planned for the values that they are asked with: one that is
        planned for any compares each row that it looks at with each of many."""
        self._prepared().before.append("SET LOCAL plan_cache_mode = auto")

    def give_up_locks_after(self, seconds: float) -> None:
        """Raise, in this transaction, if a statement has to wait longer for what somebody else has locked."""
        self._prepared().before.append(f"SET LOCAL lock_timeout = {int(seconds * 1000)}")

    def after_fork(self) -> None:
        """Leave alone what was opened before a fork, and whoever looked up names there."""
        super().after_fork()
        self.names = _Names()

    def is_dead(self) -> bool:
        """Return whether this thread's connection was cut off."""
        return not self.is_closed() and bool(self.connection().closed)

    def require_alive(self) -> None:
        """Raise psycopg.Error if the server is known to have cut off this thread's connection."""
        self.connection().hear()

    def require_committing(self) -> None:
        """Raise StoreUnavailable while commits wait for a standby that is away.

        Each that waits keeps a connection of the server, though whoever asked is gone, until there is none
        left for those who only read.
        """
        if not self.stuck:
            return
        if self.execute_prepared(_IS_STUCK, ()).fetchall():
            raise StoreUnavailable
        self.stuck = False

    def _is_clean(self, connection: Any) -> bool:
        # Citus makes no plan for an app that it does not know.
        is_of_use = not (connection.plans_for_average and self.spread.is_set())
        return is_of_use and bool(connection.pgconn.transaction_status == TransactionStatus.IDLE)

    def _prepared(self) -> PreparedCursor:
        return cast(PreparedCursor, self.connection().prepared)


def _require_primary(params: dict[str, Any]) -> None:
    """Raise BadSettings where libpq would only say so when it connects, or let us in at a standby, which
    knows of what is revoked later than it is answered."""
    hosts = (params.get("host") or params.get("hostaddr") or "").split(",")
    ports = str(params.get("port", "")).split(",")
    if len(ports) not in (1, len(hosts)) or not all(_PORT.fullmatch(port) for port in ports):
        raise BadSettings("DATABASE_URL must have a port for each host, or one for all")
    if params["target_session_attrs"] not in PRIMARY:
        raise BadSettings(f"target_session_attrs in DATABASE_URL must be {' or '.join(PRIMARY)}")


def _as_one(statements: list[Sql]) -> Sql:
    *others, last = (sql for sql, _ in statements)
    named = ", ".join(f'"added{place}" AS ({sql})' for place, sql in enumerate(others))
    values = [value for _, values in statements for value in values]
    return (f"WITH {named} {last}" if others else last), values


def _number(app: str, name: str) -> int:
    """Return the number that stands for a name of an app in locks."""
    return int.from_bytes(hashlib.sha256(f"{app} {name}".encode()).digest()[:8], signed=True)


def _where(app: str) -> str:
    """Have a lock taken where the rows of an app are, which may be another machine, whether or not there is
    such an app: of a group without rows there is one answer, and no row is looked at."""
    quoted = app.replace("'", "''")
    return f'FROM "apps" WHERE "app" = \'{quoted}\' HAVING true'


def _within(seconds: float) -> tuple[str, str]:
    """Bound each statement, and each pause in which a client that went away would hold its locks.

    SET LOCAL ends with the transaction, so it also serves behind a pooler of connections.
    """
    limit = max(1, int(seconds * 1000))
    times = "statement_timeout", "idle_in_transaction_session_timeout"
    first, second = (f"SET LOCAL {name} = {limit}" for name in times)
    return first, second
