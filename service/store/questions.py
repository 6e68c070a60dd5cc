"""What the questions about a store are made of: each only reads, and is asked of one app."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from service.store.database import Database
from service.store.engine.prepared import Prepared

# How many rows are read at a time.
BATCH = 1000

Check = Callable[[Database, str], Iterator[str]]


def same(one: Any, other: Any, **columns: str) -> Any:
    """Return the condition that two tables' rows are of one app, and that these columns are equal."""
    condition = one.app == other.app
    for mine, theirs in columns.items():
        condition &= getattr(one, mine) == getattr(other, theirs)
    return condition


def each(build: Callable[[Any], Sequence[Any]]) -> list[Prepared]:
    """Prepare each of the queries that a function answers."""

    def one(place: int) -> Prepared:
        return Prepared(lambda app: build(app)[place])

    return [one(place) for place in range(len(build("")))]


def batches(database: Database, query: Prepared, *values: Any) -> Iterator[tuple[Any, ...]]:
    """Read what a query answers in the order of its first column, a batch at a time."""
    after = ""
    while rows := database.rows(query(*values, after)):
        yield from rows
        after = rows[-1][0]
