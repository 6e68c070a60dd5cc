"""How long each step takes of what is forgotten, and how long somebody who writes meanwhile waits for it."""

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count

import structlog

from bench.apps import App
from bench.bulk import Rows, write
from bench.filling import fill
from bench.load import Call, Load, Loader, Request
from bench.people import Population
from bench.results import Cell, table
from bench.servers import HERE, USHER, databases, environment, gather_statistics, serve, versions
from service.config import Config
from service.desk.apps import erase_app
from service.desk.erasing import erase, tidy
from service.desk.tidying import Kept
from service.model.callers import Actor
from service.model.events import EventType
from service.model.identifiers import digest, new_id, search_key, user_id_digest
from service.model.webhooks import Webhook
from service.store import AppStore, Store
from service.store.database import Database
from service.store.merges import EMPTY
from service.store.opening import open_store
from service.times import DAY, now
from service.work.tidying import REST

# How long a step may take, in milliseconds.
TARGET = 50
# Of so many users one is idle, and gone after a day of tidying.
IDLE = 100
# For how many seconds at a time somebody writes.
TURN = 0.5
LONG_AGO = 400 * DAY
OPERATOR = Actor("operator", "", proven=True)

HEAD = f"""# Steps of what is forgotten

Each transaction is timed from when it has begun until it is committed. Meanwhile one client of a server with
one worker logs somebody new in, as fast as it is answered. At most {TARGET} ms are aimed at for each step."""

# The seconds of each transaction, by what it does.
Steps = dict[str, list[float]]


@dataclass(frozen=True)
class Plan:
    """How much to forget: of so many users with a device, a session, an idempotency key, a rate and an event
    some are idle, and of each kind there is so much with users who have much; and an app of so many users."""

    users: int
    much: int
    of_app: int


@dataclass(frozen=True)
class Forgotten:
    """What was measured: the steps, and the logins beside them, of each thing that is done."""

    circumstances: str
    steps: dict[str, Steps]
    logins: dict[str, Load]


