"""Read from a database's own catalogue what its tables look like, whatever the models say."""

import re
import sqlite3
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import psycopg

HISTORY = "schema_migration"
# What an engine's own full-text search keeps is as that engine has it: see tests/desk/test_indexing.py.
INDEX = "search_index"

# SQLite knows five kinds of columns; what else is written there means one of these.
SAME_IN_SQLITE = {"BIGINT": "INTEGER", "BOOLEAN": "INTEGER"}


@dataclass(frozen=True)
class Index:
    """An index: its columns in order, and for which rows it stands."""

    columns: tuple[str, ...]
    unique: bool
    where: str


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key: its columns in order, and what each of them names."""

    columns: tuple[str, ...]
    table: str
    theirs: tuple[str, ...]


@dataclass
class Table:
    """A table: its columns with their type and whether they may be null, and what stands over them."""

    columns: dict[str, tuple[str, bool, str | None]] = field(default_factory=dict)
    primary_key: tuple[str, ...] = ()
    indexes: dict[str, Index] = field(default_factory=dict)
    foreign_keys: set[ForeignKey] = field(default_factory=set)
    checks: set[str] = field(default_factory=set)


def tables(url: str) -> dict[str, Table]:
    """Return every table, without that of the migrations, and those of the engine's own full-text search."""
    found = _of_sqlite(url) if url.startswith("sqlite:") else _of_postgresql(url)
    return {name: table for name, table in found.items() if name not in (HISTORY, INDEX)}


def _of_sqlite(url: str) -> dict[str, Table]:
    connection = sqlite3.connect(unquote(urlsplit(url).path)[1:])
    connection.execute("BEGIN")

    def ask(sql: str, *values: str) -> list[tuple]:
        return connection.execute(sql, values).fetchall()

    found = {}
    for (name,) in ask(
        "SELECT name FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ):
        table = found[name] = Table()
        keyed = []
        for _, column, type_, not_null, default, at in ask("SELECT * FROM pragma_table_info(?)", name):
            # A part of a primary key may be null in SQLite, unless it says otherwise.
            table.columns[column] = (SAME_IN_SQLITE.get(type_, type_), not not_null, default)
            keyed += [(at, column)] if at else []
        table.primary_key = tuple(column for _, column in sorted(keyed))
        for _, index, unique, origin, _ in ask("SELECT * FROM pragma_index_list(?)", name):
            columns = tuple(column for _, _, column in ask("SELECT * FROM pragma_index_info(?)", index))
            (sql,) = ask("SELECT sql FROM sqlite_master WHERE name = ?", index)[0]
            if origin != "pk":
                table.indexes[index] = Index(columns, bool(unique), _predicate(sql))
        keys: dict[int, list[tuple[str, str, str]]] = {}
        for id, _, other, ours, theirs, *_ in ask("SELECT * FROM pragma_foreign_key_list(?)", name):
            keys.setdefault(id, []).append((other, ours, theirs))
        for parts in keys.values():
            others, ours, theirs = zip(*parts, strict=True)
            table.foreign_keys.add(ForeignKey(ours, others[0], theirs))
        (sql,) = ask("SELECT sql FROM sqlite_master WHERE name = ?", name)[0]
        table.checks |= set(re.findall(r"CHECK.*", sql, re.IGNORECASE))
    connection.close()
    return found


def _predicate(sql: str | None) -> str:
    _, _, where = (sql or "").partition(" WHERE ")
    return re.sub(r'[()"\s]+', " ", where).strip()


TABLES = """
SELECT oid, relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
"""
COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, pg_get_expr(adbin, adrelid)
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped
"""
INDEXES = """
SELECT indexrelid::regclass::text, indisprimary, indisunique, coalesce(pg_get_expr(indpred, indrelid), ''),
    ARRAY(SELECT pg_get_indexdef(indexrelid, n::int, true) FROM generate_series(1, indnkeyatts) AS n)
FROM pg_index WHERE indrelid = %s
"""
CONSTRAINTS = """
SELECT contype::text, confrelid::regclass::text, pg_get_constraintdef(oid),
    ARRAY(SELECT attname FROM unnest(conkey) WITH ORDINALITY AS k (number, at)
          JOIN pg_attribute ON attrelid = conrelid AND attnum = number ORDER BY at),
    ARRAY(SELECT attname FROM unnest(confkey) WITH ORDINALITY AS k (number, at)
          JOIN pg_attribute ON attrelid = confrelid AND attnum = number ORDER BY at)
FROM pg_constraint WHERE conrelid = %s AND contype IN ('f', 'c')
"""


def _of_postgresql(url: str) -> dict[str, Table]:
    found = {}
    with psycopg.connect(url) as connection:
        for oid, name in connection.execute(TABLES).fetchall():
            table = found[name] = Table()
            for column, type_, null, default in connection.execute(COLUMNS, (oid,)):
                table.columns[column] = (type_, null, default)
            for index, primary, unique, where, columns in connection.execute(INDEXES, (oid,)):
                named = tuple(column.strip('"') for column in columns)
                if primary:
                    table.primary_key = named
                else:
                    table.indexes[index] = Index(named, unique, where)
            for kind, other, definition, ours, theirs in connection.execute(CONSTRAINTS, (oid,)):
                if kind == "f":
                    table.foreign_keys.add(ForeignKey(tuple(ours), other.strip('"'), tuple(theirs)))
                else:
                    table.checks.add(definition)
    return found
