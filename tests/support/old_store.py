"""A store as it was before claims that nobody proved had a world of their own in every call: each way in
which one person came to read another's was gone there, beside much that is sound.

``old_store.json`` holds its rows as the first three migrations have them, with the keys and tokens in plain,
and ``odd_stores.json`` those of others.
"""

import json
from pathlib import Path
from typing import Any

import peewee

from service.store.database import Database
from service.store.migrating import DIRECTORY, migrate
from service.times import now
from tests.support.marks import LONG

FILE = Path(__file__).parent / "old_store.json"
# Small ones, each with a history that is hard to sort.
ODD: dict[str, Any] = json.loads((Path(__file__).parent / "odd_stores.json").read_text())
OLD = ("0001_first", "0002_console", "0003_attributes")
TIMES = ("at", "created_at", "added_at", "began_at", "used_at", "claimed_at", "undone_at", "last_used_at")
BOOLEANS = ("verified", "clears", "sharing")


def fill(url: str, directory: Path, odd: str | None = None) -> dict[str, Any]:
    """Make the old store in an empty database, or one of the odd ones; ``directory`` is an empty one. Return
    what is known of it."""
    for name in OLD:
        directory.joinpath(f"{name}.py").write_text(DIRECTORY.joinpath(f"{name}.py").read_text())
    migrate(url, directory)
    old: dict[str, Any] = json.loads(FILE.read_text()) if odd is None else ODD[odd]
    # It was made a moment ago: sessions that were used then would have expired by now.
    moment = now() - max(row[-1] for row in old["tables"]["sessions"]["rows"])
    database = Database(url, timeout=LONG)
    with database.transaction():
        for name, table in old["tables"].items():
            columns = table["columns"]
            rows = [dict(zip(columns, row, strict=True)) for row in table["rows"]]
            for row in rows:
                row.update({at: row[at] + moment for at in TIMES if row.get(at)})
                row.update({name: bool(row[name]) for name in BOOLEANS if row.get(name) is not None})
            _insert(database, name, _in_order(rows))
    database.close()
    return old


def _in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put users behind those whom they are part of."""
    into = {row["id"]: row["merged_into"] for row in rows if "merged_into" in row}

    def depth(id: str | None) -> int:
        return 0 if into.get(id or "") is None else 1 + depth(into[id or ""])

    return sorted(rows, key=lambda row: depth(row.get("id")))


def _insert(database: Database, name: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        peewee.Table(name, list(row)).bind(database.peewee).insert(row).execute()
