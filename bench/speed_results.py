"""Write down what ``bench.speed`` measured: a table for each engine, and a plot."""

from collections.abc import Sequence
from pathlib import Path

from bench.fleets import CONNECTIONS, CORES
from bench.memory import LIMIT
from bench.meter import STRANGERS
from bench.results import Cell, plot, table
from bench.servers import POSTGRESQL, SQLITE, TITLES
from bench.speed import CROWD, Plan, Series, Speed

HEAD = f"""# How fast it is

Written by `make bench`. As many servers of one process as there are cores answer HTTP requests on
{CONNECTIONS} connections that are kept alive, so that all cores are busy. Each column holds medians of
rounds, in which the calls take turns. *server* and *database* are the milliseconds of CPU that a call takes
there, by the operating system's account; SQLite's are in the server. *no-ops* is their sum, as a multiple of
what a call takes in the same round of a Flask endpoint that does nothing: it gets a POST of a login's size
with a key in its `Authorization`, reads the JSON and answers a little, in gunicorn with 4 threads and no
settings of ours. *p50* and *p99* are the milliseconds within which 50 and 99 of 100 are answered. A target
is the most that is aimed at. The store holds {CROWD:,} users when it begins.

What this cannot say: the milliseconds and the rates are those of one machine, and its cores share caches
with whoever else is on it. The server, the database and who loads them share it, so each gets a part of the
cores. There is no network in between, no TLS and no proxy. With more connections than these, or fewer, times
are others. A turn in which others use more than {STRANGERS:.0%} of the machine is dropped and tried again."""

PLOT = "cpu.svg"


def write(speeds: Sequence[Speed], plan: Plan, directory: Path) -> str:
    """Write ``results.md`` and the plot into a directory, and return the text of the first."""
    text = "\n\n".join([HEAD, *(_section(speed, plan) for speed in speeds)]) + "\n"
    (directory / "results.md").write_text(text)
    calls = [speed.series[1:] for speed in speeds]
    bars: dict[str, list[float | None]] = {
        TITLES[speed.engine]: [one.noops for one in series]
        for speed, series in zip(speeds, calls, strict=True)
    }
    bars[f"target on {TITLES[speeds[0].engine]}"] = [one.target.noops for one in calls[0]]
    title = "CPU of a call, server and database, in calls of a Flask endpoint that does nothing"
    plot(directory / PLOT, title, [one.name for one in calls[0]], bars, 1)
    return text


def _section(speed: Speed, plan: Plan) -> str:
    return "\n\n".join(
        [
            f"## {TITLES[speed.engine]}",
            _circumstances(speed, plan),
            _table(speed),
            f"{_memory(speed)} {_verdict(speed)}",
        ]
    )


def _table(speed: Speed) -> str:
    columns = {
        "call": [one.name for one in speed.series],
        "server, ms": _middles(speed.series, "server", 3),
        "database, ms": _middles(speed.series, "database", 3),
        "no-ops": [(one.noops, 2) for one in speed.series],
        "target": [(one.target.noops, 1) for one in speed.series],
        "per second": _middles(speed.series, "rate", 0),
        "p50, ms": _middles(speed.series, "p50", 1),
        "p99, ms": _middles(speed.series, "p99", 1),
        "p99 target": [(one.target.p99, 0) for one in speed.series],
        "p99/p50": _middles(speed.series, "tail", 1),
        "p99/p50 target": [(one.target.tail, 0) for one in speed.series],
    }
    # What one engine does not have, or is not aimed at, is no column.
    left_out = {POSTGRESQL: "p99 target", SQLITE: "database, ms"}[speed.engine]
    del columns[left_out]
    return table(list(columns), list(zip(*columns.values(), strict=True)))


def _middles(series: Sequence[Series], measure: str, digits: int) -> list[Cell]:
    return [(one.middle(measure), digits) for one in series]


def _circumstances(speed: Speed, plan: Plan) -> str:
    before, after = speed.busy
    unit, *calls = speed.series
    costs = [one.middle("loader") for one in calls]
    kept = min(len(one.rounds) for one in speed.series)
    return (
        f"{speed.versions}; {CORES} servers, {CONNECTIONS} connections; {plan.rounds} rounds of"
        f" {plan.seconds:g} s for each call, of which {kept} or more count; load average {before:.1f}"
        f" before and {after:.1f} after. Loaded by {speed.loaded_by}, which took {unit.middle('loader'):.3f}"
        f" ms of CPU for a call of the endpoint that does nothing, and {min(costs):.3f} to {max(costs):.3f}"
        " ms for one of the others."
    )


def _memory(speed: Speed) -> str:
    memory = speed.memory
    return (
        f"Memory of a worker: {memory.first:.1f} MB after {memory.requests:,} requests of all kinds, and"
        f" {memory.second:.1f} MB after as many again; the target is at most {LIMIT:g} MB."
        f" The master, which is there once for all workers, takes {memory.master:.1f} MB."
    )


def _verdict(speed: Speed) -> str:
    missed = [f"{one.name} ({', '.join(one.missed())})" for one in speed.series if one.missed()]
    missed += [] if speed.memory.holds else ["memory"]
    return f"Targets missed: {'; '.join(missed)}." if missed else "All targets are met."
