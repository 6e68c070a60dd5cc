"""Queries whose SQL is made once: peewee takes longer to make it than a database takes to run it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from operator import itemgetter
from typing import Any

import peewee

Lock = tuple[str, Any] | None
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Placeholder:
    """Stands for the value of this place."""

    place: int


class Compiled:
    """SQL, and its parameters: each is a constant, or one of the values."""

    def __init__(self, sql: str, parameters: list[Any]) -> None:
        self.sql = sql
        self._constants = tuple(one for one in parameters if type(one) is not _Placeholder)
        first, constants = len(self._constants), count()
        order = [first + one.place if type(one) is _Placeholder else next(constants) for one in parameters]
        # Of one place alone it would answer no tuple.
        several = len(order) > 1
        self._ordered = itemgetter(*order) if several else lambda values: [values[place] for place in order]

    def parameters(self, values: tuple[Any, ...]) -> list[Any]:
        """Return the parameters for some values."""
        return list(self._ordered(self._constants + values))


class Prepared:
    """A query as a function of its values, whose SQL is made when it is first run.

    A value is passed on as it is: no field converts it, it is no list, and None is equal to nothing.
    """

    def __init__(self, build: Callable[..., Any], values: int | None = None) -> None:
        """``values`` says how many there are, if the signature does not."""
        self._build = build
        self._values = len(inspect.signature(build).parameters) if values is None else values
        self._compiled: dict[tuple[type, Lock], Compiled] = {}

    def __call__(self, *values: Any) -> "Statement":
        """Return the query of these values, to be run like any other."""
        return Statement(self, values)

    def built(self, values: tuple[Any, ...], lock: Lock) -> Any:
        """Build the query as peewee has it."""
        query = self._build(*values)
        return query.for_update(lock[0], of=lock[1]) if lock else query

    def compiled(self, database: peewee.Database, lock: Lock) -> Compiled:
        """Return the query as a kind of database has it."""
        kind = type(database), lock
        if kind not in self._compiled:
            places = (peewee.Value(_Placeholder(place), converter=False) for place in range(self._values))
            query = self.built(tuple(places), lock)
            self._compiled[kind] = Compiled(*database.get_sql_context().sql(query).query())
        return self._compiled[kind]


@dataclass(frozen=True, slots=True)
class Statement:
    """A prepared query and its values."""

    query: Prepared
    values: tuple[Any, ...]
    lock: Lock = None

    def for_update(self, how: str, of: Any) -> "Statement":
        """Return it so that it also locks its rows."""
        return Statement(self.query, self.values, (how, of))

    def sql(self, database: peewee.Database) -> tuple[str, list[Any]]:
        """Return the SQL for a kind of database, and its parameters."""
        compiled = self.query.compiled(database, self.lock)
        return compiled.sql, compiled.parameters(self.values)


@dataclass(frozen=True, slots=True)
class Question:
    """A prepared query that is put together with another, and what makes an answer of its rows; whether it
    changes something, and then finds by itself what it would be put together with."""

    statement: Statement
    read: Callable[[Rows], Any]
    changes: bool = False


def as_value(value: Any) -> Any:
    """Make a value a part of a query."""
    return value if isinstance(value, peewee.Node) else peewee.Value(value, converter=False)


def inserting(*columns: peewee.Field) -> Prepared:
    """Prepare to insert a row of these columns' values."""

    def build(*values: Any) -> Any:
        return columns[0].model.insert(dict(zip(columns, values, strict=True)))

    return Prepared(build, len(columns))
