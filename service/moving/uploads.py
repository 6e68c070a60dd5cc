"""Read a file of people that an operator has sent: find out what would come of it, or have it come; and write
down what came, for whoever looks."""

import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import TextIOWrapper
from typing import IO, Any, Protocol

import orjson

from service.model.apps import App
from service.model.imports import Options
from service.moving.files import SourceFile
from service.moving.importing import Rejects
from service.moving.reading import Refused
from service.moving.sources.source import Ours
from service.moving.sourcing import Entry, Sourcing, Steps, Tally
from service.moving.trial import trial
from service.store import AppStore

# Of reasons that hold a number or a name as many are written down as a page shows.
MAX_REASONS = 100
# How much of what was left out is written down, in bytes.
MAX_REJECTS = 64 * 2**20
# With these begins what a spreadsheet takes for a formula, in either width.
FORMULAS = "=+-@\t\r\n＝＋－＠"
HEADING = "text", "line", "reason", "detail"
MORE = "", "", "more", "Further lines were left out too; how many stands on the page."


@dataclass(frozen=True)
class Report:
    """Whose words a file has, and what came of it, or would."""

    source: str
    tally: Tally

    @property
    def people(self) -> int:
        """How many people were placed."""
        return sum(self.tally.people.values())

    def as_text(self) -> str:
        """Write it down."""
        tally = self.tally
        counters = {name: _pairs(getattr(tally, name)) for name in COUNTERS}
        numbers = {name: getattr(tally, name) for name in NUMBERS}
        return orjson.dumps({"source": self.source} | counters | numbers).decode()

    @classmethod
    def of(cls, text: str) -> "Report":
        """Read what was written down."""
        said = orjson.loads(text)
        tally = Tally(**{name: said[name] for name in NUMBERS})
        for name in COUNTERS:
            getattr(tally, name).update({_key(key): count for key, count in said[name]})
        return cls(said["source"], tally)


COUNTERS = "people", "created", "changed", "left", "refused", "ignored"
NUMBERS = "new_talks", "talks", "hidden"


def _pairs(counter: Counter[Any]) -> list[tuple[Any, int]]:
    return counter.most_common(MAX_REASONS)


def _key(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key


class CsvRejects(Rejects):
    """Writes down what was left out, and why, as a CSV that a spreadsheet can open: no cell of it is taken
    for a formula.

    The text stands first: where a spreadsheet splits lines at something else than a comma, it would not see
    the quotes of a later cell, and what of the text comes after that is a cell of its own.
    """

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._bytes = file
        # Else a spreadsheet takes it for an encoding of its own country's.
        self._text = TextIOWrapper(file, "utf-8-sig", newline="", write_through=True)
        self._csv = csv.writer(self._text, quoting=csv.QUOTE_ALL)
        self._csv.writerow(HEADING)
        self._is_full = False

    def put(self, refused: Refused) -> None:
        """Write refused lines down, as long as there is room."""
        if self._is_full:
            return
        if self._bytes.tell() > MAX_REJECTS:
            self._is_full = True
            self._csv.writerow(MORE)
            return
        for line in refused.lines:
            text = (line.data or b"").decode(errors="replace").rstrip("\r\n")
            self._csv.writerow((_plain(text), line.number, refused.reason, _plain(refused.detail)))

    def detach(self) -> None:
        """Leave the file open."""
        self._text.detach()


def _plain(text: str) -> str:
    begins = text.lstrip(" \xa0\u200b\ufeff")[:1]
    return f"'{text}" if begins and begins in FORMULAS else text


class Course(Protocol):
    """How a file is gone through; what it raises ends it all."""

    def steps(self, source: str) -> Steps | None:
        """Return which steps were done, and who takes note of others, by whose words the file has; None to
        find out what would happen, and change nothing."""

    def watch(self) -> None:
        """Hear that another line is read."""

    def tell(self, people: int) -> None:
        """Hear how many people are placed by now."""


def read_upload(
    real: AppStore, app: App, file: IO[bytes], options: Options, rejects: Rejects, course: Course
) -> Report:
    """Take in whom a file names, or find out what would happen. Raises BadFile, and what the course does."""
    columns = {options.user_id_column: Ours.USER_ID, options.email_column: Ours.EMAIL}
    read = SourceFile(
        file,  # type: ignore[arg-type]
        app.id,
        options.source,
        {column: ours for column, ours in columns.items() if column},
        encoding=options.encoding or None,
        trusts_emails=options.trusts_emails,
    )
    source = read.source.name

    def watched() -> Iterator[Entry]:
        for entry in read.read():
            course.watch()
            yield entry

    with ExitStack() as stack:
        store, bring, steps = real, None, course.steps(source)
        if steps is None:
            store, bring = stack.enter_context(trial(real, app))
        sourcing = Sourcing(store, app, rejects, course.tell, real, bring, steps)
        sourcing.run(watched)
    return Report(source, sourcing.tally)
