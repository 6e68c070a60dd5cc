"""What gunicorn serves where nobody is compared with others: to measure what a login pays for that."""

from typing import Any

from service.desk import comparing, login
from service.work import following


def _nothing(*_: Any) -> None:
    """Do nothing."""


comparing.Looking.again = _nothing  # type: ignore[method-assign]
login.note_use = _nothing
del following.PURPOSES["compare"]

from wsgi import app  # noqa: E402

__all__ = ["app"]
