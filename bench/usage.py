"""How much CPU was used, by whom, in seconds."""

import time
from contextlib import suppress

import psutil
import psycopg


def of(*processes: psutil.Process) -> float:
    """Return what processes and their descendants took, with those that have ended meanwhile."""
    seconds = 0.0
    for process in processes:
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess, OSError):
                ended = one.cpu_times()
                seconds += _taken(one.pid) + ended.children_user + ended.children_system
    return seconds


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
