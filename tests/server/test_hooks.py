"""What gunicorn calls before it forks a worker, and when that is ready."""

import gc
from collections.abc import Callable

import pytest

from service.server.hooks import post_worker_init, pre_fork


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
