"""Start the server as an operator does: gunicorn, with workers of its own, and calls over HTTP."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPMessage
from json import dumps
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.support.logbook import personal_lines
from tests.support.tenants import Tenant

HERE = Path(__file__).parents[2]
ADMIN_KEY = "ak_" + "a" * 40
SECRET_KEY = "s" * 40
# How long anything may take on a machine that does other things as well, in seconds.
TIMEOUT = 60

# What Python runs.
GUNICORN = ["-m", "gunicorn"]
# What gunicorn serves; where it counts how long the store is waited for, and where that is how fast the
# machine is.
USUAL, PATIENT = "wsgi:app", "tests.support.patient:app"
# What it serves to many who call at once, of whom none is turned away.
ADMITTING = "tests.support.admitting:app"
SETTINGS = {
    "ADMIN_KEY": ADMIN_KEY,
    "SECRET_KEY": SECRET_KEY,
    **dict.fromkeys(("LOGIN_RATE", "PROOF_FAILURE_RATE", "TRUSTED_HOPS"), "0"),
    **dict.fromkeys(("DYNO", "GUNICORN_CMD_ARGS"), ""),
}


@dataclass(frozen=True)
class Answer:
    """What came back, under the names that Flask's test client gives it."""

    status_code: int
    headers: HTTPMessage
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.data) if self.data else None


class Connection:
    """One connection, kept open from call to call; called as Flask's test client is."""

    def __init__(self, port: int) -> None:
        self._http = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)

    def open(
        self, path: str, *, method: str = "GET", json: Any = None, data: Any = None, headers: Any = ()
    ) -> Answer:
        headers = dict(headers or {})
        if json is not None:
            data = dumps(json).encode()
            headers.setdefault("Content-Type", "application/json")
        self._http.request(method, path, data, headers)
        response = self._http.getresponse()
        return Answer(response.status, response.msg, response.read())

    def close(self) -> None:
        self._http.close()


class Server:
    """A server that runs. Each call has a connection of its own, so any worker may serve it, and any
    thread may call; it can stand where a ``Tenant`` wants Flask's test client."""

    admin_key = ADMIN_KEY

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        pipes = ((process.stdout, self.stdout), (process.stderr, self.stderr))
        # What was read so far is looked at meanwhile.
        self._readers = [
            threading.Thread(target=lambda pipe, lines: lines.extend(pipe), args=way, daemon=True)
            for way in pipes
        ]
        for reader in self._readers:
            reader.start()

    @property
    def log(self) -> list[dict[str, Any]]:
        """The log so far, one object per line."""
        return [json.loads(line) for line in list(self.stdout)]

    def connect(self) -> Connection:
        """Open a connection that one worker serves for as long as it is kept."""
        return Connection(self.port)

    def open(self, path: str, **request: Any) -> Answer:
        with closing(self.connect()) as connection:
            return connection.open(path, **request)

    def get(self, path: str, **request: Any) -> Answer:
        return self.open(path, **request)

    def post(self, path: str, **request: Any) -> Answer:
        return self.open(path, method="POST", **request)

    def call(self, method: str, path: str, credential: str, json: Any = None, **headers: str) -> Answer:
        """Make any call with any credential."""
        return self.open(
            path, method=method, json=json, headers={"Authorization": f"Bearer {credential}", **headers}
        )

    def tenant(self, **settings: Any) -> Tenant:
        """Make an app with a key of each kind, over HTTP."""
        return Tenant.create(self, self.admin_key, **settings)  # type: ignore[arg-type]

    def wait_until(self, path: str, status: int = 200) -> Answer:
        """Ask until a path answers with this status."""
        answers: list[Answer] = []

        def is_answered() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self._last_lines()}"
            with suppress(OSError, HTTPException):
                answers.append(self.get(path))
            return bool(answers) and answers[-1].status_code == status

        wait_until(is_answered, lambda: f"{path} last answered {answers[-1:]}: {self._last_lines()}")
        return answers[-1]

    def stop(self) -> None:
        """End the server as a platform does; it ends by itself, and says no error."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(TIMEOUT)
        finally:
            self.kill()
        assert code == 0, f"ended with {code}: {self._last_lines()}"

    def lose_power(self) -> None:
        """End every process of the server at once."""
        if self.process.poll() is None:
            kill_all(self.process.pid)
        self.kill()

    def kill(self) -> None:
        """End whatever is left of the server."""
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join(TIMEOUT)
        for pipe in filter(None, (self.process.stdout, self.process.stderr)):
            pipe.close()
        assert personal_lines(self.stdout + self.stderr) == []

    def _last_lines(self) -> str:
        return "".join(self.stdout[-20:] + self.stderr[-20:])


class Port(Server):
    """Calls a port, whoever listens there."""

    def __init__(self, port: int) -> None:
        self.port = port


Kind = TypeVar("Kind", bound=Server)


@contextmanager
def serve(
    database_url: str, *, workers: int = 2, ready: str = "/readyz", application: str = PATIENT, **more: str
) -> Iterator[Server]:
    """Have a server on a migrated database that has answered ``ready``; its end is part of the test.

    ``more`` adds settings, or replaces those that are given here.
    """
    port = free_port()
    environment = {"PORT": str(port), "WEB_CONCURRENCY": str(workers)} | more
    process = start(database_url, application=application, **environment)
    with running(Server(process, port), ready) as server:
        yield server


@contextmanager
def running(server: Kind, ready: str) -> Iterator[Kind]:
    """Have a server that has answered ``ready``; its end is part of the test."""
    try:
        server.wait_until(ready)
        yield server
    except BaseException:
        server.kill()
        raise
    server.stop()


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one of Usher's commands, as an operator does, to its end."""
    words = [sys.executable, "-m", "service", *arguments]
    env = os.environ | {"ADMIN_KEY": ADMIN_KEY, "SECRET_KEY": SECRET_KEY, "DYNO": ""} | environment
    return subprocess.run(words, cwd=HERE, env=env, capture_output=True, text=True, check=False)


