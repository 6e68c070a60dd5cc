"""Look at each statement when it is issued: every table in it that an app owns is scoped by the app.

A store of one app knows no other, so nobody can hand a query another app's id. What a query can still do is
forget it: of one table of several that it joins, in a subquery, in the rows that it copies.

This reads the SQL that is sent, and not the queries that it was made of. Scoped is a table whose ``app``
is compared with a value, or with the ``app`` of a table that is scoped, in a condition that always holds:
not in one branch of an OR, and not in the ON of an outer join that keeps the table's rows anyway.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Any

import peewee

from service.store.database import Database
from service.store.engine.prepared import Statement
from service.store.migrating import DIRECTORY
from service.store.tables import OF_ENGINES, TABLES

OWNED = {table._meta.table_name for table in (*TABLES, *OF_ENGINES)}
# The operator lists all apps, which are nobody's.
ALL_APPS = re.compile(r'SELECT [^()]* FROM "apps" AS "t1" ORDER BY "t1"."created_at", "t1"."app"')
# The self-test asks of all apps at once which rows are of none.
OF_NO_APP_THERE = re.compile(
    r'SELECT DISTINCT "t1"."app" FROM "\w+" AS "t1"'
    r' WHERE \("t1"."app" NOT IN \(SELECT "t2"."app" FROM "apps" AS "t2"\)\)'
)
# Whoever delivers looks for the apps for which there may be something.
WITH_WEBHOOKS = (
    'SELECT DISTINCT "t1"."app" FROM "webhooks" AS "t1" WHERE ("t1"."disabled" IS NULL) ORDER BY "t1"."app"'
)
# … and whoever takes people in, for those into which somebody has sent files.
WITH_IMPORTS = 'SELECT DISTINCT "t1"."app" FROM "imports" AS "t1" ORDER BY "t1"."app"'
# Whoever tells what is new asks, of several apps, which transactions run where each of them is.
SNAPSHOTS = (
    'SELECT "t1"."app", CAST(pg_current_snapshot() AS text) FROM "apps" AS "t1"'
    ' WHERE ("t1"."app" = ANY(CAST(%s AS text[])))'
)
# Whoever runs Usher is told of the webhooks of all apps, and nothing of any.
ALL_WEBHOOKS = re.compile(
    r'^SELECT "t1"."disabled", \("t1"."failing_since" IS NOT NULL\), COUNT\("t1"."id"\), (.*)'
    r' FROM "webhooks" AS "t1" GROUP BY "t1"."disabled", \("t1"."failing_since" IS NOT NULL\)$'
)
# Whoever follows events, or runs Usher, is told how far those of all apps were followed.
ALL_FOLLOWED = re.compile(
    r'^SELECT "t1"."app", (.*) FROM "apps" AS "t1"'
    r' (LEFT OUTER JOIN "(?:search|duplicate)_progress" AS "t\d" ON .*)'
    r' ORDER BY "t1"."app"$'
)
# SQLite puts its index in order, which is no row of anybody's.
IN_ORDER = re.compile(r'INSERT INTO "search_index" \("search_index", "rank"\) VALUES \(\'merge\', -\d+\)')
# Whoever removes files looks for the apps that have any to remove.
WITH_OLD_FILES = re.compile(
    r'SELECT DISTINCT "t1"."app" FROM "(attachments" AS "t1" WHERE \(\("t1"."message" IS NULL\) AND'
    r' \("t1"."created_at" <= (\?|%s)\)\)|removals" AS "t1" WHERE \("t1"."due" <= (\?|%s)\))'
)
# Migrations sort the rows of all apps at once; what they say is written down there word for word.
OF_MIGRATIONS = "".join(path.read_text() for path in DIRECTORY.glob("0*.py"))
READ_HERE = {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}
# What these do is not done to one app's rows.
OF_NO_APP = {"ALTER", "CREATE", "DROP", "PRAGMA", "SAVEPOINT", "RELEASE", "ROLLBACK"}

TOKEN = re.compile(r"""\s+|"(?P<name>[^"]+)"|(?P<value>\?|%s)|'(?:[^']|'')*'|(?P<word>\w+)|[^\s\w]""")
CLAUSES = {
    *("SELECT", "INSERT", "INTO", "VALUES", "UPDATE", "SET", "DELETE", "FROM", "WHERE", "GROUP"),
    *("HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FOR", "RETURNING", "UNION", "INTERSECT", "EXCEPT"),
    "CONFLICT",
}
JOINS = {"INNER", "LEFT", "RIGHT", "FULL", "OUTER", "CROSS", "NATURAL"}


