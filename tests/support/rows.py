"""Everything that the store holds of an app, for tests that want it changed or left alone."""

from typing import Any

from service.store import Store
from service.store.tables import TABLES, FormerKeys

LAST_USED = {"last_used_at", "used_at"}


def rows_of(store: Store, app: str) -> dict[str, list[Any]]:
    """Return all rows of an app by table, but for when a key or a session was last used."""
    rows = {}
    for table in TABLES:
        columns = [field for field in table._meta.sorted_fields if field.name not in LAST_USED]
        query = table.select(*columns).where(table.app == app)  # type: ignore[attr-defined]
        rows[table._meta.table_name] = sorted(store.database.rows(query), key=repr)
    return rows


def add_former_key(store: Store, app: str, user: str, at: int = 1) -> None:
    """Remember an idempotency key as the former release does, which may serve still."""
    key = {"by": "user", "key": "key-1", "request": "digest", "made": "cnv_1", "created_at": at}
    store.database.change(FormerKeys.insert(app=app, user=user, **key))
