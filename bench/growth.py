"""Whether Usher stays as fast when the store grows: stores of several sizes, side by side.

What counts is the time of an answer of a server that has nothing else to do. The stores take turns, so
that whatever else the machine does is done to all of them, and what is compared is of one round.
"""

import json
import os
import random
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from urllib.parse import quote

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.filling import fill
from bench.load import Call, Loader, Request
from bench.people import LOGGED_IN, WRITES, Population
from bench.results import Cell, plot, table
from bench.servers import (
    HERE,
    POSTGRESQL,
    TITLES,
    USHER,
    Make,
    command,
    databases,
    gather_statistics,
    serve,
    versions,
)
from service.api.schemas.conversations import cursor

PAGE, DEEP_PAGE = 20, 1000
FIRST, DEEP = "first page of conversations", f"page {DEEP_PAGE:,} of conversations"
LOGIN = "login of a known user"
CALLS = (LOGIN, FIRST, DEEP, "user by email", "message")
TARGET = 1.2  # of a login's growth, and of a deep page's time to that of the first
# How many people are drawn for each second, at most: more than are answered.
DRAWN, WARM_UP = 2000, 200
# How many people write, in each store.
WRITING = 300

HEAD = """# Whether it stays so

Written by `make bench-growth`. Each store is an app with so many users, of whom each second is logged in,
each tenth has written, and one has {deep:,} conversations. The stores take turns in short rounds. A time
is that of the median answer to a caller with one connection while nobody else calls, about users who are
drawn at random. Who is logged in logs in again, on the same device. Those who write are as many in each
store, as the first call in a minute also notes that a session was used. *Growth* compares the largest store
with the smallest in the same round."""


# The seconds of a median answer, round by round, by call and number of users.
Times = dict[str, dict[int, list[float]]]


@dataclass(frozen=True)
class Plan:
    """How to measure: with so many users in each store, the fewest first."""

    users: tuple[int, ...]
    rounds: int
    seconds: float


@dataclass(frozen=True)
class Growth:
    """What was measured; ``busy`` is the machine's load average before and after."""

    engine: str
    versions: str
    busy: tuple[float, float]
    deep: int
    times: Times

    def milliseconds(self, call: str, users: int) -> float:
        """Return how long a call takes."""
        return 1000 * median(self.times[call][users])

    def growth(self, call: str) -> float:
        """Return how much longer a call takes in the largest store than in the smallest."""
        of_sizes = self.times[call]
        return _ratio(of_sizes[max(of_sizes)], of_sizes[min(of_sizes)])

    def depth(self, users: int) -> float:
        """Return how much longer a deep page takes than the first."""
        return _ratio(self.times[DEEP][users], self.times[FIRST][users])


def measure(engine: str, plan: Plan) -> Growth:
    """Fill a store of each size, and measure them beside each other."""
    before = os.getloadavg()[0]
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with databases(engine) as make, Progress(*columns) as progress, closing(Loader()) as loader:
        stores = dict(_filled(make, plan, progress))
        with ExitStack() as servers:
            ports = {
                users: servers.enter_context(serve(USHER, url)).port for users, (url, _) in stores.items()
            }
            people = {users: population for users, (_, population) in stores.items()}
            times = _take_turns(plan, ports, people, loader, progress)
        url, population = stores[plan.users[0]]
        return Growth(engine, versions(url), (before, os.getloadavg()[0]), population.deep, times)


def _take_turns(
    plan: Plan, ports: dict[int, int], people: dict[int, Population], loader: Loader, progress: Progress
) -> Times:
    times: Times = {name: {users: [] for users in plan.users} for name in CALLS}
    task = progress.add_task("rounds", total=plan.rounds * len(CALLS) * len(plan.users))
    for users, population in people.items():
        for call in calls(population, random.Random()):
            loader.load(ports[users], call, calls=WARM_UP, connections=1)
    for number in range(plan.rounds):
        drawn = {users: calls(population, random.Random()) for users, population in people.items()}
        for place, name in enumerate(CALLS):
            for users in _turned(plan.users, number):
                call = drawn[users][place]
                load = loader.load(ports[users], call, seconds=plan.seconds, connections=1)
                times[name][users].append(load.percentile(50))
                progress.advance(task)
    return times


