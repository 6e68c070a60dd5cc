"""Find by the emails that were said until now of those who are one with others."""

import string
from collections.abc import Iterator

from peewee import Database, Table
from playhouse.migrate import SchemaMigrator

BATCH = 500
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def fill(db: Database) -> Iterator[None]:
    """Set the keys of some in each part. Whatever is said meanwhile has its own."""
    apps = Table("apps").bind(db)
    for (app,) in list(apps.select(apps.c.app).order_by(apps.c.created_at, apps.c.app).tuples().execute()):
        after = ""
        while homes := _fill(db, app, after):
            after = homes[-1]
            yield


def _fill(db: Database, app: str, after: str) -> list[str]:
    """Set the keys of what was said of those who come next, and return who they are."""
    fields = Table("fields").bind(db)
    c = fields.c
    lacks = (c.app == app) & (c.name == "email") & c.key.is_null() & (c.value != "") & (c.rank >= 0)
    found = fields.select(c.home, c.value).where(lacks & (c.home > after)).order_by(c.home).limit(BATCH)
    rows = list(found.tuples().execute())
    for home, value in rows:
        key = value.translate(_LOWER)
        fields.update(key=key).where(lacks & (c.home == home) & (c.value == value)).execute()
    return [home for home, _ in rows]


def up(_migrator: SchemaMigrator, _db: Database) -> None:
    """Nothing is left to do."""
