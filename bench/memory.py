"""How much memory a worker takes once it has served a lot, and whether that still grows."""

from collections.abc import Sequence
from dataclasses import dataclass

import psutil
from rich.progress import Progress

from bench.load import Call, Loader
from bench.servers import USHER, serve

LIMIT = 60.0  # megabytes
# In so many turns of each call.
TURNS = 20


@dataclass(frozen=True)
class Memory:
    """What a worker takes after so many requests and after as many again, and then the master that began it,
    in megabytes, where what they share with each other and with others counts in proportion."""

    requests: int
    first: float
    second: float
    master: float

    @property
    def holds(self) -> bool:
        """Whether it takes no more than it may."""
        return max(self.first, self.second) <= LIMIT


def measure_memory(
    database_url: str, calls: Sequence[Call], requests: int, loader: Loader, progress: Progress
) -> Memory:
    """Send a new server a mix of calls, in turns, and look at the worker."""
    each = max(1, requests // (len(calls) * TURNS))
    sizes = []
    task = progress.add_task("memory", total=2 * TURNS * len(calls))
    with serve(USHER, database_url) as server:
        for _ in range(2):
            for _ in range(TURNS):
                for call in calls:
                    loader.load(server.port, call, calls=each)
                    progress.advance(task)
            sizes.append(_size(server.worker))
        sizes.append(_size(server.process))
    return Memory(each * TURNS * len(calls), *sizes)


def _size(process: psutil.Process) -> float:
    size: int = process.memory_full_info().pss
    return size / 1e6
