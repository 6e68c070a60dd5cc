"""Write down what ``bench.profile`` measured: a table of the server's parts, and one of each call's
statements."""

from pathlib import Path
from statistics import median

from bench import parts
from bench.fleets import CONNECTIONS, CORES
from bench.profile import CallProfile, Plan, Profile
from bench.queries import together
from bench.results import Cell, table

HEAD = f"""# Where the time goes

Written by `make bench-profile`. A server of one process for each core answers on {CONNECTIONS} connections
that are kept alive, so that all cores are busy. All but counts and shares are microseconds for one call.

CPU is the operating system's account of a pass in which nobody looks on. In another one py-spy looks
{parts.RATE} times a second at each server, which part holds the interpreter; a frame of the standard library
counts for who called it, and C code for the Python that called that. So of the CPU in programs the sum is
counted, and its distribution a sample: of *n* samples a part that has *k* may as well have two times √*k*
more or fewer.

A statement's times are read by pg_stat_statements from the clock, so they come from a pass with a single
client, in which none waits for a core. They are a part of what PostgreSQL's processes take when all cores are
busy, and what remains is to read and answer messages, to bind parameters, to commit, and to switch between
processes. A commit's own wait for the disk is no CPU, and a lock that others hold is in none of it."""


def write(profile: Profile, plan: Plan, directory: Path) -> str:
    """Write ``profile.md`` into a directory, and return its text."""
    before, after = profile.busy
    circumstances = (
        f"{profile.versions}; {CORES} servers, {CONNECTIONS} connections, {plan.rounds} rounds of"
        f" {plan.seconds:g} s for each call; load average {before:.1f} before and {after:.1f} after."
        f" Loaded by {profile.loaded_by}."
    )
    _, *calls = profile.calls
    sections = [f"## PostgreSQL: {one.name}\n\n{_statements(one)}" for one in calls]
    text = "\n\n".join([HEAD, circumstances, "## The server", _server(profile.calls), *sections]) + "\n"
    (directory / "profile.md").write_text(text)
    return text


def _server(calls: list[CallProfile]) -> str:
    rows: list[list[Cell]] = [[name, *(_of_part(one, name) for one in calls)] for name in parts.NAMES]
    each = [(one.account.calls, one.account.spent) for one in calls]
    sums: dict[str, list[Cell]] = {
        "**CPU in programs**": [(_micro(spent.user, number), 0) for number, spent in each],
        "**CPU in the kernel**": [(_micro(spent.system, number), 0) for number, spent in each],
        "**CPU of the server**": [(_micro(spent.user + spent.system, number), 0) for number, spent in each],
        "samples": [(one.samples.total(), 0) for one in calls],
        "system calls for each call": [(one.system_calls, 1) for one in calls],
        "how often its threads waited": [(spent.waits / number, 1) for number, spent in each],
        "how often they were interrupted": [(spent.interruptions / number, 1) for number, spent in each],
        "calls per second": [(median(turn.rate for turn in one.account.turns), 0) for one in calls],
    }
    rows += [[name, *cells] for name, cells in sums.items()]
    return table(["part", *(one.name for one in calls)], rows)


def _of_part(one: CallProfile, name: str) -> Cell:
    share = one.samples[name] / max(1, one.samples.total())
    return share * _micro(one.account.spent.user, one.account.calls), 0


def _statements(profile: CallProfile) -> str:
    calls, spent = profile.account.calls, profile.account.spent
    rows: list[list[Cell]] = []
    executed = 0.0
    for one in together(profile.statements, profile.calls):
        times, execution, planning = (
            number / profile.calls for number in (one.times, 1000 * one.execution, 1000 * one.planning)
        )
        executed += execution + planning
        rows.append(
            [
                one.form,
                (times, 2),
                (execution, 1),
                (planning, 1),
                (execution + planning, 1),
            ]
        )
    cpu = _micro(spent.database_user + spent.database_system, calls)
    background = _micro(spent.background, calls)
    sums = {
        "**all statements**": executed,
        "protocol, parameters, commit, switches": cpu - background - executed,
        "processes that serve no client": background,
        "**CPU of PostgreSQL**": cpu,
        "of which in the kernel": _micro(spent.database_system, calls),
    }
    rows += [[name, (None, 2), (None, 1), (None, 1), (size, 1)] for name, size in sums.items()]
    return table(["statement", "times", "execution", "planning", "together"], rows)


def _micro(seconds: float, calls: int) -> float:
    return 1e6 * seconds / calls
