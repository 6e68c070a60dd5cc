"""Whatever is killed meanwhile, and again and again: what was acknowledged is told to everybody who follows.

Each round kills something and waits until all that was acknowledged has arrived everywhere. A few rounds are
a part of every run; USHER_KILLS says for how many seconds to go on, as 120.
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from service.store.migrating import migrate
from tests.conftest import ENGINES, Databases
from tests.support.postgresql import Postgres, postgres
from tests.support.receivers import Receiver, receiver
from tests.support.servers import ADMIN_KEY, TIMEOUT, Answer, Connection, free_port, wait_until
from tests.support.supervised import LIVE, WEB, WORK, supervised
from tests.support.tenants import Tenant

SECONDS = float(os.environ.get("USHER_KILLS", "0"))
ROUNDS = 4
WRITERS, FOLLOWERS = 4, 2
# How long a call that nobody answered waits until it is made again, in seconds.
PAUSE = 0.1


class Persistent:
    """Calls a server until it answers, whatever becomes of it meanwhile."""

    def __init__(self, port: int) -> None:
        self._port = port

    def open(self, path: str, **request: Any) -> Answer:
        until = time.monotonic() + TIMEOUT
        while True:
            with suppress(OSError, HTTPException), closing(Connection(self._port)) as connection:
                answer = connection.open(path, **request)
                if answer.status_code != 503:
                    return answer
            assert time.monotonic() < until, f"{path} is never answered"
            time.sleep(PAUSE)

    def post(self, path: str, **request: Any) -> Answer:
        return self.open(path, method="POST", **request)


class Acknowledged:
    """What was acknowledged: the ids, by the type of its event, and the last message of each conversation."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: list[tuple[str, str]] = []
        self._messages: dict[str, str] = {}

    def add(self, type: str, id: str) -> None:
        with self._lock:
            self._ids.append((type, id))

    def add_message(self, conversation: str, id: str) -> None:
        self.add("message.created", id)
        self._messages[conversation] = id

    def all(self) -> set[tuple[str, str]]:
        with self._lock:
            return set(self._ids)

    def messages(self) -> dict[str, str]:
        return dict(self._messages)


def what(event: dict[str, Any]) -> tuple[str, str]:
    """Return the type of an event, and the id of what it is about."""
    data = event["data"]
    return event["type"], data["message"]["id"] if "message" in data else data["user"]["id"]


class Writer(threading.Thread):
    """Writes messages and adds users, each until it is acknowledged: a call that was cut off is made again
    with the same key."""

    def __init__(self, tenant: Tenant, number: int, acknowledged: Acknowledged) -> None:
        super().__init__(daemon=True)
        self._tenant = tenant
        self._number = number
        self._acknowledged = acknowledged
        self._over = threading.Event()
        self.token = tenant.session(userId=f"writer-{number}")
        self.conversation = tenant.begin(self.token)

    def run(self) -> None:
        for turn in count():
            if self._over.is_set():
                return
            self._message(turn)
            if turn % 5 == 0:
                self._user(turn)
            time.sleep(0.01)

    def end(self) -> None:
        self._over.set()
        self.join()

    def _message(self, turn: int) -> None:
        path = f"/v1/conversations/{self.conversation}/messages"
        made = self._tenant.call("POST", path, self.token, {"body": f"{turn}"}, Idempotency_Key=f"{turn}")
        assert made.status_code in (200, 201), made.text
        self._acknowledged.add_message(self.conversation, made.json["id"])

    def _user(self, turn: int) -> None:
        name = f"{self._number}-{turn}"
        made = self._tenant.call(
            "POST", "/v1/users", self._tenant.sk, {"userId": name}, Idempotency_Key=f"user-{name}"
        )
        assert made.status_code in (200, 201), made.text
        self._acknowledged.add("user.created", made.json["user"]["id"])


class Follower(threading.Thread):
    """Follows the events of an app."""

    def __init__(self, tenant: Tenant) -> None:
        super().__init__(daemon=True)
        self._tenant = tenant
        self._over = threading.Event()
        self.events: list[dict[str, Any]] = []

    def run(self) -> None:
        after = None
        while not self._over.is_set():
            page = self._tenant.get("/v1/events", **({"after": after} if after else {}))
            assert page.status_code == 200, page.text
            self.events += page.json["data"]
            after = page.json["after"]
            if not page.json["more"]:
                time.sleep(PAUSE)

    @property
    def told(self) -> Counter[tuple[str, str]]:
        """How many times each was told."""
        return Counter(map(what, list(self.events)))

    def end(self) -> None:
        self._over.set()
        self.join()


