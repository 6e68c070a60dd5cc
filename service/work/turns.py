"""Take turns in a thread, one after the other, until stopped."""

import threading
from collections.abc import Callable

from service.desk.tidying import Interrupted
from service.logs import get_logger
from service.model.errors import UsherError

log = get_logger()


def begin(run: Callable[[], None], name: str) -> threading.Thread:
    """Run in a thread, which ends with the process."""
    thread = threading.Thread(target=run, daemon=True, name=name)
    thread.start()
    return thread


def take_turns(turn: Callable[[], bool], stopped: threading.Event, *, every: float, rest: float = 0) -> None:
    """Take a turn after the other until stopped, whatever happens to the store meanwhile.

    A turn returns whether there may be more to do, and ``rest`` is how many seconds to wait before the next
    one then; else ``every`` is. It may raise Interrupted when it is stopped.
    """
    while not stopped.is_set():
        try:
            found = turn()
        except Interrupted:
            return
        except UsherError as error:
            log.warning("unavailable", code=error.code, exc_info=error)
            found = False
        stopped.wait(rest if found else every)
