"""A file is read ahead by another thread."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from service.model.errors import BadFile
from service.moving.ahead import PIECE, ahead


def test_items_come_in_their_order() -> None:
    assert list(ahead(range(3 * PIECE + 1))) == list(range(3 * PIECE + 1))


def test_nothing_comes_of_nothing() -> None:
    assert list(ahead([])) == []


def test_the_next_items_are_made_while_one_is_looked_at() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield from range(PIECE)
        made.set()
        yield PIECE

    with closing(ahead(items())) as found:
        assert next(found) == 0
        assert made.wait(30)


def test_what_goes_wrong_with_an_item_is_raised_when_it_is_reached() -> None:
    def items() -> Iterator[int]:
        yield from range(PIECE)
        raise BadFile("it ends here")

    found = ahead(items())
    assert [next(found) for _ in range(PIECE)] == list(range(PIECE))
    with pytest.raises(BadFile, match="it ends here"):
        next(found)


def test_nothing_is_asked_for_once_it_is_closed() -> None:
    made: list[int] = []
    threads = set(threading.enumerate())

    def items() -> Iterator[int]:
        for number in range(10 * PIECE):
            made.append(number)
            yield number

    with closing(ahead(items())) as found:
        next(found)
    before = len(made)
    assert before <= 3 * PIECE
    assert set(threading.enumerate()) <= threads
    assert len(made) == before
