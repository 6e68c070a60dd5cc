"""Write down what ``bench.profile`` measured: a table of the server's parts, and one of each call's
statements."""

from pathlib import Path

from bench import parts
from bench.fleets import CONNECTIONS, CORES
from bench.profile import CallProfile, Plan, Profile
from bench.results import Cell, table

HEAD = f"""# Where the time goes

Written by `make bench-profile`. A server of one process for each core answers on {CONNECTIONS} connections
that are kept alive, so that all cores are busy. All but counts and shares are microseconds for one call.

CPU, switches and rates are the operating system's account of rounds in which nobody looks on and all cores
are busy. How the CPU in programs is distributed is a sample of another pass, in which one of the servers has
a single client and a core that PostgreSQL does not use. {parts.RATE} times a second py-spy looks which
part holds the interpreter; a frame of the standard library counts for who called it, and C code for the
Python that called that. Of *n* samples a part that has *k* may as well have two times √*k* more or fewer.

What this cannot say: a single client's calls are spread a little differently from those of many. For each of
them a thread is woken, where under load it goes on with the next call, and no thread waits for another; so
gunicorn's share is rather less with all cores busy, and the others' more. py-spy stops
the server to look, which wakes its threads, also for gunicorn's account. It does not see work that needs no
interpreter, and it sees a short wait in the kernel that does not give the interpreter up, as where a message
to PostgreSQL is sent. Where others use the machine, or it has one core, that wait is long, and the share of
`service/store` too large.

A statement's times are read by pg_stat_statements from the clock, so they come from a pass with a single
client too, without py-spy. They are a part of what PostgreSQL's processes take when all cores are busy, and
what remains is to read and answer messages, to bind parameters, to commit, and to switch between processes.
A commit's own wait for the disk is no CPU, and a lock that others hold is in none of it."""


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
    spent = [one.spent for one in calls]
    sums: dict[str, list[Cell]] = {
        "**CPU in programs**": [(1e6 * one.user, 0) for one in spent],
        "**CPU in the kernel**": [(1e6 * one.system, 0) for one in spent],
        "**CPU of the server**": [(1e6 * (one.user + one.system), 0) for one in spent],
        "samples": [(one.samples.total(), 0) for one in calls],
        "system calls for each call": [(one.system_calls, 1) for one in calls],
        "how often its threads waited": [(one.waits, 1) for one in spent],
        "how often they were interrupted": [(one.interruptions, 1) for one in spent],
        "calls per second": [(one.rate, 0) for one in calls],
    }
    rows += [[name, *cells] for name, cells in sums.items()]
    return table(["part", *(one.name for one in calls)], rows)


def _of_part(one: CallProfile, name: str) -> Cell:
    return 1e6 * one.spent.user * one.samples[name] / max(1, one.samples.total()), 0


def _statements(profile: CallProfile) -> str:
    spent = profile.spent
    rows: list[list[Cell]] = [
        [one.form, (one.times, 2), (one.execution, 1), (one.planning, 1), (one.execution + one.planning, 1)]
        for one in profile.statements
    ]
    executed = sum(one.execution + one.planning for one in profile.statements)
    cpu, background = 1e6 * (spent.database_user + spent.database_system), 1e6 * spent.background
    sums = {
        "**all statements**": executed,
        "protocol, parameters, commit, switches": cpu - background - executed,
        "processes that serve no client": background,
        "**CPU of PostgreSQL**": cpu,
        "of which in the kernel": 1e6 * spent.database_system,
    }
    rows += [[name, (None, 2), (None, 1), (None, 1), (size, 1)] for name, size in sums.items()]
    return table(["statement", "times", "execution", "planning", "together"], rows)