class Watcher(threading.Thread):
    """Asks for messages when a stream says that there are some, or when it was not there, and never else."""

    def __init__(self, tenant: Tenant, port: int, credential: str, conversations: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._tenant = tenant
        self._port = port
        self._credential = credential
        self._over = threading.Event()
        self.seen: dict[str, list[str]] = {id: [] for id in conversations}

    def run(self) -> None:
        while not self._over.is_set():
            with suppress(OSError, HTTPException):
                self._follow()
            self._over.wait(PAUSE)

    def has_seen(self, messages: dict[str, str]) -> bool:
        """Return whether these messages are there, of the conversations that are watched."""
        return all(messages[id] in seen for id, seen in self.seen.items() if id in messages)

    def _follow(self) -> None:
        headers = {"Authorization": f"Bearer {self._credential}"}
        # A comment comes every 20 seconds.
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)) as connection:
            connection.request("GET", "/v1/stream", headers=headers)
            lines = connection.getresponse()
            if lines.status != 200:
                return
            for id in self.seen:
                self._ask(id)
            while not self._over.is_set() and (line := lines.readline()):
                if line.startswith(b"data:"):
                    self._ask(orjson.loads(line.removeprefix(b"data:"))["conversation"])

    def _ask(self, conversation: str) -> None:
        seen = self.seen[conversation]
        while more := self._tenant.messages(
            conversation, self._credential, limit=100, **({"after": seen[-1]} if seen else {})
        ):
            seen += [message["id"] for message in more]

    def end(self) -> None:
        self._over.set()


@dataclass
class Scene:
    """Everybody who writes and follows, and what can be killed."""

    tenant: Tenant
    acknowledged: Acknowledged
    writers: list[Writer]
    followers: list[Follower]
    watchers: list[Watcher]
    receiver: Receiver
    kills: dict[str, Callable[[], None]]

    def wait_for_followers(self) -> None:
        """Wait until all that is acknowledged by now has come to everybody who follows it."""
        due, last = self.acknowledged.all(), self.acknowledged.messages()
        for one in self.followers:
            wait_until(lambda one=one: due <= set(one.told), lambda one=one: len(due - set(one.told)))
        for one in self.watchers:
            wait_until(lambda one=one: one.has_seen(last), lambda: "a stream is silent")


@pytest.fixture(params=ENGINES)
def scene(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Scene]:
    """All that there is, on a store of its own."""
    with _store(request.param, databases) as (url, crash):
        migrate(url)
        port, live = free_port(), free_port()
        # There the web server works by itself.
        workers = {} if url.startswith("sqlite:") else {"worker 1": WORK, "worker 2": WORK}
        settings = {"DATABASE_URL": url, "PORT": str(port), "WEB_CONCURRENCY": "2", "WEBHOOK_LOOPBACK": "on"}
        settings |= {"LIVE_PORT": str(live)}
        commands = {"web": WEB, "live": LIVE} | workers
        with receiver() as found, supervised(tmp_path, commands, **settings) as processes:
            tenant = Tenant.create(Persistent(port), ADMIN_KEY)  # type: ignore[arg-type]
            made = tenant.call("POST", "/v1/webhooks", tenant.sk, {"url": found.url})
            assert made.status_code == 201, made.text
            acknowledged = Acknowledged()
            writers = [Writer(tenant, number, acknowledged) for number in range(WRITERS)]
            everything = [one.conversation for one in writers]
            scene = Scene(
                tenant,
                acknowledged,
                writers,
                [Follower(tenant) for _ in range(FOLLOWERS)],
                [
                    Watcher(tenant, live, tenant.sk, everything),
                    *(Watcher(tenant, live, one.token, [one.conversation]) for one in writers),
                ],
                found,
                {name: process.kill for name, process in processes.items()} | crash,
            )
            for thread in (*scene.writers, *scene.followers, *scene.watchers):
                thread.start()
            yield scene
            for watcher in scene.watchers:
                watcher.end()


@contextmanager
def _store(engine: str, databases: Databases) -> Iterator[tuple[str, dict[str, Callable[[], None]]]]:
    if engine == "sqlite":
        yield databases.fresh(engine), {}
        return

    def crash(server: Postgres) -> None:
        server.crash()
        server.start()

    with postgres() as server:
        yield server.url, {"PostgreSQL": lambda: crash(server)}


def test_what_was_acknowledged_is_told_whatever_is_killed(scene):
    choose, until = random.Random(), time.monotonic() + SECONDS  # noqa: S311
    for turn in count():
        if turn >= ROUNDS and time.monotonic() > until:
            break
        names = list(scene.kills)
        # Each once at least.
        scene.kills[names[turn] if turn < len(names) else choose.choice(names)]()
        time.sleep(choose.uniform(0, 1))
        scene.wait_for_followers()
    for writer in scene.writers:
        writer.end()
    scene.wait_for_followers()
    due = scene.acknowledged.all()

    def received() -> set[tuple[str, str]]:
        return {what(orjson.loads(request.body)) for request in list(scene.receiver.requests)}

    # However much it is: one comes after the other, and the lease of a worker that was killed ends first.
    while missing := due - received():
        wait_until(lambda missing=missing: missing & received(), lambda missing=missing: len(missing))
    for follower in scene.followers:
        follower.end()

    assert len(due) > len(scene.writers)
    for follower in scene.followers:
        assert [one for one, times in follower.told.items() if times > 1] == []
        assert [event["id"] for event in follower.events] == [
            event["id"] for event in scene.followers[0].events
        ]
    # Each event under one id, however often it was sent.
    sent = {
        (request.headers["webhook-id"], what(orjson.loads(request.body)))
        for request in scene.receiver.requests
    }
    assert {event["id"]: what(event) for event in scene.followers[0].events}.items() >= sent
    assert len(sent) == len({id for id, _ in sent})
