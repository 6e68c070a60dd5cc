"""Where the time of a call goes with all cores busy: in the server by part, in PostgreSQL by statement.

What a call takes is counted while nobody looks on; only then py-spy does, which stops a server each time, and
tells how that is distributed.
"""

import os
from collections import Counter
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from operator import add, sub

import psutil
from rich.progress import Progress

from bench import parts, queries, syscalls, usage
from bench.calls import LIST, LOGIN, MESSAGE, NOTHING
from bench.fleets import CORES, Fleet, nothing
from bench.load import Loader
from bench.meter import ATTEMPTS, Meter, Turn
from bench.queries import Statement, StatementCounter
from bench.servers import POSTGRESQL, databases, versions
from bench.speed import filled

CALLS = LOGIN, LIST, MESSAGE


@dataclass(frozen=True)
class Plan:
    """How to measure: ``rounds`` of so many seconds for each call, and as long again for py-spy."""

    rounds: int
    seconds: float


@dataclass(frozen=True)
class Spent:
    """What calls take together: seconds of CPU of the servers in programs and in the kernel, those of
    PostgreSQL and of its processes that serve no client, and how often the threads of the servers waited for
    something, and how often a core was taken from them."""

    user: float = 0
    system: float = 0
    database_user: float = 0
    database_system: float = 0
    background: float = 0
    waits: float = 0
    interruptions: float = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(*map(add, astuple(self), astuple(other)))

    def __sub__(self, earlier: "Spent") -> "Spent":
        return Spent(*map(sub, astuple(self), astuple(earlier)))


@dataclass(frozen=True)
class Account:
    """What was ``spent`` in the turns that nobody disturbed."""

    turns: list[Turn]
    spent: Spent

    @property
    def calls(self) -> int:
        """How many calls these were."""
        return sum(turn.calls for turn in self.turns)


@dataclass(frozen=True)
class CallProfile:
    """Where the time of one call goes: ``samples`` of the server by part, system calls for each call if these
    could be counted, and the ``statements`` of so many ``calls`` of a single client."""

    name: str
    account: Account
    samples: Counter[str]
    system_calls: float | None
    statements: list[Statement]
    calls: int


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
    account = _counted(fleet, name, rounds, meter, counter.background())
    workers = [server.worker for server in fleet.members]
    sent: list[int] = []
    number = syscalls.counted(workers, lambda: sent.append(meter.send(fleet, name).calls))
    longer = replace(meter, seconds=rounds * meter.seconds)
    samples = parts.sampled(workers, longer.seconds, lambda: longer.send(fleet, name))
    counter.reset()
    # Where several clients call, a statement also waits for a core, and its times are of the clock.
    alone = Fleet(fleet.members[:1], fleet.calls).load(
        name, meter.load, seconds=longer.seconds, connections=1
    )
    return CallProfile(
        name, account, samples, number / sent[0] if number else None, counter.statements(), alone.calls
    )


def _counted(fleet: Fleet, name: str, rounds: int, meter: Meter, background: list[psutil.Process]) -> Account:
    turns: list[Turn] = []
    spent = Spent()
    for _ in range(ATTEMPTS * rounds):
        before = _spent(fleet, meter, background)
        turn = meter.turn(fleet, name)
        if not turn.disturbed:
            spent += _spent(fleet, meter, background) - before
            turns.append(turn)
        if len(turns) == rounds:
            return Account(turns, spent)
    raise RuntimeError("others used the machine nearly all the time")


def _spent(fleet: Fleet, meter: Meter, background: list[psutil.Process]) -> Spent:
    assert meter.postmaster
    return Spent(
        *usage.by_mode(*fleet.processes),
        *usage.by_mode(meter.postmaster),
        usage.of(*background),
        *usage.switches(*(server.worker for server in fleet.members)),
    )
