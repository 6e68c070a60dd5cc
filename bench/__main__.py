"""``python -m bench`` measures how fast Usher is, and its commands where the time goes, whether it stays so
when a store grows, how much room it takes, what another checkout costs, who waits while a store is migrated,
how soon duplicates are listed and what a login pays for them, how soon an inbox opens and a search is
answered, whether an import of many takes more memory, how streams do, what becomes of more than can be
served, and how long others wait for what is forgotten."""

import argparse
import tempfile
from pathlib import Path

from bench import (
    compare,
    comparing,
    duplicates,
    failover,
    growth,
    importing,
    inbox,
    live,
    migration,
    overload,
    profile,
    profile_results,
    searching,
    sizes,
    speed,
    speed_results,
    tidying,
)
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
    for add, name, text in (
        (_add_compare, "compare", "measure the CPU of a call in two checkouts"),
        (_add_migration, "migration", "measure logins while a store in use is migrated"),
        (_add_sizes, "sizes", "measure how much room each thing takes"),
        (_add_failover, "failover", "lose a primary under Patroni, and see what follows"),
        (_add_duplicates, "duplicates", "measure who is probably one person, of many"),
        (_add_comparing, "comparing", "measure what a login pays for finding who is one person"),
        (_add_inbox, "inbox", "measure how soon an agent's inbox and a thread open"),
        (_add_imports, "import", "measure an import: its memory, and who waits for it"),
        (_add_search, "search", "measure searches, without the index and by it"),
        (_add_live, "live", "measure streams: their memory, and how soon they tell"),
        (_add_overload, "overload", "ask for ten times as much as can be served"),
        (_add_tidying, "tidying", "measure each step of what is forgotten, and who waits for it"),
    ):
        add(commands.add_parser(name, help=text))
    return parser


def _add_compare(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_compare)
    command.add_argument("old", type=Path, metavar="OLD", help="a directory, with its own .venv")
    command.add_argument(
        "new", type=Path, metavar="NEW", nargs="?", default=Path(), help="this one if not given"
    )
    _add_rounds(command, rounds=20, seconds=1)


def _add_overload(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_overload)
    command.add_argument("--engine", choices=list(TITLES), help="one of them; else one after the other")
    command.add_argument("--seconds", type=float, default=60, metavar="S", help="for each of the six parts")


def _add_migration(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_migrate)
    command.add_argument("old", type=Path, metavar="OLD", help="the former checkout, with its own .venv")
    command.add_argument("--engine", choices=list(TITLES), default=POSTGRESQL)
    command.add_argument("--users", type=int, default=1_000_000, metavar="N")
    command.add_argument("--seconds", type=float, default=8, metavar="S", help="without, and with it")


def _add_failover(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_lose_primaries)


def _add_sizes(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_measure_sizes)
    command.add_argument("--engine", choices=list(TITLES), help="one of them; else one after the other")
    command.add_argument("--users", type=int, default=2000, metavar="N")
    _add_results(command)


def _add_duplicates(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_measure_duplicates)
    command.add_argument("--engine", choices=list(TITLES), default=POSTGRESQL)
    command.add_argument("--users", type=int, default=1_000_000, metavar="N")
    command.add_argument("--seconds", type=float, default=8, metavar="S", help="for each call")
    command.add_argument("--compared", type=int, default=20_000, metavar="N", help="who were there before")


def _add_comparing(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_measure_comparing)
    command.add_argument("--engine", choices=list(TITLES), help="one of them; else one after the other")
    _add_rounds(command, rounds=12, seconds=1)


def _add_inbox(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_measure_inbox)
    command.add_argument("--engine", choices=list(TITLES), help="one of them; else one after the other")
    command.add_argument("--conversations", type=int, default=10_000, metavar="N")
    command.add_argument("--messages", type=int, default=5000, metavar="N", help="of one of them")
    command.add_argument("--seconds", type=float, default=4, metavar="S", help="for each call")


