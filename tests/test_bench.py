"""The measurements measure what they say; how fast anything is, no test can know."""

# ruff: noqa: S311 - who is drawn at random is no secret
import json
import random
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest

from bench import (
    compare,
    comparing,
    duplicates,
    failover,
    fleets,
    importing,
    inbox,
    live,
    meter,
    migration,
    overload,
    searching,
    sizes,
    speed,
    speed_results,
    tidying,
    usage,
    wrk,
)
from bench.apps import App, post
from bench.calls import LOGIN, NEW, NOTHING, prepare
from bench.filling import fill
from bench.fleets import Side, nothing
from bench.growth import calls as calls_of_growth
from bench.load import Call, Load, Loader, Request
from bench.memory import Memory
from bench.meter import Meter, Turn
from bench.open_loop import Sent
from bench.people import Population
from bench.results import plot, table
from bench.servers import NOOP, SQLITE, USHER, command, serve
from bench.speed import TARGETS, Plan, Series, Speed, Target
from service.store.migrating import migrate
from tests.conftest import ENGINES, Databases
from tests.support.servers import HERE


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
def calls(url: str, usher: int) -> dict[str, Call]:
    return prepare(App.create(url), usher, users=4, writers=2)


@pytest.fixture(scope="module")
def noop(url: str) -> Iterator[int]:
    with serve(NOOP, url) as server:
        yield server.port


@pytest.fixture(scope="module")
def usher(url: str) -> Iterator[int]:
    with serve(USHER, url) as server:
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


def test_every_call_is_answered_as_it_is_meant_to_be(loader, usher, calls):
    for call in calls.values():
        assert len(loader.load(usher, call, calls=10, connections=2).times) == 10


def test_the_loads_of_several_servers_are_one():
    load = Load.together([Load(2, 1, (1, 4)), Load(3, 1, (2, 3, 5))])

    assert load == Load(5, 1, (1, 2, 3, 4, 5))
    assert load.rate == 5


@pytest.mark.skipif(not wrk.installed(), reason="wrk is not installed")
def test_wrk_loads_as_we_do(usher, calls):
    load = wrk.load(usher, calls[NEW], seconds=1, connections=2)

    assert load.calls > 0
    assert load.times == tuple(sorted(load.times))
    with pytest.raises(AssertionError, match="Non-2xx"):
        wrk.load(usher, NOTHING, seconds=1, connections=2)


# --- what a call takes ---------------------------------------------------------------------------


def test_a_server_of_its_own_for_each_core_is_loaded(monkeypatch, loader, url):
    monkeypatch.setattr(fleets, "CORES", 2)

    with nothing(url).served(loader, calls=4) as fleet:
        load = fleet.load(NOTHING.name, loader.load, calls=5, connections=1)

    assert len({server.port for server in fleet.members}) == 2
    assert load.calls == 10


def test_a_call_takes_cpu_of_the_server_the_database_and_who_loads_them(monkeypatch, loader, url, calls):
    monkeypatch.setattr(fleets, "CORES", 1)
    meter = Meter(loader.load, 0.2, usage.postmaster(url))

    with Side(url, calls).served(loader, calls=4) as usher, nothing(url).served(loader, calls=4) as idle:
        login, noop = meter.turn(usher, LOGIN), meter.turn(idle, NOTHING.name)

    assert min(login.server, login.database, login.loader, noop.server, noop.loader) > 0
    assert login.cpu == login.server + login.database
    assert noop.cpu < login.cpu


def test_of_sqlite_there_is_no_process():
    assert usage.postmaster("sqlite:////nowhere") is None


def test_what_others_disturbed_is_measured_again_and_then_left_out(monkeypatch):
    busy, quiet = Turn(*[1] * 7, strangers=0.5), Turn(*[1] * 7, strangers=0)
    turns = [busy, quiet, *[busy] * meter.ATTEMPTS]
    monkeypatch.setattr(Meter, "turn", lambda *_: turns.pop(0))
    measuring = Meter(wrk.load, 1, None)

    assert measuring.undisturbed("call", None) == [quiet]
    assert measuring.undisturbed("call", None) == []
    assert turns == []


