"""More is asked than can be served: what would wait for long is refused early and evenly, logins last, and
one app does not starve another.

The threads of a worker are held by a lock in the store, so it matters little how fast the machine is.
"""

import re
import select
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest

from service.admission import RETRY_AFTER, SPREAD
from service.store.migrating import migrate
from tests.conftest import ENGINES
from tests.support.metrics import samples
from tests.support.servers import TIMEOUT, serve, wait_until

# More than wait within a quarter of a second, as long as nobody is served; and how many threads there are.
FLOOD, THREADS = 400, 4
DEVICE = "d" * 20


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Let no message be written meanwhile."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(urlsplit(url).path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
    else:
        with psycopg.connect(url) as connection:
            connection.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
            yield
            connection.rollback()


class Asked:
    """A request on a connection of its own."""

    def __init__(self, port, method, path, credential="", body=""):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        if credential:
            head += f"Authorization: Bearer {credential}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.socket.sendall(f"{head}\r\n{body}".encode())

    def read(self):
        """Return the whole answer."""
        with self.socket, self.socket.makefile("rb") as answer:
            return answer.read().decode()


class Shop:
    """An app with a user who has a conversation."""

    def __init__(self, server):
        self.server, self.tenant = server, server.tenant()
        self.token = self.tenant.session(deviceId=DEVICE, userId="u-1")
        begun = server.call("POST", "/v1/conversations", self.token, {"message": "Hello"}).json
        self.conversation = begun["id"]
        assert server.call("GET", "/v1/me", self.token).status_code == 200

    def write(self):
        path = f"/v1/conversations/{self.conversation}/messages"
        return Asked(self.server.port, "POST", path, self.token, '{"body": "Hello"}')

    def who(self, credential=""):
        return Asked(self.server.port, "GET", "/v1/me", credential or self.token)

    def log_in(self):
        body = f'{{"deviceId": "{"e" * 20}", "userId": "u-1"}}'
        return Asked(self.server.port, "POST", "/v1/login", self.tenant.sk, body)


@pytest.fixture(params=ENGINES)
def url(request, databases):
    url = databases.fresh(request.param)
    migrate(url)
    return url


@contextmanager
def flooded(url, server, by, flood):
    """Hold all threads, and have so many requests come that some are refused; meanwhile more can be asked."""
    with ExitStack() as stack:
        stack.enter_context(locked(url))
        writers = [by.write() for _ in range(THREADS)]
        asked = [flood() for _ in range(FLOOD)]
        # Whoever is refused is, while nobody is served.
        assert is_one_answered(asked)
        more = []
        yield asked, more
    for one in writers:
        one.read()


def is_one_answered(asked):
    """Wait until one of many is."""
    answers = select.poll()
    for one in asked:
        answers.register(one.socket, select.POLLIN)
    return bool(answers.poll(TIMEOUT * 1000))


def statuses(answers):
    return [int(answer.split()[1]) for answer in answers]


@pytest.mark.parametrize("floods", ["an app", "made-up credentials"])
def test_of_a_flood_a_part_is_refused_at_once_and_others_are_served(url, floods):
    with serve(url, workers=1) as server:
        loud, quiet = Shop(server), Shop(server)
        made_up = quiet.token[:-10] + "made-up-by"
        is_app = floods == "an app"
        with flooded(url, server, loud, loud.who if is_app else lambda: quiet.who(made_up)) as (asked, more):
            more += [quiet.who(), quiet.log_in(), loud.log_in(), Asked(server.port, "GET", "/healthz")]
        assert statuses(one.read() for one in more) == [200] * 4
        answers = [one.read() for one in asked]
        refused = [answer for answer in answers if "503" in answer.split("\r\n")[0]]
        served = FLOOD - len(refused)
        assert refused
        assert statuses(answers).count(200 if is_app else 401) == served > 0
        for answer in refused:
            assert "application/problem+json" in answer
            assert '"code": "overloaded"' in answer
            assert RETRY_AFTER <= int(re.search(r"Retry-After: (\d+)", answer)[1]) < RETRY_AFTER + SPREAD
        # It is over at once.
        assert statuses([loud.who().read(), quiet.who().read()]) == [200, 200]
        counted = samples(server)
        reason = "call" if is_app else "unknown"
        assert counted["usher_requests_refused_total", ("reason", reason)] == len(refused)

        def known():
            return {line["known"] for line in server.log if line["event"] == "overloaded"}

        # It is told some times a second.
        wait_until(known)
        assert known() == {is_app}