def _add_imports(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_measure_imports)
    command.add_argument("--engine", choices=list(TITLES), default=POSTGRESQL)
    command.add_argument("--people", type=_numbers, default=(20_000, 1_000_000), metavar="N,N,…")


def _add_search(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_measure_search)
    command.add_argument("--engine", choices=list(TITLES), help="one of them; else one after the other")
    command.add_argument("--messages", type=int, default=100_000, metavar="N")
    command.add_argument("--rounds", type=int, default=5, metavar="N", help="of each search by the index")


def _add_live(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_measure_streams)
    command.add_argument("--streams", type=int, default=5000, metavar="N")
    command.add_argument("--seconds", type=float, default=30, metavar="S")
    _add_results(command)


def _add_tidying(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_measure_tidying)
    command.add_argument("--engine", choices=list(TITLES), help="one of them; else one after the other")
    command.add_argument("--users", type=int, default=100_000, metavar="N", help="of an app that is tidied")
    command.add_argument("--much", type=int, default=20_000, metavar="N", help="of each kind, of one user")
    command.add_argument("--of-app", type=int, default=20_000, metavar="N", help="users of an app to erase")


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


def _measure_sizes(chosen: argparse.Namespace) -> None:
    engines = [chosen.engine] if chosen.engine else list(TITLES)
    print(sizes.write([sizes.measure(engine, chosen.users) for engine in engines], chosen.into))


def _lose_primaries(_: argparse.Namespace) -> None:
    outages = []
    for outage in failover.measure_all():
        outages.append(outage)
        print(failover.written(outages), flush=True)


def _compare(chosen: argparse.Namespace) -> None:
    plan = compare.Plan(chosen.rounds, chosen.seconds)
    print(compare.written(compare.compare(chosen.old, chosen.new, plan)))


def _migrate(chosen: argparse.Namespace) -> None:
    plan = migration.Plan(chosen.users, chosen.seconds)
    print(migration.written(migration.measure(chosen.engine, chosen.old, plan)))


def _measure_duplicates(chosen: argparse.Namespace) -> None:
    plan = duplicates.Plan(chosen.users, chosen.seconds, chosen.compared)
    print(duplicates.written(duplicates.measure(chosen.engine, plan), plan))


def _measure_comparing(chosen: argparse.Namespace) -> None:
    plan = compare.Plan(chosen.rounds, chosen.seconds)
    for engine in [chosen.engine] if chosen.engine else list(TITLES):
        print(comparing.written(comparing.measure(engine, plan)), flush=True)


def _measure_inbox(chosen: argparse.Namespace) -> None:
    plan = inbox.Plan(chosen.conversations, chosen.messages, chosen.seconds)
    engines = [chosen.engine] if chosen.engine else list(TITLES)
    print(inbox.written([inbox.measure(engine, plan) for engine in engines], plan))


def _measure_imports(chosen: argparse.Namespace) -> None:
    print(importing.written(importing.measure(chosen.engine, chosen.people)))


def _measure_search(chosen: argparse.Namespace) -> None:
    for engine in [chosen.engine] if chosen.engine else list(TITLES):
        searched = searching.measure(engine, chosen.messages, chosen.rounds)
        print(searching.written(searched, chosen.messages), flush=True)


def _measure_streams(chosen: argparse.Namespace) -> None:
    print(live.write(live.measure(live.Plan(chosen.streams, chosen.seconds)), chosen.into))


def _overload(chosen: argparse.Namespace) -> None:
    engines = [chosen.engine] if chosen.engine else list(TITLES)
    print(overload.written([overload.measure(engine, chosen.seconds) for engine in engines], chosen.seconds))


def _measure_tidying(chosen: argparse.Namespace) -> None:
    plan = tidying.Plan(chosen.users, chosen.much, chosen.of_app)
    for engine in [chosen.engine] if chosen.engine else list(TITLES):
        print(tidying.written(tidying.measure(engine, plan)), flush=True)


if __name__ == "__main__":
    main()
