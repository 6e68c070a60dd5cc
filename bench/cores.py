"""Keep a process on a core of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from bench import usage


@contextmanager
def kept_apart(process: psutil.Process, *others: psutil.Process) -> Iterator[None]:
    """Have one core for a process, and what others there are for other processes and their descendants.

    So none of those takes the core from it; whoever else is on the machine still may.
    """
    cores = os.sched_getaffinity(0)
    own = {min(cores)}
    try:
        _place(cores - own or cores, *usage.families(*others))
        _place(own, process)
        yield
    finally:
        _place(cores, process, *usage.families(*others))


def _place(cores: set[int], *processes: psutil.Process) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            for thread in process.threads():
                os.sched_setaffinity(thread.id, cores)
