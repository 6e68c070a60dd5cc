"""gunicorn's own lines, without those of requests."""

from typing import Any

from gunicorn.glogging import Logger as GunicornLogger


class Logger(GunicornLogger):  # type: ignore[misc]
    """gunicorn's logger, which leaves the line of a request to Usher."""

    def access(self, *_: Any) -> None:
        """Write nothing: it would hold URLs, and with them emails and user IDs.

        Even where none is wanted gunicorn would gather what it could hold, header by header, with
        ``logconfig_dict`` set: a tenth of what a login costs.
        """
