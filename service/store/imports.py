"""Files of people that operators have sent into an app, and who reads which.

Several may work. Each leases one file for a time, and goes on with the lease as it goes on with the file: so
each is read by one, and whoever is killed leaves it to the next.
"""

from dataclasses import asdict, fields
from typing import Any

from service.model.imports import UNDER_WAY, Import, ImportState
from service.store.database import Database
from service.store.tables import Imports

COLUMNS: list[Any] = [getattr(Imports, field.name) for field in fields(Import)]


class ImportStore:
    """The files of people of an app."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def add(self, one: Import) -> None:
        """Add a file."""
        members = asdict(one) | {"state": one.state.value}
        self._database.change(Imports.insert(app=self._app, **members))

    def all(self, at: int) -> tuple[Import, ...]:
        """Return all that are not to be forgotten by a time, the newest first."""
        query = Imports.select(*COLUMNS).where((Imports.app == self._app) & (Imports.until > at))
        rows = self._database.rows(query.order_by(Imports.id.desc()))
        return tuple(map(_as_import, rows))

    def find(self, id: str, at: int, *, lock: bool = False) -> Import | None:
        """Find one that is not to be forgotten by a time; keep others from changing it, if asked to."""
        query = Imports.select(*COLUMNS).where(self._is(id) & (Imports.until > at))
        row = self._database.row(self._database.locked(query) if lock else query)
        return None if row is None else _as_import(row)

    def old(self, at: int) -> tuple[Import, ...]:
        """Return those that are to be forgotten by a time."""
        query = Imports.select(*COLUMNS).where((Imports.app == self._app) & (Imports.until <= at))
        return tuple(map(_as_import, self._database.rows(query)))

    def forget(self, id: str) -> bool:
        """Forget a file; return whether there was one."""
        return self._database.change(Imports.delete().where(self._is(id))) > 0

    def begin(self, id: str, until: int) -> None:
        """Have the people of a file taken in, which is kept until a time."""
        change = Imports.update(
            state=ImportState.TAKING_IN.value, until=until, people=0, leased_until=0, tries=0
        )
        self._database.change(change.where(self._is(id)))

    def lease(self, lease: str, at: int, until: int) -> Import | None:
        """Lease a file with which there is something to do, if there is one that nobody has leased; the
        oldest comes first."""
        query = Imports.select(*COLUMNS).where(
            (Imports.app == self._app)
            & Imports.state.in_([state.value for state in UNDER_WAY])
            & (Imports.leased_until <= at)
            & (Imports.until > at)
        )
        query = query.order_by(Imports.id).limit(1)
        row = self._database.row(self._database.locked(query, "UPDATE SKIP LOCKED"))
        if row is None:
            return None
        found = _as_import(row)
        change = Imports.update(lease=lease, leased_until=until, tries=Imports.tries + 1)
        self._database.change(change.where(self._is(found.id)))
        return found

    def note(self, id: str, lease: str, **members: Any) -> bool:
        """Note what came of a file so far; return False if it is leased by somebody else by now, or gone."""
        one = self._is(id) & (Imports.lease == lease)
        return self._database.change(Imports.update(**members).where(one)) > 0

    def _is(self, id: str) -> Any:
        return (Imports.app == self._app) & (Imports.id == id)


def _as_import(row: tuple[Any, ...]) -> Import:
    id, state, *others = row
    return Import(id, ImportState(state), *others)
