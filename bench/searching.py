"""How soon a search finds what was written, among a great many messages: looking through them, and by the
index; and how fast that is filled, and how much room it takes."""

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import psycopg

from bench.apps import App
from bench.bulk import Rows, write
from bench.results import table
from bench.servers import HERE, TITLES, databases, gather_statistics, versions
from service.desk.indexing import index_some
from service.desk.searching import search
from service.model.pages import Position
from service.store import AppStore, Store
from service.store.database import Database
from service.times import now

# So many messages have a conversation and so many words a message.
MESSAGES, WORDS = 6, 40
# As many words are known; of each kind of word that is looked for, one of so many conversations has one.
KNOWN = 20_000
LIMIT = 50
# What a person waits for without noticing, in seconds.
TARGET = 0.3
TIMEOUT = 60

RARE, SOME, OFTEN, NOWHERE = "refundqx", "voucherqx", "parcelqx", "zeppelinqx"
SOUGHT = {
    "in the oldest conversation only": RARE,
    "in one of 100": SOME,
    "in one of 2": OFTEN,
    "two words, in one of 100 and of 2": f"{SOME} {OFTEN}",
    "part of a word, in the oldest only": RARE[2:],
    "nowhere": NOWHERE,
}

HEAD = """# Search in what was written

{messages:,} messages of {words} words in {conversations:,} conversations, asked in one process, page by page,
until {limit} are found or all are looked through."""


@dataclass(frozen=True)
class Searched:
    """What was measured: in how many seconds each is found without the index, in how many pages, and with it;
    how many messages a second were put into it; and how many bytes it takes for each."""

    circumstances: str
    engine: str
    without: dict[str, tuple[float, int]]
    with_index: dict[str, float]
    filled: float
    room: float


def measure(engine: str, messages: int, rounds: int) -> Searched:
    """Fill a store, and search in it before its index is filled, and after."""
    before = os.getloadavg()[0]
    with databases(engine) as make:
        url = make("searching", HERE)
        app = App.create(url).id
        write(url, _tables(app, messages // MESSAGES), trusted=True)
        gather_statistics(url)
        database = Database(url, TIMEOUT)
        store = Store(database).of(app)
        without = {name: _find(store, words, 1) for name, words in SOUGHT.items()}
        empty, began = _bytes(url), time.perf_counter()
        while index_some(store):
            pass
        filled = messages / (time.perf_counter() - began)
        gather_statistics(url)
        with_index = {name: _find(store, words, rounds)[0] for name, words in SOUGHT.items()}
        database.close()
        load = f"load average {before:.1f} before and {os.getloadavg()[0]:.1f} after"
        room = (_bytes(url) - empty) / messages
        return Searched(f"{versions(url)}; {load}.", engine, without, with_index, filled, room)


def _find(store: AppStore, words: str, rounds: int) -> tuple[float, int]:
    """Return in how many seconds at the median, and how many pages, as many are found as are shown."""
    times, pages = [], 0
    for _ in range(rounds):
        began, found, pages = time.perf_counter(), 0, 0
        cursor: Position | None = None
        while found < LIMIT and (pages == 0 or cursor is not None):
            page = search(store, words, cursor=cursor, limit=LIMIT)
            found, cursor, pages = found + len(page.data), page.next, pages + 1
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2], pages


def _tables(app: str, conversations: int) -> Iterator[Rows]:
    at = now()
    yield "users", ["app", "id", "verified", "created_at"], [(app, "usr_1", True, at)]
    columns = "app id user home status messages unread_by_user unread_by_agent created_at updated_at"
    yield (
        "conversations",
        columns.split(),
        (
            (app, f"cnv_{number:08}", "usr_1", "usr_1", "open", MESSAGES, 0, 0, at + number, at + number)
            for number in range(conversations)
        ),
    )
    yield (
        "messages",
        ["app", "conversation", "number", "id", "side", "author", "body", "verified", "created_at"],
        _messages(app, conversations, at),
    )
    # From here on it is followed what changes.
    yield (
        "events",
        ["app", "id", "xid", "type", "at", "user"],
        [(app, "evt_1", 1, "user.created", at, "usr_1")],
    )


def _messages(app: str, conversations: int, at: int) -> Iterator[tuple[object, ...]]:
    drawn = random.Random(1)
    letters = "etaoinshrdlcumwfgypbvk"
    known = ["".join(drawn.choices(letters, k=drawn.randint(2, 11))) for _ in range(KNOWN)]
    # As in every language, few words are most of a text.
    weights = [1 / (rank + 1) for rank in range(KNOWN)]
    for number in range(conversations):
        for place in range(1, MESSAGES + 1):
            words = drawn.choices(known, weights, k=WORDS)
            if place == 1:
                words += _sought(number)
            id, body = f"msg_{number:08}{place}", " ".join(words)
            yield app, f"cnv_{number:08}", place, id, "user", "usr_1", body, True, at + number


def _sought(number: int) -> Iterator[str]:
    for word, every in ((RARE, 0), (SOME, 100), (OFTEN, 2)):
        if number == 0 if not every else number % every == 1:
            yield word


def _bytes(url: str) -> int:
    """Return how much room a database takes."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(unquote(urlsplit(url).path)[1:])) as connection:
            size = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
            return int(connection.execute(size).fetchone()[0])
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_total_relation_size('search_index')").fetchone()
        return int(row[0]) if row else 0


def written(searched: Searched, messages: int) -> str:
    """Write the table."""
    rows = [
        [
            name,
            (1000 * searched.without[name][0], 1),
            (searched.without[name][1], 0),
            (1000 * searched.with_index[name], 1),
            (searched.without[name][0] / searched.with_index[name], 1),
            (1000 * TARGET, 0),
        ]
        for name in SOUGHT
    ]
    head = ["words", "without, ms", "pages", "by the index, ms", "ratio", "target"]
    about = HEAD.format(messages=messages, words=WORDS, conversations=messages // MESSAGES, limit=LIMIT)
    filled = (
        f"{searched.filled:,.0f} messages a second are put into it; each takes {searched.room:,.0f} bytes."
    )
    return "\n\n".join(
        [about, f"{TITLES[searched.engine]}: {searched.circumstances}", table(head, rows), filled]
    )
