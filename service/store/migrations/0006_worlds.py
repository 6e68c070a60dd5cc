"""Devices' anonymous users are of the proven world, and store accounts and client-made IDs are of one."""

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator

# The IDs of a device's anonymous user, as IDs that nobody claimed, stand beside those that were proven.
WORLDS = """
UPDATE "user_ids" SET "verified" = TRUE
    WHERE NOT "verified" AND EXISTS (
        SELECT 1 FROM "users"
            WHERE "users"."app" = "user_ids"."app" AND "users"."id" = "user_ids"."user"
            AND substr("users"."user_id", 1, 6) = '$anon:'
    );
DROP INDEX "user_ids_one_client_made"
"""

POSTGRESQL = """
ALTER TABLE "store_accounts" ADD COLUMN "verified" BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE "store_accounts" ALTER COLUMN "verified" DROP DEFAULT
"""

# SQLite takes no default away again, so the table is made anew.
SQLITE = """
CREATE TABLE "new" (
    "app" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "verified" BOOLEAN NOT NULL,
    "user" TEXT NOT NULL,
    "home" TEXT NOT NULL,
    "store" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "claimed_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "digest"),
    FOREIGN KEY ("app", "user") REFERENCES "users" ("app", "id")
);
INSERT INTO "new"
    SELECT "app", "digest", TRUE, "user", "home", "store", "account", "claimed_at" FROM "store_accounts";
DROP TABLE "store_accounts";
ALTER TABLE "new" RENAME TO "store_accounts";
CREATE INDEX "storeaccounts_app_user" ON "store_accounts" ("app", "user")
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Sort user IDs, and add the column."""
    accounts = SQLITE if isinstance(db, SqliteDatabase) else POSTGRESQL
    for statement in (WORLDS + ";" + accounts).split(";"):
        db.execute_sql(statement)