def watch_every_database() -> None:
    """Look at the statements of every database that is opened in this process from now on, and have those
    that are prepared be what peewee makes of the same values.

    This is looked at once for each kind of values: what peewee makes of them may depend on their types, and
    on which of them are None, empty, zero or false.
    """
    opened, prepared = Database.__init__, Statement.sql
    compared: set[Any] = set()

    def open_watched(self: Database, *args: Any, **kwargs: Any) -> None:
        opened(self, *args, **kwargs)
        watch(self.peewee)

    def compare(self: Statement, database: peewee.Database) -> tuple[str, list[Any]]:
        made = prepared(self, database)
        _require_scope(made[0])
        kind = type(database), self.query, self.lock, tuple((type(one), bool(one)) for one in self.values)
        if kind not in compared:
            query = self.query.built(self.values, self.lock)
            assert made == database.get_sql_context().sql(query).query()
            compared.add(kind)
        return made

    Database.__init__ = open_watched  # type: ignore[method-assign]
    Statement.sql = compare  # type: ignore[method-assign]


def watch(database: peewee.Database) -> None:
    """Raise AssertionError for each statement that could reach into another app."""

    database.query_hooks.append(lambda event: _require_scope(event.sql))


def _require_scope(sql: str) -> None:
    missing = unscoped(sql)
    assert not missing, f"{missing} without an app in: {sql}"


@lru_cache(maxsize=10_000)
def unscoped(sql: str) -> tuple[str, ...]:
    """Return the tables of a statement that no condition on the app holds, or whose rows name none."""
    if (
        ALL_APPS.fullmatch(sql)
        or OF_NO_APP_THERE.fullmatch(sql)
        or sql in (WITH_WEBHOOKS, WITH_IMPORTS, SNAPSHOTS)
    ):
        return ()
    if WITH_OLD_FILES.fullmatch(sql) or IN_ORDER.fullmatch(sql) or sql.strip() in OF_MIGRATIONS:
        return ()
    missing: list[str] = []
    # What is looked up for each of all webhooks is looked at.
    sql = ALL_WEBHOOKS.sub(r'SELECT \1 FROM "webhooks" AS "t1" WHERE "t1"."app" = ?', sql)
    nodes = _parsed(ALL_FOLLOWED.sub(r'SELECT \1 FROM "apps" AS "t1" \2 WHERE "t1"."app" = ?', sql))
    if nodes[0] in READ_HERE:
        _look(nodes, {}, missing)
    elif nodes[0] not in OF_NO_APP:
        missing.extend(_text(node) for node in nodes if _text(node) in OWNED)
    return tuple(missing)


# --- reading -------------------------------------------------------------------------------------

# A name, a word in capitals, a sign, a value, or what stands between parentheses.
Node = Any


class Value:
    """A value that is sent beside the statement."""


VALUE = Value()


@dataclass(frozen=True)
class Name:
    """A name in quotes."""

    text: str


def _parsed(sql: str) -> list[Node]:
    stack: list[list[Node]] = [[]]
    for match in TOKEN.finditer(sql):
        if match["name"]:
            stack[-1].append(Name(match["name"]))
        elif match["value"]:
            stack[-1].append(VALUE)
        elif match[0] == "(":
            stack[-1].append([])
            stack.append(stack[-1][-1])
        elif match[0] == ")":
            stack.pop()
        elif not match[0].isspace():
            stack[-1].append(match[0].upper())
    return stack[0]


def _clauses(nodes: list[Node]) -> Iterator[tuple[str, list[Node]]]:
    """Cut a statement at the words that begin its parts."""
    word, part = "", []
    for node in nodes:
        if isinstance(node, str) and node in CLAUSES:
            yield word, part[:-1] if node == "CONFLICT" else part
            word, part = node, []
        else:
            part.append(node)
    yield word, part


# --- looking -------------------------------------------------------------------------------------


def _look(nodes: list[Node], outer: dict[str, bool], missing: list[str]) -> None:
    """Look at a statement, or at whatever else stands between parentheses; ``outer`` says of the tables
    around it whether they are scoped."""
    parts: list[list[tuple[str, list[Node]]]] = [[]]
    for word, part in _clauses(nodes):
        if word in ("UNION", "INTERSECT", "EXCEPT"):
            parts.append([])
        parts[-1].append((word, part))
    for clauses in parts:
        scoped = _look_at_one(clauses, outer, missing)
        for _, part in clauses:
            for node in part:
                if isinstance(node, list):
                    _look(node, outer | scoped, missing)


def _look_at_one(
    clauses: list[tuple[str, list[Node]]], outer: dict[str, bool], missing: list[str]
) -> dict[str, bool]:
    """Look at one statement without those inside it, and return which of its tables are scoped."""
    # Of UPDATE the first counts: later on it is FOR UPDATE, or DO UPDATE.
    by_word = dict(reversed(clauses))
    is_update = "UPDATE" in by_word and not {"SELECT", "INSERT"} & by_word.keys()
    if "INTO" in by_word:
        _look_at_insert(by_word["INTO"], by_word.get("VALUES", []), missing)
    sources, conditions = _sources(by_word.get("FROM", []))
    if is_update:
        sources = _sources(by_word["UPDATE"])[0] + sources
        if _assigns_app(by_word["SET"]):
            missing.append(sources[0][0])
    conditions += [(None, condition) for condition in _conjuncts(by_word.get("WHERE", []))]
    scoped = _scoped(sources, conditions, outer, missing)
    if {"INTO", "SELECT"} <= by_word.keys():
        _look_at_copied(by_word["INTO"], by_word["SELECT"], scoped, missing)
    return scoped


