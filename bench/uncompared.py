"""What gunicorn serves where nobody is compared with others: to measure what a login pays for that."""

from typing import Any

from service.desk import comparing, login


def _nothing(*_: Any) -> None:
    """Do nothing."""


comparing.Looking.new = _nothing  # type: ignore[method-assign]
comparing.Looking.again = _nothing  # type: ignore[method-assign]
login.note_use = _nothing

from wsgi import app  # noqa: E402

__all__ = ["app"]
