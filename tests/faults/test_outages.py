"""While the store is away every answer comes in time and says so; afterwards all that was acknowledged is
there, and the next request is served without a restart."""

import resource
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPException
from pathlib import Path

import psutil
import pytest

from service.store.migrating import migrate
from tests.conftest import ENGINES, Databases
from tests.support.lateness import lateness
from tests.support.marks import another_writes
from tests.support.postgresql import Postgres, postgres
from tests.support.proxies import Network
from tests.support.servers import ADMIN_KEY, USUAL, Answer, Server, serve
from tests.support.tenants import Tenant

# In seconds, as docs/operating.md says.
IN_TIME = 3
# What a machine that does other things as well may add to that.
LATE = 2
WORKERS, THREADS = 2, 4
# Several times as many as there are threads to wait.
MANY = 6 * WORKERS * THREADS


@dataclass
class Place:
    """A server, the network to its store, the store, and an app with somebody logged in."""

    server: Server
    network: Network
    postgres: Postgres
    tenant: Tenant
    token: str
    conversation: str

    def me(self) -> Answer:
        return self.tenant.call("GET", "/v1/me", self.token)


@pytest.fixture(scope="module")
def store() -> Iterator[Postgres]:
    with postgres() as started:
        migrate(started.url)
        yield started


@pytest.fixture(scope="module")
def place(store: Postgres) -> Iterator[Place]:
    with (
        Network(store.url) as network,
        serve(network.url, workers=WORKERS, application=USUAL) as server,
    ):
        tenant = server.tenant()
        token = tenant.session(userId="u-17")
        yield Place(server, network, store, tenant, token, tenant.begin(token))


def timed(call: Callable[[], Answer]) -> tuple[Answer, float]:
    began = time.monotonic()
    answer = call()
    return answer, time.monotonic() - began


def at_once(calls: list[Callable[[], Answer]]) -> list[tuple[Answer, float]]:
    ready = threading.Barrier(len(calls))
    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(lambda call: (ready.wait(), timed(call))[1], calls))


# --- a PostgreSQL that is away -----------------------------------------------------------------------


OUTAGES: dict[str, Callable[[Place], AbstractContextManager[None]]] = {
    "the server crashed": lambda place: place.postgres.stopped(),
    "the server is frozen": lambda place: place.postgres.frozen(),
    "the network is silent": lambda place: place.network.silent(),
}


@pytest.fixture(params=OUTAGES.values(), ids=OUTAGES)
def outage(request: pytest.FixtureRequest, place: Place) -> Callable[[], AbstractContextManager[None]]:
    """Each way in which a store can be away; after it the store is there for the next test."""
    return lambda: request.param(place)


def calls_of_every_route(place: Place) -> dict[str, Callable[[], Answer]]:
    """Make a call, which the store would have to answer, of each that the document describes."""
    credentials = {
        "adminKey": ADMIN_KEY,
        "secretKey": place.tenant.sk,
        "publishableKey": place.tenant.pk,
        "sessionToken": place.token,
    }
    bodies = {"/v1/apps": {"name": "Shop"}, "/v1/apps/{id}/keys": {"kind": "secret"}}
    keys = place.tenant.call("GET", f"/v1/apps/{place.tenant.id}/keys", ADMIN_KEY).json["data"]
    found = {"get /readyz": lambda: place.server.get("/readyz")}
    for path, methods in place.server.get("/openapi.json").json["paths"].items():
        id = place.tenant.id if path.startswith("/v1/apps") else place.conversation
        url = path.replace("{id}", id).replace("{key}", keys[0]["id"])
        for method, described in methods.items():
            for scheme in described.get("security", []) if isinstance(described, dict) else []:
                (name,) = scheme
                body = bodies.get(path, {}) if method in ("post", "patch") else None
                call = (method.upper(), url, credentials[name], body)
                found[f"{method} {path} {name}"] = partial(place.server.call, *call)
    return found