def _look_at_insert(into: list[Node], values: list[Node], missing: list[str]) -> None:
    table, columns = _text(into[0]), next((node for node in into if isinstance(node, list)), [])
    if table not in OWNED:
        return
    names = [node.text for node in columns if isinstance(node, Name)]
    if "app" not in names:
        missing.append(table)
        return
    rows = takewhile(lambda node: node != "ON", values)
    for row in (node for node in rows if isinstance(node, list)):
        app = _split(row, {","})[names.index("app")][1]
        if app != [VALUE]:
            missing.append(table)


def _look_at_copied(
    into: list[Node], selected: list[Node], scoped: dict[str, bool], missing: list[str]
) -> None:
    """Look at rows that are inserted as they were selected: their app is that of what they come from."""
    columns = [node.text for part in into[1:] for node in part if isinstance(node, Name)]
    if _text(into[0]) in OWNED and "app" in columns:
        app = _app_of(_split(selected, {","})[columns.index("app")][1], None)
        if not (isinstance(app, str) and scoped.get(app)):
            missing.append(_text(into[0]))


def _scoped(
    sources: list[tuple[str, str]],
    conditions: list[tuple[str | None, list[Node]]],
    outer: dict[str, bool],
    missing: list[str],
) -> dict[str, bool]:
    """Return which aliases are scoped; a condition may hold for one alias only."""
    scoped = outer | {alias: False for _, alias in sources}
    only = sources[0][1] if len(sources) == 1 else None
    pairs = []
    for whom, condition in conditions:
        sides = [_app_of(side, only) for _, side in _split(condition, {"="})]
        if len(sides) != 2:
            continue
        for one, other in (sides, reversed(sides)):
            if isinstance(one, str) and whom in (None, one):
                pairs.append((one, other))
    for alias, value in pairs:
        if value is VALUE:
            scoped[alias] = True
    for _ in sources:
        for alias, other in pairs:
            if isinstance(other, str) and scoped.get(other):
                scoped[alias] = True
    missing.extend(table for table, alias in sources if table in OWNED and not scoped[alias])
    return {alias: scoped[alias] for _, alias in sources}


def _sources(nodes: list[Node]) -> tuple[list[tuple[str, str]], list[tuple[str | None, list[Node]]]]:
    """Return the tables of a FROM with their aliases, and the conditions of its joins, each with the
    alias that it holds for, None for all."""
    sources, conditions = [], []
    if not nodes:
        return sources, conditions
    for joined, part in _split(nodes, {",", "JOIN", "USING"}):
        kind = {node for node in joined if isinstance(node, str)}
        (_, source), *on = _split(part, {"ON"})
        source = [node for node in source if node not in ("OR", "IGNORE", "REPLACE", "ONLY", "LATERAL")]
        table = _text(source[2] if source[1:2] == ["."] else source[0])
        alias = next((node.text for node in reversed(source) if isinstance(node, Name)), table)
        sources.append((table, alias))
        for _, condition in on:
            if not kind & {"RIGHT", "FULL"}:
                holds_for = alias if "LEFT" in kind else None
                conditions += [(holds_for, node) for node in _conjuncts(condition)]
    return sources, conditions


def _split(nodes: list[Node], separators: set[str]) -> list[tuple[list[Node], list[Node]]]:
    """Cut at separators; each piece comes with the kind of join that led to it."""
    pieces: list[tuple[list[Node], list[Node]]] = [([], [])]
    for node in nodes:
        if isinstance(node, str) and node in separators:
            before = pieces[-1][1]
            kind = [word for word in before if isinstance(word, str) and word in JOINS]
            before[:] = [word for word in before if not (isinstance(word, str) and word in JOINS)]
            pieces.append((kind, []))
        else:
            pieces[-1][1].append(node)
    return pieces


def _conjuncts(condition: list[Node]) -> list[list[Node]]:
    """Return the conditions that all hold when this one does."""
    if len(condition) == 1 and isinstance(condition[0], list):
        return _conjuncts(condition[0])
    if "OR" in condition or "BETWEEN" in condition:
        return []
    pieces = [piece for _, piece in _split(condition, {"AND"})]
    return pieces if len(pieces) == 1 else [inner for piece in pieces for inner in _conjuncts(piece)]


def _app_of(nodes: list[Node], only: str | None) -> str | Value | None:
    """Return the alias of whose app this is, the value that it is, or None."""
    match nodes:
        case [Value() as value]:
            return value
        case [Name("app")]:
            return only
        case [Name(alias), ".", Name("app")]:
            return alias
    return None


def _assigns_app(assignments: list[Node]) -> bool:
    return any(piece[:2] == [Name("app"), "="] for _, piece in _split(assignments, {","}))


def _text(node: Node) -> str:
    """Return a name, in quotes or not; that of an inner statement is nobody's."""
    if isinstance(node, Name):
        return node.text
    return node.lower() if isinstance(node, str) else ""
