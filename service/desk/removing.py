"""Remove the bytes of files of which no row is left, and forget what no message has named.

What could not be removed, as a bucket is away, is still written down, and tried again.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from service.desk.transactions import one_transaction
from service.logs import get_logger
from service.model.attachments import WAITS
from service.model.errors import FilesUnavailable, NoFiles, UsherError
from service.store import AppStore, Store
from service.times import now

# How many are looked for at a time; and how long an answer may wait for it, in seconds.
BATCH, PATIENCE = 100, 20


@contextmanager
def expected(store: AppStore, id: str, due: int) -> Iterator[None]:
    """Have the bytes of a file written inside. They are removed when they are due, unless it is added before,
    and at once if anything is raised."""
    store.attachments.expect(id, due)
    try:
        yield
    except BaseException:
        remove_now(store, id)
        raise


def remove_now(store: AppStore, id: str) -> None:
    """Remove the bytes of a file that is not to be added after all; of one that was, whatever was answered,
    nothing is removed."""
    with suppress(UsherError):
        if store.attachments.hasten(id):
            store.files.remove(id)
            store.attachments.removed(id)


def remove_soon(store: AppStore) -> None:
    """Remove the bytes of files that are due. What fails, or would take longer than an answer may wait for,
    is done later."""
    until = time.monotonic() + PATIENCE
    with suppress(UsherError):
        for _ in _removed(store):
            if time.monotonic() > until:
                break


def at_once() -> None:
    """Wait for nothing."""


def remove_old(store: Store, rest: Callable[[], None] = at_once) -> int:
    """Forget what waited for a message for a day, and remove all bytes that are due, also of apps that are
    erased; return how many files' that were. It ends where the place for files is away.

    ``rest`` is called before each step; what it raises ends it all.
    """
    removed, at = 0, now()
    try:
        for app in store.apps.with_old_files(at - WAITS, at):
            own = store.of(app)
            rest()
            while _forget_waiting(own, at - WAITS):
                rest()
            for _ in _removed(own):
                removed += 1
                rest()
    except (FilesUnavailable, NoFiles) as error:
        get_logger().warning("unavailable", code=error.code, exc_info=error)
    return removed


def _removed(store: AppStore) -> Iterator[str]:
    """Remove the bytes of the files that are due, one after the other."""
    while files := store.attachments.due(now(), BATCH):
        for id in files:
            store.files.remove(id)
            store.attachments.removed(id)
            yield id


@one_transaction
def _forget_waiting(store: AppStore, before: int) -> int:
    return store.attachments.forget_waiting(before, BATCH)
