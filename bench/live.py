"""How much memory streams take, and how soon they tell: thousands that are idle, and a few who write."""

import json
import os
import random
import resource
import selectors
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import psutil
from rich.progress import track

from bench import usage
from bench.apps import App, post
from bench.load import CONNECTIONS, Call, Load, Loader, Request
from bench.results import Cell, table
from bench.servers import HERE, POSTGRESQL, USHER, databases, gather_statistics, serve, serve_live, versions

# The most that is aimed at: megabytes of the process, and seconds within which 99 of 100 are told.
MAX_MEMORY, MAX_P99 = 300.0, 0.5
# For how many seconds the process is idle while its CPU is looked at, and how long to wait for any news.
IDLE, TIMEOUT = 5.0, 10.0

HEAD = f"""# Streams

Written by `python -m bench live`. One process `live` has so many streams, each of a session of its own but
one, which is of a secret key. Then {CONNECTIONS} clients write messages as fast as they are answered. Beside
them somebody else writes one, waits until their own stream tells of it, and begins again. *Told* is the
time from when such a message is sent to when its stream tells that there is news. Memory is looked at in
the end."""


@dataclass(frozen=True)
class Plan:
    """How to measure: with so many streams, and for so many seconds."""

    streams: int
    seconds: float


@dataclass(frozen=True)
class Measured:
    """What was seen: the machine's load average before and after; how much memory the process takes without
    streams and in the end, in megabytes; how much of a core with nothing to tell, and beside those who write;
    how soon was told; what was written beside."""

    circumstances: str
    busy: tuple[float, float]
    streams: int
    memory: tuple[float, float]
    cpu: tuple[float, float]
    told: Load
    written: Load


class Crowd:
    """Streams that are open, and the latest news of each conversation."""

    def __init__(self, port: int, credentials: Sequence[str]) -> None:
        self._selector = selectors.DefaultSelector()
        self._news = threading.Condition()
        self._told: dict[str, float] = {}
        self._over = False
        for credential in track(credentials, "streams", transient=True):
            stream = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
            head = f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {credential}\r\n\r\n"
            stream.sendall(head.encode())
            self._selector.register(stream, selectors.EVENT_READ)
        for key in list(self._selector.get_map().values()):
            answer = key.fileobj.recv(4096)  # type: ignore[union-attr]
            assert answer.startswith(b"HTTP/1.1 200"), answer
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_told(self, conversation: str, since: float) -> float:
        """Wait for news of a conversation after a time, and return when it was."""
        with self._news:
            found = self._news.wait_for(lambda: self._told.get(conversation, 0) > since, TIMEOUT)
        assert found, "nothing was told"
        return self._told[conversation]

    def close(self) -> None:
        """Close all."""
        self._over = True
        self._reader.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def _read(self) -> None:
        while not self._over:
            for key, _ in self._selector.select(0.1):
                said = key.fileobj.recv(65536)  # type: ignore[union-attr]
                at = time.perf_counter()
                assert said, "a stream ended"
                with self._news:
                    for part in said.split(b'"conversation": "')[1:]:
                        self._told[part.partition(b'"')[0].decode()] = at
                    self._news.notify_all()


def measure(plan: Plan) -> Measured:
    """Measure on PostgreSQL."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    before = os.getloadavg()[0]
    with ExitStack() as stack:
        url = stack.enter_context(databases(POSTGRESQL))("live", HERE)
        app = App.create(url)
        port = stack.enter_context(serve(USHER, url)).port
        people = stack.enter_context(closing(HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)))
        numbers = track(range(plan.streams), "people", transient=True)
        tokens = [_log_in(people, app, number) for number in numbers]
        gather_statistics(url)
        live = stack.enter_context(serve_live(url, plan.streams + 1))
        alone = _memory(live.process)
        crowd = stack.enter_context(closing(Crowd(live.port, [*tokens, app.sk])))
        began = usage.of(live.process)
        time.sleep(IDLE)
        idle = (usage.of(live.process) - began) / IDLE
        with ThreadPoolExecutor(1) as thread, closing(Loader()) as loader:
            writing = thread.submit(loader.load, port, _writers(people, tokens), seconds=plan.seconds)
            began = usage.of(live.process)
            told = _write_and_wait(people, tokens[-1], crowd, plan.seconds)
            busy = (usage.of(live.process) - began) / told.seconds
            written = writing.result()
        memory = alone, _memory(live.process)
        busy_machine = before, os.getloadavg()[0]
        return Measured(versions(url), busy_machine, plan.streams + 1, memory, (idle, busy), told, written)


def write(measured: Measured, into: Path) -> str:
    """Write down what was seen."""
    (alone, full), (idle, busy), told = measured.memory, measured.cpu, measured.told
    rows: list[Sequence[Cell]] = [
        ["memory without streams, MB", (alone, 0), ""],
        [f"memory with {measured.streams:,}, MB", (full, 0), f"{MAX_MEMORY:.0f}"],
        ["of each stream, KB", ((full - alone) / measured.streams * 1000, 0), ""],
        ["told, p50, ms", (1000 * told.percentile(50), 0), ""],
        ["told, p99, ms", (1000 * told.percentile(99), 0), f"{1000 * MAX_P99:.0f}"],
        ["told, longest, ms", (1000 * told.percentile(100), 0), ""],
        ["CPU with nothing to tell, % of a core", (100 * idle, 1), ""],
        ["CPU beside those who write, % of a core", (100 * busy, 1), ""],
    ]
    beside = (
        f"{told.calls} messages were waited for, beside {measured.written.rate:,.0f} a second;"
        " load average {:.1f} before and {:.1f} after".format(*measured.busy)
    )
    text = "\n\n".join([HEAD, f"{measured.circumstances}; {beside}.", table(["what", "is", "target"], rows)])
    (into / "live.md").write_text(f"{text}\n")
    return text


def _log_in(people: HTTPConnection, app: App, number: int) -> str:
    token: str = post(people, "/v1/login", app.sk, {"userId": f"user-{number}"})["session"]["token"]
    return token


def _begin(people: HTTPConnection, token: str) -> str:
    id: str = post(people, "/v1/conversations", token, {"message": "Hello"})["id"]
    return id


def _writers(people: HTTPConnection, tokens: Sequence[str]) -> Call:
    """Return a call by which the first few people write, each into their own conversation."""
    body = json.dumps({"body": "Hello"})
    requests = (
        Request("POST", f"/v1/conversations/{_begin(people, token)}/messages", token, body)
        for token in tokens[:CONNECTIONS]
    )
    return Call("message", tuple(requests), 201)


def _write_and_wait(people: HTTPConnection, token: str, crowd: Crowd, seconds: float) -> Load:
    """Write a message, wait until it is told, and again, at any moment; return how long each took."""
    path, times, began = f"/v1/conversations/{_begin(people, token)}", [], time.perf_counter()
    crowd.wait_told(path.rpartition("/")[2], 0)
    while time.perf_counter() < began + seconds:
        sent = time.perf_counter()
        post(people, f"{path}/messages", token, {"body": "Hello"})
        times.append(crowd.wait_told(path.rpartition("/")[2], sent) - sent)
        # Else each would be sent just after a look.
        time.sleep(random.uniform(0, 0.2))
    return Load(len(times), time.perf_counter() - began, tuple(sorted(times)))


def _memory(process: psutil.Process) -> float:
    return float(process.memory_full_info().pss / 1e6)
