"""Write a great many rows at once, into a migrated database that nobody has open."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg

# A table's name, those of its columns, and its rows.
Rows = tuple[str, list[str], Iterable[tuple[Any, ...]]]


def write(url: str, tables: Iterable[Rows], *, trusted: bool = False) -> None:
    """Write the rows of each table. Of those that are ``trusted`` PostgreSQL does not look whether what they
    refer to is there, which only a superuser may ask of it; SQLite never does here."""
    (_into_sqlite if url.startswith("sqlite:") else _into_postgresql)(url, tables, trusted)


def _into_postgresql(url: str, tables: Iterable[Rows], trusted: bool) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        if trusted:
            cursor.execute("SET LOCAL session_replication_role = replica")
        for table, columns, rows in tables:
            with cursor.copy(f"COPY {_named(table, columns)} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)


def _into_sqlite(url: str, tables: Iterable[Rows], _trusted: bool) -> None:
    with closing(sqlite3.connect(unquote(urlsplit(url).path)[1:], isolation_level=None)) as connection:
        # Nobody minds here what a loss of power would leave.
        for setting in ("journal_mode = off", "synchronous = off", "cache_size = -1000000"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute("BEGIN")
        for table, columns, rows in tables:
            places = ", ".join("?" * len(columns))
            connection.executemany(f"INSERT INTO {_named(table, columns)} VALUES ({places})", rows)  # noqa: S608 - our own names
        connection.execute("COMMIT")


def _named(table: str, columns: list[str]) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    return f'"{table}" ({names})'
