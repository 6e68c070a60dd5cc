"""What gunicorn calls before it forks a worker, and when that is ready."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from service.server.hooks import post_worker_init, pre_fork
from service.store.migrating import migrate
from tests.conftest import ENGINES, Databases
from tests.support.servers import HERE, SETTINGS


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: pre_fork(None, None), id="the-master"),
        pytest.param(lambda: post_worker_init(None), id="a-worker"),
    ],
)
def test_what_a_process_begins_with_is_not_looked_through_for_garbage(call: Callable[[], None]):
    before = gc.get_freeze_count()
    call()
    try:
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()


LATER = """
import runpy, sys
from types import SimpleNamespace

master = SimpleNamespace()
hooks = runpy.run_path("gunicorn.conf.py")
hooks["on_starting"](master)
shared = set(sys.modules)
import wsgi
print(*sys.modules.keys() - shared)
hooks["on_exit"](master)
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_whatever_a_worker_imports_it_shares_with_the_master(engine: str, databases: Databases):
    # On SQLite it also works there, and would find what other tests left for a worker.
    migrate(url := databases.fresh(engine))
    env = os.environ | SETTINGS | {"DATABASE_URL": url}
    worker = [sys.executable, "-c", LATER]

    ran = subprocess.run(worker, cwd=HERE, env=env, capture_output=True, text=True, check=True)

    assert ran.stdout == "wsgi\n"
