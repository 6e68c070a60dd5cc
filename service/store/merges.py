"""Who became part of whom, with what is needed to undo it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from service.model.merges import Filled, Merge, Moved
from service.model.revocations import Revoked
from service.store.database import Database, found_first
from service.store.tables import Merges

COLUMNS = (
    Merges.id,
    Merges.source,
    Merges.target,
    Merges.rule,
    Merges.ledger,
    Merges.created_at,
    Merges.undone_at,
)


class MergeStore:
    """The merges of an app."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def add(self, merge: Merge) -> None:
        """Write a merge down."""
        ledger = {
            "moved": asdict(merge.moved),
            "filled": asdict(merge.filled),
            "parked": merge.parked,
            "devices": merge.devices,
        }
        self._database.change(
            Merges.insert(
                app=self._app,
                id=merge.id,
                source=merge.source,
                target=merge.target,
                rule=merge.rule,
                ledger=json.dumps(ledger),
                created_at=merge.created_at,
            )
        )

    def with_id(self, id: str) -> Merge | None:
        """Find a merge."""
        row = self._database.row(self._one(id))
        return None if row is None else as_merge(row)

    def lock(self, id: str) -> Merge | None:
        """Find a merge, and keep others from undoing it until the transaction ends."""
        row = self._database.row(self._database.locked(self._one(id)))
        return None if row is None else as_merge(row)

    def of_users(self, users: tuple[str, ...]) -> tuple[Merge, ...]:
        """Return all merges that had to do with these users, the oldest first."""
        # With OR, or in an order, SQLite would go through all merges.
        found = {
            row[0]: row
            for column in (Merges.source, Merges.target)
            for row in self._database.rows(
                Merges.select(*COLUMNS).where((Merges.app == self._app) & column.in_(users))
            )
        }
        return tuple(as_merge(found[id]) for id in sorted(found))

    def last_into(self, users: Sequence[str], limit: int) -> tuple[Merge, ...]:
        """Return up to ``limit`` merges by which somebody is part of one of these users, the latest first."""
        stands = (Merges.app == self._app) & Merges.target.in_(users) & Merges.undone_at.is_null()
        latest = found_first(Merges.id).desc()
        query = Merges.select(*COLUMNS).where(stands).order_by(latest).limit(limit)
        return tuple(as_merge(row) for row in self._database.rows(query))

    def ever_one_with(self, users: Sequence[str]) -> tuple[str, ...]:
        """Return these users and all who were ever one with them: what was told of those shows these."""
        everyone, added = set(users), set(users)
        while added:
            merges = self.of_users(tuple(added))
            added = {id for merge in merges for id in (merge.source, merge.target)} - everyone
            everyone |= added
        return tuple(sorted(everyone))

    def add_devices(self, source: str, devices: Sequence[tuple[str, str]]) -> None:
        """Write into the merge by which somebody is part of another of which devices it ended the anonymous
        user, by device and user."""
        stands = (Merges.app == self._app) & (Merges.source == source) & Merges.undone_at.is_null()
        for id, text in self._database.rows(Merges.select(Merges.id, Merges.ledger).where(stands)):
            ledger = json.loads(text)
            ledger["devices"] += devices
            self._database.change(
                Merges.update(ledger=json.dumps(ledger)).where((Merges.app == self._app) & (Merges.id == id))
            )

    def mark_undone(self, id: str, at: int) -> None:
        """Note when a merge was undone."""
        self._database.change(
            Merges.update(undone_at=at).where((Merges.app == self._app) & (Merges.id == id))
        )
        self._database.revoke(Revoked.MERGE_UNDONE, self._app, id)

    def forget(self, users: tuple[str, ...]) -> None:
        """Leave of these users' merges who and when, and nothing personal."""
        for column in (Merges.source, Merges.target):
            self._database.change(
                Merges.update(ledger=EMPTY).where((Merges.app == self._app) & column.in_(users))
            )

    def _one(self, id: str) -> Any:
        return Merges.select(*COLUMNS).where((Merges.app == self._app) & (Merges.id == id))


EMPTY = json.dumps({"moved": asdict(Moved()), "filled": {}, "parked": [], "devices": []})


def as_merge(row: tuple[Any, ...]) -> Merge:
    """Make a merge of its columns."""
    id, source, target, rule, text, created_at, undone_at = row
    ledger = json.loads(text)
    return Merge(
        id,
        source,
        target,
        rule,
        Moved(**{name: tuple(values) for name, values in ledger["moved"].items()}),
        Filled(**ledger["filled"]),
        created_at,
        tuple(ledger["parked"]),
        tuple((device, user) for device, user in ledger["devices"]),
        undone_at,
    )
