"""Which part of a server its CPU goes to: py-spy looks many times a second where the interpreter is."""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

PY_SPY = Path(sys.executable).with_name("py-spy")
RATE = 500  # samples per second

THREADS, ELSE = "gunicorn and its threads", "anything else"
# By the files they are made of. The first that fits counts.
_PARTS = {
    THREADS: r"site-packages/gunicorn/|/service/(server/|threads\.py)",
    "Flask and Werkzeug": r"site-packages/(flask|werkzeug|click|blinker|itsdangerous|jinja2|markupsafe)/",
    "marshmallow": r"site-packages/marshmallow/",
    "service/api": r"/service/(api/|app\.py)",
    "service/desk, service/rules, service/model": r"/service/(desk|rules|model)/",
    "service/store": r"/service/store/",
    "psycopg and peewee": r"site-packages/(psycopg\w*/|playhouse/|peewee\.py)",
    "logs and metrics": r"site-packages/(structlog|prometheus_client)/|/service/(logs|metrics)\.py",
    ELSE: r"site-packages/|/service/|/bench/",
}
NAMES = tuple(_PARTS)
# What a frame looks like: its function, with its file and line in brackets.
_FILE = re.compile(r"\((.*):\d+\)$")


def part_of(stack: str) -> str:
    """Return the part that a stack is in, whose frames are parted by semicolons, the innermost last.

    A frame of the standard library is in the part that called it. One that nothing called is in a thread
    between two requests.
    """
    for frame in reversed(stack.split(";")):
        found = _FILE.search(frame)
        for name, files in _PARTS.items():
            if found and re.search(files, found[1]):
                return name
    return THREADS


def counted(lines: Iterable[str]) -> Counter[str]:
    """Return how many samples are in each part, of lines that each hold a stack and their number."""
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, number = line.rpartition(" ")
        counts[part_of(stack)] += int(number)
    return counts


def sampled(process: psutil.Process, seconds: float, load: Callable[[], object]) -> Counter[str]:
    """Return how many samples are in each part while a process is loaded, for so many seconds.

    Those count in which a thread holds the lock of the interpreter: what waits takes no CPU. Raises
    RuntimeError if py-spy fails, as it does where the kernel lets only root look into other processes.
    """
    with tempfile.NamedTemporaryFile("r") as file:
        what = "record", "--gil", "--full-filenames", "--format=raw", f"--rate={RATE}"
        until = f"--duration={max(1, round(seconds))}"
        spy = subprocess.Popen(
            [PY_SPY, *what, until, f"--output={file.name}", f"--pid={process.pid}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        load()
        errors = spy.communicate()[1]
        if spy.returncode:
            raise RuntimeError(f"py-spy failed: {errors}")
        return counted(Path(file.name).read_text().splitlines())
