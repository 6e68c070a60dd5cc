"""How much room each thing takes: people do what people do, and the database tells what its tables came to.

Rows come one by one and in the order of life, so that indexes are as full as they get in use, and not as a
load of sorted rows leaves them.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
from rich.progress import track

from bench.apps import App, post
from bench.results import Cell, table
from bench.servers import HERE, SQLITE, TITLES, USHER, databases, gather_statistics, serve, versions

BODY = "Where is my parcel? It was to come on Monday."
# Each of them writes, and logs in so often; each fifth has been anonymous before.
MESSAGES, LOGINS, MERGED = 4, 3, 5
# Of a table with fewer rows the pages that are begun count for too much.
ENOUGH = 100
# What one person is, as the plan has it: so many rows of each table for each user.
PLAN = {
    "users": 1,
    "user_ids": 1,
    "devices": 1,
    "sessions": 1,
    "history": 2,
    "conversations": 0.2,
    "messages": 0.8,
    "events": 1,
}
PLANNED = (10**6, 10**8, 10**9)

HEAD = """# How much room it takes

Written by `python -m bench sizes`. {users:,} users came, each with an ID, an email, a name and a device;
logged in {logins} times and wrote {messages} messages of {body} characters in one conversation; an agent
answered once, each {merged}th had been anonymous before and was merged, and has an attribute, a contact and a
purchase. A size is that of a table's pages, or of its indexes' pages, by its rows."""

TABLES = """
SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
PAGES = """
SELECT tbl_name, sum(pgsize) FILTER (WHERE type = 'table'), sum(pgsize) FILTER (WHERE type = 'index')
FROM dbstat JOIN sqlite_master ON sqlite_master.name = dbstat.name GROUP BY tbl_name
"""


@dataclass(frozen=True)
class Size:
    """How many rows a table has, and how many bytes its pages and those of its indexes."""

    table: str
    rows: int
    heap: int
    indexes: int

    @property
    def row(self) -> float:
        """How many bytes a row takes, with its places in indexes."""
        return (self.heap + self.indexes) / self.rows


@dataclass(frozen=True)
class Sizes:
    """What was measured on an engine."""

    engine: str
    versions: str
    users: int
    tables: tuple[Size, ...]

    def planned(self, users: int) -> tuple[float, float]:
        """Return how many bytes the database of so many users takes, and of these its indexes."""
        found = {size.table: size for size in self.tables}
        rows = [(found[name], each * users) for name, each in PLAN.items() if name in found]
        return (
            sum(size.row * many for size, many in rows),
            sum(size.indexes / size.rows * many for size, many in rows),
        )


def measure(engine: str, users: int) -> Sizes:
    """Have so many people come, and look what they left."""
    with databases(engine, fsync="off") as make:
        url = make("sizes", HERE)
        app = App.create(url)
        with serve(USHER, url) as server, closing(HTTPConnection("127.0.0.1", server.port)) as connection:
            for number in track(range(users), TITLES[engine], transient=True):
                _live(connection, app, number)
        gather_statistics(url)
        return Sizes(engine, versions(url), users, tuple(of(url)))


def _live(connection: HTTPConnection, app: App, number: int) -> None:
    """Have somebody come, write, be answered, and come back."""
    claim = {"userId": f"u-{number}", "email": f"u-{number}@example.org", "name": f"User {number}"}
    is_merged = number % MERGED == 0
    if is_merged:
        visitor = post(connection, "/v1/login", app.sk, {})["user"]
    device = post(connection, "/v1/login", app.sk, claim)
    for _ in range(LOGINS - 1):
        device = post(connection, "/v1/login", app.sk, claim | {"deviceId": device["deviceId"]})
    token = device["session"]["token"]
    begun = post(connection, "/v1/conversations", token, {"message": BODY, "subject": "Parcel"})
    path = f"/v1/conversations/{begun['id']}/messages"
    for place in range(1, MESSAGES):
        post(connection, path, app.sk if place == 1 else token, {"body": BODY}, f"{number}-{place}")
    if is_merged:
        account = {"store": "app_store", "account": f"account-{number}"}
        bought = {"storeAccount": account, "product": "pro", "transaction": f"t-{number}"}
        post(connection, "/v1/purchases", app.sk, bought | {"userId": claim["userId"]})
        post(connection, "/v1/merges", app.sk, {"from": visitor["id"], "into": device["user"]["id"]})
        post(connection, "/v1/login", app.sk, claim | {"attributes": {"plan": "pro"}})
        post(connection, "/v1/me/contact", token, {"phone": "+491701234567"}, method="PUT")


def of(url: str) -> Iterator[Size]:
    """Return the size of each table that has enough rows."""
    for name, heap, indexes, rows in sorted(
        _of_sqlite(url) if url.startswith(SQLITE) else _of_postgresql(url)
    ):
        if rows >= ENOUGH:
            yield Size(name, rows, heap, indexes or 0)


def _of_postgresql(url: str) -> list[tuple[str, int, int, int]]:
    with psycopg.connect(url) as database:
        found = database.execute(TABLES).fetchall()
        return [(*size, database.execute(_count(size[0])).fetchone()[0]) for size in found]  # type: ignore[index]


def _of_sqlite(url: str) -> list[tuple[str, int, int, int]]:
    with closing(sqlite3.connect(unquote(urlsplit(url).path)[1:])) as database:
        found = database.execute(PAGES).fetchall()
        return [(*size, database.execute(_count(size[0])).fetchone()[0]) for size in found]


def _count(name: str) -> str:
    return f'SELECT count(*) FROM "{name}"'  # noqa: S608 - a name of ours


def write(measured: list[Sizes], directory: Path) -> str:
    """Write the tables into a directory, and return their text."""
    head = HEAD.format(
        users=measured[0].users, logins=LOGINS, messages=MESSAGES, body=len(BODY), merged=MERGED
    )
    text = "\n\n".join([head, *(part for sizes in measured for part in _written(sizes))])
    (directory / "sizes.md").write_text(f"{text}\n")
    return text


def _written(sizes: Sizes) -> Iterator[str]:
    yield f"## {TITLES[sizes.engine]}"
    yield f"{sizes.versions}."
    rows: list[list[Cell]] = [
        [
            size.table,
            (size.rows, 0),
            (size.heap / size.rows, 0),
            (size.indexes / size.rows, 0),
            (size.row, 0),
        ]
        for size in sizes.tables
    ]
    yield table(["table", "rows", "bytes of a row", "in indexes", "together"], rows)
    plan = ", ".join(f"{many:g} {name}" for name, many in PLAN.items())
    yield f"For each user {plan}:"
    planned: list[list[Cell]] = []
    for users in PLANNED:
        together, indexes = sizes.planned(users)
        planned.append([f"{users:,}", (together / 1e9, 1), (indexes / 1e9, 1)])
    yield table(["users", "GB", "of these indexes"], planned)
