"""``python -m bench`` measures how fast Usher is, and its commands where the time goes, whether it stays so
when a store grows, and what another checkout costs."""

import argparse
import tempfile
from pathlib import Path

from bench import compare, growth, profile, profile_results, speed, speed_results
from bench.servers import POSTGRESQL, TITLES

# In memory, as /tmp may be, nothing would ever be synced.
ON_A_DISK = Path("/var/tmp")  # noqa: S108 - directories of random names are made there


def main() -> None:
    """Measure, print, and write the results beside this file."""
    chosen = _parser().parse_args()
    if ON_A_DISK.is_dir():
        tempfile.tempdir = str(ON_A_DISK)
    chosen.into.mkdir(parents=True, exist_ok=True)
    chosen.run(chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Usher.")
    parser.set_defaults(run=_measure_speed)
    parser.add_argument("--engine", choices=list(TITLES), help="one of them; else one after the other")
    _add_rounds(parser, rounds=12, seconds=1)
    _add_results(parser)
    parser.add_argument(
        "--requests", type=int, default=40_000, metavar="N", help="before memory is looked at"
    )
    commands = parser.add_subparsers(metavar="COMMAND")
    command = commands.add_parser("profile", help="measure where the time of a call goes, on PostgreSQL")
    command.set_defaults(run=_profile)
    _add_rounds(command, rounds=12, seconds=1)
    _add_results(command)
    command = commands.add_parser("growth", help="measure stores of growing size beside each other")
    command.set_defaults(run=_measure_growth)
    command.add_argument("--engine", choices=list(TITLES), default=POSTGRESQL)
    _add_rounds(command, rounds=25, seconds=0.4)
    _add_results(command)
    command.add_argument("--users", type=_numbers, default=(10_000, 100_000, 1_000_000), metavar="N,N,…")
    command = commands.add_parser(
        "compare", help="measure the CPU of a call in two checkouts beside each other"
    )
    command.set_defaults(run=_compare)
    command.add_argument("old", type=Path, metavar="OLD", help="a directory, with its own .venv")
    command.add_argument(
        "new", type=Path, metavar="NEW", nargs="?", default=Path(), help="this one if not given"
    )
    _add_rounds(command, rounds=20, seconds=1)
    return parser


def _add_rounds(parser: argparse.ArgumentParser, *, rounds: int, seconds: float) -> None:
    parser.add_argument("--rounds", type=int, default=rounds, metavar="N")
    parser.add_argument(
        "--seconds", type=float, default=seconds, metavar="S", help="for each call in a round"
    )


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--into", type=Path, default=Path(__file__).parent, metavar="DIRECTORY", help="for the results"
    )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(number) for number in text.split(",")))


def _measure_speed(chosen: argparse.Namespace) -> None:
    plan = speed.Plan(chosen.rounds, chosen.seconds, chosen.requests)
    engines = [chosen.engine] if chosen.engine else list(TITLES)
    print(speed_results.write([speed.measure(engine, plan) for engine in engines], plan, chosen.into))


def _profile(chosen: argparse.Namespace) -> None:
    plan = profile.Plan(chosen.rounds, chosen.seconds)
    print(profile_results.write(profile.measure(plan), plan, chosen.into))


def _measure_growth(chosen: argparse.Namespace) -> None:
    plan = growth.Plan(chosen.users, chosen.rounds, chosen.seconds)
    print(growth.write(growth.measure(chosen.engine, plan), plan, chosen.into))


def _compare(chosen: argparse.Namespace) -> None:
    plan = compare.Plan(chosen.rounds, chosen.seconds)
    print(compare.written(compare.compare(chosen.old, chosen.new, plan)))


if __name__ == "__main__":
    main()
