"""How soon an agent's inbox of a great many conversations opens, and in it a thread of a great many messages:
the pages of the console, and what the API answers to agents and to the user.

It is the server's answer that is measured. A page has so many rows at most, so that what a browser takes to
draw it does not depend on how much there is.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from urllib.parse import urlencode

from rich.progress import Progress

from bench.bulk import Rows, write
from bench.filling import fill
from bench.load import Call, Load, Loader, Request
from bench.people import THREADS, WRITES, Population
from bench.results import table
from bench.servers import HERE, TITLES, USHER, databases, gather_statistics, serve, versions
from service.api.schemas.conversations import cursor
from service.model.conversations import Side, Status
from service.model.identifiers import new_id
from service.store.tables import Conversations, Messages

TARGET = 0.3  # seconds for each page that opens
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

INBOX, ALL, THREAD, EARLIER = "inbox", "all conversations", "thread", "its earlier messages"
LISTED, READ, OWN, OWN_READ = (
    "list, agent",
    "messages, agent",
    "list, user",
    "messages, user",
)
OPENED = (INBOX, ALL, THREAD)

HEAD = """# How soon the inbox opens

One agent with one connection, while nobody else calls. {conversations:,} conversations are open and have
something unread, and one of them has {messages:,} messages."""


@dataclass(frozen=True)
class Plan:
    """How to measure: with so many conversations, one of so many messages, each call for so many seconds."""

    conversations: int
    messages: int
    seconds: float


@dataclass(frozen=True)
class Opened:
    """What was measured on an engine: the loads by call."""

    engine: str
    circumstances: str
    loads: dict[str, Load]


def measure(engine: str, plan: Plan) -> Opened:
    """Fill a store, sign in to the console, and open what is there."""
    before = os.getloadavg()[0]
    with databases(engine) as make, Progress(transient=True) as progress, closing(Loader()) as loader:
        url, thread = make("inbox", HERE), new_id("cnv")
        # The long one, and those of people who have two; the first user has what is left.
        writers, left = divmod(plan.conversations - 1, THREADS)
        population = Population.create(url, WRITES * (writers + 1), deep=left)
        task = progress.add_task("people", total=population.count())
        fill(url, population, partial(progress.advance, task))
        write(url, _long_thread(population, thread, plan.messages), trusted=True)
        gather_statistics(url)
        with serve(USHER, url) as server:
            cookie = _signed_in(server.port, population.secret_key)
            loads = {
                call.name: loader.load(server.port, call, seconds=plan.seconds, connections=1)
                for call in _calls(population, thread, cookie, plan.messages)
            }
        load = f"load average {before:.1f} before and {os.getloadavg()[0]:.1f} after"
        return Opened(engine, f"{versions(url)}; {load}.", loads)


def _long_thread(population: Population, id: str, messages: int) -> Iterator[Rows]:
    """Return the rows of a conversation of the first user, in which both sides write in turn."""
    _, user = population.user(0)
    began = population.at - messages
    columns = "app id user home status messages unread_by_user unread_by_agent created_at updated_at"
    counts = messages, 0, 1
    row = population.app, id, user, user, Status.OPEN.value, *counts, began, population.at
    yield Conversations._meta.table_name, columns.split(), [row]
    columns = "app conversation number id side author agent_name body verified created_at"
    rows = (
        (population.app, id, number, new_id("msg"), *by, f"Message {number}", True, began + number)
        for number in range(1, messages + 1)
        for by in [(Side.USER.value, user, None) if number % 2 else (Side.AGENT.value, None, "Ada")]
    )
    yield Messages._meta.table_name, columns.split(), rows


def _signed_in(port: int, key: str) -> str:
    """Sign an agent in to the console, and return their cookie."""
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        form = urlencode({"key": key, "name": "Ada"})
        connection.request("POST", "/console/sign-in", form, FORM)
        answer = connection.getresponse()
        assert answer.status == 303, answer.read()
        return (answer.getheader("Set-Cookie") or "").partition(";")[0]


def _calls(population: Population, thread: str, cookie: str, messages: int) -> Iterator[Call]:
    console, agent, user = "/console", population.secret_key, population.token(0)
    middle = cursor(messages // 2, "")
    for name, path in (
        (INBOX, console),
        (ALL, f"{console}?status=all"),
        (THREAD, f"{console}/conversations/{thread}"),
        (EARLIER, f"{console}/conversations/{thread}?before={middle}"),
    ):
        yield Call(name, (Request("GET", path, cookie=cookie),))
    for name, path, key in (
        (LISTED, "/v1/conversations?limit=50", agent),
        (READ, f"/v1/conversations/{thread}/messages?limit=50", agent),
        (OWN, "/v1/conversations?limit=50", user),
        (OWN_READ, f"/v1/conversations/{thread}/messages?limit=50&cursor={middle}", user),
    ):
        yield Call(name, (Request("GET", path, key),))


def written(opened: list[Opened], plan: Plan) -> str:
    """Write a table for each engine."""
    parts = [HEAD.format(conversations=plan.conversations, messages=plan.messages)]
    for one in opened:
        rows = [
            [
                name,
                *((1000 * load.percentile(percent), 1) for percent in (50, 99, 100)),
                (1000 * TARGET if name in OPENED else None, 0),
            ]
            for name, load in one.loads.items()
        ]
        head = ["call", "p50, ms", "p99, ms", "longest, ms", "target"]
        parts += [f"## {TITLES[one.engine]}", one.circumstances, table(head, rows)]
    return "\n\n".join(parts)
