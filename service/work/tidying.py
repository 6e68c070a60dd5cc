"""Tidy once a day, and remove files that are to be, a little at a time, while others are served."""

import threading
from dataclasses import asdict, dataclass

from service.config import Config
from service.desk.removing import remove_old
from service.desk.tidying import Interrupted, Kept, tidy_if_due
from service.logs import get_logger
from service.store import Store
from service.times import now
from service.work.turns import begin, take_turns

# How often to look whether it is time for an app or a file, and for how long to leave the store to others
# between two steps, in seconds.
EVERY, REST = 60.0, 0.01

log = get_logger()


def begin_to_tidy(store: Store, config: Config, stopped: threading.Event) -> threading.Thread:
    """Tidy in a thread until stopped."""
    kept = Kept(config.tidy_idle_days, config.tidy_empty_days, config.tidy_cleared_days, config.event_days)
    return begin(Tidier(store, kept, stopped).run, "tidy")


@dataclass(frozen=True)
class Tidier:
    """Tidies until it is stopped. Several may work on one store."""

    store: Store
    kept: Kept
    stopped: threading.Event

    def run(self) -> None:
        """Tidy all apps whenever it is time."""
        take_turns(self.turn, self.stopped, every=EVERY)

    def turn(self) -> bool:
        """Remove files and tidy apps for which it is time: nothing is left to do then. Raises Interrupted if
        stopped meanwhile."""
        remove_old(self.store, self._rest)
        for app in self.store.apps.untidy(now()):
            done = tidy_if_due(self.store, app, self.kept, self._rest)
            if done is not None:
                log.info("tidied", app=app.id, **asdict(done))
        return False

    def _rest(self) -> None:
        if self.stopped.wait(REST):
            raise Interrupted
