"""Fill a store with a great many people, fast; the self-test tells whether that was done well."""

from collections.abc import Callable, Iterator

from bench.people import Population, Row
from tests.support.bulk import write
from tests.support.servers import command


def fill(database_url: str, population: Population, advance: Callable[[int], None]) -> None:
    """Write all rows; ``advance`` is told how many more there are from time to time."""
    told = ((table, columns, _told(rows, advance)) for table, columns, rows in population.tables())
    # Our rows need no proof that what they refer to is there; the self-test gives it.
    write(database_url, told, trusted=True)


def require_sound(database_url: str) -> None:
    """Have the self-test look at a store. Raises RuntimeError if it finds anything."""
    checked = command("check", DATABASE_URL=database_url)
    if checked.returncode:
        raise RuntimeError(checked.stdout + checked.stderr)


def _told(rows: Iterator[Row], advance: Callable[[int], None], every: int = 5000) -> Iterator[Row]:
    left = every
    for row in rows:
        yield row
        left -= 1
        if not left:
            advance(every)
            left = every
    advance(every - left)
