"""How much CPU a call takes in two checkouts of Usher, beside each other and with all cores busy.

Rates differ with what else the machine does, the CPU of a call hardly does. The checkouts take turns, the
other one first in each round, and what counts is the ratio within a round. Each round has servers of its
own, so that no peculiarity of one process is taken for one of its code.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, quantiles

import psutil
from rich.progress import Progress

from bench import servers, usage, wrk
from bench.apps import App
from bench.calls import NOTHING, candidates
from bench.load import Call, Load, Loader
from bench.results import Cell, table
from bench.servers import HERE, Checkout, Make

CORES = os.cpu_count() or 1
CONNECTIONS = 16  # of all servers that are loaded at a time
# What part of the machine others may take, and how often a turn is tried in which they take more.
STRANGERS, ATTEMPTS = 0.1, 10
REST = 0.2  # seconds until a server is done with calls whose answers nobody waits for

HEAD = """# The CPU of a call

*server* and *PostgreSQL* are the milliseconds of CPU that a call took there. Numbers are medians of the
rounds; *new / old* is that of the ratios within a round, between whose *quartiles* lie half of them."""


@dataclass(frozen=True)
class Plan:
    """How to measure: ``rounds`` of so many seconds for each call and checkout, two at least.

    Of ``users``, each fourth has written. Calls of each kind come before: ``crowd`` when a database is new,
    so that PostgreSQL plans for tables of some size, and ``warm_up`` when servers are.
    """

    rounds: int
    seconds: float
    users: int = 200
    crowd: int = 2000
    warm_up: int = 400


@dataclass(frozen=True)
class Fleet:
    """Servers that are loaded together, each with examples of its own."""

    members: list[servers.Server]
    calls: dict[str, Call]

    def load(self, name: str, load: Callable[..., Load], **how: float) -> list[Load]:
        """Send one kind of call to all servers at once."""
        call, count = self.calls[name], len(self.members)
        parts = [
            Call(name, call.requests[place::count] or call.requests, call.status) for place in range(count)
        ]
        ports = [server.port for server in self.members]
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(lambda port, part: load(port, part, **how), ports, parts))


@dataclass(frozen=True)
class Side:
    """What is measured: an application with its database, and what it is asked."""

    url: str
    calls: dict[str, Call]
    checkout: Checkout = HERE
    app: str = servers.USHER
    arguments: tuple[str, ...] = ()

    @contextmanager
    def served(self, loader: Loader, calls: int) -> Iterator[Fleet]:
        """Have a server for each core, as of several processes with one port one may get all connections.

        They have answered so many calls of each kind.
        """
        with ExitStack() as stack:
            serving = (
                servers.serve(self.app, self.url, 1, *self.arguments, checkout=self.checkout)
                for _ in range(CORES)
            )
            fleet = Fleet([stack.enter_context(one) for one in serving], self.calls)
            for name in self.calls:
                fleet.load(name, loader.load, calls=calls // CORES)
            yield fleet


@dataclass(frozen=True)
class Turn:
    """What a call took: milliseconds of CPU, calls per second, and milliseconds until so many of a hundred
    were answered. Others took ``strangers`` of the machine meanwhile, of which all is 1."""

    server: float
    database: float
    rate: float
    p50: float
    p99: float
    strangers: float


# How these are called, with so many digits.
MEASURES = {
    "server": ("server, ms", 3),
    "database": ("PostgreSQL, ms", 3),
    "rate": ("per second", 0),
    "p50": ("p50, ms", 1),
    "p99": ("p99, ms", 1),
}


@dataclass
class Comparison:
    """The turns of the old and the new checkout, by call and round, beside those of an endpoint that does
    nothing."""

    versions: str
    nothing: list[Turn]
    pairs: dict[str, list[tuple[Turn, Turn]]]


@dataclass(frozen=True)
class Meter:
    """Loads servers, and looks at what they and their PostgreSQL use."""

    load: Callable[..., Load]
    seconds: float
    postmaster: psutil.Process

    def pair(self, fleets: dict[int, Fleet], name: str) -> list[tuple[Turn, Turn]]:
        """Measure both checkouts; return nothing if others used the machine however often it was tried."""
        for _ in range(ATTEMPTS):
            turns = {place: self.turn(fleet, name) for place, fleet in fleets.items()}
            if all(turn.strangers <= STRANGERS for turn in turns.values()):
                return [(turns[0], turns[1])]
        return []

    def turn(self, fleet: Fleet, name: str) -> Turn:
        """Measure one kind of call."""
        before = self._used(fleet)
        connections = max(1, CONNECTIONS // len(fleet.members))
        loads = fleet.load(name, self.load, seconds=self.seconds, connections=connections)
        time.sleep(REST)
        passed, all_used, ours, server, database = (
            after - earlier for after, earlier in zip(self._used(fleet), before, strict=True)
        )
        calls = sum(load.calls for load in loads)
        return Turn(
            1000 * server / calls,
            1000 * database / calls,
            sum(load.rate for load in loads),
            1000 * mean(load.percentile(50) for load in loads),
            1000 * max(load.percentile(99) for load in loads),
            (all_used - ours) / passed / CORES,
        )

    def _used(self, fleet: Fleet) -> tuple[float, ...]:
        return (
            time.perf_counter(),
            usage.of_all(),
            # The servers and what loads them are descendants of this process.
            usage.of(psutil.Process(), self.postmaster),
            usage.of(*(server.process for server in fleet.members)),
            usage.of(self.postmaster),
        )


def compare(old: Path, new: Path, plan: Plan) -> Comparison:
    """Measure two checkouts."""
    with ExitStack() as stack, Progress(transient=True) as progress:
        make = stack.enter_context(servers.databases(servers.POSTGRESQL))
        loader = stack.enter_context(closing(Loader(CORES)))
        task = progress.add_task("people and what they wrote", total=None)
        url = make("bench", HERE)
        sides = [
            _filled(make, name, Checkout.at(directory), loader, plan)
            for name, directory in (("old", old), ("new", new))
        ]
        progress.remove_task(task)
        plain = "--config=python:bench.noop", "--worker-class=gthread", "--threads=4"
        nothing = Side(url, {NOTHING.name: NOTHING}, app=servers.NOOP, arguments=plain)
        idle = stack.enter_context(nothing.served(loader, plan.warm_up))
        meter = Meter(wrk.load if shutil.which("wrk") else loader.load, plan.seconds, usage.postmaster(url))
        comparison = Comparison(servers.versions(url), [], {name: [] for name in sides[0].calls})
        for number in progress.track(range(plan.rounds), description="rounds"):
            comparison.nothing.append(meter.turn(idle, NOTHING.name))
            with ExitStack() as turns:
                fleets = {
                    place: turns.enter_context(sides[place].served(loader, plan.warm_up))
                    for place in ((0, 1), (1, 0))[number % 2]
                }
                for name, pairs in comparison.pairs.items():
                    pairs.extend(meter.pair(fleets, name))
        return comparison


def _filled(make: Make, name: str, checkout: Checkout, loader: Loader, plan: Plan) -> Side:
    """Have people in a new database, all of it by the checkout's own code."""
    url = make(name, checkout)
    with servers.serve(servers.USHER, url, 1, checkout=checkout) as server:
        measured = candidates(App.create(url, checkout), server.port, plan.users, plan.users // 4)
        calls = {one.call.name: one.call for one in measured if one.hot}
        for call in calls.values():
            loader.load(server.port, call, calls=plan.crowd)
    servers.gather_statistics(url)
    return Side(url, calls, checkout)


def written(comparison: Comparison) -> str:
    """Write the table. Raises RuntimeError if there is nothing to compare, as others used the machine."""
    if min(map(len, comparison.pairs.values())) < 2:
        raise RuntimeError("others used the machine nearly all the time")
    rows: list[list[Cell]] = []
    for call, pairs in comparison.pairs.items():
        for measure, (title, digits) in MEASURES.items():
            olds, news = ([getattr(pair[place], measure) for pair in pairs] for place in (0, 1))
            ratios = [new / old for old, new in zip(olds, news, strict=True)]
            low, ratio, high = quantiles(ratios, method="inclusive")
            middle: list[Cell] = [(median(olds), digits), (median(news), digits), (ratio, 3)]
            rows.append([call, title, *middle, f"{low:.3f} to {high:.3f}", (len(pairs), 0)])
    unit = median(turn.server for turn in comparison.nothing)
    circumstances = (
        f"{comparison.versions}; {CORES} servers of one process, {CONNECTIONS} connections. An endpoint that"
        f" does nothing takes {unit:.3f} ms."
    )
    head = ["call", "what", "old", "new", "new / old", "quartiles", "rounds"]
    return "\n\n".join([HEAD, circumstances, table(head, rows)])
