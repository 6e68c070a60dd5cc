"""How late this machine is, whose own time no promise covers."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

# How long one sleeps between two looks at the clock, in seconds.
NAP = 0.01


class Lateness:
    """For how many ``seconds`` whoever wanted to go on could not so far, as others had the processors."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._over = threading.Event()

    def measure(self) -> None:
        """Sleep again and again, and count for how much longer that takes."""
        while not self._over.is_set():
            began = time.monotonic()
            time.sleep(NAP)
            self.seconds += time.monotonic() - began - NAP

    def end(self) -> None:
        """Measure no more."""
        self._over.set()


@contextmanager
def lateness() -> Iterator[Lateness]:
    """Measure inside how late this machine is."""
    late = Lateness()
    thread = threading.Thread(target=late.measure, daemon=True)
    thread.start()
    try:
        yield late
    finally:
        late.end()
        thread.join()
