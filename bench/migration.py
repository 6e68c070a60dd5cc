"""How long logins wait while a store in use is migrated: a server of a former checkout serves from a store of
its schema, which this one migrates meanwhile."""

import json
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from peewee import fn
from rich.progress import Progress

from bench.apps import App
from bench.bulk import Rows, write
from bench.filling import fill
from bench.growth import calls
from bench.load import CONNECTIONS, Call, Load, Loader, Request
from bench.people import Population, Row
from bench.results import table
from bench.servers import USHER, Checkout, command, databases, gather_statistics, serve, versions
from service.store.database import Database
from service.store.tables import Fields, Users
from service.times import now

# Of one user in so many another record is part, with an email of its own.
PARTS = 10
WARM_UP = 200

HEAD = f"""# Logins while a store is migrated

A server of the former checkout has {CONNECTIONS} clients who log in as people it knows, and one who logs in
as somebody new, as fast as they are answered: first alone, then while the store is migrated. Of one user
in {PARTS} another record is part, with an email of its own."""


@dataclass(frozen=True)
class Plan:
    """How to measure: so many users, and for so many seconds without and with the migration."""

    users: int
    seconds: float


@dataclass(frozen=True)
class Migrated:
    """What was seen: the logins of each kind; which migrations were applied in how many seconds; how many
    users there were in the end, and how many emails that find somebody who is one with others, each beside
    how many there had to be."""

    circumstances: str
    logins: dict[str, Load]
    applied: list[str]
    seconds: float
    users: tuple[int, int]
    emails: tuple[int, int]


def measure(engine: str, old: Path, plan: Plan) -> Migrated:
    """Fill a store of a former checkout's schema, and migrate it while that one's server logs people in."""
    former = Checkout.at(old)
    with ExitStack() as stack, Progress(transient=True) as progress:
        url = stack.enter_context(databases(engine))("migrated", former)
        app = App.create(url, former)
        people = Population(app.id, app.sk, plan.users, now(), deep=1)
        task = progress.add_task("people", total=people.count())
        fill(url, people, partial(progress.advance, task))
        write(url, _parts(people), trusted=True)
        gather_statistics(url)
        port = stack.enter_context(serve(USHER, url, checkout=former)).port
        loader = stack.enter_context(closing(Loader(2)))
        known = calls(people, random.Random())[0]
        loader.load(port, known, calls=WARM_UP)
        before, _, _ = _log_in(loader, port, people, known, plan.seconds, lambda: "")
        during, printed, took = _log_in(
            loader, port, people, known, plan.seconds, lambda: command(url, "migrate")
        )
        made, parts = before[1].calls + during[1].calls, len(_joined(people))
        names = "known", "new", "known, meanwhile", "new, meanwhile"
        return Migrated(
            versions(url),
            dict(zip(names, before + during, strict=True)),
            [line.removeprefix("applied ") for line in printed.splitlines() if line.startswith("applied ")],
            took,
            (_count(url, Users, Users.id, app.id), plan.users + parts + made),
            (_count(url, Fields, Fields.key, app.id), 2 * parts),
        )


def written(migrated: Migrated) -> str:
    """Write down what was seen."""
    applied = f"{', '.join(migrated.applied)} in {migrated.seconds:.1f} s"
    rows = [
        [name, (load.calls, 0), *((1000 * load.percentile(percent), 1) for percent in (50, 99, 100))]
        for name, load in migrated.logins.items()
    ]
    (users, all_users), (emails, all_emails) = migrated.users, migrated.emails
    there = f"{users:,} of {all_users:,} users are there, and {emails:,} of {all_emails:,} emails are found."
    head = ["logins", "answers", "p50, ms", "p99, ms", "longest, ms"]
    return "\n\n".join([HEAD, f"{migrated.circumstances}; {applied}.", table(head, rows), there])


def _log_in(
    loader: Loader, port: int, people: Population, known: Call, seconds: float, meanwhile: Callable[[], str]
) -> tuple[tuple[Load, Load], str, float]:
    """Log in for so many seconds, and do something in the midst; return the loads, what that returned, and
    how many seconds it took."""
    somebody = json.dumps({"userId": "n-{new}", "email": "n-{new}@example.org"})
    new = Call("new", (Request("POST", "/v1/login", people.secret_key, somebody),), 201)
    with ThreadPoolExecutor(2) as threads:
        loads = [
            threads.submit(loader.load, port, call, seconds=seconds, connections=connections)
            for call, connections in ((known, CONNECTIONS), (new, 1))
        ]
        time.sleep(seconds / 4)
        began = time.perf_counter()
        done = meanwhile()
        took = time.perf_counter() - began
        ones, others = (load.result() for load in loads)
        return (ones, others), done, took


def _joined(people: Population) -> range:
    """Return the numbers of those of whom another record is part."""
    return range(1, people.users, PARTS)


def _parts(people: Population) -> Iterator[Rows]:
    users = "app id verified email email_key merged_into created_at"
    yield "users", users.split(), ((people.app, *_part(people, number)) for number in _joined(people))
    yield "fields", ["app", "home", "name", "value", "rank"], _said(people)


def _part(people: Population, number: int) -> Row:
    at, id = people.user(number)
    email = f"part-{number}@example.org"
    return f"usr_of_{id}", True, email, email, id, at


def _said(people: Population) -> Iterator[Row]:
    for number in _joined(people):
        part, _, email, _, id, _ = _part(people, number)
        yield people.app, id, "email", people.email(number), 1
        yield people.app, id, "name", people.name(number), 1
        yield people.app, part, "email", email, 0
        yield people.app, part, "name", None, 0


def _count(url: str, table: type[Users] | type[Fields], column: object, app: str) -> int:
    database = Database(url, timeout=60)
    ((count,),) = database.rows(table.select(fn.COUNT(column)).where(table.app == app))
    database.close()
    return int(count)