def calls(population: Population, draw: random.Random) -> list[Call]:
    """Return the calls that are measured, in the order of ``CALLS``, of people who are drawn anew."""
    anybody = [draw.randrange(population.users) for _ in range(DRAWN)]
    # A login ends the session before it, which those who have written need.
    silent = [one for one in anybody if one % WRITES and one % LOGGED_IN == 0]
    spread = population.writers / WRITING
    writers = [population.writer(int(spread * draw.randrange(WRITING))) for _ in range(DRAWN)]
    # The page before it ends with this one, counted from the newest.
    last = population.conversation(0, max(0, population.deep - PAGE * (DEEP_PAGE - 1)))
    key, first = population.secret_key, population.token(0)
    logins = [Request("POST", "/v1/login", key, json.dumps(_person(population, one))) for one in silent]
    searches = [Request("GET", f"/v1/users?email={quote(population.email(one))}", key) for one in anybody]
    body = json.dumps({"body": "Where is it?"})
    messages = [
        Request(
            "POST",
            f"/v1/conversations/{population.conversation(one, 0)[1]}/messages",
            population.token(one),
            body,
        )
        for one in writers
    ]
    measured: list[tuple[list[Request], int]] = [
        (logins, 200),
        ([Request("GET", "/v1/conversations", first)], 200),
        ([Request("GET", f"/v1/conversations?cursor={cursor(*last)}", first)], 200),
        (searches, 200),
        (messages, 201),
    ]
    return [
        Call(name, tuple(requests), status) for name, (requests, status) in zip(CALLS, measured, strict=True)
    ]


def write(growth: Growth, plan: Plan, directory: Path) -> str:
    """Write the tables and the plot into a directory, and return the text of the first."""
    stem = "growth" if growth.engine == POSTGRESQL else f"growth-{growth.engine}"
    before, after = growth.busy
    circumstances = (
        f"{growth.versions}; {plan.rounds} rounds of {plan.seconds:g} s for each call and store;"
        f" load average {before:.1f} before and {after:.1f} after."
    )
    tables = _tables(growth, plan.users)
    text = "\n\n".join([HEAD.format(deep=growth.deep), f"## {TITLES[growth.engine]}", circumstances, *tables])
    (directory / f"{stem}.md").write_text(f"{text}\n")
    bars = {f"{users:,} users": [growth.milliseconds(name, users) for name in CALLS] for users in plan.users}
    plot(directory / f"{stem}.svg", "Milliseconds of an answer, by the number of users", CALLS, bars, 1)
    return text


def _tables(growth: Growth, sizes: tuple[int, ...]) -> tuple[str, str]:
    users = [f"{size:,} users" for size in sizes]
    rows: list[list[Cell]] = [
        [
            name,
            *((growth.milliseconds(name, size), 2) for size in sizes),
            (growth.growth(name), 2),
            (TARGET if name == LOGIN else None, 1),
        ]
        for name in CALLS
    ]
    depth: list[Cell] = [f"{DEEP}, to the first", *((growth.depth(size), 2) for size in sizes), (TARGET, 1)]
    return (
        table(["call", *(f"{size}, ms" for size in users), "growth", "target"], rows),
        table(["ratio", *users, "target"], [depth]),
    )


def _filled(make: Make, plan: Plan, progress: Progress) -> Iterator[tuple[int, tuple[str, Population]]]:
    for users in plan.users:
        url = make(f"users_{users}", HERE)
        population = Population.create(url, users)
        task = progress.add_task(f"{users:,} users", total=population.count())
        fill(url, population, partial(progress.advance, task))
        gather_statistics(url)
        if users == min(plan.users):
            # The self-test says whether it was filled well.
            command(url, "check")
        yield users, (url, population)


def _person(population: Population, number: int) -> dict[str, str]:
    return {
        "deviceId": population.device_id(number),
        "userId": population.user_id(number),
        "email": population.email(number),
        "name": population.name(number),
    }


def _turned(users: tuple[int, ...], places: int) -> tuple[int, ...]:
    """Let another store be first each time."""
    first = places % len(users)
    return users[first:] + users[:first]


def _ratio(ones: list[float], others: list[float]) -> float:
    return median(one / other for one, other in zip(ones, others, strict=True))