def test_every_route_says_in_time_that_the_store_is_away_and_the_process_is_healthy(place, outage):
    calls = calls_of_every_route(place)

    with outage(), lateness() as late:
        (healthy, _), *answered = at_once([lambda: place.server.get("/healthz"), *calls.values()])

    answers = dict(zip(calls, answered, strict=True))
    assert len(calls) > 20
    assert healthy.status_code == 200
    assert {name for name, (answer, _) in answers.items() if answer.status_code != 503} == set()
    # Those who come when others have waited for long hear it at once, whatever those wait for.
    codes = {answer.json["code"] for answer, _ in answers.values()}
    assert "store-unavailable" in codes <= {"store-unavailable", "overloaded"}
    assert [name for name, (answer, _) in answers.items() if not answer.headers["Retry-After"]] == []
    in_time = IN_TIME + LATE + late.seconds
    assert {name: seconds for name, (_, seconds) in answers.items() if seconds > in_time} == {}


def test_many_requests_do_not_wait_for_each_other_nor_those_who_come_later(place, outage):
    bursts = []
    with outage():
        for _ in range(3):
            with lateness() as late:
                bursts.append((at_once([place.me] * MANY), late))

    assert {answer.status_code for answers, _ in bursts for answer, _ in answers} == {503}
    for answers, late in bursts:
        assert max(seconds for _, seconds in answers) < IN_TIME + LATE + late.seconds
    assert place.me().status_code == 200


def test_when_it_is_back_every_thread_of_every_worker_serves(place, outage):
    calls = [lambda: place.tenant.try_login(userId="u-17")] * MANY
    with outage():
        at_once(calls)

    assert [answer.status_code for answer, _ in at_once(calls)] == [200] * MANY


def test_an_outage_between_two_requests_is_not_noticed(place, outage):
    with outage():
        pass

    assert [answer.status_code for answer, _ in at_once([place.me] * MANY)] == [200] * MANY


def test_a_server_that_is_started_while_the_store_is_away_serves_when_it_is_back(store):
    with ExitStack() as stack:
        with store.stopped():
            server = stack.enter_context(serve(store.url, ready="/healthz", application=USUAL))
            with lateness() as late:
                away, seconds = timed(lambda: server.call("GET", "/v1/apps", ADMIN_KEY))
        back = server.call("GET", "/v1/apps", ADMIN_KEY)

    assert (away.status_code, back.status_code) == (503, 200)
    assert away.headers["Retry-After"]
    assert seconds < IN_TIME + LATE + late.seconds


