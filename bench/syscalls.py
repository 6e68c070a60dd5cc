"""How often processes call the kernel, where ``perf`` is installed and may look."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable

import psutil

EVENT = "raw_syscalls:sys_enter"
READY = 0.5  # seconds until it counts


def counted(processes: Iterable[psutil.Process], load: Callable[[], object]) -> int | None:
    """Return how many system calls processes make while they are loaded; nothing if that can't be told.

    strace would tell it anywhere, but slows a server down so much that its threads wait differently.
    """
    perf = shutil.which("perf")
    if not perf:
        return None
    pids = ",".join(str(process.pid) for process in processes)
    with tempfile.NamedTemporaryFile("r") as file:
        what = f"--event={EVENT}", f"--pid={pids}", "--field-separator=,", f"--output={file.name}"
        counting = subprocess.Popen(
            [perf, "stat", *what], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(READY)
        load()
        counting.send_signal(signal.SIGINT)
        counting.wait()
        counts = [line.partition(",")[0] for line in file.read().splitlines() if EVENT in line]
    return int(counts[0]) if counts and counts[0].isdecimal() else None
