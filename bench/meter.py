"""What a call takes: loads servers, and asks the operating system what they and their PostgreSQL used."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from bench import usage, wrk
from bench.fleets import CONNECTIONS, CORES, Fleet
from bench.load import Load, Loader

# What part of the machine others may take, and how often a turn is tried in which they take more.
STRANGERS, ATTEMPTS = 0.1, 10
REST = 0.2  # seconds until a server is done with calls whose answers nobody waits for


@dataclass(frozen=True)
class Turn:
    """What one of so many ``calls`` took: milliseconds of CPU of the server, of PostgreSQL and of who loaded
    them, calls per second, and milliseconds until so many of a hundred were answered. Others took
    ``strangers`` of the machine meanwhile, of which all is 1."""

    calls: int
    server: float
    database: float
    loader: float
    rate: float
    p50: float
    p99: float
    strangers: float

    @property
    def cpu(self) -> float:
        """Milliseconds of CPU of the server and of PostgreSQL."""
        return self.server + self.database

    @property
    def disturbed(self) -> bool:
        """Whether others took so much that it does not count."""
        return self.strangers > STRANGERS

    @property
    def tail(self) -> float:
        """How many times as long as the median answer the slowest hundredth takes at least."""
        return self.p99 / self.p50


@dataclass(frozen=True)
class Meter:
    """Loads servers, and looks at what they use, and their PostgreSQL if they have one."""

    load: Callable[..., Load]
    seconds: float
    postmaster: psutil.Process | None
    connections: int = CONNECTIONS

    @classmethod
    def of(cls, url: str, seconds: float, loader: Loader) -> "Meter":
        """Return one that loads with wrk where that is installed, else with a loader of ours."""
        return cls(wrk.load if wrk.installed() else loader.load, seconds, usage.postmaster(url))

    @property
    def loaded_by(self) -> str:
        """What loads the servers."""
        return "`wrk`" if self.load is wrk.load else "`bench/load.py`, as `wrk` is not installed"

    def undisturbed(self, name: str, *fleets: Fleet) -> list[Turn]:
        """Measure one kind of call, of each in turn; return nothing if others used the machine however often
        it was tried."""
        for _ in range(ATTEMPTS):
            turns = [self.turn(fleet, name) for fleet in fleets]
            if not any(turn.disturbed for turn in turns):
                return turns
        return []

    def turn(self, fleet: Fleet, name: str) -> Turn:
        """Measure one kind of call."""
        before = self._used(fleet)
        load = self.send(fleet, name)
        time.sleep(REST)
        passed, all_used, ours, server, database = (
            after - earlier for after, earlier in zip(self._used(fleet), before, strict=True)
        )
        return Turn(
            load.calls,
            1000 * server / load.calls,
            1000 * database / load.calls,
            1000 * (ours - server - database) / load.calls,
            load.rate,
            1000 * load.percentile(50),
            1000 * load.percentile(99),
            (all_used - ours) / passed / CORES,
        )

    def send(self, fleet: Fleet, name: str) -> Load:
        """Send one kind of call, on all connections."""
        connections = max(1, self.connections // len(fleet.members))
        return fleet.load(name, self.load, seconds=self.seconds, connections=connections)

    def _used(self, fleet: Fleet) -> tuple[float, ...]:
        databases = [self.postmaster] if self.postmaster else []
        return (
            time.perf_counter(),
            usage.of_all(),
            # The servers and what loads them are descendants of this process.
            usage.of(psutil.Process(), *databases),
            usage.of(*fleet.processes),
            usage.of(*databases),
        )
