"""Go through a table a page at a time, so that no step takes longer the more rows there are, and nobody who
writes has to wait for long."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from peewee import Tuple

from service.store.database import Database, found_first

# How many rows a page has; and of those users who are forgotten: to look whether a row that refers to one is
# left takes ten times as long.
PAGE, USERS = 500, 30

# The primary key of a row, without its app.
Key = tuple[Any, ...]


class Step(NamedTuple):
    """How many rows were forgotten, and after which the next page begins; none if there is no other."""

    forgotten: int
    after: Key | None


class Page(NamedTuple):
    """The condition that a row is on a page, and the key of its last one; none if no page follows."""

    rows: Any
    last: Key | None


def page(database: Database, app: str, columns: Sequence[Any], after: Key, size: int | None = None) -> Page:
    """Find the page of a table of an app that comes after a key, or the first one after ``()``, of another
    size if one is given.

    ``columns`` are those of the primary key without the app, in this order.
    """
    key: Any = Tuple(*columns) if len(columns) > 1 else columns[0]

    def value(of: Key) -> Any:
        return Tuple(*of) if len(of) > 1 else of[0]

    table = columns[0].model
    beyond = table.app == app
    if after:
        beyond &= key > value(after)
    last = database.row(
        table.select(*columns).where(beyond).order_by(*columns).offset((size or PAGE) - 1).limit(1)
    )
    return Page(beyond if last is None else beyond & (key <= value(last)), last)


def some(database: Database, column: Any, which: Any, limit: int | None, within: Any = None) -> Any:
    """Return the condition that a row is one of those for which another holds: of up to ``limit``, if there
    is one, by the values of a column that tells rows apart; ``within`` is the one before it in an index, if
    there is one."""
    if limit is None:
        return which
    if within is None:
        rows = database.rows(column.model.select(column).where(which).limit(limit))
        return which & column.in_([value for (value,) in rows])
    rows = database.rows(column.model.select(column, within).where(which).limit(limit))
    # Else SQLite looks into the index for each pair of values; PostgreSQL would else compare each with all.
    is_one = (found_first(column) if database.is_sqlite else column).in_([value for value, _ in rows])
    return which & within.in_(sorted({before for _, before in rows})) & is_one


def forget(database: Database, app: str, table: Any, old: Any, after: Key, size: int | None = None) -> Step:
    """Delete those of a page's rows for which a condition holds."""
    columns = [getattr(table, name) for name in table._meta.primary_key.field_names[1:]]
    rows, last = page(database, app, columns, after, size)
    return Step(database.change(table.delete().where((table.app == app) & rows & old)), last)
