"""gunicorn's hooks: the workers count in files of one directory, from the server's start to its end; and what
the master and a worker begin with is not looked through for garbage."""

import gc
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of a random name is made there


def on_starting(server: Any) -> None:
    """Give the workers one place to count in, before any of them imports prometheus_client.

    It is in memory where that can be: the files are mapped, and whoever counts in one that is on a full disk
    is killed by the system.
    """
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    made = tempfile.mkdtemp(prefix="usher-metrics-", dir=place)
    server.metrics_dir = os.environ["PROMETHEUS_MULTIPROC_DIR"] = made


def pre_fork(_server: Any, _worker: Any) -> None:
    """Take out of the way what the master has imported: a worker that looked through it for garbage would
    write into all of it, and so share none of that memory."""
    gc.collect()
    gc.freeze()


def post_worker_init(_worker: Any) -> None:
    """Take out of the way what stays as it is: to look through all of it for garbage takes 50 milliseconds,
    for which nobody is served."""
    gc.collect()
    gc.freeze()


def child_exit(_server: Any, worker: Any) -> None:
    """Let go of what a dead worker had open."""
    # Imported any earlier, prometheus_client would decide for one process.
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

    mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:
    """Remove the counters: the next start counts from zero."""
    shutil.rmtree(server.metrics_dir, ignore_errors=True)
