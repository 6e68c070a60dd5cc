"""Attachments: what is known of files that go with messages, what a message shows of its own, and whose bytes
are to be removed.

The former release, which may serve still, shows none.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

STATEMENTS = """
CREATE TABLE "attachments" (
    "app" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "conversation" TEXT NOT NULL,
    "side" TEXT NOT NULL,
    "author" TEXT,
    "message" TEXT,
    "name" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "sha256" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "id"),
    FOREIGN KEY ("app", "conversation") REFERENCES "conversations" ("app", "id")
);
CREATE INDEX "attachments_app_conversation" ON "attachments" ("app", "conversation");
CREATE INDEX "attachments_app_author" ON "attachments" ("app", "author");
CREATE INDEX "attachments_waiting" ON "attachments" ("app", "created_at") WHERE ("message" IS NULL);
CREATE TABLE "removals" (
    "app" TEXT NOT NULL,
    "file" TEXT NOT NULL,
    "due" BIGINT NOT NULL,
    PRIMARY KEY ("app", "file")
);
CREATE INDEX "removals_app_due" ON "removals" ("app", "due");
ALTER TABLE "messages" ADD COLUMN "attachments" TEXT
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Create the tables, and the column of messages."""
    for statement in STATEMENTS.split(";"):
        db.execute_sql(statement)
