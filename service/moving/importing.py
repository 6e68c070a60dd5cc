"""Move what a file has into an app, some at a time: so whoever logs in meanwhile waits for nothing long."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import orjson

from service.desk.moving import take_in, take_in_devices
from service.moving.reading import Device, Incoming, Read, Refused
from service.moving.statistics import Statistics
from service.rules.moving import Act
from service.store import AppStore

# How many people, or lines of people, or devices go into one transaction.
MAX_PEOPLE, MAX_LINES, MAX_DEVICES = 300, 4000, 2000


@dataclass
class Counts:
    """What became of people, by rule and its reason; of devices; and of lines that were refused, by
    reason."""

    people: Counter[tuple[str, str]] = field(default_factory=Counter)
    devices: int = 0
    new_devices: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Rejects:
    """Writes down which lines were refused, and why; nowhere if no file is named."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self._file = file

    def put(self, refused: Refused) -> None:
        """Write refused lines down."""
        if self._file is not None:
            self._file.writelines(_as_line(line, refused) for line in refused.lines)


@contextmanager
def rejects(path: Path | None) -> Iterator[Rejects]:
    """Write what is refused into a file, which only its owner can read, if one is named."""
    if path is None:
        yield Rejects()
        return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        yield Rejects(file)


def _as_line(line: Read, refused: Refused) -> bytes:
    text = None if line.data is None else line.data.decode(errors="replace").rstrip("\r\n")
    why = {"reason": refused.reason, "detail": refused.detail}
    return orjson.dumps({"line": line.number} | why | {"text": text}) + b"\n"


class Import:
    """Moves people and devices into an app, or finds out what would happen if it did."""

    def __init__(
        self, store: AppStore, rejects: Rejects, tell: Callable[[int], None], *, dry_run: bool
    ) -> None:
        self.counts = Counts()
        self._store = store
        self._rejects = rejects
        self._tell = tell
        self._statistics = Statistics(store)
        self._dry_run = dry_run
        self._people: list[Incoming] = []
        self._users: set[str] = set()
        self._lines = 0
        self._devices: list[Device] = []

    def run(self, found: Iterable[Device | Incoming | Refused]) -> None:
        """Move all that was found. What goes before the end of it, whatever ends it, is moved or refused."""
        try:
            for one in found:
                self._take(one)
        finally:
            self._put_devices()
            self._put_people()
        if not self._dry_run:
            self._store.newcomers.tidy_soon()

    def _take(self, one: Device | Incoming | Refused) -> None:
        match one:
            case Device():
                self._devices.append(one)
                if len(self._devices) >= MAX_DEVICES:
                    self._put_devices()
            case Incoming():
                self._put_devices()
                self._add(one)
            case _:
                self._refuse(one)

    def _add(self, one: Incoming) -> None:
        users = set(one.prepared.person.users)
        if len(self._people) >= MAX_PEOPLE or self._lines >= MAX_LINES or users & self._users:
            self._put_people()
        self._people.append(one)
        self._users |= users
        self._lines += len(one.lines)

    def _put_devices(self) -> None:
        devices, self._devices = self._devices, []
        if devices:
            self.counts.devices += len(devices)
            rows = [one.row for one in devices]
            self.counts.new_devices += take_in_devices(self._store, rows, dry_run=self._dry_run)
            self._tell(sum(self.counts.people.values()))

    def _put_people(self) -> None:
        people, self._people, self._users, self._lines = self._people, [], set(), 0
        if not people:
            return
        decided = take_in(self._store, [one.prepared for one in people], dry_run=self._dry_run)
        for one, rule in zip(people, decided, strict=True):
            self.counts.people[rule.name, rule.because] += 1
            if rule.then is Act.REFUSE:
                self._refuse(Refused(one.lines, rule.name, rule.because))
        people_by_now = sum(self.counts.people.values())
        self._statistics.tell(people_by_now)
        self._tell(people_by_now)

    def _refuse(self, refused: Refused) -> None:
        self.counts.refused[refused.reason] += len(refused.lines)
        self._rejects.put(refused)
