"""The streams that are open, and what each of them has yet to tell. For the event loop alone."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

from service import metrics
from service.model.errors import TooMany, TooManyStreams
from service.model.streams import KeyListener, Listener, News

# After how many seconds without news a stream says that it is there; routers close what is silent for longer.
HEARTBEAT = 20.0
# How many conversations wait to be told to somebody who reads slowly.
MAX_PENDING = 1000
# How many streams a session or a sign-in may have: tabs of a browser. A secret key may be many agents'.
MAX_PER_SESSION = 20
# After how many seconds to try again what is refused for that.
RETRY_AFTER = 30


class Over(StrEnum):
    """Why a stream is over."""

    REVOKED = "revoked"
    # What came meanwhile was not told, so whoever follows reads all anew.
    STALE = "stale"
    BEHIND = "behind"
    SHUTDOWN = "shutdown"
    HUNG_UP = "hung-up"


class Stream:
    """One who follows. It joins when all that changes from then on is told to it."""

    __slots__ = ("_changed", "_pending", "app", "joined", "listener", "over", "told")

    def __init__(self, app: str, listener: Listener) -> None:
        self.app = app
        self.listener = listener
        self.joined = False
        self.over: Over | None = None
        self.told = 0
        self._pending: dict[str, None] = {}
        self._changed = asyncio.Event()

    def tell(self, conversations: Iterable[str]) -> None:
        """Tell that these are new, each once if there is no time to tell it more often."""
        self._pending.update(dict.fromkeys(conversations))
        self._changed.set()
        if len(self._pending) > MAX_PENDING:
            self.end(Over.BEHIND)

    def join(self) -> None:
        """Note that all is told from now on."""
        self.joined = True
        self._changed.set()

    def end(self, over: Over) -> None:
        """End it; what has not been told is told no more."""
        self.over = self.over or over
        self._pending.clear()
        self._changed.set()

    async def news(self) -> tuple[str, ...]:
        """Wait for news, or for it to join or end, and return what is to be told; nothing after a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT):
                await self._changed.wait()
        self._changed.clear()
        pending, self._pending = self._pending, {}
        self.told += len(pending)
        return tuple(pending)


class Streams:
    """All that are open, at most ``limit``."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._is_closed = False
        self._all: dict[str, dict[Listener, set[Stream]]] = {}

    def __iter__(self) -> Iterator[Stream]:
        for by_listener in self._all.values():
            for streams in by_listener.values():
                yield from streams

    @contextmanager
    def place(self) -> Iterator[None]:
        """Have a place for a stream. Raises TooManyStreams if none is left, or if no more are opened."""
        if self._taken >= self._limit or self._is_closed:
            metrics.STREAMS_REFUSED.inc()
            raise TooManyStreams
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    @contextmanager
    def opened(self, app: str, listener: Listener) -> Iterator[Stream]:
        """Have a stream of an app's. Raises TooMany if one session has too many."""
        by_listener = self._all.setdefault(app, {})
        streams = by_listener.setdefault(listener, set())
        if not isinstance(listener, KeyListener) and len(streams) >= MAX_PER_SESSION:
            metrics.STREAMS_REFUSED.inc()
            raise TooMany(RETRY_AFTER)
        stream = Stream(app, listener)
        if self._is_closed:
            stream.end(Over.SHUTDOWN)
        streams.add(stream)
        metrics.STREAMS_OPEN.inc()
        try:
            yield stream
        finally:
            metrics.STREAMS_OPEN.dec()
            streams.discard(stream)
            if not streams:
                by_listener.pop(listener)
            if not by_listener:
                self._all.pop(app)

    def apps(self) -> list[str]:
        """Return the apps that have streams."""
        return [*self._all]

    def listeners(self, app: str) -> list[Listener]:
        """Return those who follow in an app."""
        return [*self._all.get(app, ())]

    def tell(self, app: str, news: News) -> None:
        """Tell what is new in an app to whom it is, and end what is over. It was there before whoever has not
        joined yet reads all."""
        self.end(app, news.dead, Over.REVOKED)
        for listener in news.stale:
            for stream in self._joined(app, listener):
                stream.end(Over.STALE)
        for listener, conversations in news.told.items():
            for stream in self._joined(app, listener):
                stream.tell(conversations)

    def end(self, app: str, listeners: Iterable[Listener], over: Over) -> None:
        """End the streams of these."""
        for listener in listeners:
            for stream in self._of(app, listener):
                stream.end(over)

    def end_all(self, over: Over) -> None:
        """End all that there are."""
        for stream in self:
            stream.end(over)

    def close(self) -> None:
        """End all, and let nobody in any more."""
        self._is_closed = True
        self.end_all(Over.SHUTDOWN)

    def _joined(self, app: str, listener: Listener) -> Iterable[Stream]:
        return [stream for stream in self._of(app, listener) if stream.joined]

    def _of(self, app: str, listener: Listener) -> Iterable[Stream]:
        return self._all.get(app, {}).get(listener, ())
