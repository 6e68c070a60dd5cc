"""Marks: rows that a test leaves in an app of its own and counts, and ways to leave them at once."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import peewee
import psycopg

from service.store.database import Database
from service.store.tables import Rates

# Longer than anything here takes, in seconds.
LONG = 60


def mark(app: str, kind: str = "mark") -> peewee.Query:
    """Leave a mark in an app; each kind only once."""
    return Rates.insert(app=app, kind=kind, address="", minute=0, count=1)


def count(database: Database, app: str) -> int:
    """Count the marks that were left in an app."""
    return len(database.rows(Rates.select(Rates.kind).where(Rates.app == app)))


def at_once(*tasks: Callable[[], object]) -> list[object]:
    """Run tasks in threads of their own, and return what each answered or raised."""
    with ThreadPoolExecutor(len(tasks)) as threads:
        futures = [threads.submit(task) for task in tasks]
    return [future.exception() or future.result() for future in futures]


@contextmanager
def another_writes(file: Path) -> Iterator[None]:
    """Have somebody else's transaction that writes into an SQLite file, and does not end."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def wait_until_somebody_waits_for(connection: psycopg.Connection[Any]) -> None:
    """Wait until another transaction waits for what this one has locked."""
    while not connection.execute(
        "SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    ).fetchone():
        time.sleep(0.01)
        connection.execute("SELECT pg_stat_clear_snapshot()")
