"""The process ``live``, and those who follow its streams."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPMessage, parse_headers
from typing import Any

from service.config import Config
from service.live import server as serving
from tests.support.marks import LONG
from tests.support.servers import HERE, SETTINGS, TIMEOUT, Server, free_port, running, wait_until


class Follower:
    """One who follows: ``told`` are the conversations so far, and ``over`` is when the stream has ended."""

    def __init__(self, port: int, credential: str, **headers: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        lines = ["GET /v1/stream HTTP/1.1", "Host: x", f"Authorization: Bearer {credential}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._answer = self.socket.makefile("rb")
        line = self._answer.readline()
        self.status = int(line.split()[1]) if line else 0
        self.headers: HTTPMessage = parse_headers(self._answer)
        self.told: list[str] = []
        self.comments = 0
        self.over = threading.Event()
        self.body: Any = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        if self.status == 200:
            self._reader.start()
        else:
            self.body = json.loads(self._answer.read() or "null")

    def _read(self) -> None:
        with suppress(OSError, ValueError):
            self.socket.settimeout(None)
            # A router may keep the connection when the stream has ended.
            while (line := self._answer.readline()) not in (b"", b"0\r\n"):
                if line.startswith(b"data: "):
                    self.told.append(json.loads(line[6:])["conversation"])
                self.comments += line == b":\n"
        self.over.set()

    def wait_told(self, *conversations: str) -> None:
        """Wait until it was told of all these."""
        wait_until(lambda: set(conversations) <= set(self.told), lambda: (conversations, self.told))

    def wait_over(self) -> None:
        """Wait until the stream has ended."""
        assert self.over.wait(TIMEOUT)

    def close(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        if self.status == 200:
            self._reader.join(TIMEOUT)
        self._answer.close()
        self.socket.close()


class Live(Server):
    """A process that serves streams."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        super().__init__(process, port)
        self._followers: list[Follower] = []

    def try_follow(self, credential: str, **headers: str) -> Follower:
        """Ask for a stream."""
        self._followers.append(Follower(self.port, credential, **headers))
        return self._followers[-1]

    def follow(self, credential: str, **headers: str) -> Follower:
        """Have a stream."""
        follower = self.try_follow(credential, **headers)
        assert follower.status == 200, (follower.status, follower.body)
        return follower

    def leave(self) -> None:
        """Close all streams."""
        for follower in self._followers:
            follower.close()
        self._followers.clear()


@contextmanager
def live(
    database_url: str, *, ready: str = "/readyz", module: str = "tests.support.patient", **environment: str
) -> Iterator[Live]:
    """Have a process that has answered ``ready``; its end is part of the test.

    ``service`` is the module that waits for the store as usual.
    """
    port = int(environment.get("LIVE_PORT") or free_port())
    settings = SETTINGS | {"DATABASE_URL": database_url, "LIVE_PORT": str(port)} | environment
    words = [sys.executable, "-m", module, "live"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(words, cwd=HERE, env=os.environ | settings, **pipes)
    with running(Live(process, port), ready) as server:
        try:
            yield server
        finally:
            server.leave()


@contextmanager
def live_in_thread(config: Config) -> Iterator[int]:
    """Serve in a thread of the test, which can change how long anything takes; yield the port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        server = serving.Server(config)
        server._store.database.timeout = LONG
        thread = threading.Thread(target=asyncio.run, args=(server.serve([listener]),))
        thread.start()
        try:
            wait_until(lambda: server.started)
            yield listener.getsockname()[1]
        finally:
            server.stop()
            thread.join(TIMEOUT)
        assert not thread.is_alive()
