"""What is run without measuring which lines of the service it reaches, as others reach all of them.

Measuring takes a process twice as much processor time, most of it where a server starts and where a great
many calls are made. Every line and branch has to be reached by those that are named here as measured, so that
what the others chance upon never decides whether all are.
"""

import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
# Whose processes are measured: they serve, work, or are forked.
PROCESSES = ("live", "server", "store/test_pool.py", "work/test_processes.py")
# Which tests are not, nor what they call.
UNMEASURED = (
    "browser",
    "docs/test_examples.py",
    "faults",
    "linearizability",
    "test_attacker.py",
    "test_bench.py",
    "test_bench_profile.py",
    "test_identity.py",
    "test_purchases_js.py",
    "test_schemathesis.py",
)
# Nobody else has a standby.
MEASURED = ("faults/test_failover.py",)
# By which coverage has each Python process that is started measure itself.
STARTS = "COVERAGE_PROCESS_CONFIG"


def _is_among(item: pytest.Item, names: tuple[str, ...]) -> bool:
    return any(item.path.is_relative_to(TESTS / name) for name in names)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure the processes that some tests and their fixtures start, and no others."""
    starts = None if _is_among(item, PROCESSES) else os.environ.pop(STARTS, None)
    try:
        return (yield)
    finally:
        if starts is not None:
            os.environ[STARTS] = starts


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Measure what is called by most tests, but not by all. Fixtures may be those of others too."""
    is_unmeasured = _is_among(item, UNMEASURED) and not _is_among(item, MEASURED)
    trace = sys.gettrace() if is_unmeasured else None
    # Put back in the same frame, or coverage would not know any more in which one it is.
    if trace is not None:
        sys.settrace(None)
    try:
        return (yield)
    finally:
        if trace is not None:
            sys.settrace(trace)
