"""Where the time of a call goes: in the server by part, in PostgreSQL by statement.

What a call takes is counted with all cores busy, while nobody looks on. How that is distributed is asked of
the calls of a single client, to a server that has a core of its own. Else PostgreSQL takes a server's core
when it is sent a statement, while a thread holds the interpreter, and that wait would be told as work.
"""

import os
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from operator import sub
from statistics import median

import psutil
from rich.progress import Progress

from bench import cores, parts, queries, syscalls, usage
from bench.calls import LIST, LOGIN, MESSAGE, NOTHING
from bench.fleets import CORES, Fleet, nothing
from bench.load import Loader
from bench.meter import ATTEMPTS, Meter, Turn
from bench.queries import Statement, StatementCounter
from bench.servers import POSTGRESQL, databases, versions
from bench.speed import filled

CALLS = LOGIN, LIST, MESSAGE
SPYING = 2  # as most samples find a server that waits, and do not count


@dataclass(frozen=True)
class Plan:
    """How to measure: ``rounds`` of so many seconds for each call. A single client calls as long for the
    statements, and ``SPYING`` times as long for py-spy."""

    rounds: int
    seconds: float


@dataclass(frozen=True)
class Spent:
    """What a call takes: seconds of CPU of the servers in programs and in the kernel, those of PostgreSQL and
    of its processes that serve no client, and how often the threads of the servers waited for something, and
    how often a core was taken from them."""

    user: float
    system: float
    database_user: float
    database_system: float
    background: float
    waits: float
    interruptions: float


@dataclass(frozen=True)
class CallProfile:
    """Where the time of one call goes: what was ``spent`` at which ``rate`` per second in the turns that
    nobody disturbed, system calls if these could be counted, and for a single client ``samples`` of the
    server by part, and ``statements``."""

    name: str
    spent: Spent
    rate: float
    system_calls: float | None
    samples: Counter[str]
    statements: list[Statement]


@dataclass(frozen=True)
class Profile:
    """What was measured, the endpoint that does nothing first; ``busy`` is the machine's load average before
    and after."""

    versions: str
    loaded_by: str
    calls: list[CallProfile]
    busy: tuple[float, float]


def measure(plan: Plan) -> Profile:
    """Measure on PostgreSQL. Raises RuntimeError if others used the machine nearly all the time."""
    before = os.getloadavg()[0]
    with (
        databases(POSTGRESQL, **queries.SETTINGS) as make,
        Progress(transient=True) as progress,
        closing(Loader(CORES)) as loader,
    ):
        side = filled(make, progress)
        meter = Meter.of(side.url, plan.seconds, loader)
        counter = StatementCounter(side.url)
        task = progress.add_task("calls", total=1 + len(CALLS))
        calls = []
        for served, names in ((nothing(side.url), (NOTHING.name,)), (side, CALLS)):
            with served.served(loader) as fleet:
                for name in names:
                    calls.append(_profiled(fleet, name, plan.rounds, meter, counter))
                    progress.advance(task)
        return Profile(versions(side.url), meter.loaded_by, calls, (before, os.getloadavg()[0]))


def _profiled(fleet: Fleet, name: str, rounds: int, meter: Meter, counter: StatementCounter) -> CallProfile:
    spent, rate = _counted(fleet, name, rounds, meter, counter.background())
    sent: list[int] = []
    workers = [server.worker for server in fleet.members]
    number = syscalls.counted(workers, lambda: sent.append(meter.send(fleet, name).calls))
    one = Fleet(fleet.members[:1], fleet.calls)
    alone = replace(meter, connections=1, seconds=rounds * meter.seconds)
    longer = replace(alone, seconds=SPYING * alone.seconds)
    assert meter.postmaster
    with cores.kept_apart(workers[0], meter.postmaster):
        samples = parts.sampled(workers[0], longer.seconds, lambda: longer.send(one, name))
        counter.reset()
        calls = alone.send(one, name).calls
    statements = queries.together(counter.statements(), calls)
    return CallProfile(name, spent, rate, number / sent[0] if number else None, samples, statements)


def _counted(
    fleet: Fleet, name: str, rounds: int, meter: Meter, background: list[psutil.Process]
) -> tuple[Spent, float]:
    turns: list[Turn] = []
    amounts: list[list[float]] = []
    for _ in range(ATTEMPTS * rounds):
        before = _spent(fleet, meter, background)
        turn = meter.turn(fleet, name)
        if not turn.disturbed:
            turns.append(turn)
            amounts.append(list(map(sub, _spent(fleet, meter, background), before)))
        if len(turns) == rounds:
            calls = sum(turn.calls for turn in turns)
            spent = Spent(*(sum(amount) / calls for amount in zip(*amounts, strict=True)))
            return spent, median(turn.rate for turn in turns)
    raise RuntimeError("others used the machine nearly all the time")


def _spent(fleet: Fleet, meter: Meter, background: list[psutil.Process]) -> tuple[float, ...]:
    """Return what was taken since the servers began, in the order of ``Spent``."""
    assert meter.postmaster
    return (
        *usage.by_mode(*fleet.processes),
        *usage.by_mode(meter.postmaster),
        usage.of(*background),
        *usage.switches(*(server.worker for server in fleet.members)),
    )
