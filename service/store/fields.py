"""What was last said of each of those who are one person: their emails and names. By each of the emails that
count they are found.

Who is one with nobody has no rows here; what is shown of them is all that was said.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from service.model.identifiers import email_key
from service.model.users import Field, emails_said
from service.store.database import Database
from service.store.engine.prepared import Prepared
from service.store.tables import Fields


class FieldStore:
    """The fields of an app's users."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def is_kept(self, home: str) -> bool:
        """Return whether a user is one with others, so that what is said is kept of each."""
        return self._database.row(_kept(self._app, home)) is not None

    def of_homes(self, homes: Sequence[str]) -> tuple[Field, ...]:
        """Return what was said of these users."""
        rows = self._database.rows(
            Fields.select(Fields.home, Fields.name, Fields.value, Fields.rank)
            .where((Fields.app == self._app) & Fields.home.in_(homes))
            .order_by(Fields.name, Fields.rank)
        )
        return tuple(Field(*row) for row in rows)

    def put(self, fields: Sequence[Field]) -> None:
        """Write all that was said of one person, of whom there are several records."""
        keys = {field: email_key(field.value or "") for field in emails_said(fields)}
        self._database.put(
            Fields, [{"app": self._app, "key": keys.get(field)} | asdict(field) for field in fields]
        )

    def forget(self, homes: Sequence[str]) -> None:
        """Forget what was said of each of these users."""
        self._database.change(Fields.delete().where((Fields.app == self._app) & Fields.home.in_(homes)))


@Prepared
def _kept(app: Any, home: Any) -> Any:
    return Fields.select(Fields.home).where((Fields.app == app) & (Fields.home == home)).limit(1)
