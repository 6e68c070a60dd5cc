"""A PostgreSQL with a synchronous standby: what is acknowledged is on both, whatever becomes of either; and
a commit of which nobody can tell whether it stands is answered so, and done once."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg.conninfo import conninfo_to_dict

from service.api.context import NAME
from service.config import Config
from service.store.migrating import migrate
from tests.conftest import Databases, patient
from tests.support.lateness import Lateness, lateness
from tests.support.marks import LONG, at_once
from tests.support.pairs import Pair, pair
from tests.support.proxies import Network
from tests.support.servers import ADMIN_KEY, SECRET_KEY, USUAL, Answer, Server, serve, wait_until
from tests.support.tenants import Tenant

# In seconds, as docs/operating.md says, and what a machine that does other things as well may add.
IN_TIME, LATE = 3, 2
# How long a standby is away before its primary is lost, in seconds.
ALONE = 3


# --- an answer that is cut off -----------------------------------------------------------------------


@contextmanager
def serving(url: str) -> Iterator[Flask]:
    """Have an application on a store, without a server."""
    app = patient(Config(ADMIN_KEY, SECRET_KEY, url, login_rate=0, proof_failure_rate=0))
    yield app
    app.extensions[NAME].store.database.close()


@pytest.fixture(scope="module")
def network(databases: Databases) -> Iterator[Network]:
    url = databases.fresh("postgresql")
    migrate(url)
    with Network(url) as network:
        yield network


@pytest.fixture(scope="module")
def app(network: Network) -> Iterator[Flask]:
    with serving(network.url) as app:
        yield app


@dataclass(frozen=True)
class Change:
    """A call that changes something; what its commit begins with on the wire; what it made, as a list of one
    once it is done."""

    call: Callable[..., Any]
    made: Callable[[], list[Any]]
    words: bytes = b"COMMIT"


def changes(tenant: Tenant) -> dict[str, Change]:
    """Make the people that a change is about, and return each change."""
    token = tenant.session(userId="jane")
    conversation = tenant.begin(token)
    a, b, c = (tenant.known(userId=name) for name in "abc")

    def post(path: str, key: str, body: dict[str, Any]) -> Callable[..., Any]:
        return lambda **headers: tenant.call("POST", path, key, body, **headers)

    def said(body: str) -> Callable[[], list[Any]]:
        return lambda: [one for one in tenant.messages(conversation) if one["body"] == body]

    messages = f"/v1/conversations/{conversation}/messages"
    return {
        "a login": Change(
            post("/v1/login", tenant.sk, {"userId": "new", "deviceId": "d" * 20}),
            lambda: tenant.find(userId="new"),
        ),
        "a user's message": Change(
            post(messages, token, {"body": "Hi there"}), said("Hi there"), b"Hi there"
        ),
        "an agent's message": Change(post(messages, tenant.sk, {"body": "Yes?"}), said("Yes?"), b"Yes?"),
        "a merge": Change(
            post("/v1/merges", tenant.sk, {"from": a, "into": b}),
            lambda: tenant.user(b)["aliases"],
        ),
        "an alias": Change(
            post(f"/v1/users/{c}/aliases", tenant.sk, {"userId": "c-2"}), lambda: tenant.find(userId="c-2")
        ),
        "a user": Change(
            post("/v1/users", tenant.sk, {"userId": "added"}), lambda: tenant.find(userId="added")
        ),
    }


CHANGES = ["a login", "a user's message", "an agent's message", "a merge", "an alias", "a user"]


@pytest.mark.parametrize("name", CHANGES)
def test_a_commit_whose_answer_is_cut_off_is_answered_as_unknown_and_not_done_again(app, network, name):
    change = changes(Tenant.create(app.test_client(), ADMIN_KEY))[name]
    network.cut_answer_to(change.words)

    answer = change.call()

    assert (answer.status_code, answer.json["code"]) == (503, "outcome-unknown")
    assert answer.headers["Retry-After"]
    assert len(change.made()) == 1


@pytest.mark.parametrize("name", CHANGES)
def test_with_a_key_it_is_sent_again_and_done_once(app, network, name):
    change = changes(Tenant.create(app.test_client(), ADMIN_KEY))[name]
    # A key is remembered in a transaction.
    network.cut_answer_to(b"COMMIT")

    answers = [change.call(Idempotency_Key="once") for _ in range(3)]

    assert [answer.status_code // 100 for answer in answers] == [5, 2, 2]
    assert answers[0].json["code"] == "outcome-unknown"
    assert len(change.made()) == 1


def test_a_login_that_may_be_run_twice_is_not_noticed(app, network):
    tenant = Tenant.create(app.test_client(), ADMIN_KEY)
    claim = {"userId": "jane", "deviceId": "d" * 20}
    tenant.login(**claim)
    network.cut_answer_to(b"usher_")

    token = tenant.session(**claim)

    assert tenant.call("GET", "/v1/me", token).status_code == 200


def test_what_was_revoked_with_an_unknown_outcome_stays_so(app, network):
    tenant = Tenant.create(app.test_client(), ADMIN_KEY)
    token = tenant.session(userId="jane")
    network.cut_answer_to(b"COMMIT")

    answer = tenant.call("POST", "/v1/logout", token)

    assert answer.json["code"] == "outcome-unknown"
    assert tenant.call("GET", "/v1/me", token).status_code == 401


# --- a standby that is cut off -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def two() -> Iterator[Pair]:
    with pair() as two:
        migrate(two.primary.url)
        yield two


@pytest.fixture
def tenant(two: Pair) -> Iterator[Tenant]:
    with serving(two.primary.url) as app:
        yield Tenant.create(app.test_client(), ADMIN_KEY)


@contextmanager
def impatient(tenant: Tenant) -> Iterator[None]:
    """Wait inside no longer than a second for what a standby does not confirm."""
    database = tenant.client.application.extensions[NAME].store.database
    database.timeout = 1
    yield
    database.timeout = LONG


def ask(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Ask a server as its operator."""
    with psycopg.connect(url, autocommit=True) as operator:
        return operator.execute(sql).fetchall()


WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.mark.parametrize("name", CHANGES)
def test_what_the_standby_does_not_confirm_is_unknown_seen_by_nobody_and_there_when_it_does(
    two, tenant, name
):
    change = changes(tenant)[name]
    before = change.made()
    with two.standby.frozen():
        with impatient(tenant):
            answer = change.call()
        meanwhile = change.made()

    wait_until(lambda: not ask(two.primary.url, WAITING))
    assert (answer.status_code, answer.json["code"]) == (503, "outcome-unknown")
    assert (before, meanwhile, len(change.made())) == ([], [], 1)


def test_while_a_standby_is_away_changes_are_refused_at_once_and_questions_are_answered(two, tenant):
    token = tenant.session(userId="jane")
    conversation = tenant.begin(token)
    calls = {
        "a user's message": lambda: tenant.call(
            "POST", f"/v1/conversations/{conversation}/messages", token, {"body": "Hi"}
        ),
        "a login": lambda: tenant.try_login(userId="jane", deviceId="d" * 20),
        "a merge": lambda: tenant.call("POST", "/v1/merges", tenant.sk, {"from": "usr_a", "into": "usr_b"}),
    }
    with two.standby.frozen():
        with impatient(tenant):
            first = calls["a user's message"]()
            # Until it has waited for long enough to be taken for stuck.
            wait_until(lambda: calls["a user's message"]().json["code"] == "store-unavailable")
        held = len(ask(two.primary.url, WAITING))
        refused = [call() for call in list(calls.values()) * 5]
        seen = tenant.call("GET", "/v1/me", token), tenant.get(f"/v1/conversations/{conversation}/messages")
        still = len(ask(two.primary.url, WAITING))
    wait_until(lambda: calls["a user's message"]().status_code == 201)

    assert first.json["code"] == "outcome-unknown"
    assert {(one.status_code, one.json["code"]) for one in refused} == {(503, "store-unavailable")}
    assert [one.status_code for one in seen] == [200, 200]
    assert [message["body"] for message in seen[1].json["data"]] == ["Hello"]
    assert still == held


@pytest.mark.parametrize("name", ["a user's message", "a user"])
def test_who_ends_the_wait_for_a_standby_makes_nothing_acknowledged(two, name):
    with serving(two.primary.url) as app:
        change = changes(Tenant.create(app.test_client(), ADMIN_KEY))[name]

        def cancel() -> None:
            wait_until(lambda: ask(two.primary.url, WAITING))
            ask(two.primary.url, WAITING.replace("pid", "pg_cancel_backend(pid)"))

        with two.standby.frozen():
            answer, _ = at_once(change.call, cancel)
        made = change.made()

    # PostgreSQL has only warned, and its answer was that all is well.
    assert (answer.status_code, answer.json["code"]) == (503, "outcome-unknown")
    assert len(made) == 1


# --- a primary that is lost --------------------------------------------------------------------------


