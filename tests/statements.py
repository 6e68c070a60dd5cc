"""Look at each statement when it is issued: every table in it that an app owns is scoped by the app."""

import re
from typing import Any

from service.store.tables import TABLES

OWNED = {table._meta.table_name for table in TABLES}
# The operator lists all apps, which are nobody's.
ALL_APPS = 'FROM "apps" AS "t1" ORDER BY'

seen: set[str] = set()


def require_app_in_every_statement(event: Any) -> None:
    """Raise AssertionError for a statement that could reach into another app."""
    seen.add(event.sql)
    missing = unscoped(event.sql)
    assert not missing, f"{missing} without an app in: {event.sql}"


def unscoped(sql: str) -> list[str]:
    """Answer the tables of a statement that no condition on the app holds, or whose rows name none."""
    if ALL_APPS in sql:
        return []
    if insert := re.match(r'INSERT INTO "(\w+)" \((.*?)\)', sql):
        return [] if '"app"' in insert[2] else [insert[1]]
    if change := re.match(r'(?:UPDATE|DELETE FROM) "(\w+)"', sql):
        scoped = re.search(r'WHERE .*"app" = (\?|%s)', sql)
        return [] if scoped or change[1] not in OWNED else [change[1]]
    named = re.findall(r'(?:FROM|JOIN) "(\w+)" AS "(\w+)"', sql)
    return [table for table, alias in named if table in OWNED and not _is_scoped(alias, sql)]


def _is_scoped(alias: str, sql: str) -> bool:
    """Whether an alias's app is compared with a value, or with another's that is."""
    app = rf'"{alias}"\."app"'
    by_value = re.search(rf"{app} = (\?|%s)", sql)
    by_join = re.search(rf'{app} = "\w+"\."app"|"\w+"\."app" = {app}', sql)
    return bool(by_value or by_join)
