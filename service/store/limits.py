"""What is counted and what is remembered so that nothing is done too often: rates and repeats."""

from peewee import Case

from service.store.database import Database
from service.store.tables import Rates, Repeats


class RepeatStore:
    """Idempotency keys of all apps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def remember(
        self, app: str, owner: str, key: str, *, request: str, made: str, at: int
    ) -> tuple[str, str] | None:
        """Remember what a key makes; if it was used before, answer its request's digest and what it
        made then. Waits for whoever uses the same key at this moment."""
        added = self._database.row(
            Repeats.insert(app=app, owner=owner, key=key, request=request, made=made, created_at=at)
            .on_conflict_ignore()
            .returning(Repeats.key)
        )
        if added is not None:
            return None
        return self._database.row(
            Repeats.select(Repeats.request, Repeats.made).where(
                (Repeats.app == app) & (Repeats.owner == owner) & (Repeats.key == key)
            )
        )


class RateStore:
    """Rates of all apps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, app: str, kind: str, address: str, minute: int) -> int:
        """Count one more in this minute, and answer how many that makes."""
        row = self._database.row(
            Rates.insert(app=app, kind=kind, address=address, minute=minute, count=1)
            .on_conflict(
                conflict_target=[Rates.app, Rates.kind, Rates.address],
                update={
                    Rates.count: Case(None, ((Rates.minute == minute, Rates.count + 1),), 1),
                    Rates.minute: minute,
                },
            )
            .returning(Rates.count)
        )
        return int(row[0]) if row else 0
