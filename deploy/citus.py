"""Try Usher on a cluster of Citus: python deploy/citus.py COORDINATOR [NODE]

COORDINATOR is the URL of an empty database with the extension citus, and with workers added to it; NODE that
of the same database at another node, to which servers are pointed as well, or the coordinator again. What is
made there stays.

It serves, spreads the tables, applies a migration as of a later release, and serves by both nodes: what users
and agents do, the worker, and many who log in at once. It prints what a login takes before and after,
and ends with 1 at the first thing that is not as it has to be.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.parent
sys.path.insert(0, str(HERE))

from service.store.database import Database  # noqa: E402 - it is found by then
from service.store.migrating import DIRECTORY, migrate  # noqa: E402
from service.store.spreading import spread  # noqa: E402

ADMIN = "ak_" + "a" * 40
PORTS = 8765, 8766
RECEIVER = 8767
# What a later release may do to tables that are spread.
LATER = """
def up(migrator, db):
    db.execute_sql(
        'CREATE TABLE "notes" ("app" TEXT NOT NULL, "id" TEXT NOT NULL, "user" TEXT,'
        ' PRIMARY KEY ("app", "id"), FOREIGN KEY ("app", "user") REFERENCES "users" ("app", "id"))'
    )
    db.execute_sql('CREATE INDEX "notes_user" ON "notes" ("app", "user")')
    db.execute_sql('ALTER TABLE "users" ADD COLUMN "nickname" TEXT')
    db.execute_sql('UPDATE "users" SET "nickname" = "name" WHERE "name" IS NOT NULL')
"""
LOGINS, PEOPLE = 200, 40
# How long to wait for what the worker does, in seconds.
PATIENCE = 60


def main(coordinator: str, node: str) -> None:
    """Do all of it."""
    migrate(coordinator)
    with running(coordinator, PORTS[0]):
        wait_for(lambda: call(PORTS[0], "GET", "/readyz", "")[0] == 200, "the server answers")
        measure_logins("before")
    database = Database(coordinator, timeout=3600)
    say("tables spread", len(spread(database)))
    say("migrations after that", migrate(coordinator, migrations_of_later()))
    require(spread(database) == [], "the tables of later migrations are spread by them")
    database.close()
    serve_and_look(coordinator, node)
    for command in (["tidy"], ["check"], ["spread"], ["migrate"]):
        run(coordinator, *command)
    print("all is as it has to be")


def serve_and_look(coordinator: str, node: str) -> None:
    """Serve by both nodes, and have all happen."""
    with running(coordinator, PORTS[0]), running(node, PORTS[1]), running(node, None), receiving():
        for port in PORTS:
            wait_for(lambda port=port: call(port, "GET", "/readyz", "")[0] == 200, "the server answers")
        for port in PORTS:
            people_talk(port)
        people_come_at_once()


def people_talk(port: int) -> None:
    """Have all happen in an app that is made for it."""
    sk = secret_key(port)
    ask(port, 201, "POST", "/v1/webhooks", sk, {"url": f"http://127.0.0.1:{RECEIVER}/"})
    jane, device = log_in(port, sk, userId="jane", email="jane@example.org")
    mail, _ = log_in(port, sk, email="j@example.org")
    writer = jane["session"]["token"]
    begun = ask(port, 201, "POST", "/v1/conversations", writer, {"message": "Where is my zebra parcel?"})
    path = f"/v1/conversations/{begun['id']}"
    ask(port, 201, "POST", f"{path}/messages", writer, {"body": "It was to come on Monday."})
    ask(port, 201, "POST", f"{path}/messages", sk, {"body": "It is on its way.", "agentName": "Tom"})
    require(len(ask(port, 200, "GET", f"{path}/messages", writer)["data"]) == 3, "the user reads messages")
    require(
        len(ask(port, 200, "GET", "/v1/conversations", sk)["data"]) == 1, "the agent lists one conversation"
    )
    both = {"from": mail["user"]["id"], "into": jane["user"]["id"]}
    merge = ask(port, 201, "POST", "/v1/merges", sk, both)
    found = ask(port, 200, "GET", "/v1/users?email=j@example.org", sk)["data"]
    require([one["id"] for one in found] == [both["into"]], "who was merged is found as the other")
    ask(port, 200, "DELETE", f"/v1/merges/{merge['id']}", sk)
    again = [log_in(port, sk, deviceId=device, userId="jane")[0] for _ in range(5)]
    require(not any(one["created"] for one in again), "a known user is known")
    wait_for(lambda: len(followed(port, sk, "")) >= 8, "events are told")
    wait_for(lambda: Receiver.delivered.issuperset(followed(port, sk, "")), "events are delivered")
    ask(port, 204, "DELETE", f"/v1/users/{jane['user']['id']}", sk)
    for key, gone in ((sk, f"/v1/users/{jane['user']['id']}"), (sk, path)):
        ask(port, 404, "GET", gone, key)
    ask(port, 401, "GET", "/v1/me", writer)
    measure_logins(f"at port {port}, after")


class Receiver(BaseHTTPRequestHandler):
    """Keeps the ids of the events that are delivered to it."""

    delivered = set[str]()

    def do_POST(self) -> None:
        """Take a delivery."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.delivered.add(self.headers["webhook-id"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of it."""


@contextmanager
def receiving() -> Iterator[None]:
    """Take what is delivered inside."""
    with ThreadingHTTPServer(("127.0.0.1", RECEIVER), Receiver) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield
        finally:
            server.shutdown()


