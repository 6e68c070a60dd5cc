"""How much CPU was used, by whom, in seconds."""

import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import psycopg


def families(*processes: psutil.Process) -> Iterator[psutil.Process]:
    """Return processes and their descendants."""
    for process in processes:
        yield from (process, *process.children(recursive=True))


def of(*processes: psutil.Process) -> float:
    """Return what processes and their descendants took, with those that have ended meanwhile."""
    seconds = 0.0
    for one in families(*processes):
        with suppress(psutil.NoSuchProcess, OSError):
            ended = one.cpu_times()
            seconds += _taken(one.pid) + ended.children_user + ended.children_system
    return seconds


def by_mode(*processes: psutil.Process) -> tuple[float, float]:
    """Return what processes and their descendants took in programs, and in the kernel; in hundredths of a
    second, of which many pass while this is asked for."""
    user = system = 0.0
    for one in families(*processes):
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            user += times.user + times.children_user
            system += times.system + times.children_system
    return user, system


def switches(*processes: psutil.Process) -> tuple[int, int]:
    """Return how often the threads of processes gave up a core to wait for something, and how often it was
    taken from them."""
    waited = taken = 0
    for process in processes:
        for thread in process.threads():
            with suppress(psutil.NoSuchProcess):
                counts = psutil.Process(thread.id).num_ctx_switches()
                waited += counts.voluntary
                taken += counts.involuntary
    return waited, taken


def of_all() -> float:
    """Return what was taken of the machine, also by other machines on the same hardware."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + getattr(times, "steal", 0.0)


def postmaster(database_url: str) -> psutil.Process | None:
    """Return the process whose children are PostgreSQL's connections, on this machine; of SQLite nothing."""
    if database_url.startswith("sqlite:"):
        return None
    with psycopg.connect(database_url) as connection:
        parent = psutil.Process(connection.info.backend_pid).parent()
    assert parent
    return parent


def _taken(pid: int) -> float:
    """Return what a process took by its own clock, whose number Linux makes so (clock_getcpuclockid(3)).

    psutil reads hundredths of a second, of which a connection of PostgreSQL takes a few in a round.
    """
    return time.clock_gettime(~pid << 3 | 2)
