"""The measurements measure what they say; how fast anything is, no test can know."""

# ruff: noqa: S311 - who is drawn at random is no secret
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from bench import compare, usage, wrk
from bench.apps import App
from bench.calls import NOTHING, Candidate, candidates
from bench.filling import fill
from bench.growth import calls as calls_of_growth
from bench.load import Call, Load, Loader, Request
from bench.people import Population
from bench.results import plot, table
from bench.servers import NOOP, USHER, command, config, serve
from bench.speed import Series
from bench.statements import recorded, script_of
from service.api.context import NAME
from service.app import create_app
from service.store.migrating import migrate
from tests.conftest import ENGINES, Databases
from tests.support.marks import LONG
from tests.support.servers import HERE

CLIENTS = 2
HOT = (
    "login of a known user",
    "login of a new user",
    "who is logged in",
    "list of 20 conversations",
    "message",
)


@pytest.fixture(scope="module")
def loader() -> Iterator[Loader]:
    with closing(Loader()) as loader:
        yield loader


@pytest.fixture(scope="module")
def url(databases: Databases) -> str:
    url = databases.fresh("postgresql")
    migrate(url)
    return url


@pytest.fixture(scope="module")
def busy_app(url: str) -> Iterator[Flask]:
    app = create_app(config(url))
    database = app.extensions[NAME].store.database
    database.timeout = LONG
    yield app
    database.close()


@pytest.fixture(scope="module")
def busy_client(busy_app: Flask) -> FlaskClient:
    return busy_app.test_client()


@pytest.fixture(scope="module")
def measured(url: str, usher: int) -> dict[str, Candidate]:
    return {one.call.name: one for one in candidates(App.create(url), usher, users=4, writers=2)}


@pytest.fixture(scope="module")
def noop(url: str) -> Iterator[int]:
    with serve(NOOP, url, 1) as server:
        yield server.port


@pytest.fixture(scope="module")
def usher(url: str) -> Iterator[int]:
    with serve(USHER, url, 1) as server:
        yield server.port


# --- loading -------------------------------------------------------------------------------------


def test_as_many_calls_are_sent_as_were_asked_for(loader, noop):
    load = loader.load(noop, NOTHING, calls=100, connections=3)

    assert len(load.times) == 100
    assert load.times == tuple(sorted(load.times))
    assert load.rate > 0


def test_calls_are_sent_for_as_long_as_was_asked_for(loader, noop):
    load = loader.load(noop, NOTHING, seconds=0.3, connections=1)

    assert len(load.times) / load.rate >= 0.299


def test_an_answer_of_another_status_ends_the_load(loader, noop):
    with pytest.raises(AssertionError, match="404"):
        loader.load(noop, Call("nowhere", (Request("GET", "/nowhere"),)), calls=10)


def test_each_request_has_something_new_in_it():
    request = Request("POST", "/v1/login", "sk_1", '{"userId": "n-{new}"}')

    one, other = request.filled(), request.filled()

    assert one != other
    assert f"Content-Length: {len(one)}\r\n".encode() in request.written()


def test_a_percentile_is_the_time_within_which_so_many_were_answered():
    load = Load(200, 1, tuple(range(200)))

    assert [load.percentile(percent) for percent in (0, 50, 99, 100)] == [0, 100, 198, 199]


def test_every_call_is_answered_as_it_is_meant_to_be(loader, usher, measured):
    for one in measured.values():
        assert len(loader.load(usher, one.call, calls=10, connections=2).times) == 10


def test_ratios_are_of_the_same_round():
    slow_then_fast = Series("call", None, [Load(10, 1, (1,)), Load(100, 1, (1,))], [0.1, 0.5], [100, 200])

    assert (slow_then_fast.ratio, slow_then_fast.bare_ratio) == (0.3, 0.3)
    assert Series("call").bare_ratio is None


# --- the bare database ---------------------------------------------------------------------------


def test_what_is_sent_is_recorded_with_where_its_transaction_begins_and_ends(busy_client, measured):
    request = measured["login of a new user"].call.requests[0]

    with recorded() as sent:
        busy_client.post(
            request.path,
            headers={"Authorization": f"Bearer {request.credential}"},
            data=request.filled(),
            content_type="application/json",
        )

    told = [re.search(r'^BEGIN|INSERT INTO "users"|^COMMIT', one.sql) for one in sent]
    assert [found[0][:11] for found in told if found] == ["BEGIN", "INSERT INTO", "COMMIT"]


def test_nothing_is_recorded_any_more_after(busy_client):
    with recorded() as sent:
        pass
    busy_client.get("/readyz")

    assert sent == []


@pytest.mark.parametrize("name", HOT)
def test_a_bare_database_does_the_statements_of_a_call(url, busy_client, measured, name):
    script = script_of(busy_client, measured[name].call, CLIENTS)

    rate = script.run(url, clients=CLIENTS, calls=20)

    assert rate > 0


def test_what_a_call_makes_anew_is_made_anew_each_time(url, busy_client, measured):
    script = script_of(busy_client, measured["message"].call, 1)

    with psycopg.connect(url, autocommit=True) as connection:
        [before] = connection.execute("SELECT count(*) FROM messages").fetchone()
        script.run(url, clients=1, calls=5)
        [after] = connection.execute("SELECT count(*) FROM messages").fetchone()

    assert after == before + 5


