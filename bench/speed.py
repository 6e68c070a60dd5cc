"""How many calls per second, beside an endpoint that does nothing and beside the bare database."""

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from rich.progress import Progress

from bench.apps import App
from bench.calls import NOTHING, Candidate, candidates
from bench.filling import fill
from bench.load import CONNECTIONS, Load, Loader
from bench.memory import LIMIT, Memory, measure_memory
from bench.people import Population
from bench.results import Cell, plot, table
from bench.servers import (
    HERE,
    NOOP,
    POSTGRESQL,
    TITLES,
    USHER,
    config,
    databases,
    gather_statistics,
    serve,
    versions,
)
from bench.statements import Script, script_of
from service.api.context import NAME
from service.app import create_app

WARM_UP = 200  # calls
TIMEOUT = 60  # seconds
# Users of another app who are there before, and conversations of one of them. Of tables that are nearly empty
# PostgreSQL plans to read all rows, and does so for a while when thousands of new users have come.
CROWD, DEEP = 10_000, 1_000

HEAD = f"""# How fast it is

Written by `make bench`. All calls are HTTP requests on connections that are kept alive. The calls take
turns in short rounds, and each column holds medians of these. *Ratio* compares the requests per second
with those of a Flask endpoint that does nothing, in the same round and on as many workers. *pgbench* is
how often per second PostgreSQL alone does the statements of the call, for as many clients, and *of
pgbench* compares with that. The store holds {CROWD:,} users when it begins. The server, the database and who
loads them share one machine."""


@dataclass(frozen=True)
class Plan:
    """How to measure; ``requests`` are sent before memory is looked at, and as many again after that."""

    rounds: int
    seconds: float
    workers: int
    requests: int


@dataclass
class Series:
    """What one candidate did, round by round. ``bare`` is what pgbench did with its statements."""

    name: str
    target: float | None = None
    loads: list[Load] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return median(load.rate for load in self.loads)

    @property
    def ratio(self) -> float:
        """Its rate, as a ratio to that of the endpoint that does nothing in the same round."""
        return median(self.ratios)

    @property
    def bare_rate(self) -> float | None:
        """How often per second the bare database does the same."""
        return median(self.bare) if self.bare else None

    @property
    def bare_ratio(self) -> float | None:
        """Its rate, as a ratio to that of the bare database in the same round."""
        if not self.bare:
            return None
        return median(load.rate / rate for load, rate in zip(self.loads, self.bare, strict=True))

    def within(self, percent: float) -> float:
        """Return within how many milliseconds so many of a hundred were answered."""
        return 1000 * median(load.percentile(percent) for load in self.loads)


@dataclass(frozen=True)
class Speed:
    """What was measured on one engine; ``busy`` is the machine's load average before and after."""

    engine: str
    versions: str
    series: tuple[Series, ...]
    memory: Memory
    busy: tuple[float, float]


def measure(engine: str, plan: Plan) -> Speed:
    """Measure one engine."""
    before = os.getloadavg()[0]
    with databases(engine) as make, Progress(transient=True) as progress, closing(Loader()) as loader:
        url = make("bench", HERE)
        task = progress.add_task(f"{TITLES[engine]}: people and what they wrote", total=None)
        crowd = Population.create(url, CROWD, DEEP)
        fill(url, crowd, partial(progress.advance, task))
        app = create_app(config(url))
        database = app.extensions[NAME].store.database
        # What is recorded holds its limits of time, and pgbench ends at the first statement that is cut off.
        database.timeout = TIMEOUT
        with serve(USHER, url, 1) as server:
            measured = candidates(App.create(url), server.port)
        gather_statistics(url)
        hot = [one.call for one in measured if one.hot]
        scripts: dict[str, Script] = {}
        if engine == POSTGRESQL:
            scripts = {call.name: script_of(app.test_client(), call, CONNECTIONS) for call in hot}
        database.close()
        progress.remove_task(task)
        series = _take_turns(url, plan, measured, scripts, loader, progress)
        after = os.getloadavg()[0]
        memory = measure_memory(url, plan.workers, hot, plan.requests, loader, progress)
        return Speed(engine, versions(url), series, memory, (before, after))


def _take_turns(
    url: str,
    plan: Plan,
    measured: list[Candidate],
    scripts: dict[str, Script],
    loader: Loader,
    progress: Progress,
) -> tuple[Series, ...]:
    calls = [NOTHING, *(one.call for one in measured)]
    series = (Series(NOTHING.name), *(Series(one.call.name, one.target) for one in measured))
    task = progress.add_task("rounds", total=plan.rounds * len(calls))
    with serve(NOOP, url, plan.workers) as noop, serve(USHER, url, plan.workers) as usher:
        ports = [noop.port, *(usher.port for _ in measured)]
        for port, call in zip(ports, calls, strict=True):
            loader.load(port, call, calls=WARM_UP)
        for _ in range(plan.rounds):
            for one, port, call in zip(series, ports, calls, strict=True):
                one.loads.append(loader.load(port, call, seconds=plan.seconds))
                one.ratios.append(one.loads[-1].rate / series[0].loads[-1].rate)
                if call.name in scripts:
                    one.bare.append(scripts[call.name].run(url, clients=CONNECTIONS, seconds=plan.seconds))
                progress.advance(task)
    return series


def write(speeds: Sequence[Speed], plan: Plan, directory: Path) -> str:
    """Write ``results.md`` and ``ratios.svg`` into a directory, and return the text of the first."""
    text = "\n\n".join([HEAD, *(_section(speed, plan) for speed in speeds)]) + "\n"
    (directory / "results.md").write_text(text)
    series = speeds[0].series[1:]
    bars: dict[str, list[float | None]] = {
        TITLES[speed.engine]: [one.ratio for one in speed.series[1:]] for speed in speeds
    }
    bars[f"target on {TITLES[POSTGRESQL]}"] = [one.target for one in series]
    title = "Requests per second, as a ratio to a Flask endpoint that does nothing"
    plot(directory / "ratios.svg", title, [one.name.replace("`", "") for one in series], bars, 2)
    return text


def _section(speed: Speed, plan: Plan) -> str:
    head = ["call", "per second", "p50 ms", "p99 ms", "ratio"]
    rows: list[list[Cell]] = [
        [one.name, (one.rate, 0), (one.within(50), 1), (one.within(99), 1), (one.ratio, 2)]
        for one in speed.series
    ]
    if speed.engine == POSTGRESQL:
        head += ["target", "pgbench", "of pgbench"]
        for row, one in zip(rows, speed.series, strict=True):
            row += [(one.target, 2), (one.bare_rate, 0), (one.bare_ratio, 2)]
    return "\n\n".join(
        [f"## {TITLES[speed.engine]}", _circumstances(speed, plan), table(head, rows), _memory(speed)]
    )


def _circumstances(speed: Speed, plan: Plan) -> str:
    before, after = speed.busy
    return (
        f"{speed.versions}; {plan.workers} worker{'s' if plan.workers > 1 else ''},"
        f" {CONNECTIONS} connections, {plan.rounds} rounds of {plan.seconds:g} s each;"
        f" load average {before:.1f} before and {after:.1f} after."
    )


def _memory(speed: Speed) -> str:
    memory = speed.memory
    sizes = [
        f"{first:.1f} MB after {memory.requests:,} requests and {second:.1f} MB after as many again"
        f" ({second - first:+.1f})"
        for first, second in zip(memory.first, memory.second, strict=True)
    ]
    verdict = "met" if memory.holds else "missed"
    return f"Memory of a worker: {'; '.join(sizes)}. The target of at most {LIMIT:g} MB is {verdict}."