def test_a_server_that_finds_an_old_schema_when_the_store_is_back_serves_nothing(store, databases):
    empty = databases.fresh("postgresql")
    with Network(empty) as network:
        network.fall_silent()
        # A second worker that started later would find the old schema at its start, and end the server.
        with serve(network.url, workers=1, ready="/healthz", application=USUAL) as server:
            network.recover()

            answers = [server.call("GET", "/v1/apps", ADMIN_KEY), server.get("/readyz")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert [answer.json["code"] for answer in answers] == ["not-ready", "not-ready"]


# --- nothing acknowledged is lost --------------------------------------------------------------------


class Writer:
    """Writes messages until nobody answers any more, and remembers which were acknowledged."""

    def __init__(self, tenant: Tenant, token: str) -> None:
        self.tenant = tenant
        self.token = token
        self.conversation = tenant.begin(token)
        self.acknowledged: list[str] = []
        self.enough = threading.Event()

    def write(self) -> None:
        path = f"/v1/conversations/{self.conversation}/messages"
        with suppress(OSError, HTTPException):
            while True:
                answer = self.tenant.call("POST", path, self.token, {"body": "Hello"})
                if answer.status_code != 201:
                    return
                self.acknowledged.append(answer.json["id"])
                if len(self.acknowledged) == 20:
                    self.enough.set()


def written(tenant: Tenant, conversation: str) -> list[str]:
    ids, path = [], f"/v1/conversations/{conversation}/messages?limit=100"
    while page := tenant.call("GET", path + (f"&after={ids[-1]}" if ids else ""), tenant.sk).json["data"]:
        ids += [message["id"] for message in page]
    return ids


def kill(server: Server) -> None:
    """End every process of a server at once, without a chance to finish anything."""
    master = psutil.Process(server.process.pid)
    for process in [master, *master.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def write_until(url: str, fail: Callable[[Server], None]) -> list[Writer]:
    """Have four write at once, let something fail, and return what they were told."""
    with suppress(AssertionError), serve(url) as server:
        tenant = server.tenant()
        writers = [Writer(tenant, tenant.session(userId=f"u-{number}")) for number in range(4)]
        with ThreadPoolExecutor(len(writers)) as threads:
            for writer in writers:
                threads.submit(writer.write)
            for writer in writers:
                assert writer.enough.wait(60)
            fail(server)
        kill(server)
    return writers


def lost(url: str, writers: list[Writer]) -> set[str]:
    """Return which of the acknowledged messages a new server does not find."""
    with serve(url) as server:
        found = {
            id
            for writer in writers
            for id in written(replace(writer.tenant, client=server), writer.conversation)
        }
    return {id for writer in writers for id in writer.acknowledged} - found


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_acknowledged_survives_the_end_of_every_process(databases, engine):
    url = databases.fresh(engine)
    migrate(url)

    assert lost(url, write_until(url, kill)) == set()


def test_what_was_acknowledged_survives_a_crash_of_the_store(store):
    writers = write_until(store.url, lambda _: store.crash())
    store.start()

    assert lost(store.url, writers) == set()


# --- an SQLite file that is away ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def file(databases: Databases) -> Path:
    url = databases.fresh("sqlite")
    migrate(url)
    return Path(url.removeprefix("sqlite:///"))


@pytest.fixture(scope="module")
def on_file(file: Path) -> Iterator[Server]:
    with serve(f"sqlite:///{file}", workers=WORKERS, application=USUAL) as server:
        yield server


def test_while_another_process_writes_for_long_changes_are_refused_in_time_and_questions_served(
    on_file, file
):
    tenant = on_file.tenant()
    token = tenant.session(userId="u-1")
    with another_writes(file):
        with lateness() as late:
            bursts = [at_once([lambda: tenant.try_login(userId="u-17")] * MANY) for _ in range(3)]
        questions = at_once([lambda: tenant.call("GET", "/v1/me", token)] * MANY)

    again = tenant.try_login(userId="u-17")

    answers = [answer for burst in bursts for answer, _ in burst]
    assert {answer.status_code for answer in answers} == {503}
    assert [answer for answer in answers if not answer.headers["Retry-After"]] == []
    # A machine that does other things as well may hold up one burst, and not each of them.
    assert min(max(seconds for _, seconds in burst) for burst in bursts) < IN_TIME + late.seconds / len(
        bursts
    )
    assert ({answer.status_code for answer, _ in questions}, again.status_code) == ({200}, 201)


def test_on_a_full_disk_changes_are_refused_and_what_was_acknowledged_is_kept(on_file, file):
    tenant = on_file.tenant()
    writer = Writer(tenant, tenant.session(userId="u-17"))

    with room_for(on_file, 2 * 1024 * 1024):
        full = fill(writer)

    after = tenant.call("POST", f"/v1/conversations/{writer.conversation}/messages", tenant.sk, {"body": "x"})
    assert full.status_code == 503
    assert full.headers["Retry-After"]
    assert after.status_code == 201
    assert set(writer.acknowledged) <= set(written(tenant, writer.conversation))


@contextmanager
def room_for(server: Server, size: int) -> Iterator[None]:
    """Have a disk without room for longer files, for the workers of a server."""
    workers = [worker.pid for worker in psutil.Process(server.process.pid).children()]
    before = {worker: resource.prlimit(worker, resource.RLIMIT_FSIZE) for worker in workers}
    for worker, (_, hard) in before.items():
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (size, hard))
    yield
    for worker, limits in before.items():
        resource.prlimit(worker, resource.RLIMIT_FSIZE, limits)


def fill(writer: Writer) -> Answer:
    """Write long messages until one is refused."""
    path = f"/v1/conversations/{writer.conversation}/messages"
    for _ in range(1000):
        answer = writer.tenant.call("POST", path, writer.token, {"body": "x" * 10_000})
        if answer.status_code != 201:
            return answer
        writer.acknowledged.append(answer.json["id"])
    raise AssertionError("there is always room")
