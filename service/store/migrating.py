"""Bring a store's schema up to date, once, also when several try at the same time."""

from pathlib import Path

from playhouse.migrations import Runner

from service.model.errors import OldSchema
from service.store.database import Database

DIRECTORY = Path(__file__).parent / "migrations"

# How long to migrate, or to wait for another who does, in seconds.
TIMEOUT = 3600


def migrate(url: str, directory: Path = DIRECTORY) -> list[str]:
    """Apply what is pending, in one transaction, and return the names of what was applied."""
    database = Database(url, timeout=TIMEOUT)
    try:
        with database.connected():
            if database.is_sqlite:
                # Else rebuilding a table would cascade; it can be turned off outside of transactions only.
                database.peewee.execute_sql("PRAGMA foreign_keys = OFF")
            with database.transaction():
                database.extend_deadline(TIMEOUT)
                database.lock("", "migrations")
                applied: list[str] = Runner(database.peewee, str(directory)).up()
                return applied
    finally:
        database.close()


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
        self._is_current = True
