"""Where the bytes of files are: in a folder, or in an S3-compatible bucket.

A file is written once, under the id of its app and its own, and never changed. This layer knows neither what
is in the database nor who may read what; it raises FilesUnavailable where its folder or bucket is away.
"""

from typing import Protocol

from service.files.folder import Folder
from service.files.nowhere import Nowhere
from service.files.pieces import Pieces


class Writing(Protocol):
    """A file that is being written."""

    def write(self, piece: bytes) -> None:
        """Add bytes."""

    def keep(self) -> None:
        """Have the file last: once this returns, it is there after any single fault."""

    def close(self) -> None:
        """Let go of it; what was not kept may be there or not."""


class Files(Protocol):
    """A place for files."""

    def require(self) -> None:
        """Raise NoFiles or FilesUnavailable where nothing can be written, as far as can be told soon."""

    def writing(self, app: str, id: str) -> Writing:
        """Begin to write a file."""

    def read(self, app: str, id: str, start: int, length: int) -> Pieces:
        """Return some of a file's bytes, piece by piece; the first is there when this returns. Raises
        NotFound for a file that is not there."""

    def remove(self, app: str, id: str) -> None:
        """Remove a file, if it is there."""


def open_files(url: str) -> Files:
    """Return the place that a setting names: ``s3://…``, ``file://…``, or none."""
    if url.startswith("s3://"):
        # Who has no bucket saves each process the 5 MB that this takes.
        from service.files.bucket import Bucket  # noqa: PLC0415

        return Bucket.of(url)
    return Folder.of(url) if url else Nowhere()