@dataclass
class Load:
    """Threads that change things without a pause, what of it was acknowledged, and for how long they waited
    for anything but this machine."""

    tenant: Tenant
    erases: bool
    late: Lateness
    messages: list[tuple[str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)
    answers: list[tuple[float, float, Answer]] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def call(self, *what: Any) -> Any:
        late, began = self.late.seconds, time.monotonic()
        answer = self.tenant.call(*what)
        ended = time.monotonic()
        self.answers.append((began, ended, answer))
        # An erase may take a minute.
        if what[0] != "DELETE":
            self.waited.append(ended - began - (self.late.seconds - late))
        return answer.json if answer.status_code in (200, 201) else answer.status_code == 204

    def run(self) -> None:
        tenant = self.tenant
        while not self.over.is_set():
            if not (login := self.call("POST", "/v1/login", tenant.sk, {"userId": secrets.token_hex(8)})):
                continue
            token, user = login["session"]["token"], login["user"]["id"]
            which = secrets.randbelow(3 if self.erases else 2)
            if which == 0:
                self.tokens.append(token)
                self.write(token)
            elif which == 1 and self.call("POST", "/v1/logout", token):
                self.ended.append(token)
            elif which == 2 and self.call("DELETE", f"/v1/users/{user}", tenant.sk):
                self.ended.append(token)
                self.erased.append(user)

    def write(self, token: str) -> None:
        if begun := self.call("POST", "/v1/conversations", token, {"message": "Hello"}):
            path = f"/v1/conversations/{begun['id']}/messages"
            for _ in range(3):
                if said := self.call("POST", path, token, {"body": "Hello"}):
                    self.messages.append((begun["id"], said["id"]))

    def changed_since(self, moment: float) -> list[float]:
        """Return when changes were acknowledged that began after a moment."""
        return [
            end for began, end, answer in list(self.answers) if began > moment and answer.status_code < 300
        ]

    def lost(self) -> list[str]:
        """Return what was acknowledged and is not there."""
        said = {one["id"] for id in {id for id, _ in self.messages} for one in self.tenant.messages(id)}
        return [
            *(id for _, id in self.messages if id not in said),
            *(token for token in self.tokens if self.tenant.call("GET", "/v1/me", token).status_code != 200),
        ]

    def alive(self) -> list[str]:
        """Return what was acknowledged as gone and is there."""
        return [
            *(token for token in self.ended if self.tenant.call("GET", "/v1/me", token).status_code != 401),
            *(user for user in self.erased if self.tenant.get(f"/v1/users/{user}").status_code != 404),
        ]


@contextmanager
def under_load(server: Server, *, erases: bool) -> Iterator[Load]:
    """Have four threads change things; inside some of each was acknowledged."""
    with lateness() as late:
        load = Load(server.tenant(), erases, late)
        threads = [threading.Thread(target=load.run) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            kinds = load.messages, load.tokens, load.ended, *([load.erased] if erases else [])
            wait_until(lambda: min(map(len, kinds)) >= 3)
            yield load
        finally:
            load.over.set()
            for thread in threads:
                thread.join()


def url_of(networks: tuple[Network, ...]) -> str:
    """Write the URL of several servers, as an operator does."""
    hosts = ",".join(f"127.0.0.1:{conninfo_to_dict(network.url)['port']}" for network in networks)
    return f"postgres://postgres:@{hosts}/postgres?target_session_attrs=read-write"


def lose(two: Pair, network: Network, way: str) -> tuple[float, float]:
    """Lose the primary, and return since when nothing was confirmed any more, and when it was lost."""
    cut_off = time.monotonic()
    if "cut off" in way:
        with two.standby.frozen():
            cut_off = time.monotonic()
            # What was confirmed just before is answered meanwhile.
            time.sleep(ALONE)
            two.primary.crash()
    elif way == "crashes":
        two.primary.crash()
    else:
        network.fall_silent()
    return cut_off, time.monotonic()


@pytest.mark.parametrize("way", ["crashes", "falls silent", "crashes after its standby was cut off"])
def test_after_a_failover_nothing_acknowledged_is_lost_and_nothing_revoked_lives(way, capsys):
    with ExitStack() as stack:
        two = stack.enter_context(pair())
        migrate(two.primary.url)
        networks = tuple(stack.enter_context(Network(url)) for url in two.urls)
        server = stack.enter_context(serve(url_of(networks), application=USUAL))
        # An erase may take a minute, and this network confirms what it does not deliver.
        with under_load(server, erases=way != "falls silent") as load:
            cut_off, lost = lose(two, networks[0], way)
            two.standby.promote()
            wait_until(lambda: load.changed_since(lost), lambda: load.answers[-1])
            back = min(load.changed_since(lost))
            wait_until(lambda: len(load.changed_since(back)) > 20)

        answers = [answer for _, _, answer in load.answers]
        unavailable = [answer for answer in answers if answer.status_code >= 500]
        assert (load.lost(), load.alive()) == ([], [])
        assert {answer.status_code for answer in unavailable} <= {503}
        assert [answer for answer in unavailable if not answer.headers["Retry-After"]] == []
        assert max(load.waited) < IN_TIME + LATE
        if "cut off" in way:
            assert [end for end in load.changed_since(cut_off) if end < lost] == []
        done = f"{len(load.messages)} messages, {len(load.tokens)} sessions, {len(load.ended)} revoked"
        with capsys.disabled():
            print(f"\n{way}: {done}; {back - lost:.1f} s without a change")  # noqa: T201 - what it is for
