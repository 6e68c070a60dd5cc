"""How much of a processor a process asks for."""

import threading
import time

import pytest

from service.server import demand


@pytest.fixture
def threads(tmp_path, monkeypatch):
    """A place where the kernel tells of threads, and nothing has run by the account of processes."""
    monkeypatch.setattr(demand, "_THREADS", tmp_path)
    monkeypatch.setattr(time, "process_time", lambda: 0.0)
    return tmp_path


def test_it_is_for_how_long_threads_ran_or_waited_for_a_processor(threads):
    for name, line in {"1": "1000000000 500000000 17\n", "2": "250000000 0 3\n"}.items():
        (threads / name).mkdir()
        (threads / name / "schedstat").write_text(line)

    assert demand.wanted() == 1.75


@pytest.mark.parametrize("line", [None, "0 0 0\n", "no numbers\n"], ids=["absent", "not counted", "other"])
def test_where_the_kernel_does_not_tell_it_is_for_how_long_they_ran(line, threads, monkeypatch):
    monkeypatch.setattr(time, "process_time", lambda: 2.5)
    (threads / "1").mkdir()
    if line is not None:
        (threads / "1" / "schedstat").write_text(line)

    assert demand.wanted() == 2.5


def test_what_all_threads_of_the_process_ask_for_counts():
    before, after = demand.wanted(), []

    def run():
        while time.thread_time() < 0.02:
            pass
        after.append(demand.wanted())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert after[0] >= before + 0.02
