"""What changed, for apps to follow, and whether a user's last message reopened its conversation.

The former release, which may serve still, writes no events.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

STATEMENTS = """
CREATE TABLE "events" (
    "app" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "xid" BIGINT NOT NULL,
    "type" TEXT NOT NULL,
    "at" BIGINT NOT NULL,
    "user" TEXT NOT NULL,
    "conversation" TEXT,
    "message" TEXT,
    "data" TEXT,
    PRIMARY KEY ("app", "id")
);
CREATE INDEX "events_app_xid_id" ON "events" ("app", "xid", "id");
CREATE INDEX "events_app_user" ON "events" ("app", "user") WHERE ("data" IS NOT NULL);
ALTER TABLE "conversations" ADD COLUMN "reopened" BOOLEAN
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Create the table, and the column of conversations."""
    for statement in STATEMENTS.split(";"):
        db.execute_sql(statement)
