"""Look for what is new, a few times a second, for all streams at once; and whether their credentials live.

The store is asked by a thread, so that nothing else waits for it. While it is away, streams stay open. What
was missed then nobody tells, so all that were open end when it is back: whoever connects anew reads all anew.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import itemgetter
from typing import ParamSpec, TypeVar

from service.desk.streams import living, news
from service.live.streams import Over, Stream, Streams
from service.logs import get_logger
from service.model.streams import Listener
from service.store import Store
from service.store.tail import Tail

# How long to wait between two looks, and how often to look whether all credentials live, in seconds.
PAUSE, CHECKED_EVERY = 0.2, 10.0
# In how many parts, so that what is new does not wait for all of them.
PARTS = 25

log = get_logger()

Params = ParamSpec("Params")
Result = TypeVar("Result")


class Teller:
    """Tells the streams what is new."""

    def __init__(self, store: Store, streams: Streams) -> None:
        self._store = store
        self._streams = streams
        self._tail = Tail(store.database)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tail")
        self._is_away = False
        self._read_at = self._check_at = time.monotonic()
        self._unchecked: list[tuple[str, Listener]] = []
        self._part = 0

    async def run(self) -> None:
        """Go on until cancelled, whatever happens."""
        while True:
            joining = [stream for stream in self._streams if not stream.joined]
            try:
                await self._turn(joining)
            except Exception as error:  # noqa: BLE001 - else all streams would be silent from then on
                self._lose(joining, error)
            await asyncio.sleep(PAUSE)

    def lag(self) -> float:
        """Return how many seconds ago what is told by now was read."""
        return time.monotonic() - self._read_at

    async def _turn(self, joining: Sequence[Stream]) -> None:
        began = time.monotonic()
        changes = await self._ask(self._tail.read, self._streams.apps())
        if self._is_away:
            self._is_away = False
            for stream in [stream for stream in self._streams if stream.joined]:
                stream.end(Over.STALE)
        for app, of_app in changes.items():
            found = await self._ask(news, self._store.of(app), self._streams.listeners(app), of_app)
            self._streams.tell(app, found)
        await self._check(began)
        for stream in joining:
            stream.join()
        self._read_at = began

    async def _check(self, at: float) -> None:
        """End the streams whose credentials have died without a word, as keys do: of a part of them all."""
        if not self._unchecked and at >= self._check_at:
            apps = self._streams.apps()
            self._unchecked = [(app, one) for app in apps for one in self._streams.listeners(app)]
            self._part = len(self._unchecked) // PARTS + 1
            self._check_at = at + CHECKED_EVERY
        part, self._unchecked = self._unchecked[: self._part], self._unchecked[self._part :]
        for app, of_app in groupby(part, itemgetter(0)):
            listeners = {one for _, one in of_app}
            alive = await self._ask(living, self._store.of(app), listeners)
            self._streams.end(app, listeners - alive, Over.REVOKED)

    def _lose(self, joining: Sequence[Stream], error: Exception) -> None:
        if not self._is_away:
            log.warning("unavailable", exc_info=error)
        self._is_away = True
        self._tail.forget()
        for stream in joining:
            stream.end(Over.STALE)

    async def _ask(
        self, ask: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: ask(*args, **kwargs))
