"""Each email that was said of somebody who is one with others has a key, by which it finds them all.

The former release, which may serve still, does not keep it."""

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator

STATEMENTS = """
ALTER TABLE "fields" ADD COLUMN "key" TEXT COLLATE {bytewise};
CREATE INDEX "fields_app_key" ON "fields" ("app", "key") WHERE ("key" IS NOT NULL)
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Add the column and its index."""
    bytewise = "BINARY" if isinstance(db, SqliteDatabase) else '"C"'
    for statement in STATEMENTS.format(bytewise=bytewise).split(";"):
        db.execute_sql(statement)
