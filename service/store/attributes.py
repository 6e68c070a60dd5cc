"""What is said of users by name, kept with the user whose ID it was said under.

A value that was removed leaves its name and the time, so that what was said before and comes late does not
bring it back.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from service.model.attributes import Attribute, Value
from service.store.database import Database
from service.store.tables import Attributes


class AttributeStore:
    """The attributes of an app's users."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def of_homes(self, homes: Sequence[str]) -> tuple[Attribute, ...]:
        """Return what was said under the IDs of these users, also what was removed, in the order of names."""
        rows = self._database.rows(
            Attributes.select(
                Attributes.home, Attributes.name, Attributes.value, Attributes.at, Attributes.rank
            )
            .where((Attributes.app == self._app) & Attributes.home.in_(homes))
            .order_by(Attributes.name, Attributes.at, Attributes.home)
        )
        return tuple(as_attribute(*row) for row in rows)

    def put(self, attributes: Iterable[Attribute]) -> None:
        """Write attributes, of which there is at least one, in place of those of the same homes and names."""
        rows = [{"app": self._app} | asdict(one) | {"value": _as_json(one.value)} for one in attributes]
        self._database.put(Attributes, rows)

    def forget(self, home: str, names: Sequence[str]) -> None:
        """Forget some names of one user, also that they were removed."""
        self._database.change(
            Attributes.delete().where(
                (Attributes.app == self._app) & (Attributes.home == home) & Attributes.name.in_(names)
            )
        )

    def erase(self, homes: Sequence[str]) -> None:
        """Erase all that was said of these users."""
        self._database.change(
            Attributes.delete().where((Attributes.app == self._app) & Attributes.home.in_(homes))
        )


def as_attribute(home: str, name: str, value: str | None, at: int, rank: int) -> Attribute:
    """Make an attribute of its columns."""
    return Attribute(home, name, value and json.loads(value), at, rank)


def _as_json(value: Value | None) -> str | None:
    return None if value is None else json.dumps(value)
