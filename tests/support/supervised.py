"""Processes that are started again whenever they end, as a platform does, and killed again and again."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.support.logbook import personal_lines
from tests.support.servers import GUNICORN, HERE, SETTINGS, kill_all

SERVICE = ["-m", "service"]
WEB = [*GUNICORN, "wsgi:app"]
WORK = [*SERVICE, "work"]
LIVE = [*SERVICE, "live"]

# How long to wait before a process is started again, in seconds.
PAUSE = 0.2


class Supervised:
    """A process with its children, which comes back."""

    def __init__(self, arguments: list[str], log: Path, environment: dict[str, str]) -> None:
        self._arguments = arguments
        self._log = log
        self._environment = os.environ | SETTINGS | environment
        self._over = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def kill(self) -> None:
        """End the process and each child of it at once, without a chance to finish anything."""
        if self._process is None:
            return
        with suppress(psutil.NoSuchProcess):
            kill_all(self._process.pid)

    def end(self) -> None:
        """End it for good."""
        self._over.set()
        while self._thread.is_alive():
            self.kill()
            self._thread.join(PAUSE)

    def _run(self) -> None:
        command = [sys.executable, *self._arguments]
        while not self._over.is_set():
            with self._log.open("ab") as log:
                how = {"cwd": HERE, "env": self._environment, "stdout": log, "stderr": log}
                self._process = subprocess.Popen(command, **how)
                self._process.wait()
            self._over.wait(PAUSE)


@contextmanager
def supervised(
    directory: Path, processes: dict[str, list[str]], **environment: str
) -> Iterator[dict[str, Supervised]]:
    """Have processes by their names; none of them ever logs anything personal."""
    logs = {name: directory / f"{name}.log" for name in processes}
    started = {name: Supervised(words, logs[name], environment) for name, words in processes.items()}
    try:
        yield started
    finally:
        for process in started.values():
            process.end()
        lines = [line for log in logs.values() for line in log.read_text().splitlines()]
        assert personal_lines(lines) == []
