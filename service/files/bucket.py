"""Files in an S3-compatible bucket.

A file is sent when all of it is there, and read in parts of a megabyte, each asked for when the one before
was taken: so a slow client keeps no connection to the bucket, and no call of the bucket has to be a long one.
"""

import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

if TYPE_CHECKING:
    from obstore.store import S3Config

from service import threads
from service.files.pieces import Pieces
from service.model.errors import FilesUnavailable, NotFound

# An answer is owed within 3 seconds where the bucket is away; what is sent to it may take longer, in seconds.
TIMEOUT, CONNECT_TIMEOUT, SEND_TIMEOUT = 2, 1, 30
# How much is read at a time; and from where on a file is sent in parts, one after the other, in bytes.
PIECE, PART = 2**20, 16 * 2**20


class Bucket:
    """A part of a bucket, that begins with a prefix."""

    def __init__(self, name: str, prefix: str, endpoint: str | None, region: str | None) -> None:
        self._quick = _store(name, prefix, endpoint, region, TIMEOUT)
        self._slow = _store(name, prefix, endpoint, region, SEND_TIMEOUT)

    @classmethod
    def of(cls, url: str) -> "Bucket":
        """Return the bucket of a URL, ``s3://bucket/prefix?endpoint=…&region=…``."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        prefix = unquote(parts.path).strip("/")
        return cls(parts.netloc, prefix, options.get("endpoint"), options.get("region"))

    def require(self) -> None:
        """Raise FilesUnavailable where the bucket does not answer: before a client sends megabytes."""
        with _our_words(), suppress(FileNotFoundError):
            obstore.head(self._quick, "is-it-there")

    def writing(self, app: str, id: str) -> "_Writing":
        """Begin to write a file."""
        return _Writing(self._slow, f"{app}/{id}")

    def read(self, app: str, id: str, start: int, length: int) -> Pieces:
        """Return some of a file's bytes, piece by piece."""
        return Pieces(self._pieces(f"{app}/{id}", start, length))

    def remove(self, app: str, id: str) -> None:
        """Remove a file, if it is there."""
        with _our_words(), suppress(FileNotFoundError):
            obstore.delete(self._quick, f"{app}/{id}")

    def _pieces(self, path: str, start: int, length: int) -> Generator[bytes, None, None]:
        for place in range(start, start + length, PIECE):
            most = min(PIECE, start + length - place)
            with _our_words():
                try:
                    piece = obstore.get_range(self._quick, path, start=place, length=most)
                except FileNotFoundError:
                    raise NotFound from None
            yield piece.to_bytes()


class _Writing:
    """A file that is being written, on this machine's disk until it is sent."""

    def __init__(self, store: S3Store, path: str) -> None:
        self._store = store
        self._path = path
        with _our_words():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed by `close`

    def write(self, piece: bytes) -> None:
        """Add bytes."""
        with _our_words():
            self._file.write(piece)

    def keep(self) -> None:
        """Send the file; the bucket has it when it says so."""
        with _our_words():
            self._file.seek(0)
            obstore.put(self._store, self._path, self._file, chunk_size=PART, max_concurrency=1)

    def close(self) -> None:
        """Let go of it."""
        with suppress(OSError):
            self._file.close()


def _store(name: str, prefix: str, endpoint: str | None, region: str | None, timeout: int) -> S3Store:
    """Return a bucket whose calls may take so many seconds each. Who we are to it stands in the
    environment."""
    config: S3Config = {}
    if endpoint:
        config["endpoint"] = endpoint
    if region:
        config["region"] = region
    return S3Store(
        name,
        config=config,
        prefix=prefix or None,
        client_options={
            "allow_http": True,
            "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT),
            "timeout": timedelta(seconds=timeout),
        },
        # A client may try again, and has to know soon.
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=timeout)},
    )


@contextmanager
def _our_words() -> Iterator[None]:
    """Raise what the library says of a bucket, or the system of a disk, as our own error."""
    try:
        with threads.waiting:
            yield
    except (BaseError, OSError) as error:
        raise FilesUnavailable from error
