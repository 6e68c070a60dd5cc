"""The bytes of an app's files. No connection to the database is kept while something is done with them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from service.files import Files, Writing
from service.files.pieces import Pieces
from service.store.database import Database


class FileStore:
    """The files of an app. Raises of every method: NoFiles, and FilesUnavailable if their place is away."""

    def __init__(self, database: Database, files: Files, app: str) -> None:
        self._database = database
        self._files = files
        self._app = app

    def require(self) -> None:
        """Find out whether anything can be written, as far as can be told soon."""
        with self._database.aside():
            self._files.require()

    @contextmanager
    def writing(self, id: str) -> Iterator[Writing]:
        """Write a file inside; what is not kept there may be there after or not."""
        with self._database.aside(), closing(self._files.writing(self._app, id)) as file:
            yield file

    def read(self, id: str, start: int, length: int) -> Pieces:
        """Return some of a file's bytes, piece by piece; the first is there when this returns. Raises
        NotFound for a file that is not there."""
        with self._database.aside():
            return self._files.read(self._app, id, start, length)

    def remove(self, id: str) -> None:
        """Remove a file, if it is there."""
        with self._database.aside():
            self._files.remove(self._app, id)
