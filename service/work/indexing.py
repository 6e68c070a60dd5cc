"""Fill the indexes of what was written, while others are served."""

import threading
from dataclasses import dataclass

from service.desk.indexing import index_some
from service.store import Store
from service.work.turns import begin, take_turns

# How long to wait when there was nothing to do, and for how long to leave the store to others between two
# steps, in seconds.
PAUSE, REST = 1.0, 0.02


def begin_to_index(store: Store, stopped: threading.Event) -> threading.Thread:
    """Fill indexes in a thread until stopped."""
    return begin(Indexer(store, stopped).run, "index")


@dataclass(frozen=True)
class Indexer:
    """Fills indexes until it is stopped. Several may work on one store."""

    store: Store
    stopped: threading.Event

    def run(self) -> None:
        """Work until stopped."""
        take_turns(self.turn, self.stopped, every=PAUSE, rest=REST)

    def turn(self) -> bool:
        """Take a step for each app for which there is something to do; return whether there may be more."""
        found = False
        for state in self.store.searches.states():
            if self.stopped.is_set():
                return False
            if state.oldest is not None or not state.is_whole:
                found |= index_some(self.store.of(state.app))
        return found
