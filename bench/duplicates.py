"""How soon the pairs of users who are probably one person are listed, in a store of a great many users; what
it costs to add somebody who is alike somebody, beside somebody who is not; and how fast those are compared
who were there before."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from rich.progress import Progress

from bench.bulk import Rows, write
from bench.filling import fill
from bench.load import Call, Load, Loader, Request
from bench.people import Population
from bench.results import table
from bench.servers import HERE, USHER, command, databases, gather_statistics, serve, versions
from service.api.schemas.conversations import cursor
from service.model.identifiers import email_key
from service.rules import duplicates as rules
from service.store.tables import DuplicateKeys, Duplicates

# Each tenth user used a device right before the next one.
PAIRED = 10
# Likelihoods are spread over so many hundredths.
SPREAD = 50
TARGET = 0.3  # seconds for the first page

FIRST, DEEP, ALONE, ALIKE = "first page", "a page in the middle", "add a user", "add one who is alike"

HEAD = """# Who is probably one person

One caller with one connection, while nobody else calls. Each tenth of {users:,} users is one of a pair."""


@dataclass(frozen=True)
class Plan:
    """How to measure: with so many users, each call for so many seconds; ``compared`` users are compared who
    were there before."""

    users: int
    seconds: float
    compared: int


@dataclass(frozen=True)
class Listed:
    """What was measured: the loads by call, and in how many seconds the users were compared."""

    circumstances: str
    loads: dict[str, Load]
    compared: float


def measure(engine: str, plan: Plan) -> Listed:
    """Fill a store, and list its pairs; then another, whose users are to be compared."""
    before = os.getloadavg()[0]
    with databases(engine) as make, Progress(transient=True) as progress, closing(Loader()) as loader:
        url = make("duplicates", HERE)
        population = Population.create(url, plan.users, deep=1)
        task = progress.add_task("people", total=population.count())
        fill(url, population, partial(progress.advance, task))
        write(url, _tables(population), trusted=True)
        gather_statistics(url)
        with serve(USHER, url) as server:
            loads = {
                call.name: loader.load(server.port, call, seconds=plan.seconds, connections=1)
                for call in _calls(population)
            }
        compared = _compare(make("former", HERE), plan.compared)
        load = f"load average {before:.1f} before and {os.getloadavg()[0]:.1f} after"
        return Listed(f"{versions(url)}; {load}.", loads, compared)


def _compare(url: str, users: int) -> float:
    """Return in how many seconds users are compared of whom nothing was kept yet."""
    fill(url, Population.create(url, users, deep=1), lambda _: None)
    gather_statistics(url)
    began = time.perf_counter()
    command(url, "tidy")
    return time.perf_counter() - began


def _calls(population: Population) -> Iterator[Call]:
    key = population.secret_key
    middle = cursor(SPREAD // 2, "".join(population.user(number)[1] for number in (0, 1)))
    yield Call(FIRST, (Request("GET", "/v1/duplicates", key),))
    yield Call(DEEP, (Request("GET", f"/v1/duplicates?cursor={middle}", key),))
    yield Call(ALONE, (_added(key, "n-{new}@example.org"),), 201)
    # Of the same mailbox as a user, of whom there are many at last: nobody compares all of them.
    yield Call(ALIKE, (_added(key, population.email(1)),), 201)


def _added(key: str, email: str) -> Request:
    return Request("POST", "/v1/users", key, json.dumps({"userId": "n-{new}", "email": email}))


def _tables(population: Population) -> Iterator[Rows]:
    keys, pairs = DuplicateKeys._meta.table_name, Duplicates._meta.table_name
    yield keys, ["app", "key", "home", "user", "source", "value"], _keys(population)
    yield pairs, ["app", "first", "second", "doubt", "signals"], _pairs(population)


def _keys(population: Population) -> Iterator[tuple[str, ...]]:
    for number in range(population.users):
        _, id = population.user(number)
        traits = [*rules.traits(id, [email_key(population.email(number))], ()).values()]
        if number % PAIRED < 2:
            traits.append(rules.device(f"device-{number // PAIRED}", id))
        for trait in traits:
            yield population.app, trait.key, id, id, trait.source.value, trait.value


def _pairs(population: Population) -> Iterator[tuple[str | int, ...]]:
    for number in range(0, population.users - 1, PAIRED):
        first, second = (population.user(one)[1] for one in (number, number + 1))
        signals = f"{rules.SHARED_DEVICE.name} {rules.SIMILAR_NAMES.name}"
        yield population.app, first, second, 1 + number // PAIRED * 7 % SPREAD, signals


def written(listed: Listed, plan: Plan) -> str:
    """Write the table."""
    rows = [
        [
            name,
            *((1000 * load.percentile(percent), 1) for percent in (50, 99, 100)),
            (1000 * TARGET if name == FIRST else None, 0),
        ]
        for name, load in listed.loads.items()
    ]
    compared = f"{plan.compared:,} users who were there before were compared in {listed.compared:.1f} s."
    head = ["call", "p50, ms", "p99, ms", "longest, ms", "target"]
    return "\n\n".join([HEAD.format(users=plan.users), listed.circumstances, table(head, rows), compared])
