"""The bytes of a file, piece by piece."""

from collections.abc import Generator, Iterator


class Pieces:
    """Pieces that a generator yields, of which the first is there: what is wrong has mostly shown by then."""

    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
        self._first = next(pieces, b"")
        self._others = pieces

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes."""
        yield self._first
        yield from self._others

    def close(self) -> None:
        """Let go of the file."""
        self._others.close()
