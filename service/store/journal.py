"""The journal: what was revoked, in a file that outlives the database, and in the log.

A line is written when all else of its transaction is done, before that is committed, and is on the disk
before it is answered: so nothing that was answered lacks one. Where it cannot be written, nothing is changed.
Of a transaction whose commit fails after that there is a line too: somebody was about to revoke it.

It is opened for each line, as they are few: so whoever renames it, to begin another, loses none. Several
processes may append at once.
"""

import glob
import gzip
import hmac
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from service import logs, threads
from service.model.errors import BadSettings, StoreUnavailable
from service.model.revocations import Revocation, Revoked
from service.times import rfc3339

_GZIP = b"\x1f\x8b"
# What is compressed, and damaged, raises.
_CUT_OFF = (EOFError, gzip.BadGzipFile, zlib.error)


class Journal:
    """Writes down what was revoked: into the log, and into a file, if one is named."""

    def __init__(self, path: str = "", secret_key: str = "") -> None:
        self._path = path
        self._key = f"usher journal\0{secret_key}".encode()

    def require_writable(self) -> None:
        """Raise BadSettings if the file cannot be written."""
        try:
            self._append(b"")
        except OSError as error:
            raise BadSettings(f"JOURNAL cannot be written: {error.strerror}") from error

    def digest(self, app: str, id: str, text: str) -> str:
        """Return the digest that stands in a line for a text: told by nothing but SECRET_KEY, and another for
        each id."""
        return hmac.digest(self._key, f"{app} {id} {text}".encode(), "sha256").hex()[:32]

    def write(self, revocations: list[Revocation]) -> None:
        """Write lines, to be there after any loss of power. Raises StoreUnavailable."""
        lines = [_as_line(one) for one in revocations]
        try:
            with threads.waiting:
                self._append(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        except OSError as error:
            logs.get_logger().error("the journal cannot be written", reason=error.strerror)
            raise StoreUnavailable from error
        for line in lines:
            logs.get_logger().info("revoked", **line)

    def _append(self, data: bytes) -> None:
        if not self._path:
            return
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            # In one piece, so that no other process's lines come between, unless the disk is full.
            while data:
                data = data[os.write(file, data) :]
            os.fsync(file)
        finally:
            os.close(file)
        # Whoever made it may not have come so far yet.
        sync_directory(Path(self._path))


def sync_directory(path: Path) -> None:
    """Have a file that may be new in its directory be there after a loss of power."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _as_line(revocation: Revocation) -> dict[str, Any]:
    line = {"revoked": revocation.what.value, "app": revocation.app, "id": revocation.id}
    which = {} if revocation.which is None else {"which": revocation.which}
    return line | which | {"at": rfc3339(revocation.at)}


class Line(NamedTuple):
    """A line of a file, by its number: what it says was revoked, if it does, and whether it is damaged."""

    number: int
    says: Revocation | None
    is_damaged: bool


def journals(path: str) -> list[Path]:
    """Return a journal's file, if it is there, and those that it was rotated into."""
    given = Path(path)
    return [*given.parent.glob(f"{glob.escape(given.name)}[.-]*"), *([given] if given.exists() else [])]


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Sort files by the first that each says, the oldest first; those that say nothing are first."""
    return sorted(paths, key=lambda path: next((line.says.at for line in read(path) if line.says), 0))


def read(path: Path) -> Iterator[Line]:
    """Read a journal or a log, which may be compressed: the lines that say what was revoked, and those that
    are damaged. Before what they say there may be words, as platforms put before a line of a log. Raises
    OSError."""
    number = 0
    with closing(_open(path)) as file:
        try:
            for number, text in enumerate(file, 1):
                line = _parse(number, text)
                if line.says is not None or line.is_damaged:
                    yield line
        except _CUT_OFF:
            yield Line(number + 1, None, True)


def _open(path: Path) -> Any:
    with path.open("rb") as file:
        is_compressed = file.read(2) == _GZIP
    return gzip.open(path) if is_compressed else path.open("rb")


def _parse(number: int, text: bytes) -> Line:
    """Read a line. What a full disk has torn may have another right behind it.

    Nothing comes after what is read: else whoever has a proxy log an address of theirs could have somebody
    erased.
    """
    at = text.find(b"{")
    # Of a log, a line without this word is none of ours.
    is_ours, is_damaged = at == 0 or b'"revoked"' in text, False
    while at >= 0:
        try:
            found = orjson.loads(text[at:])
        except orjson.JSONDecodeError:
            is_damaged, at = is_ours, text.find(b"{", at + 1)
            continue
        says = _revocation(found)
        return Line(number, says, is_damaged or (says is None and "revoked" in found))
    return Line(number, None, is_damaged)


def _revocation(found: dict[str, Any]) -> Revocation | None:
    try:
        at = round(datetime.fromisoformat(found["at"]).timestamp() * 1000)
        return Revocation(Revoked(found["revoked"]), found["app"], found["id"], at, found.get("which"))
    except (KeyError, TypeError, ValueError):
        return None
