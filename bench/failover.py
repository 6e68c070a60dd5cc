"""What clients get when the primary of a pair under Patroni is lost, behind HAProxy or with both hosts in
the URL."""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from statistics import median

import psycopg

from bench.apps import App
from bench.patroni import TIMEOUT, Node, cluster, missing, url, wait_for
from bench.results import Cell, table
from bench.servers import USHER, command, serve

WAYS = "PostgreSQL dies", "the machine dies", "switched over"
THREADS, WARM_UP = 4, 3  # the last in seconds


@dataclass
class Load:
    """People who come, without a pause: when each was answered, with what, and who was there then."""

    port: int
    key: str
    over: threading.Event = field(default_factory=threading.Event)
    answers: list[tuple[float, float, int]] = field(default_factory=list)
    came: list[str] = field(default_factory=list)

    def run(self, thread: int) -> None:
        """Have one after the other come until it is over."""
        number = 0
        while not self.over.is_set():
            number += 1
            began, user = time.monotonic(), f"u-{thread}-{number}"
            status = log_in(self.port, self.key, user)
            self.answers.append((began, time.monotonic(), status))
            if status == 201:
                self.came.append(user)

    def lost(self, database_url: str) -> int:
        """Return how many came and are not in the database."""
        with psycopg.connect(database_url) as database:
            there = {value for (value,) in database.execute("SELECT value FROM user_ids")}
        return len(set(self.came) - there)


def log_in(port: int, key: str, user: str) -> int:
    """Log a user in, and return the status of the answer; 0 is none."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        with closing(HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)) as connection:
            connection.request("POST", "/v1/login", json.dumps({"userId": user}), headers)
            return connection.getresponse().status
    except (OSError, HTTPException):
        return 0


@dataclass(frozen=True)
class Outage:
    """What clients got: for how long no change was acknowledged, how long the slowest answer took, and how
    many answers had which status; how many changes were acknowledged, and how many of them were lost."""

    way: str
    by: str
    seconds: float
    slowest: float
    usual: float
    statuses: Counter[int]
    acknowledged: int
    lost: int


def measure(way: str, *, proxied: bool) -> Outage:
    """Lose the primary in a way, under load."""
    with cluster() as (nodes, through):
        database_url = url(through) if proxied else url(*(node.port for node in nodes))
        command(database_url, "migrate")
        app = App.create(database_url)
        with serve(USHER, database_url) as server:
            load = Load(server.port, app.sk)
            threads = [threading.Thread(target=load.run, args=(number,)) for number in range(THREADS)]
            for thread in threads:
                thread.start()
            try:
                time.sleep(WARM_UP)
                lost_at = _lose(way, nodes)
                promoted = time.monotonic()
                wait_for(lambda: len(_changed(load, promoted)) > 20, os.devnull)
            finally:
                load.over.set()
                for thread in threads:
                    thread.join()
            return outage(
                way, "HAProxy" if proxied else "several hosts", load, lost_at, load.lost(database_url)
            )


def _lose(way: str, nodes: tuple[Node, Node]) -> float:
    """Lose the primary, and return when; the other one is the primary by the end."""
    primary, other = sorted(nodes, key=Node.is_primary, reverse=True)
    lost_at = time.monotonic()
    if way == "switched over":
        body = json.dumps({"leader": primary.name, "candidate": other.name})
        with closing(HTTPConnection("127.0.0.1", primary.rest, timeout=TIMEOUT)) as connection:
            connection.request("POST", "/switchover", body, {"Content-Type": "application/json"})
            connection.getresponse().read()
    else:
        primary.lose(patroni=way == "the machine dies")
    wait_for(other.is_primary, os.devnull)
    return lost_at


def _changed(load: Load, since: float) -> list[float]:
    return [end for began, end, status in list(load.answers) if began > since and status == 201]


def outage(way: str, by: str, load: Load, lost_at: float, lost: int) -> Outage:
    """Work out what a load saw of a primary that was lost at a time."""
    ends = sorted(end for _, end, status in load.answers if status == 201)
    gaps = [
        (after - before, before) for before, after in zip(ends, ends[1:], strict=False) if after > lost_at
    ]
    times = [end - began for began, end, _ in load.answers]
    return Outage(
        way,
        by,
        max(gaps)[0],
        max(times),
        median(times),
        Counter(status for _, _, status in load.answers),
        len(load.came),
        lost,
    )


def written(outages: list[Outage]) -> str:
    """Write what was measured as a table."""
    head = (
        "the primary",
        "by way of",
        "s without a change",
        "slowest answer, s",
        "answers",
        "acknowledged",
        "lost",
    )
    rows: list[list[Cell]] = [
        [
            one.way,
            one.by,
            (one.seconds, 1),
            (one.slowest, 1),
            ", ".join(f"{many} × {status or 'none'}" for status, many in sorted(one.statuses.items())),
            (one.acknowledged, 0),
            (one.lost, 0),
        ]
        for one in outages
    ]
    return table(head, rows)


def measure_all() -> Iterator[Outage]:
    """Lose the primary in each way, by each way to it. Raises RuntimeError where a program is missing."""
    if lacking := missing():
        raise RuntimeError(f"install {', '.join(lacking)}")
    for way in WAYS:
        for proxied in (True, False):
            yield measure(way, proxied=proxied)
