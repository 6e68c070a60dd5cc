"""No place for files: nothing is written, and nothing is there."""

from typing import NoReturn

from service.model.errors import NoFiles


class Nowhere:
    """Refuses files, and says why."""

    def require(self) -> NoReturn:
        """Raise NoFiles."""
        raise NoFiles

    def writing(self, app: str, id: str) -> NoReturn:  # noqa: ARG002 - as any place has it
        """Raise NoFiles."""
        raise NoFiles

    def read(self, app: str, id: str, start: int, length: int) -> NoReturn:  # noqa: ARG002 - as above
        """Raise NoFiles."""
        raise NoFiles

    def remove(self, app: str, id: str) -> NoReturn:  # noqa: ARG002 - as above
        """Raise NoFiles."""
        raise NoFiles
