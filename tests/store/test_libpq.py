"""Who keeps watch over connections: whoever is late is cut off, nobody else, and only while there are any."""

import gc
import threading
import time

from service.store.engine.libpq import LATE, Watch
from tests.support.servers import wait_until

NEVER = float("inf")


class Line:
    """What a watch knows of a connection."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.cuts = 0

    def cut(self) -> None:
        """Note it."""
        self.until = NEVER
        self.cuts += 1


def watching() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "watch"}


def test_who_is_late_is_cut_off_once_and_nobody_else():
    watch = Watch()
    late, idle, patient = Line(time.monotonic() + LATE), Line(NEVER), Line(time.monotonic() + 60)
    for line in (late, idle, patient):
        watch.add(line)

    wait_until(lambda: late.cuts)
    time.sleep(3 * LATE)

    assert (late.cuts, idle.cuts, patient.cuts) == (1, 0, 0)


def test_one_thread_keeps_watch_for_as_long_as_there_are_connections():
    others, watch, lines = watching(), Watch(), [Line(NEVER), Line(NEVER)]
    for line in lines:
        watch.add(line)
    del line

    [thread] = watching() - others

    lines.clear()
    gc.collect()
    wait_until(lambda: not thread.is_alive())
    again = Line(time.monotonic())
    watch.add(again)

    wait_until(lambda: again.cuts)
