"""What a login pays for finding who is probably one person: its CPU, and that of one without, in turns."""

from contextlib import ExitStack, closing
from dataclasses import replace

from rich.progress import Progress

from bench.calls import LOGIN, MAIL, NEW
from bench.compare import Comparison, Plan, describe, take_turns, written_as
from bench.fleets import CORES, Side
from bench.load import Loader
from bench.servers import databases
from bench.speed import filled

UNCOMPARED = "bench.uncompared:app"
LOGINS = LOGIN, MAIL, NEW
MEASURES = {"cpu": ("CPU, ms", 3), "rate": ("per second", 0), "p50": ("p50, ms", 1), "p99": ("p99, ms", 1)}

HEAD = """# What comparing costs a login

*CPU* are the milliseconds that a login took of the server and of the database, *without* where nobody is
compared with others. Numbers are medians of the rounds; *with / without* is that of the ratios within a
round, between whose *quartiles* lie half of them."""


def measure(engine: str, plan: Plan) -> Comparison:
    """Measure logins, each side on a store of its own: who is added to one is not compared by the other."""
    with ExitStack() as stack, Progress(transient=True) as progress:
        make = stack.enter_context(databases(engine))
        loader = stack.enter_context(closing(Loader(CORES)))
        without, ours = (_logins(filled(make, progress, name)) for name in ("without", "with"))
        sides = replace(without, app=UNCOMPARED), ours
        return take_turns(sides, plan, loader, progress, describe(ours.url))


def _logins(side: Side) -> Side:
    return replace(side, calls={name: side.calls[name] for name in LOGINS})


def written(comparison: Comparison) -> str:
    """Write the table. Raises RuntimeError if there is nothing to compare, as others used the machine."""
    return written_as(comparison, HEAD, ("without", "with"), MEASURES)
