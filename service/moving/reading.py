"""Read a file of an app's lines, which may be damaged anywhere, a line at a time."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

import orjson

from service.desk.moving import FORMAT, Line
from service.model.errors import BadFile
from service.model.moving import BadLine, Person, Prepared, Row
from service.store.kinds import ANONYMOUS, DEVICE, OF_A_PERSON
from service.store.preparing import prepare

# How many bytes of a line are read at most; one of a merge with a hundred thousand conversations has fewer.
MAX_LINE = 16 * 2**20

_BOM = b"\xef\xbb\xbf"
_KINDS = {kind.name: kind for kind in OF_A_PERSON}
# What stands in a person's lines.
_OF_A_PERSON = {*_KINDS, ANONYMOUS}


class Read(NamedTuple):
    """A line by its number: its bytes, or none of one that is too long; what it says, or why it can't be
    read."""

    number: int
    data: bytes | None
    says: Line
    complaint: str | None = None


@dataclass(frozen=True)
class Refused:
    """Lines that are not moved, and why."""

    lines: list[Read]
    reason: str
    detail: str


@dataclass(frozen=True)
class Device:
    """A line of a device."""

    line: Read
    row: Row


@dataclass(frozen=True)
class Incoming:
    """The lines of a person, and the person as they would be written."""

    lines: list[Read]
    prepared: Prepared


@dataclass
class _Collected:
    """What was read so far of a person."""

    lines: list[Read] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    anonymous: list[tuple[str, str]] = field(default_factory=list)
    complaint: str | None = None


def read_lines(file: BinaryIO, longest: int = MAX_LINE) -> Iterator[Read]:
    """Read each line of a file, whatever it holds."""
    number = 0
    while data := file.readline(longest + 1):
        number += 1
        if len(data) > longest:
            while data and not data.endswith(b"\n"):
                data = file.readline(longest)
            yield Read(number, None, {}, f"it has more than {longest} bytes")
        else:
            yield _parsed(number, data)


def _parsed(number: int, data: bytes) -> Read:
    try:
        says = orjson.loads(data.removeprefix(_BOM) if number == 1 else data)
    except ValueError:
        return Read(number, data, {}, "it is no JSON")
    if not isinstance(says, dict) or type(says.get("kind")) is not str:
        return Read(number, data, {}, "it is no JSON object with a kind")
    return Read(number, data, says)


def read_app(lines: Iterator[Read]) -> Line:
    """Read the first line, which tells of which app the others are. Raises BadFile."""
    first = next(lines, None)
    says = {} if first is None else first.says
    if says.get("kind") != "app" or says.get("format") != FORMAT:
        raise BadFile("the file is no export that this release can read")
    return says


def read_all(app: str, lines: Iterator[Read]) -> Iterator[Device | Incoming | Refused]:
    """Read all other lines, to be written into an app. Raises BadFile at the end of a file that lacks its
    last line."""
    line = next(lines, None)
    while line is not None:
        match line.says.get("kind"):
            case "person":
                collected, line = _collect(line, lines)
                yield _person(app, collected)
                continue
            case "device":
                yield _device(line)
            case "end":
                if line.says.get("lines") != line.number:
                    yield _bad(line, "lines are missing before it, or were added")
                return
            case _:
                yield _bad(line, line.complaint or "it is of no kind that stands here")
        line = next(lines, None)
    raise BadFile("the file was cut off: what it has is moved")


def _bad(line: Read, complaint: str) -> Refused:
    return Refused([line], "bad-line", complaint)


def _device(line: Read) -> Device | Refused:
    try:
        return Device(line, DEVICE.values(line.says))
    except BadLine as why:
        return _bad(line, str(why))


def _collect(first: Read, lines: Iterator[Read]) -> tuple[_Collected, Read | None]:
    """Read the lines of a person, and the one after."""
    collected, expected = _Collected([first]), first.says.get("lines")
    if type(expected) is not int:
        collected.complaint = "it does not say how many lines belong to it"
        return collected, next(lines, None)
    for line in lines:
        if len(collected.lines) > expected or (line.says and line.says["kind"] not in _OF_A_PERSON):
            if line.says.get("kind") in _OF_A_PERSON:
                collected.complaint = collected.complaint or "more lines follow than belong to it"
            return _whole(collected, expected), line
        collected.lines.append(line)
        if collected.complaint is None:
            _add(collected, line)
    return _whole(collected, expected), None


def _whole(collected: _Collected, expected: int) -> _Collected:
    if collected.complaint is None and len(collected.lines) != expected + 1:
        collected.complaint = "lines are missing that belong to it"
    return collected


def _add(collected: _Collected, line: Read) -> None:
    if line.complaint is not None:
        collected.complaint = f"line {line.number}: {line.complaint}"
        return
    name = line.says["kind"]
    try:
        if name == ANONYMOUS:
            collected.anonymous.append(_anonymous(line.says))
        else:
            collected.rows[name].append(_KINDS[name].values(line.says))
    except BadLine as why:
        collected.complaint = f"line {line.number}: {why}"


def _anonymous(says: dict[str, Any]) -> tuple[str, str]:
    device, user = says.get("device"), says.get("user")
    if type(device) is not str or type(user) is not str or len(says) != len(("kind", "device", "user")):
        raise BadLine(f"{ANONYMOUS}: it names a device and a user, and nothing else")
    return device, user


def _person(app: str, collected: _Collected) -> Incoming | Refused:
    complaint = collected.complaint
    if complaint is None:
        users = tuple(row[0] for row in collected.rows["user"])
        try:
            prepared = prepare(app, Person(users, collected.rows, collected.anonymous))
        except BadLine as why:
            complaint = str(why)
        else:
            return Incoming(collected.lines, prepared)
    return Refused(collected.lines, "bad-line", complaint)
