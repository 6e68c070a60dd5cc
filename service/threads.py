"""The threads that serve requests; each knows how long its request has waited for it."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class _Here(threading.local):
    waited = 0.0


_here = _Here()


def waited() -> float:
    """Return for how many seconds the request that this thread serves had waited for a thread."""
    return _here.waited


class Threads(ThreadPoolExecutor):
    """A pool of threads, in which whoever finds none free waits for the next."""

    def submit(self, serve: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Serve a request as soon as a thread is free."""
        since = time.monotonic()

        def begin() -> Any:
            _here.waited = time.monotonic() - since
            return serve(*args, **kwargs)

        return super().submit(begin)
