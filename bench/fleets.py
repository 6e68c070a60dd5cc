"""Servers that are loaded together: one of a single process for each core."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psutil

from bench.calls import NOTHING
from bench.load import Call, Load, Loader
from bench.servers import HERE, NOOP, USHER, Checkout, Server, serve

CORES = os.cpu_count() or 1
CONNECTIONS = 16  # of all servers that are loaded at a time
WARM_UP = 400  # calls of each kind, before anything is measured
# gunicorn with threads as a Flask application has it by default: without our settings, with its own logging.
# Its control socket alone is off, which is a file at home, and one for all.
PLAIN = "--config=python:bench.noop", "--worker-class=gthread", "--threads=4", "--no-control-socket"


@dataclass(frozen=True)
class Fleet:
    """Servers that are loaded together, each with examples of its own."""

    members: list[Server]
    calls: dict[str, Call]

    @property
    def processes(self) -> list[psutil.Process]:
        """The servers' processes, each of which has a worker as its child."""
        return [server.process for server in self.members]

    def load(self, name: str, load: Callable[..., Load], **how: float) -> Load:
        """Send one kind of call to all servers at once."""
        call, count = self.calls[name], len(self.members)
        parts = [
            Call(name, call.requests[place::count] or call.requests, call.status) for place in range(count)
        ]
        ports = [server.port for server in self.members]
        with ThreadPoolExecutor(count) as threads:
            return Load.together(list(threads.map(lambda port, part: load(port, part, **how), ports, parts)))


@dataclass(frozen=True)
class Side:
    """What is measured: an application with its database, and what it is asked."""

    url: str
    calls: dict[str, Call]
    checkout: Checkout = HERE
    app: str = USHER
    arguments: tuple[str, ...] = ()

    @contextmanager
    def served(self, loader: Loader, calls: int = WARM_UP) -> Iterator[Fleet]:
        """Have a server for each core, as of several processes with one port one may get all connections.

        They have answered so many calls of each kind.
        """
        with ExitStack() as stack:
            serving = (
                serve(self.app, self.url, *self.arguments, checkout=self.checkout) for _ in range(CORES)
            )
            fleet = Fleet([stack.enter_context(one) for one in serving], self.calls)
            for name in self.calls:
                fleet.load(name, loader.load, calls=calls // CORES)
            yield fleet


def nothing(url: str) -> Side:
    """Return the endpoint that does nothing; servers are told of a database, and it asks none."""
    return Side(url, {NOTHING.name: NOTHING}, app=NOOP, arguments=PLAIN)
