"""Read ahead: a thread of its own makes the next of a file's entries while the store is waited for."""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

# How many are made at a time.
PIECE = 100

Item = TypeVar("Item")


def ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """Return the same items, of which the next are made while one is looked at. Nothing more is asked of
    ``items`` once this is closed."""
    coming = iter(items)
    with ThreadPoolExecutor(1) as reader:
        piece = reader.submit(_some, coming)
        while some := piece.result():
            piece = reader.submit(_some, coming)
            yield from some


def _some(items: Iterator[Item]) -> list[Item]:
    return list(islice(items, PIECE))