def test_what_a_process_used_includes_those_that_it_began_and_that_have_ended():
    spends = "import time\nwhile time.process_time() < 0.3: pass"
    before = usage.of(psutil.Process())

    subprocess.run([sys.executable, "-c", spends], check=True)

    assert usage.of(psutil.Process()) - before > 0.25


def turn(server: float, database: float = 0, p99: float = 1) -> Turn:
    return Turn(1, server, database, loader=1, rate=1, p50=1, p99=p99, strangers=0)


def test_a_call_is_counted_in_calls_that_do_nothing_in_the_same_round():
    series = Series("call", rounds=[(turn(2, 2), turn(1)), (turn(8), turn(4)), (turn(9), turn(1))])

    assert series.noops == 4


@pytest.mark.parametrize(
    ("target", "missed"),
    [
        (Target(), []),
        (Target(noops=2, p99=10, tail=10), []),
        (Target(noops=1.9, p99=9, tail=9), ["no-ops", "p99", "p99/p50"]),
    ],
    ids=["none", "met", "missed"],
)
def test_a_target_is_the_most_that_is_aimed_at(target, missed):
    assert Series("call", target, [(turn(2, p99=10), turn(1))]).missed() == missed


@pytest.mark.parametrize("engine", TARGETS)
def test_the_results_tell_what_misses_its_target(tmp_path, engine):
    calls = {NOTHING.name: Target()} | TARGETS[engine]
    series = [Series(name, target, [(turn(100), turn(1))]) for name, target in calls.items()]
    speed = Speed(engine, "Python", "`wrk`", tuple(series), Memory(10, 59.0, 61.0, 40.0), (0, 0))

    text = speed_results.write([speed], Plan(1, 1, 10), tmp_path)

    assert f"Targets missed: {LOGIN} (no-ops); " in text
    assert text.endswith("memory.\n")
    assert (tmp_path / "results.md").read_text() == text
    assert (tmp_path / speed_results.PLOT).exists()


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

    with serve(USHER, url) as server:
        for call in calls_of_growth(population, random.Random(1)):
            assert len(loader.load(server.port, call, calls=20, connections=1).times) == 20


# --- how much room it takes ----------------------------------------------------------------------


def test_the_size_of_each_table_with_enough_rows_is_told(filled):
    url, population, _ = filled

    found = {size.table: size for size in sizes.of(url)}

    # Others write there too.
    assert found["users"].rows >= 1000
    assert found["messages"].rows >= population.deep + 99 * 2 * 3
    assert all(50 < size.row < 2000 and size.heap > size.rows for size in found.values())
    assert "apps" not in found


def test_what_people_leave_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "ENOUGH", 1)

    measured = sizes.measure(SQLITE, users=2)

    rows = {size.table: size.rows for size in measured.tables}
    assert (rows["users"], rows["messages"], rows["merges"], rows["contacts"]) == (3, 8, 1, 1)
    text = sizes.write([measured], tmp_path)
    assert "| 1,000,000,000 |" in text
    assert (tmp_path / "sizes.md").read_text() == f"{text}\n"


# --- a primary that is lost ----------------------------------------------------------------------


def test_how_long_nothing_is_acknowledged_and_what_is_answered_meanwhile():
    load = failover.Load(0, "sk_1")
    load.answers = [(0, 1, 201), (1, 2, 201), (2, 4, 503), (4, 7, 201), (7, 8, 201)]
    load.came = ["a", "b", "c", "d"]

    outage = failover.outage("switched over", "HAProxy", load, lost_at=1.5, lost=0)

    assert (outage.seconds, outage.slowest, outage.usual) == (5, 3, 1)
    assert "4 × 201, 1 × 503" in failover.written([outage])


