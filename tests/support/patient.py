"""Usher as it is, but that it waits for its store for as long as a slow machine takes: there nobody is sent
away because of that. Who follows is looked after more often, so that no test waits for it.

It is what gunicorn serves, and ``python -m tests.support.patient …`` is any of the commands.
"""

from typing import Any

from service.store.database import Database
from tests.support.marks import LONG

_init = Database.__init__


def _wait_for_long(database: Database, url: str, timeout: float = LONG, *more: Any, **named: Any) -> None:
    _init(database, url, max(timeout, LONG), *more, **named)


Database.__init__ = _wait_for_long  # type: ignore[method-assign]

if __name__ == "__main__":
    from service.cli import main
    from service.live import telling

    telling.CHECKED_EVERY = 1.0
    main()
else:
    from wsgi import app  # noqa: F401 - what gunicorn serves
