"""Fill a store with a great many people, fast."""

from collections.abc import Callable, Iterator

from bench.bulk import write
from bench.people import Population, Row


def fill(database_url: str, population: Population, advance: Callable[[int], None]) -> None:
    """Write all rows; ``advance`` is told how many more there are from time to time."""
    told = ((table, columns, _told(rows, advance)) for table, columns, rows in population.tables())
    # Our rows need no proof that what they refer to is there; the self-test gives it.
    write(database_url, told, trusted=True)


def _told(rows: Iterator[Row], advance: Callable[[int], None], every: int = 5000) -> Iterator[Row]:
    left = every
    for row in rows:
        yield row
        left -= 1
        if not left:
            advance(every)
            left = every
    advance(every - left)
