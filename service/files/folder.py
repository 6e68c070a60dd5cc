"""Files in a folder of this machine, each in a folder of its app."""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

from service import threads
from service.files.pieces import Pieces
from service.model.errors import FilesUnavailable, NotFound

PIECE = 64 * 1024  # bytes


class Folder:
    """A folder of files. It is made when the first one is written, but not the folder that it is in: where
    a disk is not mounted, nothing is written beside it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @classmethod
    def of(cls, url: str) -> "Folder":
        """Return the folder of a URL, ``file:///path``."""
        return cls(Path(unquote(url.removeprefix("file://"))))

    def require(self) -> None:
        """Raise FilesUnavailable where there is no folder, and none can be made."""
        with _our_words():
            _make(self._root)

    def writing(self, app: str, id: str) -> "_Writing":
        """Begin to write a file."""
        place = self._place(app, id)
        with _our_words():
            for folder in (self._root, *reversed(place.relative_to(self._root).parents[:-1])):
                _make(self._root / folder)
            return _Writing(place)

    def read(self, app: str, id: str, start: int, length: int) -> Pieces:
        """Return some of a file's bytes, piece by piece."""
        with _our_words():
            os.stat(self._root)
            return Pieces(_pieces(self._place(app, id), start, length))

    def remove(self, app: str, id: str) -> None:
        """Remove a file, if it is there."""
        with _our_words():
            os.stat(self._root)
            place = self._place(app, id)
            with suppress(FileNotFoundError):
                place.unlink()
                _sync(place.parent)

    def _place(self, app: str, id: str) -> Path:
        # Ids end at random, and a folder of millions is slow to look into.
        return self._root / app / id[-2:] / id


class _Writing:
    """A file that is being written, where it stays: until its row is in the database nobody reads it."""

    def __init__(self, place: Path) -> None:
        self._place = place
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        self._file = open(place, "wb", opener=lambda path, _: os.open(path, flags, 0o600))  # noqa: SIM115

    def write(self, piece: bytes) -> None:
        """Add bytes."""
        with _our_words():
            self._file.write(piece)

    def keep(self) -> None:
        """Have the file last."""
        with _our_words():
            self._file.flush()
            os.fsync(self._file.fileno())
            _sync(self._place.parent)

    def close(self) -> None:
        """Let go of it. What a full disk did not take is tried once more by this, and may fail again."""
        with suppress(OSError):
            self._file.close()


def _pieces(place: Path, start: int, length: int) -> Generator[bytes, None, None]:
    try:
        file = place.open("rb")
    except FileNotFoundError:
        raise NotFound from None
    with file:
        file.seek(start)
        while length > 0:
            with threads.waiting:
                piece = file.read(min(PIECE, length))
            if not piece:
                break
            length -= len(piece)
            yield piece


def _make(folder: Path) -> None:
    """Make a folder that lasts, unless it is there."""
    with suppress(FileExistsError):
        folder.mkdir(0o700)
    # Whoever made it may not have come so far yet.
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Have what changed in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _our_words() -> Iterator[None]:
    """Raise what the system says of a disk as our own error."""
    try:
        with threads.waiting:
            yield
    except OSError as error:
        raise FilesUnavailable from error