def test_who_does_not_answer_is_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert failover.log_in(port, "sk_1", "u-1") == 0


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
    monkeypatch.setattr(fleets, "CORES", 1)
    # Nothing is measured again, however busy this machine is.
    monkeypatch.setattr(meter, "STRANGERS", float("inf"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    old, new = checkout(tmp_path / "old", SLOW), checkout(tmp_path / "new")

    comparison = compare.compare(old, new, compare.Plan(1, 0.1, users=4, crowd=20, warm_up=20))

    assert len(comparison.pairs) == 7
    for [(slow, quick)] in comparison.pairs.values():
        assert quick.server < slow.server
        assert slow.server > 5
        assert min(slow.database, quick.database) > 0


def test_whoever_logs_in_while_a_store_is_migrated_is_counted(tmp_path):
    seen = migration.measure(SQLITE, checkout(tmp_path / "old"), migration.Plan(40, 0.4))

    assert seen.users[0] == seen.users[1] > 40
    # Our rows have no keys: nothing was pending that would make them, and whoever tidies may not have yet.
    assert (seen.applied, seen.emails[1]) == ([], 8)
    assert "| known, meanwhile |" in migration.written(seen)


def test_pairs_are_listed_of_a_store_that_is_sound():
    plan = duplicates.Plan(users=200, seconds=0.1, compared=20)

    seen = duplicates.measure(SQLITE, plan)

    assert seen.loads.keys() == {duplicates.FIRST, duplicates.DEEP, duplicates.ALONE, duplicates.ALIKE}
    assert "\n| first page" in duplicates.written(seen, plan)


def test_what_a_login_pays_for_being_compared_is_measured(monkeypatch):
    monkeypatch.setattr(fleets, "CORES", 1)
    monkeypatch.setattr(meter, "STRANGERS", float("inf"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(speed, "CROWD", 20)
    monkeypatch.setattr(speed, "DEEP", 1)
    monkeypatch.setattr(speed, "prepare", partial(prepare, users=4, writers=2))

    seen = comparing.measure(SQLITE, compare.Plan(2, 0.1, warm_up=20))

    assert {name: len(pairs) for name, pairs in seen.pairs.items()} == dict.fromkeys(comparing.LOGINS, 2)
    assert "| with / without |" in comparing.written(seen)


@pytest.mark.parametrize(("served", "pairs"), [(USHER, 1), (comparing.UNCOMPARED, 0)])
def test_who_is_not_compared_is_no_pair(url, served, pairs):
    app = App.create(url)
    with serve(served, url) as server, closing(HTTPConnection("127.0.0.1", server.port)) as connection:
        for id in ("a", "b"):
            post(connection, "/v1/login", app.sk, {"userId": id, "deviceId": "device-of-both-0001"})
        connection.request("GET", "/v1/duplicates", headers={"Authorization": f"Bearer {app.sk}"})
        listed = json.loads(connection.getresponse().read())

    assert len(listed["data"]) == pairs


@pytest.mark.parametrize("engine", ENGINES)
def test_an_inbox_and_a_long_thread_are_opened(engine, monkeypatch):
    monkeypatch.setattr(inbox, "DRAWN", 1)
    plan = inbox.Plan(conversations=60, messages=120, seconds=0.1)

    seen = inbox.measure(engine, plan)

    assert list(seen.loads)[:4] == [inbox.INBOX, inbox.ALL, inbox.THREAD, inbox.EARLIER]
    assert len(seen.loads) == 8
    text = inbox.written([seen], plan)
    assert "60 conversations" in text
    assert "\n| inbox " in text
    assert ("\n| thread, in Chromium" in text) == bool(shutil.which("chromium"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_server_is_asked_for_more_than_it_can_serve(engine, monkeypatch):
    for name, few in {"FLOODING": 80, "WARM_UP": 40, "USERS": 4, "WRITERS": 2}.items():
        monkeypatch.setattr(overload, name, few)

    seen = overload.measure(engine, seconds=1.5)

    assert seen.calm.seconds == 1.5
    assert seen.beside.served.calls
    text = overload.written([seen], 1.5)
    assert "\n| app B beside A, 0.2 times" in text
    assert f"It can serve {seen.rate:,.0f} calls a second" in text


def test_what_was_sent_is_told_apart():
    answers = ((0.0, 0.2, 200, 1), (0.5, 0.1, 503, 2), (1.5, 0.3, 200, 2), (1.6, 0.1, 401, 1))
    sent = Sent(2.0, answers, 200, unsent=3)

    assert (sent.served.calls, sent.served.rate, sent.served.percentile(99)) == (2, 1.0, 0.3)
    assert (sent.refused, sent.refusals.calls, sent.others) == (0.25, 1, 1)
    assert sent.by_connection() == [1, 1]
    assert sent.since(1.0, 2.0).answers == answers[2:]


def test_it_is_over_as_soon_as_answers_take_what_they_did_before():
    def sent(*answers):
        return Sent(3.0, answers, 200)

    def recovery(after):
        nothing = sent()
        return overload.Overloaded(
            SQLITE, "", 1.0, sent((0.0, 0.1, 200, 1)), *[nothing] * 2, after, *[nothing] * 4
        ).recovery

    calm = [(tenth / 10, 0.1, 200, 1) for tenth in range(30)]
    assert recovery(sent(*calm)) == 0.0
    assert recovery(sent((0.25, 0.0, 503, 1), *calm)) == pytest.approx(0.3)
    assert recovery(sent((0.55, 0.3, 200, 1), *calm)) == pytest.approx(0.6)
    assert recovery(sent(*((at, 0.3, 200, 1) for at, *_ in calm))) == 3.0


def test_an_import_is_measured_alone_and_beside_those_who_log_in(monkeypatch):
    monkeypatch.setattr(importing, "TURN", 0.1)

    seen = importing.measure(SQLITE, (20,))

    [alone], [(beside, load)] = seen.alone, seen.beside
    assert (alone.people, beside.people, seen.growth) == (20, 20, 1)
    assert (alone.memory > 10_000_000, load.calls > 0) == (True, True)
    written = importing.written(seen)
    assert all(f"\n| {what}20 people" in written for what in ("take in ", "export ", "import ", ""))


def test_searches_are_measured_without_an_index_and_by_it():
    seen = searching.measure(SQLITE, 60, 1)

    assert seen.without.keys() == seen.with_index.keys() == searching.SOUGHT.keys()
    assert seen.room > 0
    assert "\n| nowhere" in searching.written(seen, 60)


def test_a_comparison_has_the_ratios_of_a_round():
    ones, twos = [Turn(*[cost] * 7, strangers=0) for cost in (1, 2)]
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
    measured = turn(1)

    with pytest.raises(RuntimeError, match="others"):
        compare.written(compare.Comparison("Python", [measured], {"login": [(measured, measured)]}))


# --- streams -------------------------------------------------------------------------------------


def test_streams_are_measured(tmp_path):
    measured = live.measure(live.Plan(streams=10, seconds=1))

    text = live.write(measured, tmp_path)

    assert measured.streams == 11
    assert measured.told.calls > 0
    assert measured.written.calls > 0
    assert all(0 < before < after for before, after in [measured.memory])
    assert (tmp_path / "live.md").read_text() == f"{text}\n"


# --- the results ---------------------------------------------------------------------------------


def test_a_plot_loads_nothing_and_runs_nothing(tmp_path):
    plot(tmp_path / "plot.svg", "Title", ["one", "<two>"], {"PostgreSQL": [0.5, 1], "target": [None, 2]}, 2)

    drawn = (tmp_path / "plot.svg").read_text()
    assert set(re.findall(r"https?://[^\"'<> ]*", drawn)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script|<!--|href|@import|url\(|on\w+=", drawn)
    assert "&lt;two&gt;" in drawn


@pytest.mark.parametrize("name", ["cpu.svg", "growth.svg"])
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


# --- what is forgotten ---------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_each_step_of_what_is_forgotten_is_timed(engine, monkeypatch):
    monkeypatch.setattr(tidying, "TURN", 0.1)

    seen = tidying.measure(engine, tidying.Plan(users=120, much=40, of_app=20))

    assert len(seen.steps["tidy"]["erase_idle"]) == 2
    assert seen.steps["nothing"] == {}
    assert all(load.calls > 0 for load in seen.logins.values())
    written = tidying.written(seen)
    assert "| tidy: erase_idle " in written
    assert "| nothing " in written
