"""Look for what is to be delivered, and have it delivered: to one webhook by one thread, to many at once.

Webhooks that fail or are slow take some of the threads at most, and one that turns out to be slow leaves its
place to another: so they hold up nobody else's events.
"""

import threading
import time
from dataclasses import dataclass, field

from service.desk.delivering import lease
from service.encryption import WEBHOOK_SECRETS, Encryption
from service.logs import get_logger
from service.model.errors import UsherError
from service.store import AppStore, Store
from service.times import now
from service.work.delivering import Run, deliver

# So many webhooks are delivered to at once, at most: of those that answer, of those that fail or are slow,
# and in all, as one that answered may hang. A thread takes some 100 KiB, whatever is answered.
MAX_QUICK, MAX_SLOW, MAX_AT_ONCE = 64, 128, 256
# So many of them ask the store at once.
MAX_AT_STORE = 8
# How long to wait when there was nothing to do, or nobody to do it, in seconds.
PAUSE, SHORT_PAUSE = 1.0, 0.1
# Whoever has not looked for so long is stuck, in seconds: longer than the store may take.
STUCK = 60.0

log = get_logger()


@dataclass
class Worker:
    """Delivers until it is stopped. Several may work on one store."""

    store: Store
    secret_key: str
    loopback: bool
    stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._encryption = Encryption(self.secret_key, WEBHOOK_SECRETS)
        self._at_store = threading.BoundedSemaphore(MAX_AT_STORE)
        self._running: dict[threading.Thread, Run] = {}
        self._turned = time.monotonic()

    def is_turning(self) -> bool:
        """Return whether it looks for something to do, or tries to."""
        return time.monotonic() - self._turned < STUCK

    def run(self) -> None:
        """Work until stopped, whatever happens to the store meanwhile; then let what runs come to its end."""
        while not self.stopped.is_set():
            self._turned = time.monotonic()
            try:
                found = self.turn()
            except UsherError as error:
                log.warning("unavailable", code=error.code, exc_info=error)
                found = False
            if not found:
                self.stopped.wait(PAUSE if self._has_room() else SHORT_PAUSE)
        self.join()

    def join(self) -> None:
        """Wait until nothing is delivered any more."""
        for thread in tuple(self._running):
            thread.join()

    def turn(self) -> bool:
        """Begin to deliver for each app for which there is something; return whether there was."""
        begun = [self._begin(self.store.of(app)) for app in self.store.apps.with_webhooks()]
        return any(begun)

    def _begin(self, app: AppStore) -> bool:
        """Begin to deliver to one of an app's webhooks."""
        if not self._has_room():
            return False
        quick = self._slow() >= MAX_SLOW
        leased = lease(app, quick=quick) if app.deliveries.is_waiting(now(), quick=quick) else None
        if leased is None:
            return False
        run = Run(leased, self.stopped)
        thread = threading.Thread(target=self._deliver, args=(app, run), daemon=True)
        self._running[thread] = run
        thread.start()
        return True

    def _has_room(self) -> bool:
        quick = len(self._running) - self._slow()
        return quick < MAX_QUICK and len(self._running) < MAX_AT_ONCE

    def _slow(self) -> int:
        """Return how many take their time. Who answered until now is one after a second, and leaves its place
        to another."""
        return sum(run.is_slow for run in tuple(self._running.values()))

    def _deliver(self, app: AppStore, run: Run) -> None:
        try:
            deliver(app, self._encryption, run, self._at_store, loopback=self.loopback)
        except UsherError as error:
            # The lease runs out, and whoever has the next one begins anew.
            log.warning("unavailable", code=error.code, exc_info=error)
        finally:
            del self._running[threading.current_thread()]
