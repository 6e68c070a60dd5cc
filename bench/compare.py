"""How much CPU a call takes in two checkouts of Usher, beside each other and with all cores busy.

Rates differ with what else the machine does, the CPU of a call hardly does. The checkouts take turns, the
other one first in each round, and what counts is the ratio within a round. Each round has servers of its
own, so that no peculiarity of one process is taken for one of its code.
"""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from rich.progress import Progress

from bench import servers
from bench.apps import App
from bench.calls import NOTHING, prepare
from bench.fleets import CONNECTIONS, CORES, WARM_UP, Side, nothing
from bench.load import Loader
from bench.meter import Meter, Turn
from bench.results import Cell, table
from bench.servers import Checkout, Make

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
    warm_up: int = WARM_UP


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
    nothing. ``circumstances`` say where and with what."""

    circumstances: str
    nothing: list[Turn]
    pairs: dict[str, list[tuple[Turn, Turn]]]


def compare(old: Path, new: Path, plan: Plan) -> Comparison:
    """Measure two checkouts."""
    with ExitStack() as stack, Progress(transient=True) as progress:
        make = stack.enter_context(servers.databases(servers.POSTGRESQL))
        loader = stack.enter_context(closing(Loader(CORES)))
        task = progress.add_task("people and what they wrote", total=None)
        checkouts = Checkout.at(old), Checkout.at(new)
        first, second = (
            _filled(make, name, checkout, loader, plan)
            for name, checkout in zip(("old", "new"), checkouts, strict=True)
        )
        progress.remove_task(task)
        python = " (old) and ".join(checkout.version() for checkout in checkouts) + " (new)"
        return take_turns((first, second), plan, loader, progress, describe(first.url, python))


def describe(url: str, python: str = "") -> str:
    """Return what is measured, and on what."""
    return f"{servers.versions(url, python)}; {CORES} servers of one process, {CONNECTIONS} connections"


def take_turns(
    sides: tuple[Side, Side], plan: Plan, loader: Loader, progress: Progress, circumstances: str
) -> Comparison:
    """Measure each call of two sides in turns."""
    meter = Meter.of(sides[0].url, plan.seconds, loader)
    circumstances = f"{circumstances}, loaded by {meter.loaded_by}."
    comparison = Comparison(circumstances, [], {name: [] for name in sides[0].calls})
    with nothing(sides[0].url).served(loader, plan.warm_up) as idle:
        for number in progress.track(range(plan.rounds), description="rounds"):
            comparison.nothing.append(meter.turn(idle, NOTHING.name))
            order = ((0, 1), (1, 0))[number % 2]
            with ExitStack() as served:
                fleets = [served.enter_context(sides[place].served(loader, plan.warm_up)) for place in order]
                for name, pairs in comparison.pairs.items():
                    if turns := meter.undisturbed(name, *fleets):
                        pairs.append((turns[order[0]], turns[order[1]]))
    return comparison


def _filled(make: Make, name: str, checkout: Checkout, loader: Loader, plan: Plan) -> Side:
    """Have people in a new database, all of it by the checkout's own code."""
    url = make(name, checkout)
    with servers.serve(servers.USHER, url, checkout=checkout) as server:
        calls = prepare(App.create(url, checkout), server.port, plan.users, plan.users // 4)
        for call in calls.values():
            loader.load(server.port, call, calls=plan.crowd)
    servers.gather_statistics(url)
    return Side(url, calls, checkout)


def written(comparison: Comparison) -> str:
    """Write the table. Raises RuntimeError if there is nothing to compare, as others used the machine."""
    return written_as(comparison, HEAD, ("old", "new"), MEASURES)


def written_as(
    comparison: Comparison, head: str, sides: tuple[str, str], measures: Mapping[str, tuple[str, int]]
) -> str:
    """Write the table of these measures, with its head and what the sides are called."""
    if min(map(len, comparison.pairs.values())) < 2:
        raise RuntimeError("others used the machine nearly all the time")
    rows: list[list[Cell]] = []
    for call, pairs in comparison.pairs.items():
        for measure, (title, digits) in measures.items():
            olds, news = ([getattr(pair[place], measure) for pair in pairs] for place in (0, 1))
            ratios = [new / old for old, new in zip(olds, news, strict=True)]
            low, ratio, high = quantiles(ratios, method="inclusive")
            middle: list[Cell] = [(median(olds), digits), (median(news), digits), (ratio, 3)]
            rows.append([call, title, *middle, f"{low:.3f} to {high:.3f}", (len(pairs), 0)])
    unit = median(turn.server for turn in comparison.nothing)
    circumstances = f"{comparison.circumstances} An endpoint that does nothing takes {unit:.3f} ms."
    columns = ["call", "what", *sides, f"{sides[1]} / {sides[0]}", "quartiles", "rounds"]
    return "\n\n".join([head, circumstances, table(columns, rows)])