def people_come_at_once() -> None:
    """Have people log in by both nodes at the same time, by email alone and with an ID, and somebody follow
    what happens: each is one user, and whoever follows misses nothing and is told nothing twice."""
    sk, told = secret_key(PORTS[0]), list[str]()
    with ThreadPoolExecutor(16) as pool:
        for number in range(PEOPLE):
            email = f"at-once-{number}@example.org"
            asked = [{"email": email}, {"userId": f"u{number}", "email": email}] * 4
            pending = [pool.submit(log_in, PORTS[at % 2], sk, **who) for at, who in enumerate(asked)]
            told += followed(PORTS[number % 2], sk, told[-1] if told else "")
            done = [one.result()[0] for one in pending]
            users = {one["user"]["id"] for one in done}
            require(len(users) == 1, f"{email} is one user: {users}")
            require(sum(one["created"] for one in done) == 1, "one answer says that it made the user")
    wait_for(
        lambda: told.extend(followed(PORTS[0], sk, told[-1])) or told == all_events(sk),
        "all is told in order",
    )
    say("people who came eight times at once, and events that were told", f"{PEOPLE}, {len(told)}")


def all_events(sk: str) -> list[str]:
    """Return the ids of all that has happened in an app, from the beginning."""
    told = list[str]()
    while more := followed(PORTS[1], sk, told[-1] if told else ""):
        told += more
    return told


def followed(port: int, sk: str, after: str) -> list[str]:
    """Return the ids of what has happened after an event."""
    path = "/v1/events?limit=100" + (f"&after={after}" if after else "")
    return [one["id"] for one in ask(port, 200, "GET", path, sk)["data"]]


def measure_logins(when: str) -> None:
    """Measure logins, of somebody known on their device, and of somebody new."""
    sk = secret_key(PORTS[0])
    _, device = log_in(PORTS[0], sk, userId="known")
    known = milliseconds([{"deviceId": device, "userId": "known"}] * LOGINS, sk)
    new = milliseconds(
        [{"userId": f"n{number}", "email": f"n{number}@example.org"} for number in range(LOGINS)], sk
    )
    say(f"milliseconds for a login {when}", f"{known:.1f} of somebody known, {new:.1f} of somebody new")


def milliseconds(people: list[dict[str, str]], sk: str) -> float:
    """Return how long the login of one of these people takes."""
    began = time.perf_counter()
    for who in people:
        log_in(PORTS[0], sk, **who)
    return (time.perf_counter() - began) * 1000 / len(people)


def secret_key(port: int) -> str:
    """Make an app, and return a secret key of it."""
    app = ask(port, 201, "POST", "/v1/apps", ADMIN, {"name": "App"})
    return str(ask(port, 201, "POST", f"/v1/apps/{app['id']}/keys", ADMIN, {"kind": "secret"})["key"])


def log_in(port: int, sk: str, **who: str) -> tuple[dict[str, Any], str]:
    """Log somebody in, and return the answer and the device."""
    status, answer = call(port, "POST", "/v1/login", sk, who)
    require(status in (200, 201), f"login: {status} {answer}")
    return answer, answer["deviceId"]


def ask(port: int, expected: int, method: str, path: str, key: str, body: Any = None) -> Any:
    """Call, and return the answer, which has to be of this status."""
    status, answer = call(port, method, path, key, body)
    require(status == expected, f"{method} {path}: {status} {answer}")
    return answer


def call(port: int, method: str, path: str, key: str, body: Any = None) -> tuple[int, Any]:
    """Call, and return the status and the answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            text, status = response.read(), response.status
    except urllib.error.HTTPError as error:
        text, status = error.read(), error.code
    except OSError as error:
        return 0, str(error)
    return status, json.loads(text) if text[:1] in (b"{", b"[") else None


def wait_for(condition: Any, what: str) -> None:
    """Wait until something is so."""
    until = time.monotonic() + PATIENCE
    while not condition():
        require(time.monotonic() < until, what)
        time.sleep(0.1)


@contextmanager
def running(url: str, port: int | None) -> Iterator[None]:
    """Run a server inside, at a port, or the worker."""
    command = ["service", "work"] if port is None else ["gunicorn", "wsgi:app"]
    command, how = [sys.executable, "-m", *command], environment(url) | {"PORT": str(port or PORTS[0])}
    process = subprocess.Popen(command, cwd=HERE, env=how, stdout=subprocess.DEVNULL)
    try:
        yield
        require(process.poll() is None, f"{command} runs")
    finally:
        process.terminate()
        process.wait()


def run(url: str, *command: str) -> None:
    """Run a command, which has to be done."""
    command = sys.executable, "-m", "service", *command
    done = subprocess.run(
        command, cwd=HERE, env=environment(url), capture_output=True, text=True, check=False
    )
    require(done.returncode == 0, f"{command}: {done.stdout} {done.stderr}")


def environment(url: str) -> dict[str, str]:
    """Return the settings of a server or a command."""
    settings = {"DATABASE_URL": url, "ADMIN_KEY": ADMIN, "SECRET_KEY": "s" * 40, "WEB_CONCURRENCY": "1"}
    settings |= {"WEBHOOK_LOOPBACK": "on"}
    return os.environ | settings


def migrations_of_later() -> Path:
    """Return a directory of the migrations, and of one more."""
    directory = shutil.copytree(DIRECTORY, Path(tempfile.mkdtemp()) / "migrations")
    (directory / "9000_later.py").write_text(LATER)
    return directory


def require(holds: bool, what: str) -> None:
    """End with 1 unless something is as it has to be."""
    if not holds:
        sys.exit(f"not so: {what}")


def say(what: str, how: object) -> None:
    """Print what was done."""
    print(f"{what}: {how}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[-1])
