"""What is counted and what is remembered so that nothing is done too often: rates and idempotency keys."""

from collections.abc import Iterable, Sequence
from typing import Any

from peewee import Case

from service.model.errors import StaleState
from service.model.idempotency_keys import IdempotencyKey
from service.store.database import Database
from service.store.engine.prepared import Prepared, Question, Rows
from service.store.forgetting import Key, Step, forget, some
from service.store.tables import FormerKeys, Rates
from service.store.tables import IdempotencyKeys as Keys


class IdempotencyKeyStore:
    """The idempotency keys of an app."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def remember(
        self, key: IdempotencyKey, *, made: str, home: str | None, at: int
    ) -> tuple[str, str] | None:
        """Remember what a key makes; if it was used before, return its request's digest and what it
        made then. Waits for whoever uses the same key at this moment. Raises StaleState if it was forgotten
        meanwhile."""
        values = key.request, made, home, at
        if self._database.row(_remember(self._app, key.scope, key.text, *values)) is not None:
            return None
        before = self._database.row(_remembered(self._app, key.scope, key.text))
        if before is None:
            raise StaleState
        return before

    def note(self, key: IdempotencyKey, *, made: str, home: str | None) -> None:
        """Set what a key that is remembered made, and the user whom it has to do with."""
        self._database.add(_note(self._app, key.scope, key.text, made, home))

    def keys_of(self, users: Iterable[str]) -> tuple[str, ...]:
        """Return the keys that had to do with these users, the oldest first."""
        rows = self._database.rows(
            Keys.select(Keys.key)
            .where((Keys.app == self._app) & Keys.home.in_(list(users)))
            .order_by(Keys.created_at, Keys.key)
        )
        return tuple(key for (key,) in rows)

    def forget_before(self, at: int, after: Key = ()) -> Step:
        """Forget those of the keys on the page after a key that were used before a time."""
        return forget(self._database, self._app, Keys, Keys.created_at < at, after)

    def forget_former_before(self, at: int, after: Key = ()) -> Step:
        """As ``forget_before``, of those that the former release remembers."""
        return forget(self._database, self._app, FormerKeys, FormerKeys.created_at < at, after)

    def forget_merges(self, merges: Sequence[tuple[str, str]]) -> None:
        """Forget the keys that made these merges: each is a target and an id."""
        targets, ids = ([*column] for column in zip(*merges, strict=True))
        made = Keys.home.in_(targets) & Keys.made.in_(ids)
        self._database.change(Keys.delete().where((Keys.app == self._app) & made))

    def forget(self, users: Sequence[str], limit: int | None = None) -> int:
        """Forget the keys that had to do with these users, up to ``limit`` of each release if there is one;
        return how many they were."""
        theirs = (Keys.app == self._app) & Keys.home.in_(users)
        former = (FormerKeys.app == self._app) & FormerKeys.user.in_(users)
        return sum(
            self._database.change(table.delete().where(some(self._database, table.key, which, limit)))
            for table, which in ((Keys, theirs), (FormerKeys, former))
        )


class RateStore:
    """The rates of an app."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def count(self, kind: str, address: str, minute: int) -> int:
        """Count one more in this minute, and return how many that makes."""
        row = self._database.row(_count(self._app, kind, address, minute))
        return int(row[0]) if row else 0

    def current(self, kind: str, address: str, minute: int) -> int:
        """Return how many were counted in this minute."""
        return _as_count(self._database.rows(_counted(self._app, kind, address, minute)))

    def asked_current(self, kind: str, address: str, minute: int) -> Question:
        """As ``current``, to be asked together with something else."""
        return Question(_counted(self._app, kind, address, minute), _as_count)

    def forget_before(self, minute: int, after: Key = ()) -> Step:
        """Forget those of the counts on the page after a key that are from before a minute."""
        return forget(self._database, self._app, Rates, Rates.minute < minute, after)


def _as_count(rows: Rows) -> int:
    return int(rows[0][0]) if rows else 0


@Prepared
def _remember(app: Any, scope: Any, key: Any, request: Any, made: Any, home: Any, at: Any) -> Any:
    row = Keys.insert(app=app, scope=scope, key=key, request=request, made=made, home=home, created_at=at)
    return row.on_conflict_ignore().returning(Keys.key)


@Prepared
def _remembered(app: Any, scope: Any, key: Any) -> Any:
    return Keys.select(Keys.request, Keys.made).where(
        (Keys.app == app) & (Keys.scope == scope) & (Keys.key == key)
    )


@Prepared
def _note(app: Any, scope: Any, key: Any, made: Any, home: Any) -> Any:
    return Keys.update(made=made, home=home).where(
        (Keys.app == app) & (Keys.scope == scope) & (Keys.key == key)
    )


@Prepared
def _count(app: Any, kind: Any, address: Any, minute: Any) -> Any:
    row = Rates.insert(app=app, kind=kind, address=address, minute=minute, count=1)
    counted = Case(None, ((Rates.minute == minute, Rates.count + 1),), 1)
    return row.on_conflict(
        conflict_target=[Rates.app, Rates.kind, Rates.address],
        update={Rates.count: counted, Rates.minute: minute},
    ).returning(Rates.count)


@Prepared
def _counted(app: Any, kind: Any, address: Any, minute: Any) -> Any:
    which = (Rates.app == app) & (Rates.kind == kind) & (Rates.address == address)
    return Rates.select(Rates.count).where(which & (Rates.minute == minute))
