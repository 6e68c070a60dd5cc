"""Pages of a list."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


# Where a page ends: a time or a number, and an id among those that share it.
Position = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list, and where it ends if there is more."""

    data: tuple[Item, ...]
    next: Position | None

    @classmethod
    def of(cls, found: tuple[Item, ...], limit: int, position: Callable[[Item], Position]) -> "Page[Item]":
        """Make a page of up to ``limit`` + 1 items, of which the last only tells that there is more."""
        data = found[:limit]
        return cls(data, position(data[-1]) if len(found) > limit else None)