def test_a_statement_that_fails_is_told(url, busy_client, measured):
    script = script_of(busy_client, measured["who is logged in"].call, 1)
    script.lines.append("SELECT no_such_column;")

    with pytest.raises(RuntimeError, match="no_such_column"):
        script.run(url, clients=1, calls=5)


# --- a great many people -------------------------------------------------------------------------


@pytest.fixture(scope="module", params=ENGINES)
def filled(request: pytest.FixtureRequest, databases: Databases) -> tuple[str, Population, int]:
    url = databases.fresh(request.param)
    migrate(url)
    population = Population.create(url, users=1000, deep=300)
    written: list[int] = []
    fill(url, population, written.append)
    return url, population, sum(written)


def test_the_self_test_finds_nothing_in_a_store_that_was_filled(filled):
    url, _, _ = filled

    command(url, "check")


def test_as_many_rows_are_written_as_were_announced(filled):
    _, population, written = filled

    assert written == population.count()


def test_everybody_in_a_store_that_was_filled_can_call(filled, loader):
    url, population, _ = filled

    with serve(USHER, url, 1) as server:
        for call in calls_of_growth(population, random.Random(1)):
            assert len(loader.load(server.port, call, calls=20, connections=1).times) == 20


# --- two checkouts -------------------------------------------------------------------------------

# Takes 5 ms of CPU more for each call.
SLOW = """
import time

def slow(*request, serve=app.wsgi_app):
    until = time.thread_time() + 0.005
    while time.thread_time() < until:
        pass
    return serve(*request)

app.wsgi_app = slow
"""


def checkout(directory: Path, added: str = "") -> Path:
    directory.mkdir()
    for name in ("service", "gunicorn.conf.py"):
        (directory / name).symlink_to(HERE / name)
    (directory / ".venv").symlink_to(sys.prefix)
    (directory / "wsgi.py").write_text((HERE / "wsgi.py").read_text() + added)
    return directory


def test_a_checkout_that_takes_more_cpu_is_told_from_one_that_takes_less(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "CORES", 1)
    # Nothing is measured again, however busy this machine is.
    monkeypatch.setattr(compare, "STRANGERS", float("inf"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    old, new = checkout(tmp_path / "old", SLOW), checkout(tmp_path / "new")

    comparison = compare.compare(old, new, compare.Plan(1, 0.1, users=4, crowd=20, warm_up=20))

    assert set(comparison.pairs) == set(HOT)
    for [(slow, quick)] in comparison.pairs.values():
        assert quick.server < slow.server
        assert slow.server > 5
        assert min(slow.database, quick.database) > 0


def test_a_comparison_has_the_ratios_of_a_round():
    ones, twos = [compare.Turn(*[cost] * 5, strangers=0) for cost in (1, 2)]
    rounds = [(ones, twos), (twos, ones), (ones, twos), (ones, twos)]

    text = compare.written(compare.Comparison("Python", [ones], {"login": rounds}))

    row = next(line for line in text.splitlines() if "server, ms" in line)
    assert [cell.strip() for cell in row.split("|")[3:-1]] == [
        "1.000",
        "2.000",
        "2.000",
        "1.625 to 2.000",
        "4",
    ]


def test_a_comparison_in_a_machine_that_others_use_is_none():
    turn = compare.Turn(*[1] * 6)

    with pytest.raises(RuntimeError, match="others"):
        compare.written(compare.Comparison("Python", [turn], {"login": [(turn, turn)]}))


def test_what_a_process_used_includes_those_that_it_began_and_that_have_ended():
    spends = "import time\nwhile time.process_time() < 0.3: pass"
    before = usage.of(psutil.Process())

    subprocess.run([sys.executable, "-c", spends], check=True)

    assert usage.of(psutil.Process()) - before > 0.25


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_wrk_loads_as_we_do(usher, measured):
    load = wrk.load(usher, measured["login of a new user"].call, seconds=1, connections=2)

    assert load.calls > 0
    assert load.times == tuple(sorted(load.times))
    with pytest.raises(AssertionError, match="Non-2xx"):
        wrk.load(usher, NOTHING, seconds=1, connections=2)


# --- the results ---------------------------------------------------------------------------------


def test_a_plot_loads_nothing_and_runs_nothing(tmp_path):
    plot(tmp_path / "plot.svg", "Title", ["one", "<two>"], {"PostgreSQL": [0.5, 1], "target": [None, 2]}, 2)

    drawn = (tmp_path / "plot.svg").read_text()
    assert set(re.findall(r"https?://[^\"'<> ]*", drawn)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script|<!--|href|@import|url\(|on\w+=", drawn)
    assert "&lt;two&gt;" in drawn


@pytest.mark.parametrize("name", ["ratios.svg", "growth.svg"])
def test_the_plots_that_pages_show_load_nothing(name):
    drawn = (HERE / "bench" / name).read_text()

    assert set(re.findall(r"https?://[^\"'<> ]*", drawn)) <= {"http://www.w3.org/2000/svg"}


def test_one_plot_is_written_like_another_of_the_same_numbers(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        plot(tmp_path / name / "plot.svg", "Title", ["one"], {"PostgreSQL": [0.5]}, 2)

    assert (tmp_path / "a" / "plot.svg").read_text() == (tmp_path / "b" / "plot.svg").read_text()


def test_a_table_has_its_numbers_to_the_right():
    written = table(["call", "rate"], [["login", (1234.5, 0)], ["list", (None, 2)]])

    assert written == "\n".join(
        ["| call  |  rate |", "| ----- | ----: |", "| login | 1,234 |", "| list  |       |"]
    )
