"""A server that may not start ends, says why and what to do, and never tries for ever; one that is asked
to stop finishes what it has begun."""

import http.client
import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator

import psutil
import pytest

from service.store.migrating import DIRECTORY, migrate
from tests.conftest import ENGINES
from tests.support.servers import ADMIN_KEY, SECRET_KEY, Server, free_port, serve, start, wait_until

# How long anything may take, in seconds.
LONG = 60
FIRST = min(path.stem for path in DIRECTORY.glob("0*.py"))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated file."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/usher.sqlite"
    migrate(url)
    return url


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Start a server that ends by itself, and answer how it did."""

    def run(database_url: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = start(database_url, **{"PORT": str(free_port())} | environment)
        request.addfinalizer(process.kill)
        out, err = process.communicate(timeout=LONG)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run


# --- a server that may not start ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ADMIN_KEY", ""),
        ("SECRET_KEY", ""),
        ("ADMIN_KEY", "ak_short"),
        ("SECRET_KEY", "short"),
        ("PORT", "eighty"),
        ("DATABASE_URL", "mysql://user:short@host/usher"),
    ],
    ids=["no admin key", "no secret key", "short admin key", "short secret key", "port", "database"],
)
def test_a_setting_that_is_missing_or_malformed_is_named_and_not_shown(run, url, setting, value):
    ended = run(url, **{setting: value})

    assert ended.returncode != 0
    assert setting in ended.stderr
    assert not value or value not in ended.stdout + ended.stderr


def test_no_secret_is_shown_with_the_complaint(run, url):
    ended = run(url, PORT="0")

    assert ADMIN_KEY not in ended.stdout + ended.stderr
    assert SECRET_KEY not in ended.stdout + ended.stderr


def test_all_complaints_are_made_at_once(run, url):
    ended = run(url, ADMIN_KEY="", SECRET_KEY="", PORT="0")

    assert [name for name in ("ADMIN_KEY", "SECRET_KEY", "PORT") if name not in ended.stderr] == []


def test_on_a_dyno_a_file_is_refused_which_would_be_thrown_away(run, url):
    ended = run(url, DYNO="web.1")

    assert ended.returncode != 0
    assert "DATABASE_URL must name a PostgreSQL server" in ended.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_on_an_old_schema_the_server_ends_and_says_what_to_run(run, databases, engine):
    ended = run(databases.fresh(engine))

    assert ended.returncode != 0
    assert f"the store's schema lacks {FIRST}" in ended.stdout
    assert "run `python -m service migrate` first" in ended.stdout


def test_workers_that_cannot_start_are_not_tried_for_ever(run, databases):
    ended = run(databases.fresh("sqlite"), WEB_CONCURRENCY="2")

    assert ended.stdout.count("Booting worker") <= 2


def test_a_port_that_is_taken_ends_the_server(url):
    with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104 - where the server will listen
        process = start(url, PORT=str(taken.getsockname()[1]))
        _, _ = process.communicate(timeout=LONG)

    assert process.returncode != 0


# --- a server that is asked to stop ------------------------------------------------------------------


@pytest.fixture
def server(url: str) -> Iterator[Server]:
    with serve(url, workers=2) as server:
        yield server


def begin_to_log_in(server: Server, credential: str, body: bytes) -> http.client.HTTPConnection:
    """Send a request but for its body, and wait until a thread has begun to serve it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONG)
    connection.putrequest("POST", "/v1/login")
    for name, value in {
        "Authorization": f"Bearer {credential}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Expect": "100-continue",
    }.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.sock.recv(1000).startswith(b"HTTP/1.1 100 ")
    return connection


def test_a_server_that_is_asked_to_stop_ends_without_an_error(url):
    with serve(url) as server:
        server.get("/readyz")

    assert server.process.returncode == 0


def test_a_worker_that_dies_is_replaced(server):
    tenant = server.tenant()
    master = psutil.Process(server.process.pid)
    before = master.children()

    before[0].kill()

    wait_until(lambda: len(set(master.children()) - {before[0]}) == 2)
    answers = [tenant.try_login(userId="u-17").status_code for _ in range(4)]
    assert answers == [201, 200, 200, 200]


def test_a_request_that_was_begun_is_finished_when_the_server_is_asked_to_stop(server):
    tenant = server.tenant()
    body = json.dumps({"userId": "u-17"}).encode()
    connection = begin_to_log_in(server, tenant.sk, body)
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: any("Handling signal: term" in line for line in server.stdout))

    connection.send(body)

    with connection.getresponse() as answer:
        assert (answer.status, json.load(answer)["resolution"]["rule"]) == (201, "new-user-id")
    connection.close()
