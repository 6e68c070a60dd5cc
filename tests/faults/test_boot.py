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
from tests.support.servers import ADMIN_KEY, SECRET_KEY, TIMEOUT, Server, free_port, serve, start, wait_until

FIRST = min(path.stem for path in DIRECTORY.glob("0*.py"))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/usher.sqlite"
    migrate(url)
    return url


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Start a server that ends by itself, and return how it did."""

    def run(database_url: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = start(database_url, **{"PORT": str(free_port())} | environment)
        request.addfinalizer(process.kill)
        out, err = process.communicate(timeout=TIMEOUT)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run


def test_all_settings_that_are_missing_or_malformed_are_named_at_once_and_no_secret_is_shown(run, url):
    wrong = {"SECRET_KEY": "short", "PORT": "eighty", "DATABASE_URL": "mysql://user:hunter2@host/usher"}

    ended = run(url, ADMIN_KEY="", **wrong)

    assert ended.returncode != 0
    assert [name for name in ("ADMIN_KEY", *wrong) if name not in ended.stderr] == []
    assert [value for value in (*wrong.values(), ADMIN_KEY) if value in ended.stdout + ended.stderr] == []


def test_on_a_dyno_a_file_is_refused_which_would_be_thrown_away(run, url):
    ended = run(url, DYNO="web.1")

    assert ended.returncode != 0
    assert "DATABASE_URL must name a PostgreSQL server" in ended.stderr
    assert [secret for secret in (ADMIN_KEY, SECRET_KEY) if secret in ended.stdout + ended.stderr] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_on_an_old_schema_the_server_ends_says_what_to_run_and_is_not_tried_for_ever(run, databases, engine):
    ended = run(databases.fresh(engine), WEB_CONCURRENCY="2")

    assert ended.returncode != 0
    assert f"the store's schema lacks {FIRST}" in ended.stdout
    assert "run `python -m service migrate` first" in ended.stdout
    assert ended.stdout.count("Booting worker") <= 2


def test_a_port_that_is_taken_ends_the_server(run, url):
    with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104 - where the server will listen
        assert run(url, PORT=str(taken.getsockname()[1])).returncode != 0


@pytest.fixture
def server(url: str) -> Iterator[Server]:
    """A server that has to end without an error."""
    with serve(url, workers=2) as server:
        yield server


def begin_to_log_in(server: Server, credential: str, body: bytes) -> http.client.HTTPConnection:
    """Send a request but for its body, and wait until a thread has begun to serve it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    headers = {"Authorization": f"Bearer {credential}", "Content-Type": "application/json"}
    length = {"Content-Length": str(len(body)), "Expect": "100-continue"}
    connection.request("POST", "/v1/login", headers=headers | length)
    assert connection.sock.recv(1000).startswith(b"HTTP/1.1 100 ")
    return connection


def test_a_worker_that_dies_is_replaced(server):
    tenant = server.tenant()
    master = psutil.Process(server.process.pid)
    before = master.children()

    before[0].kill()

    wait_until(lambda: len(set(master.children()) - {before[0]}) == 2)
    assert [tenant.try_login(userId="u-17").status_code for _ in range(4)] == [201, 200, 200, 200]


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
