"""Bring a store's schema up to date, once, also when several try at the same time, and while it is in use."""

import time
from collections import deque
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playhouse.migrations import Runner
from psycopg.errors import LockNotAvailable

from service.model.errors import OldSchema, StoreUnavailable
from service.store.database import Database, causes
from service.store.spreading import keep_plans, spreading_new_tables

DIRECTORY = Path(__file__).parent / "migrations"

# How long to migrate, or to wait for another who does, in seconds.
TIMEOUT = 3600
# Who waits to change a table keeps all others waiting who would only read it, so it gives up soon and tries
# again: how long it waits, and how long until then, in seconds.
LOCK_TIMEOUT, PAUSE = 0.5, 1.0
ATTEMPTS = 600


def migrate(url: str, directory: Path = DIRECTORY) -> list[str]:
    """Apply what is pending, each migration in a transaction of its own, and return the names of what was
    applied.

    A migration may define ``fill(db)``, which yields after each part of a long work. Each part is done in a
    transaction of its own, before the migration's ``up``: so nobody waits long for what it locks. It begins
    anew where it was cut off, so what is done has to be left alone.
    """
    database = Database(url, timeout=TIMEOUT)
    with rebuilding(database):
        return list(_apply(database, Runner(database.peewee, str(directory))))


@contextmanager
def rebuilding(database: Database) -> Iterator[None]:
    """Have one connection inside, over which a table may be made anew to which others refer."""
    database.start_deadline()
    try:
        if database.is_sqlite:
            # Else it would cascade; it can be turned off outside of transactions only.
            with database.connected():
                database.peewee.execute_sql("PRAGMA foreign_keys = OFF")
        yield
    finally:
        database.end_deadline()
        database.close()


def apply(database: Database, names: Container[str]) -> list[str]:
    """Apply those of these migrations that are pending, in this transaction; return their names."""
    runner, applied = Runner(database.peewee, str(DIRECTORY)), []
    for one in runner.status():
        if one.applied or one.name not in names:
            continue
        fill = getattr(one.load(), "fill", None)
        deque(() if fill is None else fill(database.peewee), maxlen=0)
        applied += runner.up(target=one.name)
    return applied


def migrations(database: Database) -> tuple[list[str], list[str], list[str]]:
    """Return the names of the migrations that a store has had, of those that this release has, and of those
    that the store has had and this release does not know."""
    steps = database.ask(Runner(database.peewee, str(DIRECTORY)).status)
    had = [step.name for step in steps if step.applied]
    return had, [step.name for step in steps if step.path], [step.name for step in steps if not step.path]


def _apply(database: Database, runner: Runner) -> Iterator[str]:
    """Apply what is pending, and yield the name of each migration that was."""
    attempts, parts = 0, _Parts("", iter(()))
    while True:
        try:
            parts = _step(database, runner, parts)
        except StoreUnavailable as error:
            attempts, parts = attempts + 1, _Parts("", iter(()))
            if attempts == ATTEMPTS or not any(isinstance(one, LockNotAvailable) for one in causes(error)):
                raise
            time.sleep(PAUSE)
            continue
        if not parts.name:
            return
        if parts.left is None:
            attempts = 0
            yield parts.name


class _Parts(NamedTuple):
    """A migration, if one is pending, and the parts of its work that are left; None once it is applied."""

    name: str
    left: Iterator[None] | None


def _step(database: Database, runner: Runner, parts: _Parts) -> _Parts:
    """Do a part of the work of the first migration that is pending, or apply it."""
    with database.transaction():
        database.lock_here("migrations")
        database.give_up_locks_after(LOCK_TIMEOUT)
        pending = next((one for one in runner.status() if not one.applied and one.path), None)
        if pending is None:
            return _Parts("", None)
        left = parts.left if parts.name == pending.name else None
        if left is None:
            fill = getattr(pending.load(), "fill", None)
            left = iter(()) if fill is None else fill(database.peewee)
        if next(left, True) is None:
            return _Parts(pending.name, left)
        with spreading_new_tables(database):
            runner.up(target=pending.name)
        return _Parts(pending.name, None)


class Schema:
    """Whether a store's schema is the one that this code needs; once found current, it stays so."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_current = False

    def require(self) -> None:
        """Raise OldSchema if a migration is pending, and StoreUnavailable if nobody can tell."""
        if self._is_current:
            return
        steps = self._database.ask(Runner(self._database.peewee, str(DIRECTORY)).status)
        pending = [step.name for step in steps if not step.applied]
        if pending:
            raise OldSchema(
                f"the store's schema lacks {', '.join(pending)}: run `python -m service migrate` first"
            )
        self._database.ask(keep_plans, self._database)
        self._is_current = True
