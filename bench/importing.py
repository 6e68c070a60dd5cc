"""Whether an import of very many people takes more memory than one of few, how many it takes in a second, and
how long logins wait beside it."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.progress import Progress

from bench.apps import App
from bench.load import Call, Load, Loader, Request
from bench.results import table
from bench.servers import HERE, USHER, databases, environment, serve, versions

# What is aimed at: so many people a second with nothing beside it, and so much more memory for all of them.
TARGET_RATE, TARGET_GROWTH = 3000, 1.2
# So many clients log in beside it, and for so many seconds at a time.
CLIENTS, TURN = 8, 0.5

HEAD = """# People from a file

`import --from csv` of people whom nobody knows, with an ID, an email, a name, a phone number and an
attribute, into a new store: first alone, then while {clients} clients of a server with one worker log
somebody new in as fast as they are answered. Of those who were taken in alone, `export` writes the app, and
`import` reads it into another new store."""


@dataclass(frozen=True)
class Imported:
    """How many people were taken in in how many seconds, and how many bytes of memory that took at most."""

    people: int
    seconds: float
    memory: int

    @property
    def rate(self) -> float:
        """People a second."""
        return self.people / self.seconds


@dataclass(frozen=True)
class Imports:
    """What was measured: an import of each size alone, and beside logins, with those; and the app that this
    made, written and read."""

    circumstances: str
    alone: tuple[Imported, ...]
    exported: tuple[Imported, ...]
    moved: tuple[Imported, ...]
    beside: tuple[tuple[Imported, Load], ...]

    @property
    def growth(self) -> float:
        """How many times the memory of the smallest import the largest one took."""
        return self.alone[-1].memory / self.alone[0].memory


def measure(engine: str, sizes: tuple[int, ...]) -> Imports:
    """Take in files of so many people, the fewest first."""
    with (
        databases(engine) as make,
        TemporaryDirectory(prefix="usher-") as directory,
        Progress(transient=True) as progress,
        closing(Loader()) as loader,
    ):
        file, moved_file = Path(directory) / "people.csv", Path(directory) / "app.jsonl"
        alone, exported, moved, beside = [], [], [], []
        task = progress.add_task("imports", total=4 * len(sizes))
        for size in sizes:
            with file.open("w") as lines:
                lines.writelines(_lines(size))
            url = make(f"alone_{size}", HERE)
            app = App.create(url).id
            alone.append(_run(url, size, "import", app, file, "--from", "csv"))
            progress.advance(task)
            with moved_file.open("wb") as out:
                exported.append(_run(url, size, "export", app, out=out))
            progress.advance(task)
            other = make(f"moved_{size}", HERE)
            moved.append(_run(other, size, "import", App.create(other).id, moved_file))
            progress.advance(task)
            beside.append(_import_beside(make(f"beside_{size}", HERE), file, size, loader))
            progress.advance(task)
        return Imports(versions(url), tuple(alone), tuple(exported), tuple(moved), tuple(beside))


def _lines(people: int) -> Iterator[str]:
    yield "user_id,email,name,phone,plan\n"
    for number in range(people):
        yield f"u-{number},p-{number}@example.org,Person {number},+49 30 {number:07},pro\n"


def _run(url: str, people: int, *command: str | Path, out: Any = subprocess.DEVNULL) -> Imported:
    """Move people by a process of its own. Raises RuntimeError if that fails."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [HERE.python, "-m", "service", *command], cwd=HERE.directory, env=environment(url), stdout=out
    )
    # Of this process alone, however many others there were before.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the {command[0]} failed")
    return Imported(people, time.perf_counter() - began, usage.ru_maxrss * 1024)


def _import_beside(url: str, file: Path, people: int, loader: Loader) -> tuple[Imported, Load]:
    app, done, loads = App.create(url), threading.Event(), []
    somebody = json.dumps({"userId": "n-{new}", "email": "n-{new}@example.net"})
    call = Call("login", (Request("POST", "/v1/login", app.sk, somebody),), 201)

    def log_in() -> None:
        while True:
            loads.append(loader.load(server.port, call, seconds=TURN, connections=CLIENTS))
            if done.is_set():
                return

    with serve(USHER, url) as server:
        thread = threading.Thread(target=log_in)
        thread.start()
        try:
            imported = _run(url, people, "import", app.id, file, "--from", "csv")
        finally:
            done.set()
            thread.join()
    return imported, Load.together(loads)


def written(imports: Imports) -> str:
    """Write the tables."""
    alone = [
        [f"{what} {one.people:,} people", (one.seconds, 1), (one.rate, 0), (one.memory / 1e6, 0)]
        for of_a_size in zip(imports.alone, imports.exported, imports.moved, strict=True)
        for what, one in zip(("take in", "export", "import"), of_a_size, strict=True)
    ]
    beside = [
        [
            f"{one.people:,} people",
            (one.rate, 0),
            (load.calls, 0),
            *((1000 * load.percentile(percent), 1) for percent in (50, 99, 100)),
        ]
        for one, load in imports.beside
    ]
    return "\n\n".join(
        [
            HEAD.format(clients=CLIENTS),
            f"{imports.circumstances}.",
            table(["alone", "seconds", "people a second", "memory at most, MB"], alone),
            table(
                ["beside logins", "people a second", "logins", "p50, ms", "p99, ms", "longest, ms"], beside
            ),
            f"The largest took {imports.growth:.2f} times the memory of the smallest; at most"
            f" {TARGET_GROWTH} times is aimed at, and {TARGET_RATE:,} people a second alone.",
        ]
    )
