"""When each app is to be tidied next, and the oldest event that a webhook has not taken, by an index.

A former release, which may serve still, tidies nothing by itself: an app is due where it says nothing.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

STATEMENTS = """
ALTER TABLE "apps" ADD COLUMN "tidy_at" BIGINT;
CREATE INDEX "deliveries_pending" ON "deliveries" ("app", "webhook", "at") WHERE ("due" IS NOT NULL)
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Add the column, and the index."""
    for statement in STATEMENTS.split(";"):
        db.execute_sql(statement)
