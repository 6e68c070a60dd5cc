"""Sessions are found by their devices, which their tokens say from now on, and no index holds what each login
changes. The tokens of former releases, which may serve still, are found by the index that there was.

A session also knows under which user ID it began."""

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator

# An update finds room on its row's own page, where it needs to change no index.
POSTGRESQL = """
ALTER TABLE "sessions" ADD COLUMN "secret" TEXT;
ALTER TABLE "sessions" ADD COLUMN "user_id_digest" TEXT;
ALTER TABLE "sessions" ALTER COLUMN "token" DROP NOT NULL;
ALTER TABLE "sessions" SET (fillfactor = 80)
"""

# SQLite lets no column be null that was not, so the table is made anew.
SQLITE = """
CREATE TABLE "new" (
    "app" TEXT NOT NULL,
    "device" TEXT NOT NULL,
    "token" TEXT,
    "secret" TEXT,
    "user" TEXT NOT NULL,
    "home" TEXT NOT NULL,
    "verified" BOOLEAN NOT NULL,
    "claim" TEXT,
    "user_id_digest" TEXT,
    "began_at" BIGINT NOT NULL,
    "used_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "device"),
    FOREIGN KEY ("app", "device") REFERENCES "devices" ("app", "digest"),
    FOREIGN KEY ("app", "user") REFERENCES "users" ("app", "id")
);
INSERT INTO "new"
    SELECT "app", "device", "token", NULL, "user", "home", "verified", "claim", NULL, "began_at", "used_at"
    FROM "sessions";
DROP TABLE "sessions";
ALTER TABLE "new" RENAME TO "sessions";
CREATE UNIQUE INDEX "sessions_app_token" ON "sessions" ("app", "token");
CREATE INDEX "sessions_app_user" ON "sessions" ("app", "user")
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Add the columns."""
    for statement in (SQLITE if isinstance(db, SqliteDatabase) else POSTGRESQL).split(";"):
        db.execute_sql(statement)