def measure(engine: str, plan: Plan, idle_seconds: float = 3) -> Forgotten:
    """Fill a store, and forget what is in it."""
    # Who is erased is of no interest.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with databases(engine) as make, closing(Loader()) as loader:
        url = make("tidied", HERE)
        app, people = App.create(url), Population.create(url, plan.of_app, deep=plan.of_app // 2)
        store = open_store(Config.from_environment(environment(url)), timeout=60)
        users = _fill(url, store.of(app.id), people, plan)
        for one in (app.id, people.app):
            # Else the server, or whoever works, would tidy them by itself.
            store.apps.claim_tidying(one, now(), now() + DAY)
        done: dict[str, Callable[[], object]] = {
            "nothing": partial(time.sleep, idle_seconds),
            **{
                f"erase: {what}": partial(erase, store.of(app.id), OPERATOR, id) for what, id in users.items()
            },
            "erase the app": partial(erase_app, store, people.app),
            "tidy": partial(_tidy, store),
        }
        steps: dict[str, Steps] = {}
        logins = {}
        with serve(USHER, url) as server:
            login = json.dumps({"userId": "n-{new}", "email": "n-{new}@example.net"})
            call = Call("login", (Request("POST", "/v1/login", app.sk, login),), 201)
            loader.load(server.port, call, calls=50, connections=1)
            for name, do in done.items():
                with _timed() as steps[name], _beside(loader, server.port, call) as loads:
                    do()
                logins[name] = Load.together(loads)
        store.database.close()
        return Forgotten(versions(url), steps, logins)


def _fill(url: str, store: AppStore, people: Population, plan: Plan) -> dict[str, str]:
    """Fill an app, and another with people; return of the first by our ids who is to be erased."""
    hook = Webhook(new_id("whk"), "https://hooks.example.org/", (), now())
    store.webhooks.create(hook, store.feed.end())
    # Nobody has it open while it is filled.
    store.database.close()
    rows = _Rows(store.app_id, hook.id)
    wrote, owner, returning, other = (new_id("usr") for _ in range(4))
    for some in (
        rows.idle(plan.users),
        rows.much_of(wrote, plan.much),
        rows.many_of(owner, plan.much // 4),
        rows.apart(returning, other, plan.much // 4),
    ):
        write(url, some, trusted=True)
    fill(url, people, lambda _: None)
    gather_statistics(url)
    return {"wrote": wrote, "has": owner, "stood apart": returning}


def _tidy(store: Store) -> object:
    [app] = store.apps.all()
    kept = asdict(Kept(idle_days=180, empty_days=30, cleared_days=30, event_days=30))
    return tidy(store.of(app.id), app, **kept, rest=partial(time.sleep, REST))


def written(forgotten: Forgotten) -> str:
    """Write the tables."""
    steps: list[list[Cell]] = [
        [f"{what}: {step}", (len(times), 0), *((1000 * _percentile(times, one), 1) for one in (50, 99, 100))]
        for what, of in forgotten.steps.items()
        for step, times in of.items()
    ]
    logins: list[list[Cell]] = [
        [what, (load.calls, 0), *((1000 * load.percentile(percent), 1) for percent in (50, 99, 100))]
        for what, load in forgotten.logins.items()
    ]
    return "\n\n".join(
        [
            HEAD,
            f"{forgotten.circumstances}.",
            table(["step", "transactions", "p50, ms", "p99, ms", "longest, ms"], steps),
            table(["logins beside", "answers", "p50, ms", "p99, ms", "longest, ms"], logins),
        ]
    )


def _percentile(times: list[float], percent: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * percent / 100))]


@contextmanager
def _beside(loader: Loader, port: int, call: Call) -> Iterator[list[Load]]:
    """Have somebody write while something is done inside."""
    loads: list[Load] = []
    begun, over = threading.Event(), threading.Event()

    def log_in() -> None:
        while not (loads and over.is_set()):
            begun.set()
            loads.append(loader.load(port, call, seconds=TURN, connections=1))

    thread = threading.Thread(target=log_in)
    thread.start()
    begun.wait()
    try:
        yield loads
    finally:
        over.set()
        thread.join()


@contextmanager
def _timed() -> Iterator[Steps]:
    """Time each transaction of this thread inside."""
    steps: Steps = {}
    begin = Database.transaction

    @contextmanager
    def timed(database: Database) -> Iterator[None]:
        is_outermost = not database.peewee.in_transaction()
        name = _use_case() if is_outermost else ""
        with begin(database):
            began = time.perf_counter()
            yield
        if is_outermost:
            steps.setdefault(name, []).append(time.perf_counter() - began)

    Database.transaction = timed  # type: ignore[method-assign]
    try:
        yield steps
    finally:
        Database.transaction = begin  # type: ignore[method-assign]


def _use_case() -> str:
    """Return what the transaction does that is about to begin: what it is handed to do, if anything."""
    frame = sys._getframe()
    while "use_case" not in frame.f_locals:
        assert frame.f_back is not None, "a transaction of no use case"
        frame = frame.f_back
    handed = [one for one in frame.f_locals["args"] if callable(one)]
    what = handed[-1] if handed else frame.f_locals["use_case"]
    return str(getattr(what, "func", what).__name__).strip("_")


class _Rows:
    """Rows of an app that has a webhook."""

    def __init__(self, app: str, hook: str) -> None:
        self._app = app
        self._hook = hook
        self._at = now()
        self._number = count()

    def idle(self, users: int) -> list[Rows]:
        """Users of devices, of whom one in so many is idle, and what is too old of each."""
        ids = [new_id("usr") for _ in range(users)]
        long_ago = self._at - LONG_AGO
        return [
            self._users([(id, f"$anon:{id}", False) for id in ids], long_ago),
            self._user_ids([(id, f"$anon:{id}", False) for id in ids]),
            self._devices(ids, ids),
            self._sessions([(id, id) for id in ids], long_ago),
            self._history(ids),
            self._events(ids),
            self._keys([(id, id) for id in ids]),
            *self._tombstones(users // IDLE),
            (
                "rates",
                ["app", "kind", "address", "minute", "count"],
                ((self._app, "login address", id, 1, 1) for id in ids),
            ),
        ]

    def much_of(self, user: str, much: int) -> list[Rows]:
        """A user who has written a lot, in one conversation and in many, and of whom a lot is told."""
        long, *short = (new_id("cnv") for _ in range(much // 4 + 1))
        messages = [(long, number) for number in range(1, much // 2 + 1)]
        messages += [(id, number) for id in short for number in (1, 2)]
        events = [new_id("evt") for _ in range(much)]
        about = ["app", "webhook", "event", "type", "at", "user", "state", "attempts", "failures"]
        tried = ["app", "webhook", "event", "number", "at", "milliseconds", "status", "answer"]
        told = self._app, self._hook
        return [
            self._users([(user, user, True)], self._at),
            self._user_ids([(user, user, True)]),
            self._conversations([(long, much // 2)] + [(id, 2) for id in short], user),
            self._messages(messages, user),
            self._history([user] * much),
            self._events([user] * much, events),
            (
                "deliveries",
                about,
                (
                    (*told, id, EventType.USER_UPDATED.value, self._at, user, "delivered", 1, 0)
                    for id in events
                ),
            ),
            ("attempts", tried, ((*told, id, 1, self._at, 1, 200, "Thank you") for id in events)),
        ]

    def many_of(self, user: str, many: int) -> list[Rows]:
        """A user with many IDs, and logged in on many devices, where the app's own idempotency keys name
        them; and with many store accounts."""
        ids = [f"{user}-{number}" for number in range(many)]
        accounts = ["app", "digest", "verified", "user", "home", "store", "account", "claimed_at"]
        bought = ["app", "account", "digest", "id", "product", "transaction", "purchased_at"]
        return [
            self._users([(user, ids[0], True)], self._at),
            self._user_ids([(user, id, True) for id in ids]),
            self._devices(ids, [None] * many),
            self._sessions([(id, user) for id in ids], self._at),
            self._keys([(id, user) for id in ids]),
            (
                "store_accounts",
                accounts,
                ((self._app, digest(id), True, user, user, "app_store", id, self._at) for id in ids),
            ),
            (
                "purchases",
                bought,
                ((self._app, digest(id), digest(id), new_id("pur"), "pro", id, self._at) for id in ids),
            ),
        ]

    def apart(self, user: str, other: str, much: int) -> list[Rows]:
        """A user who was one with another for a while, and wrote a lot in a conversation that is theirs."""
        conversation = new_id("cnv")
        merges = ["app", "id", "source", "target", "rule", "ledger", "created_at", "undone_at"]
        return [
            self._users([(id, id, True) for id in (user, other)], self._at),
            self._user_ids([(id, id, True) for id in (user, other)]),
            self._conversations([(conversation, much)], other),
            self._messages([(conversation, number) for number in range(1, much + 1)], user),
            (
                "merges",
                merges,
                [(self._app, new_id("mrg"), user, other, "manual", EMPTY, self._at, self._at)],
            ),
        ]

    def _users(self, users: list[tuple[str, str, bool]], at: int) -> Rows:
        columns = ["app", "id", "verified", "user_id", "created_at"]
        return "users", columns, ((self._app, id, proven, value, at) for id, value, proven in users)

    def _tombstones(self, users: int) -> list[Rows]:
        """Users who were idle, and of whom nothing tells any more."""
        ids, at = [new_id("usr") for _ in range(users)], self._at - LONG_AGO
        columns = ["app", "user", "id", "at", "event", "by", "request"]
        lines = ((self._app, id, new_id("hst"), at, "erased", "retention", "") for id in ids)
        return [
            (
                "users",
                ["app", "id", "verified", "erased_at", "created_at"],
                ((self._app, id, False, at, at) for id in ids),
            ),
            ("history", columns, lines),
        ]

    def _user_ids(self, values: list[tuple[str, str, bool]]) -> Rows:
        columns = ["app", "verified", "digest", "user", "home", "value", "search", "added_at"]
        return (
            "user_ids",
            columns,
            (
                (self._app, proven, user_id_digest(value), id, id, value, search_key(value), self._at)
                for id, value, proven in values
            ),
        )

    def _devices(self, names: list[str], whose: list[str] | list[None]) -> Rows:
        columns = ["app", "digest", "anonymous", "clears", "created_at"]
        at = self._at - LONG_AGO
        return (
            "devices",
            columns,
            ((self._app, digest(name), user, False, at) for name, user in zip(names, whose, strict=True)),
        )

    def _sessions(self, sessions: list[tuple[str, str]], at: int) -> Rows:
        """Sessions on devices, by their names; of those of long ago all but a few were used since."""
        columns = ["app", "device", "secret", "user", "home", "verified", "began_at", "used_at"]
        return (
            "sessions",
            columns,
            (
                (self._app, digest(name), digest(f"s{name}"), user, user, at == self._at, at, used)
                for number, (name, user) in enumerate(sessions)
                for used in [self._at if number % IDLE else at]
            ),
        )

    def _history(self, users: list[str]) -> Rows:
        columns = ["app", "user", "id", "at", "event", "by", "request", "after"]
        at = self._at - LONG_AGO
        what = at, "created", "backend", "r", '{"name": "Jane"}'
        return "history", columns, ((self._app, user, new_id("hst"), *what) for user in users)

    def _events(self, users: list[str], ids: list[str] | None = None) -> Rows:
        columns = ["app", "id", "xid", "type", "at", "user", "data"]
        names = ids or [new_id("evt") for _ in users]
        what = EventType.USER_UPDATED.value, self._at - 60 * DAY
        return (
            "events",
            columns,
            ((self._app, id, 1, *what, user, "{}") for id, user in zip(names, users, strict=True)),
        )

    def _keys(self, keys: list[tuple[str, str]]) -> Rows:
        columns = ["app", "scope", "key", "request", "made", "home", "created_at"]
        at = self._at - LONG_AGO
        return (
            "idempotency_keys",
            columns,
            ((self._app, "key", name, "r", user, user, at) for name, user in keys),
        )

    def _conversations(self, conversations: list[tuple[str, int]], user: str) -> Rows:
        columns = [
            "app",
            "id",
            "user",
            "home",
            "status",
            "messages",
            "unread_by_user",
            "unread_by_agent",
            "created_at",
            "updated_at",
        ]
        return (
            "conversations",
            columns,
            (
                (self._app, id, user, user, "open", messages, 0, 1, self._at, self._at)
                for id, messages in conversations
            ),
        )

    def _messages(self, messages: list[tuple[str, int]], author: str) -> Rows:
        columns = ["app", "conversation", "number", "id", "side", "author", "body", "verified", "created_at"]
        return (
            "messages",
            columns,
            (
                (self._app, conversation, number, new_id("msg"), "user", author, "Hello", True, self._at)
                for conversation, number in messages
            ),
        )
