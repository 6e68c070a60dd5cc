"""What the questions about a store are made of: each only reads, and is asked of one app."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from service.store import AppStore
from service.store.engine.prepared import Prepared

# How many rows are read at a time.
BATCH = 1000

Check = Callable[[AppStore], Iterator[str]]


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


def rows(store: AppStore, query: Prepared, *values: Any) -> list[tuple[Any, ...]]:
    """Read what a query answers about an app."""
    return store.database.rows(query(store.app_id, *values))


def batches(store: AppStore, query: Prepared, *values: Any) -> Iterator[tuple[Any, ...]]:
    """As ``rows``, in the order of the first column, a batch at a time."""
    after = ""
    while found := rows(store, query, *values, after):
        yield from found
        after = found[-1][0]
