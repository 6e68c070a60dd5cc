"""Start what is measured: gunicorn as the Procfile does, with Usher or with an endpoint that does nothing."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from service.config import Config
from tests.servers import ADMIN_KEY, HERE, SECRET_KEY, Connection, free_port, wait_until

USHER, NOOP = "wsgi:app", "bench.noop:app"


@dataclass(frozen=True)
class Server:
    """A server that listens on a port."""

    port: int
    process: psutil.Process

    def memory(self) -> list[int]:
        """Answer how much each worker takes, in bytes: what is shared counts in proportion."""
        return [worker.memory_full_info().pss for worker in self.process.children()]


@contextmanager
def serve(app: str, database_url: str, workers: int) -> Iterator[Server]:
    """Have a server; what it logs goes into a file, as there is no platform to read it."""
    port = free_port()
    settings = {
        "ADMIN_KEY": ADMIN_KEY,
        "SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": database_url,
        "PORT": str(port),
        "WEB_CONCURRENCY": str(workers),
        # All calls come from one address here.
        "LOGIN_RATE": "0",
        "GUNICORN_CMD_ARGS": "",
        "DYNO": "",
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", app], cwd=HERE, env=os.environ | settings, stdout=log, stderr=log
        )
        try:
            wait_until(lambda: process.poll() is not None or _listens(port))
            if process.poll() is not None:
                log.seek(0)
                raise RuntimeError(log.read().decode())
            yield Server(port, psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait()


def config(database_url: str) -> Config:
    """Answer the settings of such a server, for whoever works in its store meanwhile."""
    return Config(ADMIN_KEY, SECRET_KEY, database_url, login_rate=0)


def _listens(port: int) -> bool:
    try:
        connection = Connection(port)
        connection.open("/")
        connection.close()
    except OSError:
        return False
    return True
