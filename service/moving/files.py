"""Read a file of another desk's, a CSV or JSON with an object a line, and say what each line says of whom."""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import orjson

from service.model.errors import BadFile
from service.moving.cells import Cells, read_cells
from service.moving.reading import MAX_LINE
from service.moving.records import Meanings, flattened, of_columns
from service.moving.sources.catalogue import SOURCES
from service.moving.sources.source import Ours, Source
from service.moving.sourcing import Entry
from service.moving.talks import is_talk, read_talk
from service.times import now

_BOM = b"\xef\xbb\xbf"
# How much of a file is looked at to know what it is.
_HEAD = 1000


class SourceFile:
    """A file of another desk's."""

    def __init__(
        self,
        file: BinaryIO,
        app: str,
        name: str,
        mapped: Mapping[str, Ours],
        *,
        encoding: str | None = None,
        trusts_emails: bool = False,
    ) -> None:
        """Raises BadFile for a CSV whose columns say of nobody who it is, or in which one that is mapped is
        missing."""
        self._file = file
        self._app = app
        self._encoding = encoding
        # Nothing was said after the file was read.
        self._at = now()
        self._is_json = _head(file).lstrip(_BOM + b" \t\r\n")[:1] in (b"{", b"[")
        if self._is_json:
            self._meanings = Meanings(SOURCES[name], mapped, trusts_emails=trusts_emails)
        else:
            self._heading = self._read_heading()
            self._meanings = of_columns(name, self._heading, mapped, trusts_emails=trusts_emails)

    @property
    def source(self) -> Source:
        """Whose words it has."""
        return self._meanings.source

    def read(self) -> Iterator[Entry]:
        """Read all of it, from the beginning."""
        self._file.seek(0)
        return self._of_json() if self._is_json else self._of_csv()

    def _read_heading(self) -> list[str]:
        cells = next(read_cells(self._file, self._encoding), None)
        if cells is None or cells.complaint is not None:
            raise BadFile(f"the heading can't be read: {cells.complaint if cells else 'there is none'}")
        return [name.strip() for name in cells.cells]

    def _of_csv(self) -> Iterator[Entry]:
        cells = read_cells(self._file, self._encoding)
        next(cells)
        for one in cells:
            yield self._of_cells(one)

    def _of_cells(self, one: Cells) -> Entry:
        complaint, beyond = one.complaint, one.cells[len(self._heading) :]
        if any(beyond):
            complaint = f"it has {len(one.cells)} cells, and the heading {len(self._heading)}"
        if complaint is not None:
            return Entry(one.number, one.text, None, complaint)
        return Entry(one.number, one.text, self._meanings.record(zip(self._heading, one.cells, strict=False)))

    def _of_json(self) -> Iterator[Entry]:
        number = 0
        while data := self._file.readline(MAX_LINE + 1):
            number += 1
            if len(data) > MAX_LINE:
                while data and not data.endswith(b"\n"):
                    data = self._file.readline(MAX_LINE)
                yield Entry(number, None, None, f"it has more than {MAX_LINE} bytes")
            elif data.strip():
                yield from self._of_line(number, data.removeprefix(_BOM))

    def _of_line(self, number: int, data: bytes) -> Iterator[Entry]:
        try:
            people = _people(orjson.loads(data), self.source.lists)
            found = [(one, orjson.dumps(one).decode()) for one in people]
        except (ValueError, TypeError):
            yield Entry(number, data.decode(errors="replace"), None, "it is no JSON, or too deep")
            return
        for one, text in found:
            yield self._of_object(number, text, one)

    def _of_object(self, number: int, text: str, said: Any) -> Entry:
        if not isinstance(said, dict):
            return Entry(number, text, None, "it is no JSON object")
        talk = self.source.talk
        if talk is None or not is_talk(talk, said):
            return Entry(number, text, self._meanings.record(flattened(said)))
        spoken = read_talk(self._app, self.source.name, talk, said, self._at)
        return Entry(number, text, self._meanings.record(flattened(spoken.owner)), spoken=spoken)


def _head(file: BinaryIO) -> bytes:
    head = file.read(_HEAD)
    file.seek(0)
    return head


def _people(said: Any, lists: tuple[str, ...]) -> list[Any]:
    """Return who is on a line: one, or all of a page."""
    if isinstance(said, list):
        return said
    pages = (
        [said[name] for name in lists if isinstance(said.get(name), list)] if isinstance(said, dict) else []
    )
    return pages[0] if pages else [said]
