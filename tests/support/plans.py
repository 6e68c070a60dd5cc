"""Read how a database goes about each statement: what it reads from end to end, what it sorts, and how
much it does in all.

A plan is read just before its statement is run, on the same connection and then undone, so that the
statement finds what it would have found. Each is carried out to be read: as ``app`` leads every index, some
index is always used, and only what was read tells whether it was one that finds the rows.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import peewee
import psycopg
from psycopg.pq import TransactionStatus

from service.store.engine.sqlite import Sqlite
from service.store.tables import TABLES

OWNED = {table._meta.table_name for table in TABLES}

NUMBERS = count()

PLACE = re.compile(r"%s")
ALIAS = re.compile(r'"(\w+)" AS "(\w+)"')
# How SQLite calls what it reads from end to end; an automatic index is made of all rows for one statement.
SCAN = re.compile(r"SCAN (?:TABLE )?(\w+)|SEARCH (?:TABLE )?(\w+) .*\bAUTOMATIC\b")
SORT = "USE TEMP B-TREE FOR"


@dataclass(frozen=True)
class Plan:
    """How one statement is carried out. ``scanned`` are our tables that are read from end to end; ``read``
    counts rows on PostgreSQL, and on SQLite steps, of which each row takes at least one."""

    statement: str
    scanned: tuple[str, ...]
    sorts: bool
    read: int


@contextmanager
def looking(database: Any) -> Iterator[list[Plan]]:
    """Gather the plans of the statements that are run inside."""
    plans: list[Plan] = []
    run, run_together = database._execute_cursor, database.execute_together

    def look(sql: str, params: Any = None, **how: Any) -> Any:
        plans.extend(plans_of(database, sql, params or ()))
        return run(sql, params, **how)

    def look_at_others(statements: Sequence[tuple[str, Any]]) -> Any:
        if not isinstance(database, Sqlite):
            # The first is run like any other.
            for sql, params in statements[1:]:
                plans.extend(plans_of(database, sql, params))
        return run_together(statements)

    database._execute_cursor, database.execute_together = look, look_at_others
    try:
        yield plans
    finally:
        del database._execute_cursor, database.execute_together


def plans_of(database: peewee.Database, sql: str, params: Any) -> list[Plan]:
    """Return the plans of a statement, of which PostgreSQL may follow either; none of what has none."""
    if not sql.startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
        return []
    connection = database.connection()
    read = _of_sqlite if isinstance(database, Sqlite) else _of_postgresql
    return list(read(connection, sql, params))


def _of_sqlite(connection: sqlite3.Connection, sql: str, params: Any) -> Iterator[Plan]:
    explained = [line for *_, line in connection.execute(f"EXPLAIN QUERY PLAN {sql}", params)]
    named = ALIAS.findall(sql)
    scans = [match[1] or match[2] for line in explained if (match := SCAN.match(line))]
    tables = {table for scan in scans for table in [scan, *(name for name, alias in named if alias == scan)]}
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    with _undone(connection.execute, connection.in_transaction):
        connection.set_progress_handler(step, 1)
        connection.execute(sql, params).fetchall()
        connection.set_progress_handler(None, 0)
    sorts = any(line.startswith(SORT) for line in explained)
    yield Plan("\n  ".join([sql, *explained]), tuple(tables & OWNED), sorts, steps)


def _of_postgresql(connection: psycopg.Connection[Any], sql: str, params: Any) -> Iterator[Plan]:
    cursor = psycopg.ClientCursor(connection)
    is_inside = connection.info.transaction_status != TransactionStatus.IDLE
    places = count(1)
    numbered = PLACE.sub(lambda _: f"${next(places)}", sql)
    values = f"({', '.join(['%s'] * len(params))})" if params else ""
    # Where one could not be carried out, its name stays.
    name = f"looked_at_{next(NUMBERS)}"
    with _undone(cursor.execute, is_inside):
        cursor.execute(f"PREPARE {name} AS {numbered}")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {name}{values}", params or None)
        nodes = list(_nodes(cursor.fetchall()[0][0][0]["Plan"]))
        cursor.execute(f"DEALLOCATE {name}")
    scanned = tuple(node["Relation Name"] for node in nodes if node["Node Type"].endswith("Seq Scan"))
    sorts = any(node["Node Type"].endswith("Sort") for node in nodes)
    yield Plan("\n  ".join([sql, *map(_in_short, nodes)]), scanned, sorts, max(map(_read, nodes)))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", []):
        yield from _nodes(below)


def _read(node: dict[str, Any]) -> int:
    """Return how many rows a part of a plan looked at, or how often it looked into an index."""
    removed = sum(number for name, number in node.items() if name.startswith("Rows Removed by"))
    seen = node["Actual Rows"] + removed
    return int(max(seen * node["Actual Loops"], node.get("Index Searches", 0)))


def _in_short(node: dict[str, Any]) -> str:
    about = ("Node Type", "Relation Name", "Index Name", "Index Cond", "Filter", "Actual Rows")
    return " · ".join(str(node[name]) for name in about if name in node)


@contextmanager
def _undone(execute: Any, is_inside: bool) -> Iterator[None]:
    begin, undo = ("SAVEPOINT looked", "ROLLBACK TO looked") if is_inside else ("BEGIN", "ROLLBACK")
    execute(begin)
    try:
        yield
    finally:
        execute(undo)
        if is_inside:
            execute("RELEASE looked")
