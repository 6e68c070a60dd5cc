"""Fill a store with a great many people, fast; the self-test tells whether that was done well."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import psycopg

from bench.people import Population, Row
from tests.servers import ADMIN_KEY, HERE, SECRET_KEY


def fill(database_url: str, population: Population, advance: Callable[[int], None]) -> None:
    """Write all rows; ``advance`` is told how many more there are from time to time."""
    write = _fill_sqlite if database_url.startswith("sqlite:") else _fill_postgresql
    write(database_url, population, advance)


def require_sound(database_url: str) -> None:
    """Have the self-test look at a store. Raises RuntimeError if it finds anything."""
    settings = {"ADMIN_KEY": ADMIN_KEY, "SECRET_KEY": SECRET_KEY, "DATABASE_URL": database_url, "DYNO": ""}
    checked = subprocess.run(
        [sys.executable, "-m", "service", "check"],
        cwd=HERE,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode:
        raise RuntimeError(checked.stdout + checked.stderr)


def _fill_postgresql(database_url: str, population: Population, advance: Callable[[int], None]) -> None:
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        # Our rows need no proof that what they refer to is there; the self-test gives it.
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table, columns, rows in population.tables():
            with cursor.copy(f"COPY {_named(table, columns)} FROM STDIN") as copy:
                for row in _told(rows, advance):
                    copy.write_row(row)


def _fill_sqlite(database_url: str, population: Population, advance: Callable[[int], None]) -> None:
    with closing(sqlite3.connect(urlsplit(database_url).path[1:], isolation_level=None)) as connection:
        # Nobody minds here what a loss of power would leave.
        for setting in ("journal_mode = off", "synchronous = off", "cache_size = -1000000"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute("BEGIN")
        for table, columns, rows in population.tables():
            places = ", ".join("?" * len(columns))
            connection.executemany(
                f"INSERT INTO {_named(table, columns)} VALUES ({places})",  # noqa: S608 - our own names
                _told(rows, advance),
            )
        connection.execute("COMMIT")


def _named(table: str, columns: list[str]) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    return f'"{table}" ({names})'


def _told(rows: Iterator[Row], advance: Callable[[int], None], every: int = 5000) -> Iterator[Row]:
    left = every
    for row in rows:
        yield row
        left -= 1
        if not left:
            advance(every)
            left = every
    advance(every - left)
