"""Follow what changes while others are served: fill the indexes of what was written, and compare those who
were added with others."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from service.desk.comparing import compare_some
from service.desk.indexing import index_some
from service.store import AppStore, Store
from service.work.turns import begin, take_turns

# How long to wait when there was nothing to do, and for how long to leave the store to others between two
# steps, in seconds.
PAUSE, REST = 1.0, 0.02


def begin_to_follow(store: Store, stopped: threading.Event) -> list[threading.Thread]:
    """Follow until stopped, in a thread for each purpose."""
    return [begin(Follower(store, stopped, *about).run, name) for name, about in PURPOSES.items()]


def _to_index(store: Store) -> list[str]:
    states = store.searches.states()
    return [state.app for state in states if state.oldest is not None or not state.is_whole]


def _to_compare(store: Store) -> list[str]:
    return [*store.comparing.behind()]


# In which apps there may be something to do, and a step of it, which tells whether there may be more.
PURPOSES: dict[str, tuple[Callable[[Store], list[str]], Callable[[AppStore], bool]]] = {
    "index": (_to_index, index_some),
    "compare": (_to_compare, compare_some),
}


@dataclass(frozen=True)
class Follower:
    """Follows until it is stopped. Several may work on one store."""

    store: Store
    stopped: threading.Event
    apps: Callable[[Store], list[str]]
    step: Callable[[AppStore], bool]

    def run(self) -> None:
        """Work until stopped."""
        take_turns(self.turn, self.stopped, every=PAUSE, rest=REST)

    def turn(self) -> bool:
        """Take a step for each app for which there is something to do; return whether there may be more."""
        found = False
        for app in self.apps(self.store):
            if self.stopped.is_set():
                return False
            found |= self.step(self.store.of(app))
        return found
