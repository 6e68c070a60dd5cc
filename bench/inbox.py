"""How soon an agent's inbox of a great many conversations opens, and in it a thread of a great many messages:
the pages of the console, and what the API answers to agents and to the user.

Measured is the server's answer, and where Chromium is installed, how long that takes to open a page, and how
much memory while somebody reads on.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from statistics import median
from urllib.parse import urlencode

from playwright.sync_api import Page, sync_playwright
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
# How often a browser opens each, and how many messages somebody reads back.
DRAWN, READ_BACK = 20, 1000
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
class Drawn:
    """How many milliseconds a browser took to open each page, one time after the other; and how many bytes
    its scripts took with so many messages of the thread."""

    opened: dict[str, list[float]]
    memory: list[tuple[int, float]]


@dataclass(frozen=True)
class Opened:
    """What was measured on an engine: the loads by call, and what a browser did, if there is one."""

    engine: str
    circumstances: str
    loads: dict[str, Load]
    drawn: Drawn | None


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
            drawn = _draw(f"http://localhost:{server.port}", thread, cookie)
        load = f"load average {before:.1f} before and {os.getloadavg()[0]:.1f} after"
        return Opened(engine, f"{versions(url)}; {load}.", loads, drawn)


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


def _draw(url: str, thread: str, cookie: str) -> Drawn | None:
    """Open pages in a browser, if there is one."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    name, _, value = cookie.partition("=")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context()
        context.add_cookies([{"name": name, "value": value, "url": f"{url}/console"}])
        page = context.new_page()
        pages = {INBOX: "", THREAD: f"/conversations/{thread}"}
        opened = {
            name: [_open(page, f"{url}/console{path}") for _ in range(DRAWN)] for name, path in pages.items()
        }
        memory = [_memory(page)]
        while memory[-1][0] < READ_BACK and _read_back(page):
            memory.append(_memory(page))
        browser.close()
    return Drawn(opened, memory)


def _open(page: Page, url: str) -> float:
    page.goto(url)
    page.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
    return float(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))


def _read_back(page: Page) -> bool:
    """Scroll up to the messages that come before, and return whether there are any."""
    if not page.locator("[data-more=thread] a").count():
        return False
    shown = page.locator(".thread > li").count()
    page.locator(".messages").evaluate("one => one.scrollTop = -one.scrollHeight")
    page.wait_for_function("shown => document.querySelectorAll('.thread > li').length > shown", arg=shown)
    return True


def _memory(page: Page) -> tuple[int, float]:
    """Return how many messages are shown, and how many bytes the page's scripts take."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    taken = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return page.locator(".thread > li").count(), float(taken)


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
        if one.drawn:
            parts += _drawn(one.drawn)
    return "\n\n".join(parts)


def _drawn(drawn: Drawn) -> list[str]:
    rows = [
        [f"{name}, in Chromium", (median(took), 1), (max(took), 1), (1000 * TARGET, 0)]
        for name, took in drawn.opened.items()
    ]
    memory = [
        [f"{shown:,} messages shown", (taken / 1e6, 1)]
        for shown, taken in drawn.memory[:: len(drawn.memory) - 1 or 1]
    ]
    return [
        table(["page", "p50, ms", "longest, ms", "target"], rows),
        table(["thread", "scripts, MB"], memory),
    ]
