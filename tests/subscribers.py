"""RevenueCat's calls that tests make most, and what is read of their answers.

``rc`` is the fixture that calls as its web client does.
"""

from collections.abc import Callable
from typing import Any

from werkzeug.test import TestResponse

from service.store import Store
from service.store.tables import TABLES

ANON, ANON_2 = ("$RCAnonymousID:" + letter * 32 for letter in "ab")

Call = Callable[..., TestResponse]


def identify(rc: Call, before: str, after: str) -> TestResponse:
    """Log in as one ID where another was until now."""
    return rc("POST", "/subscribers/identify", {"app_user_id": before, "new_app_user_id": after})


def alias(rc: Call, id: str, new: str) -> TestResponse:
    """Have a further ID lead to a subscriber."""
    return rc("POST", f"/subscribers/{id}/alias", {"new_app_user_id": new})


def original(response: TestResponse) -> str:
    """Answer the ID that was seen first of a subscriber."""
    assert response.json is not None
    id: str = response.json["subscriber"]["original_app_user_id"]
    return id


def rows_of(store: Store, app: str) -> dict[str, list[Any]]:
    """All rows of an app, but for when a key was last used."""
    rows = {}
    for table in TABLES:
        columns = [field for field in table._meta.sorted_fields if field.name != "last_used_at"]
        query = table.select(*columns).where(table.app == app)  # type: ignore[attr-defined]
        rows[table._meta.table_name] = sorted(store.database.rows(query), key=repr)
    return rows
