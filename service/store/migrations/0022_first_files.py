"""Files may wait for a conversation that is not begun yet, on the device from which they were sent.

The former release, which may serve still, shows them to nobody and names them in no message. Where it erases
somebody, what waits of them is forgotten by tidying.

PostgreSQL is told first that each row has its app, and looks whether that is so while the table is in use. On
SQLite whoever writes waits for about a second for each 100,000 files that there are.
"""

from collections.abc import Iterator

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator

POSTGRESQL = """
ALTER TABLE "attachments" ADD COLUMN "device" TEXT;
ALTER TABLE "attachments" ALTER COLUMN "conversation" DROP NOT NULL
"""

HAS_KEY = "SELECT 1 FROM pg_constraint WHERE conname = 'attachments_app_fkey'"
ADD_KEY = """
ALTER TABLE "attachments"
    ADD CONSTRAINT "attachments_app_fkey" FOREIGN KEY ("app") REFERENCES "apps" ("app") NOT VALID
"""
VALIDATE_KEY = 'ALTER TABLE "attachments" VALIDATE CONSTRAINT "attachments_app_fkey"'

# SQLite lets no column be null that was not, so the table is made anew.
SQLITE = """
CREATE TABLE "new" (
    "app" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "conversation" TEXT,
    "side" TEXT NOT NULL,
    "author" TEXT,
    "device" TEXT,
    "message" TEXT,
    "name" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "sha256" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "id"),
    FOREIGN KEY ("app") REFERENCES "apps" ("app"),
    FOREIGN KEY ("app", "conversation") REFERENCES "conversations" ("app", "id")
);
INSERT INTO "new"
    SELECT "app", "id", "conversation", "side", "author", NULL, "message", "name", "type", "size", "sha256",
        "created_at"
    FROM "attachments";
DROP TABLE "attachments";
ALTER TABLE "new" RENAME TO "attachments";
CREATE INDEX "attachments_app_conversation" ON "attachments" ("app", "conversation");
CREATE INDEX "attachments_app_author" ON "attachments" ("app", "author");
CREATE INDEX "attachments_waiting" ON "attachments" ("app", "created_at") WHERE ("message" IS NULL)
"""


def fill(db: Database) -> Iterator[None]:
    """Have each row have its app, of which no conversation has to tell any more."""
    if isinstance(db, SqliteDatabase):
        return
    if db.execute_sql(HAS_KEY).fetchone() is None:
        db.execute_sql(ADD_KEY)
    yield
    db.execute_sql(VALIDATE_KEY)
    yield


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Add the column, and have the other one be null."""
    for statement in (SQLITE if isinstance(db, SqliteDatabase) else POSTGRESQL).split(";"):
        db.execute_sql(statement)
