"""Show how far something is, on a line of a terminal that is written anew."""

import time
from collections.abc import Callable
from typing import TextIO

# How often, in seconds.
EVERY = 0.2


class Progress:
    """Shows how far something is, if somebody is at a terminal to see it."""

    def __init__(
        self, stream: TextIO, how_far: Callable[[], float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``how_far`` says which part of all is done, from 0 to 1."""
        self._stream = stream
        self._how_far = how_far
        self._clock = clock
        self._began = self._shown = clock()
        self._is_seen = stream.isatty()

    def tell(self, done: int) -> None:
        """Show how many are done, unless it was shown just now."""
        now = self._clock()
        if self._is_seen and now - self._shown >= EVERY:
            self._shown = now
            self._write(f"{done:,} done, {self._words(done, now - self._began)}")

    def end(self) -> None:
        """Leave an empty line."""
        if self._is_seen:
            self._write("")

    def _words(self, done: int, seconds: float) -> str:
        part = self._how_far()
        left = round(seconds * (1 - part) / part) if part else 0
        return f"{part:.0%}, {done / seconds:,.0f} a second, {left // 60}:{left % 60:02} left"

    def _write(self, text: str) -> None:
        self._stream.write(f"\r{text}\x1b[K")
        self._stream.flush()