def start(
    database_url: str, *arguments: str, application: str = PATIENT, **environment: str
) -> subprocess.Popen[str]:
    """Start gunicorn, and wait for nothing."""
    words = [sys.executable, *GUNICORN, application, *arguments]
    env = os.environ | SETTINGS | {"DATABASE_URL": database_url} | environment
    output = subprocess.PIPE
    return subprocess.Popen(words, cwd=HERE, env=env, stdout=output, stderr=output, text=True)


@contextmanager
def working(database_url: str, port: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """Have a worker of its own, which ends when it is asked to; its end is part of the test."""
    words = [sys.executable, "-m", "service", "work"]
    settings = {"DATABASE_URL": database_url, "WEBHOOK_LOOPBACK": "on", "WORK_PORT": str(port)}
    env = os.environ | SETTINGS | settings
    with subprocess.Popen(words, cwd=HERE, env=env, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        try:
            assert b"working" in worker.stdout.readline()
            # What nobody reads would hold it up in the end.
            reader = threading.Thread(target=worker.stdout.read, daemon=True)
            reader.start()
            yield worker
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(TIMEOUT) == 0
            reader.join(TIMEOUT)
        finally:
            worker.kill()


def kill_all(pid: int) -> None:
    """End a process and each child of it at once, without a chance to finish anything."""
    first = psutil.Process(pid)
    processes = [first, *first.children(recursive=True)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, TIMEOUT)


def wait_until(condition: Callable[[], Any], complaint: Callable[[], object] = lambda: None) -> None:
    """Wait until something is so."""
    until = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < until, complaint()
        time.sleep(0.02)


def free_port() -> int:
    """Choose a port that nobody listens on.

    Below those that the system gives to outgoing connections, so that none of them takes it meanwhile.
    """
    # Seeds are the same in each process that runs tests; two of them must not choose the same port.
    choose = random.SystemRandom()
    while True:
        port = choose.randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("0.0.0.0", port))  # noqa: S104 - where the server will listen
            return port
