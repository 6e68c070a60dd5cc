"""Where requests are kept that are too large for memory, until all of them is there."""

import os
import tempfile
from threading import Lock

# How many files a worker has for that, and how many bytes in all of them.
MAX_FILES, MAX_BYTES = 256, 256 * 2**20


class Full(OSError):
    """There is no room until others have gone."""


class Room:
    """What a worker may keep in files."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._files = self._bytes = 0

    def take(self, files: int, size: int) -> None:
        """Have so much room; one file alone may have as many bytes as it wants. Raises Full."""
        with self._lock:
            others = self._files - (not files)
            is_full = self._files + files > MAX_FILES or self._bytes + size > MAX_BYTES
            if is_full and others:
                raise Full
            self._files += files
            self._bytes += size

    def leave(self, size: int) -> None:
        """Give the room of a file to others."""
        with self._lock:
            self._files -= 1
            self._bytes -= size


class Spool:
    """A file without a name, which is gone with the process. Raises Full where a worker has no room, and
    OSError where there is none on the disk."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0
        room.take(1, 0)
        try:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it is closed when the request is served
        except OSError:
            room.leave(0)
            raise

    def write(self, data: bytes) -> None:
        """Add bytes at the end."""
        self._room.take(0, len(data))
        self._size += len(data)
        at = self._file.tell()
        self._file.seek(0, os.SEEK_END)
        written = 0
        while written < len(data):
            written += self._file.write(data[written:])
        self._file.seek(at)

    def rewind(self) -> None:
        """Read from the beginning next."""
        self._file.seek(0)

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        return self._file.read(size)

    def close(self) -> None:
        """Forget all of it."""
        self._file.close()
        self._room.leave(self._size)
