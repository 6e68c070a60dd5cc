"""How much of a processor this process asks for, whether or not it gets that."""

import time
from contextlib import suppress
from pathlib import Path

_THREADS = Path("/proc/self/task")


def wanted() -> float:
    """Return for how many seconds threads of this process have run, or have waited for a processor.

    Where the kernel does not tell who waits, it is for how many they have run.
    """
    nanoseconds = 0
    with suppress(OSError, ValueError):
        for thread in _THREADS.iterdir():
            ran, waited, _ = (thread / "schedstat").read_text().split()
            nanoseconds += int(ran) + int(waited)
    return max(nanoseconds / 1e9, time.process_time())
