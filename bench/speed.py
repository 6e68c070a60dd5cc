"""What a call costs with all cores busy, in CPU and in time, beside an endpoint that does nothing."""

import os
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from rich.progress import Progress

from bench.apps import App
from bench.calls import LIST, LOGIN, MESSAGE, NOTHING, WHO, prepare
from bench.filling import fill
from bench.fleets import CORES, Side, nothing
from bench.load import Loader
from bench.memory import Memory, measure_memory
from bench.meter import Meter, Turn
from bench.people import Population
from bench.servers import (
    HERE,
    POSTGRESQL,
    SQLITE,
    TITLES,
    USHER,
    Make,
    databases,
    gather_statistics,
    serve,
    versions,
)

# Users of another app who are there before, and conversations of one of them. Of tables that are nearly empty
# PostgreSQL plans to read all rows, and does so for a while when thousands of new users have come.
CROWD, DEEP = 10_000, 1_000


@dataclass(frozen=True)
class Target:
    """What a call may take at most: CPU in calls of the endpoint that does nothing, milliseconds within which
    99 of 100 are answered, and how many times the median answer these are."""

    noops: float | None = None
    p99: float | None = None
    tail: float | None = None


TARGETS = {
    POSTGRESQL: {
        LOGIN: Target(noops=3.0, tail=4),
        WHO: Target(noops=2.2),
        LIST: Target(noops=2.6),
        MESSAGE: Target(noops=3.0),
    },
    SQLITE: {LOGIN: Target(noops=2.8, p99=60, tail=4)},
}


@dataclass(frozen=True)
class Plan:
    """How to measure; ``requests`` are sent before memory is looked at, and as many again after that."""

    rounds: int
    seconds: float
    requests: int


@dataclass
class Series:
    """What one call took, round by round, each beside the endpoint that does nothing in the same round.

    Of each measure the median of the rounds counts."""

    name: str
    target: Target = Target()
    rounds: list[tuple[Turn, Turn]] = field(default_factory=list)

    @property
    def noops(self) -> float:
        """CPU of server and database, in calls of the endpoint that does nothing."""
        return median(turn.cpu / unit.cpu for turn, unit in self.rounds)

    def middle(self, measure: str) -> float:
        """Return one of the measures of a turn."""
        sizes: list[float] = [getattr(turn, measure) for turn, _ in self.rounds]
        return median(sizes)

    def missed(self) -> list[str]:
        """Return which of its targets it misses."""
        measured = {
            "no-ops": (self.noops, self.target.noops),
            "p99": (self.middle("p99"), self.target.p99),
            "p99/p50": (self.middle("tail"), self.target.tail),
        }
        return [what for what, (size, most) in measured.items() if most is not None and size > most]


@dataclass(frozen=True)
class Speed:
    """What was measured on one engine; ``busy`` is the machine's load average before and after."""

    engine: str
    versions: str
    loaded_by: str
    series: tuple[Series, ...]
    memory: Memory
    busy: tuple[float, float]


def measure(engine: str, plan: Plan) -> Speed:
    """Measure one engine. Raises RuntimeError if others used the machine nearly all the time."""
    before = os.getloadavg()[0]
    with databases(engine) as make, Progress(transient=True) as progress, closing(Loader(CORES)) as loader:
        side = filled(make, progress)
        meter = Meter.of(side.url, plan.seconds, loader)
        series = _take_turns(side, engine, plan.rounds, meter, loader, progress)
        after = os.getloadavg()[0]
        memory = measure_memory(side.url, list(side.calls.values()), plan.requests, loader, progress)
        return Speed(engine, versions(side.url), meter.loaded_by, series, memory, (before, after))


def filled(make: Make, progress: Progress, name: str = "bench") -> Side:
    """Have a crowd in a new database, and people who make the calls."""
    task = progress.add_task("people and what they wrote", total=None)
    url = make(name, HERE)
    fill(url, Population.create(url, CROWD, DEEP), partial(progress.advance, task))
    with serve(USHER, url) as server:
        calls = prepare(App.create(url), server.port)
    gather_statistics(url)
    progress.remove_task(task)
    return Side(url, calls)


def _take_turns(
    side: Side, engine: str, rounds: int, meter: Meter, loader: Loader, progress: Progress
) -> tuple[Series, ...]:
    """Measure all calls in each round, on servers of its own, so that no peculiarity of one process is taken
    for one of the code."""
    unit = Series(NOTHING.name)
    series = [Series(name, TARGETS[engine].get(name, Target())) for name in side.calls]
    for _ in progress.track(range(rounds), description=f"{TITLES[engine]}: rounds"):
        with ExitStack() as stack:
            idle, usher = (stack.enter_context(one.served(loader)) for one in (nothing(side.url), side))
            for noop in meter.undisturbed(NOTHING.name, idle):
                unit.rounds.append((noop, noop))
                for one in series:
                    one.rounds.extend((turn, noop) for turn in meter.undisturbed(one.name, usher))
    if not all(one.rounds for one in series):
        raise RuntimeError("others used the machine nearly all the time")
    return (unit, *series)
