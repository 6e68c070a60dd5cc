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

import structlog

from bench.apps import App
from bench.bulk import write
from bench.filling import fill
from bench.load import Call, Load, Loader, Request
from bench.people import Population
from bench.results import Cell, table
from bench.servers import HERE, USHER, databases, environment, gather_statistics, serve, versions
from bench.tidied_rows import TidiedRows
from service.config import Config
from service.desk.apps import erase_app
from service.desk.comparing import compare_some
from service.desk.erasing import erase, tidy
from service.desk.sessions import log_out
from service.desk.tidying import Kept
from service.model.callers import Actor
from service.model.identifiers import new_id
from service.model.webhooks import Webhook
from service.store import AppStore, Store
from service.store.database import Database
from service.store.opening import open_store
from service.times import DAY, now
from service.work.tidying import REST

# How long a step may take, in milliseconds.
TARGET = 50
# So many are added who are all alike, as many of one mailbox as say anything.
ALIKE = 200
# For how many seconds at a time somebody writes.
TURN = 0.5
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
        own = store.of(app.id)
        users = _fill(url, own, people, plan)
        comes_and_goes = users.pop("comes and goes")
        for one in (app.id, people.app):
            # Else the server, or whoever works, would tidy them by itself.
            store.apps.claim_tidying(one, now(), now() + DAY)
        done: dict[str, Callable[[], object]] = {
            "nothing": partial(time.sleep, idle_seconds),
            "follow": partial(_follow, own),
            "log out": partial(log_out, own, device_id=None, user_id=None, user=comes_and_goes),
            **{f"erase: {what}": partial(erase, own, OPERATOR, id) for what, id in users.items()},
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
    """Fill an app, and another with people; return of the first by our ids who is to be erased, or
    logged out."""
    hook = Webhook(new_id("whk"), "https://hooks.example.org/", (), now())
    store.webhooks.create(hook, store.feed.end())
    # Nobody has it open while it is filled.
    store.database.close()
    rows = TidiedRows(store.app_id, hook.id)
    wrote, owner, returning, other, comes, one = (new_id("usr") for _ in range(6))
    for some in (
        rows.idle(plan.users),
        rows.alike(ALIKE),
        rows.much_of(wrote, plan.much),
        rows.many_of(owner, plan.much // 4),
        rows.many_of(comes, plan.much // 4),
        rows.apart(returning, other, plan.much // 4),
        rows.together(one, plan.much // 20),
    ):
        write(url, some, trusted=True)
    fill(url, people, lambda _: None)
    gather_statistics(url)
    return {
        "wrote": wrote,
        "has": owner,
        "stood apart": returning,
        "comes and goes": comes,
        "became one": one,
    }


def _follow(store: AppStore) -> None:
    while compare_some(store):
        pass


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
