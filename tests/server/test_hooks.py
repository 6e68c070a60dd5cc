"""What gunicorn calls when a worker is ready."""

import gc

from service.server.hooks import post_worker_init


def test_what_a_worker_begins_with_is_not_looked_through_for_garbage():
    before = gc.get_freeze_count()
    post_worker_init(None)
    try:
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
