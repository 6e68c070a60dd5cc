"""The profile says of each sample and statement what it is; how fast anything is, no test can know."""

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import psutil
import pytest

from bench import cores, fleets, meter, parts, profile, profile_results, queries, speed, syscalls, usage
from bench.calls import LOGIN, prepare
from bench.queries import Statement

PACKAGES, STANDARD = "/x/.venv/lib/python3.11/site-packages", "/y/lib/python3.11"
THREAD = f"Thread.run ({STANDARD}/threading.py:982);_worker ({STANDARD}/concurrent/futures/thread.py:83)"


@pytest.mark.parametrize(
    ("frames", "part"),
    [
        ("", parts.THREADS),
        (";wsgi_app ({PACKAGES}/flask/app.py:1511)", "Flask and Werkzeug"),
        (";_log (/x/service/api/middleware.py:5);write (/x/service/logs.py:9)", "logs and metrics"),
        (";execute ({PACKAGES}/peewee.py:1)", "psycopg and peewee"),
        (
            ";of (/x/service/store/users.py:1);loads ({STANDARD}/json/decoder.py:1);<init> (<string>:1)",
            "service/store",
        ),
        (";rfc3339 (/x/service/times.py:1)", parts.ELSE),
        (";of (/x/service/model/users.py:1);other ({PACKAGES}/idna/core.py:1)", parts.ELSE),
    ],
    ids=["thread", "library", "logs", "driver", "standard library", "another module", "another library"],
)
def test_a_sample_is_in_the_innermost_part(frames, part):
    stack = THREAD + frames.format(PACKAGES=PACKAGES, STANDARD=STANDARD)

    assert parts.counted([f"{stack} 3", f"{stack} 4"]) == {part: 7}


def test_what_is_sampled_is_who_holds_the_interpreter():
    spins = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", spins], stdout=subprocess.PIPE) as spinning:
        try:
            spinning.stdout.readline()
            samples = parts.sampled(psutil.Process(spinning.pid), 1, lambda: None)
        except RuntimeError as error:
            pytest.skip(f"py-spy may not look into a process here: {error}")
        finally:
            spinning.kill()

    assert set(samples) == {parts.THREADS}


def test_system_calls_are_counted_where_perf_is_and_may():
    child = psutil.Process()

    number = syscalls.counted([child], lambda: [os.getppid() for _ in range(1000)])

    assert number is None or number >= 1000


def test_without_perf_no_system_calls_are_counted(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)

    assert syscalls.counted([], lambda: None) is None


def test_a_thread_that_sleeps_gives_up_its_core():
    before, _ = usage.switches(psutil.Process())

    for _ in range(20):
        time.sleep(0.001)

    assert usage.switches(psutil.Process())[0] >= before + 20


@pytest.mark.parametrize(
    ("sql", "form"),
    [
        ('SELECT "t1"."id" FROM "keys" AS "t1" JOIN (SELECT 1 FROM "apps") AS "x" ON 1', "SELECT keys, apps"),
        ('INSERT INTO "a" ("b") SELECT "c"."d" FROM "c" JOIN "e" ON 1', "INSERT a (reads c, e)"),
        ('WITH "x" AS (UPDATE "a" SET "b" = $1) INSERT INTO "c" SELECT 1 FROM "x"', "UPDATE a, INSERT c"),
        ("BEGIN", "BEGIN"),
        ("SET LOCAL lock_timeout = $1", "SET LOCAL"),
    ],
)
def test_a_statement_is_named_for_its_tables(sql, form):
    assert queries.short(sql) == form


def test_statements_of_one_form_are_one_for_a_call_and_rare_ones_none():
    ones = [
        Statement("a", 100, 1, 2),
        Statement("b", 100, 9, 0),
        Statement("a", 50, 1, 1),
        Statement("c", 0, 1, 0),
    ]

    assert queries.together(ones, 100) == [Statement("b", 1, 90, 0), Statement("a", 1.5, 20, 30)]


def test_a_profile_tells_where_the_time_of_a_call_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(fleets, "CORES", 1)
    monkeypatch.setattr(meter, "STRANGERS", float("inf"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(speed, "CROWD", 20)
    monkeypatch.setattr(speed, "DEEP", 20)
    monkeypatch.setattr(speed, "prepare", partial(prepare, users=8, writers=2))
    monkeypatch.setattr(profile, "CALLS", (LOGIN,))

    # Whether py-spy may look, another test knows.
    def sampled(_process: psutil.Process, _seconds: float, load: Callable[[], object]) -> Counter[str]:
        load()
        return Counter({parts.THREADS: 3, "service/store": 1})

    monkeypatch.setattr(parts, "sampled", sampled)
    plan = profile.Plan(1, 0.2)

    measured = profile.measure(plan)
    text = profile_results.write(measured, plan, tmp_path)

    _, login = measured.calls
    assert min(login.spent.user, login.spent.database_user) > 0
    assert any(one.form.startswith("UPDATE sessions") for one in login.statements)
    assert f"## PostgreSQL: {LOGIN}" in text
    assert (tmp_path / "profile.md").read_text() == text


def test_a_process_that_is_kept_apart_shares_no_core_with_the_others_until_it_is_done():
    allowed = os.sched_getaffinity(0)
    with subprocess.Popen(["sleep", "60"]) as one, subprocess.Popen(["sleep", "60"]) as other:
        try:
            with cores.kept_apart(psutil.Process(one.pid), psutil.Process(other.pid)):
                during = [os.sched_getaffinity(process.pid) for process in (one, other)]
            after = [os.sched_getaffinity(process.pid) for process in (one, other)]
        finally:
            one.kill()
            other.kill()

    assert len(during[0]) == 1
    assert during == [during[0], allowed - during[0] or allowed]
    assert after == [allowed, allowed]
