"""What PostgreSQL does by statement, as its extension pg_stat_statements counts it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import psutil
import psycopg

# With these PostgreSQL has to start.
SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track_planning": "on",
}
# What is rarer than so often per call is none of its statements.
RARE = 0.01

_NAMED = re.compile(r'"(\w+)" AS \(')
_WRITTEN = re.compile(r'(INSERT|UPDATE|DELETE)(?: INTO| FROM)? "(\w+)"')
_READ = re.compile(r'(?:FROM|JOIN) "(\w+)"')


@dataclass(frozen=True)
class Statement:
    """A statement's short form, how often it was executed, and how long that took altogether, and planning
    it, in milliseconds on the clock; or as often and as many microseconds for one call."""

    form: str
    times: float
    execution: float
    planning: float


def short(sql: str) -> str:
    """Return what a statement does to which tables."""
    named = set(_NAMED.findall(sql))
    written = [f"{verb} {table}" for verb, table in _WRITTEN.findall(sql)]
    targets = {one.partition(" ")[2] for one in written}
    read = [table for table in dict.fromkeys(_READ.findall(sql)) if table not in named | targets]
    if written:
        return ", ".join(written) + (f" (reads {', '.join(read)})" if read else "")
    return f"SELECT {', '.join(read)}" if read else " ".join(sql.split()[:2])


def together(statements: Iterable[Statement], calls: int) -> list[Statement]:
    """Return what one of so many calls takes of each form of a statement, those first that take longest."""
    forms: dict[str, list[Statement]] = {}
    for one in statements:
        if one.times >= RARE * calls:
            forms.setdefault(one.form, []).append(one)
    summed = [
        Statement(
            form,
            sum(one.times for one in same) / calls,
            1000 * sum(one.execution for one in same) / calls,
            1000 * sum(one.planning for one in same) / calls,
        )
        for form, same in forms.items()
    ]
    return sorted(summed, key=lambda one: -one.execution)


class StatementCounter:
    """Counts the statements of a database whose server has the ``SETTINGS``."""

    def __init__(self, url: str) -> None:
        self._url = url
        with psycopg.connect(url) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

    def reset(self) -> None:
        """Begin to count."""
        with psycopg.connect(self._url) as connection:
            connection.execute("SELECT pg_stat_statements_reset()")

    def statements(self) -> list[Statement]:
        """Return what was executed since."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                "SELECT query, calls, total_exec_time, total_plan_time"
                " FROM pg_stat_statements JOIN pg_database ON oid = dbid"
                " WHERE datname = current_database() AND query NOT LIKE '%pg_stat_statements%'"
            ).fetchall()
        return [Statement(short(sql), *numbers) for sql, *numbers in rows]

    def background(self) -> list[psutil.Process]:
        """Return the processes of the server that serve no client, such as the one that writes the log."""
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type <> 'client backend'"
            )
            return [psutil.Process(pid) for [pid] in rows]
