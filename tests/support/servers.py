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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any

from tests.support.logbook import personal_lines
from tests.support.tenants import Tenant

HERE = Path(__file__).parents[2]
ADMIN_KEY = "ak_" + "a" * 40
SECRET_KEY = "s" * 40
# How long anything may take on a machine that does other things as well, in seconds.
TIMEOUT = 60


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
        self,
        path: str,
        *,
        method: str = "GET",
        json: Any = None,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        sent = dict(headers or {})
        if json is not None:
            data = _as_json(json)
            sent.setdefault("Content-Type", "application/json")
        self._http.request(method, path, data, sent)
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
        self._readers = [
            threading.Thread(target=_gather, args=(pipe, lines), daemon=True)
            for pipe, lines in ((process.stdout, self.stdout), (process.stderr, self.stderr))
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
        connection = self.connect()
        try:
            return connection.open(path, **request)
        finally:
            connection.close()

    def get(self, path: str, **request: Any) -> Answer:
        return self.open(path, method="GET", **request)

    def post(self, path: str, **request: Any) -> Answer:
        return self.open(path, method="POST", **request)

    def call(self, method: str, path: str, credential: str, json: Any = None, **headers: str) -> Answer:
        """Make any call with any credential."""
        sent = {"Authorization": f"Bearer {credential}"} | headers
        return self.open(path, method=method, json=json, headers=sent)

    def tenant(self, **settings: Any) -> Tenant:
        """Make an app with a key of each kind, over HTTP."""
        return Tenant.create(self, self.admin_key, **settings)  # type: ignore[arg-type]

    def wait_until(self, path: str, status: int = 200) -> Answer:
        """Ask until a path answers with this status."""
        last: object = None
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until:
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self._told()}"
            with suppress(OSError, HTTPException):
                last = answer = self.get(path)
                if answer.status_code == status:
                    return answer
            time.sleep(0.05)
        raise AssertionError(f"{path} never answered {status}, last {last}: {self._told()}")

    def stop(self) -> None:
        """End the server as a platform does; it ends by itself, and says no error."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(TIMEOUT)
        finally:
            self.kill()
        assert code == 0, f"ended with {code}: {self._told()}"

    def kill(self) -> None:
        """End whatever is left of the server."""
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join(TIMEOUT)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        assert personal_lines(self.stdout + self.stderr) == []

    def _told(self) -> str:
        return "".join(self.stdout[-20:] + self.stderr[-20:])


@contextmanager
def serve(
    database_url: str, *, workers: int = 2, ready: str = "/readyz", **environment: str
) -> Iterator[Server]:
    """Have a server on a migrated database that has answered ``ready``; its end is part of the test.

    ``environment`` adds settings, or replaces those that are given here.
    """
    port = free_port()
    server = Server(start(database_url, PORT=str(port), WEB_CONCURRENCY=str(workers), **environment), port)
    try:
        server.wait_until(ready)
        yield server
    except BaseException:
        server.kill()
        raise
    server.stop()


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one of Usher's commands, as an operator does, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=HERE,
        env=os.environ | {"ADMIN_KEY": ADMIN_KEY, "SECRET_KEY": SECRET_KEY, "DYNO": ""} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def start(database_url: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start gunicorn, and wait for nothing."""
    settings = {
        "ADMIN_KEY": ADMIN_KEY,
        "SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": database_url,
        "LOGIN_RATE": "0",
        "PROOF_FAILURE_RATE": "0",
        "TRUSTED_HOPS": "0",
        "DYNO": "",
        "GUNICORN_CMD_ARGS": "",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "wsgi:app", *arguments],
        cwd=HERE,
        env=os.environ | settings | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


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


def _gather(pipe: IO[str], lines: list[str]) -> None:
    for line in pipe:
        lines.append(line)  # noqa: PERF402 - what was read so far is looked at meanwhile


def _as_json(value: Any) -> bytes:
    return json.dumps(value).encode()
