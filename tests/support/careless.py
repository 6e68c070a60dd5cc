"""What gunicorn serves where nothing waits for the disk: what it acknowledges is lost with the power."""

import os
from typing import Any

import peewee

_init = peewee.SqliteDatabase.__init__


def _without_syncing(database: Any, *arguments: Any, pragmas: Any, **more: Any) -> None:
    _init(database, *arguments, pragmas=pragmas | {"synchronous": "off"}, **more)


peewee.SqliteDatabase.__init__ = _without_syncing
# Of files and of the journal.
os.fsync = lambda descriptor: None

from tests.support.patient import app  # noqa: E402

__all__ = ["app"]
