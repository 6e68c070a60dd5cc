"""Read a CSV that anything may have written, a record at a time, in memory that no file makes grow."""

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from typing import Any, BinaryIO, NamedTuple

from service.model.errors import BadFile

# How many characters of a line are read at most, and how many lines of a record: one whose quotes end nowhere
# would be all of the file.
MAX_LINE, MAX_LINES = 4 * 2**20, 1000

SEPARATORS = ",;\t|"

_SAYS_SEPARATOR = re.compile(r"\ufeff?\"?sep=(.)\"?\s*", re.IGNORECASE)
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Half of a surrogate pair stands for a byte that is none of the encoding's.
_UNREADABLE = re.compile("[\ud800-\udfff]")


class Cells(NamedTuple):
    """A record by the number of its first line: its text, or none of one that is too long, and its cells, or
    why it has none."""

    number: int
    text: str | None
    cells: Sequence[str]
    complaint: str | None = None


class _Line(NamedTuple):
    number: int
    text: str
    is_whole: bool


def read_cells(file: BinaryIO, encoding: str | None = None) -> Iterator[Cells]:
    """Read the records of a file, the heading first; empty lines are none. Raises BadFile for an encoding
    that nobody knows."""
    name = encoding or _encoding(file)
    # This one has no way to keep a byte that is not its own.
    is_wide = name.startswith("utf-16")
    try:
        errors = "replace" if is_wide else "surrogateescape"
        text = TextIOWrapper(file, name, errors=errors, newline="")
    except LookupError:
        raise BadFile(f"there is no encoding {name}") from None
    unreadable = re.compile("\ufffd") if is_wide else _UNREADABLE
    try:
        yield from _records(text, unreadable, f"it is not {name}: name what it is with --encoding")
    finally:
        text.detach()


def _encoding(file: BinaryIO) -> str:
    head = file.read(4)
    file.seek(0)
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    zeros = head[:1] == b"\0", head[1:2] == b"\0"
    return {(False, True): "utf-16-le", (True, False): "utf-16-be"}.get(zeros, "utf-8")


def _records(file: Any, unreadable: re.Pattern[str], complaint: str) -> Iterator[Cells]:
    lines = _lines(file)
    waiting = deque(_first(lines))
    separator = _separator(waiting)
    while True:
        taken: list[_Line] = []
        try:
            cells = next(csv.reader(_fed(waiting, lines, taken), delimiter=separator, strict=True), None)
        except csv.Error as why:
            # The lines after the first are read as records of their own.
            waiting.extendleft(reversed(taken[1:]))
            yield _complaint(taken[0], str(why))
            continue
        if cells is None:
            return
        text = "".join(line.text for line in taken)
        if not all(line.is_whole for line in taken):
            yield _complaint(taken[0], f"it has a line of more than {MAX_LINE} characters")
        elif unreadable.search(text):
            yield _complaint(taken[0], complaint, text)
        elif any(cells):
            yield Cells(taken[0].number, text, cells)


def _lines(file: Any) -> Iterator[_Line]:
    number = 0
    while text := file.readline(MAX_LINE):
        number += 1
        is_whole = len(text) < MAX_LINE or text.endswith("\n")
        rest = text
        while not is_whole and rest and not rest.endswith("\n"):
            rest = file.readline(MAX_LINE)
        # Of one that is too long nothing is kept, so that no quote in it is opened.
        yield _Line(number, text if is_whole else "\n", is_whole)


def _first(lines: Iterator[_Line]) -> Iterator[_Line]:
    """Return the first line in which anything stands."""
    for line in lines:
        if line.text.strip():
            yield line
            return


def _separator(waiting: deque[_Line]) -> str:
    """Return what stands between cells: what the file says, as those of spreadsheets do, or else what makes
    most of its heading."""
    if not waiting:
        raise BadFile("the file is empty")
    text = waiting[0].text
    if says := _SAYS_SEPARATOR.fullmatch(text):
        waiting.popleft()
        return says[1]
    return max(SEPARATORS, key=lambda one: len(next(csv.reader([text], delimiter=one))))


def _fed(waiting: deque[_Line], lines: Iterator[_Line], taken: list[_Line]) -> Iterator[str]:
    while len(taken) < MAX_LINES:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            return
        taken.append(line)
        yield line.text


def _complaint(line: _Line, why: str, text: str | None = None) -> Cells:
    return Cells(line.number, text or (line.text if line.is_whole else None), (), why)
