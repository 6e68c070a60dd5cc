"""A backup: all that is kept, in one file, from which a store of either engine can be made.

It is compressed JSON, one value a line: what it is, then each table's name and its rows, and at the end how
many rows there are and the digest of all lines before. It is written while the store is in use, as of one
moment, and read row by row.

Left out is what is over after a restore in any case: sessions, counts of rates, and files of people that were
sent to be taken in; and the index of what was written, which is made anew, and how far events were followed.
"""

import gzip
import hashlib
import os
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson
import psycopg
from peewee import BooleanField

from service.model.errors import BadBackup
from service.store.database import Database
from service.store.journal import sync_directory
from service.store.migrating import apply, migrations
from service.store.tables import (
    OF_ENGINES,
    TABLES,
    Apps,
    ConsoleSessions,
    DuplicateProgress,
    Imports,
    OperatorSessions,
    Rates,
    SearchProgress,
    Sessions,
)
from service.times import now, rfc3339

LEFT_OUT = (Sessions, Rates, ConsoleSessions, OperatorSessions, Imports, SearchProgress, DuplicateProgress)
KEPT = tuple(table for table in TABLES if table not in LEFT_OUT)
FORMAT = 1
# For how long a backup may be written or read, in seconds.
TIMEOUT = 24 * 3600

_LEVEL = 3
_MISFITS = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, sqlite3.IntegrityError)
# What reading a file that is damaged, or something else, raises.
_DAMAGE = (EOFError, KeyError, OSError, TypeError, ValueError, zlib.error)


@dataclass(frozen=True)
class Backup:
    """What is in a file: when it was written, of which engine, with which migrations; the columns of its
    tables, and how many rows each has; and the digest of all of it."""

    at: str
    engine: str
    migrations: list[str]
    columns: dict[str, list[str]]
    rows: dict[str, int]
    checksum: str


def write(database: Database, path: Path) -> Backup:
    """Write all that is kept into a file, which is there when all of it is. Raises BadBackup where the store
    has what this release does not know, and OSError."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    file = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    try:
        with file:
            with gzip.GzipFile("", "wb", _LEVEL, file) as compressed, database.snapshot(TIMEOUT):
                written = _write(database, _Lines(compressed))
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    sync_directory(path)
    return written


class _Lines:
    """Writes lines, and keeps count."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.rows: Counter[str] = Counter()

    @property
    def checksum(self) -> str:
        return self._digest.hexdigest()

    def put(self, *values: Any) -> None:
        data = b"".join(orjson.dumps(value) + b"\n" for value in values)
        self._digest.update(data)
        self._file.write(data)


def _write(database: Database, lines: _Lines) -> Backup:
    had, _, unknown = migrations(database)
    if unknown:
        raise BadBackup(f"the store has {', '.join(unknown)}, which this release does not know")
    engine = "sqlite" if database.is_sqlite else "postgresql"
    columns = {table._meta.table_name: [*table._meta.columns] for table in KEPT}
    backup = Backup(rfc3339(now()), engine, had, columns, lines.rows, "")
    head = {"at": backup.at, "engine": engine, "migrations": had, "tables": columns}
    lines.put({"usher": "backup", "format": FORMAT} | head)
    for table in KEPT:
        name = table._meta.table_name
        lines.put(name)
        for row in _rows(database, table):
            lines.put(row)
            lines.rows[name] += 1
    checksum = lines.checksum
    lines.put({"rows": lines.rows, "sha256": checksum})
    return Backup(backup.at, engine, had, columns, dict(lines.rows), checksum)


def _rows(database: Database, table: Any) -> Iterator[Any]:
    fields = table._meta.sorted_fields
    columns = ", ".join(f'"{field.column_name}"' for field in fields)
    rows = database.peewee.stream(f'SELECT {columns} FROM "{table._meta.table_name}"')  # noqa: S608 - our own names
    booleans = [place for place, field in enumerate(fields) if isinstance(field, BooleanField)]
    if not (booleans and database.is_sqlite):
        return rows
    # SQLite knows numbers only.
    return (
        [bool(value) if place in booleans and value is not None else value for place, value in enumerate(row)]
        for row in rows
    )


def examine(path: Path) -> Backup:
    """Read a backup to its end, and return what is in it. Raises BadBackup unless it is whole."""
    digest, rows, name, last = hashlib.sha256(), Counter[str](), "", b""
    try:
        with gzip.open(path) as file:
            first = file.readline()
            head = orjson.loads(first)
            if head["usher"] != "backup" or head["format"] != FORMAT:
                raise BadBackup(f"{path} is no backup that this release can read")
            digest.update(first)
            for line in file:
                digest.update(last)
                last = line
                if line.startswith(b'"'):
                    name = orjson.loads(line)
                elif line.startswith(b"["):
                    rows[name] += 1
        end = orjson.loads(last)
        if end != {"rows": rows, "sha256": digest.hexdigest()}:
            raise BadBackup(f"{path} is damaged: its checksum does not hold")
    except _DAMAGE as error:
        raise BadBackup(f"{path} is damaged, or no backup: {type(error).__name__}") from error
    return Backup(head["at"], head["engine"], head["migrations"], head["tables"], dict(rows), end["sha256"])


def require_known(database: Database, backup: Backup) -> None:
    """Raise BadBackup if a backup, or the store into which it is to go, is of a newer release than this."""
    _, known, unknown = migrations(database)
    for whose, names in (("the backup", set(backup.migrations) - set(known)), ("the store", set(unknown))):
        if names:
            raise BadBackup(
                f"{whose} has {', '.join(sorted(names))}, which this release does not know: restore with the"
                " release that does, or a newer one"
            )


def is_empty(database: Database) -> bool:
    """Return whether there is no app in a store, which may be without tables."""
    name = Apps._meta.table_name
    if name not in database.ask(database.peewee.get_tables):
        return True
    return not database.rows(Apps.select(Apps.app, Apps.name).order_by(Apps.created_at, Apps.app))


def load(database: Database, path: Path, backup: Backup) -> list[str]:
    """Have a backup take the place of all that is in a store, in this transaction, and bring its schema up to
    date; return which migrations that took."""
    database.extend_deadline(TIMEOUT)
    names = [table._meta.table_name for table in reversed((*TABLES, *OF_ENGINES))]
    database.peewee.drop(["schema_migration", *names])
    apply(database, backup.migrations)
    for name, rows in groupby(_read(path), key=itemgetter(0)):
        try:
            database.peewee.load(name, backup.columns[name], (row for _, row in rows))
        except _MISFITS as error:
            # What it says may hold what somebody wrote.
            raise BadBackup(f"the rows of {name} do not fit: {type(error).__name__}") from error
    _, known, _ = migrations(database)
    return apply(database, known)


def _read(path: Path) -> Iterator[tuple[str, list[Any]]]:
    name = ""
    with gzip.open(path) as file:
        for line in file:
            if line.startswith(b'"'):
                name = orjson.loads(line)
            elif line.startswith(b"["):
                yield name, orjson.loads(line)
