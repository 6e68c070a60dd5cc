"""A thread knows how long the request that it serves has waited for it."""

import threading
import time

import pytest

from service.threads import Threads, waited


@pytest.fixture
def threads():
    with Threads(max_workers=1) as pool:
        yield pool


def test_who_finds_no_thread_free_waits_for_as_long_as_it_takes(threads):
    done = threading.Event()
    threads.submit(done.wait)
    second = threads.submit(waited)
    since = time.monotonic()

    time.sleep(0.01)
    least = time.monotonic() - since
    done.set()

    assert second.result() >= least


def test_a_request_is_served_with_what_it_came_with_and_an_error_is_its_own(threads):
    assert threads.submit(lambda *given, **named: (given, named), 1, two=2).result() == ((1,), {"two": 2})
    with pytest.raises(IndexError):
        threads.submit([].pop).result()
