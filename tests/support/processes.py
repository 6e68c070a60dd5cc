"""Processes that make their calls at the same moment, and tell what was answered and when."""

import json
import multiprocessing
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from flask import Flask

from service.api.context import NAME
from service.app import create_app
from service.config import Config
from service.desk import transactions
from tests.support.logbook import keep, personal_lines
from tests.support.servers import ADMIN_KEY, SECRET_KEY, TIMEOUT, Connection

PROCESSES = 4
THREADS = 8
CALLERS = PROCESSES * THREADS

# Each process comes from one that has imported all of it and has never opened a connection.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Request:
    """A call that somebody is going to make; ``key`` is its idempotency key, if it has one."""

    method: str
    path: str
    credential: str
    json: Any = None
    key: str | None = None


@dataclass(frozen=True)
class Call:
    """A call that was made: from ``began`` to ``ended``, by the clock that all processes share."""

    request: Request
    began: float
    ended: float
    status: int
    body: Any


Caller = Callable[..., Any]
# A request, and the number of the race that it belongs to.
Numbered = tuple[int, Request]


class Callers:
    """Threads of several processes, which wait for something to do."""

    def __init__(self, pipes: Sequence[Pipe]) -> None:
        self._pipes = pipes

    def race(self, races: Sequence[Sequence[Request]]) -> list[list[Call]]:
        """Make the calls of each race at the same moment, and return them by race.

        As many races as there are callers for are run at once, and one such batch after the other.
        """
        batches = _batches(races)
        for first, pipe in enumerate(self._pipes):
            pipe.send([batch[first :: len(self._pipes)] for batch in batches])
        answered = [pipe.recv() for pipe in self._pipes]
        failures = [answer for answer in answered if isinstance(answer, str)]
        assert not failures, failures
        calls: list[list[Call]] = [[] for _ in races]
        for number, call in (made for answer in answered for made in answer):
            calls[number].append(call)
        return calls


def _batches(races: Sequence[Sequence[Request]]) -> list[list[Numbered]]:
    batches: list[list[Numbered]] = [[]]
    for number, race in enumerate(races):
        assert len(race) <= CALLERS, f"{CALLERS} callers cannot make {len(race)} calls at once"
        if len(batches[-1]) + len(race) > CALLERS:
            batches.append([])
        batches[-1] += [(number, request) for request in race]
    return batches


@contextmanager
def callers(*, database_url: str | None = None, port: int | None = None) -> Iterator[Callers]:
    """Have callers. Of a database each process is a worker with a store of its own, and its own client, which
    is connected to it as long as they race; of a port they call a server, over connections that they keep."""
    start = processes.Barrier(CALLERS)
    pipes = [processes.Pipe() for _ in range(PROCESSES)]
    log = Path(tempfile.mkdtemp(prefix="usher-callers-"))
    started = [
        processes.Process(
            target=_run, args=(theirs, start, log / str(number), database_url, port), daemon=True
        )
        for number, (_, theirs) in enumerate(pipes)
    ]
    for process in started:
        process.start()
    for _, theirs in pipes:
        theirs.close()
    ours = [pipe for pipe, _ in pipes]
    try:
        yield Callers(ours)
    finally:
        for pipe in ours:
            pipe.close()
        for process in started:
            process.join(TIMEOUT)
            process.close()
        lines = [line for path in log.iterdir() for line in path.read_text().splitlines()]
        shutil.rmtree(log)
    assert personal_lines(lines) == []


def _run(pipe: Pipe, start: Barrier, log: Path, database_url: str | None, port: int | None) -> None:
    keep(log)
    app = _worker(database_url) if database_url else None
    opened: list[Caller] = [
        app.test_client().open if app else Connection(port or 0).open for _ in range(THREADS)
    ]
    while True:
        try:
            batches = pipe.recv()
        except EOFError:
            return
        made = _race(opened, start, batches)
        if app:
            app.extensions[NAME].store.database.close()
        pipe.send(made)


def _worker(database_url: str) -> Flask:
    app = create_app(Config(ADMIN_KEY, SECRET_KEY, database_url, login_rate=0, proof_failure_rate=0))
    # A slow machine is no fault of the store's: nobody is sent away because of it, nor after some lost races.
    app.extensions[NAME].store.database.timeout = TIMEOUT
    transactions.ATTEMPTS = 1000
    return app


def _race(
    callers: list[Caller], start: Barrier, batches: list[list[Numbered]]
) -> list[tuple[int, Call]] | str:
    made: list[tuple[int, Call]] = []
    failures: list[str] = []

    def run(place: int) -> None:
        try:
            for batch in batches:
                start.wait(TIMEOUT)
                if place < len(batch):
                    number, request = batch[place]
                    made.append((number, make(callers[place], request)))
        except Exception as failure:  # noqa: BLE001 - it is told, and fails the test
            start.abort()
            failures.append(repr(failure))

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(callers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return "; ".join(failures) or made


def make(caller: Caller, request: Request) -> Call:
    """Make a call."""
    headers = {"Authorization": f"Bearer {request.credential}"}
    if request.key is not None:
        headers["Idempotency-Key"] = request.key
    began = time.monotonic()
    answer = caller(request.path, method=request.method, json=request.json, headers=headers)
    ended = time.monotonic()
    return Call(request, began, ended, answer.status_code, json.loads(answer.data or "null"))
