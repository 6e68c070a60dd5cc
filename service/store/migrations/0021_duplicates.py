"""Users who are probably one person: by what they are compared, which pairs were found, and of which somebody
said that they are not the same; and who used a device last.

The former release, which may serve still, keeps none of it. Whoever is there already, and whoever it adds, is
looked at by tidying, some at a time, so that a deploy waits for nobody.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

STATEMENTS = """
ALTER TABLE "devices" ADD COLUMN "last_user" TEXT;
CREATE TABLE "duplicate_keys" (
    "app" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "home" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    PRIMARY KEY ("app", "key", "home"),
    FOREIGN KEY ("app", "user") REFERENCES "users" ("app", "id")
);
CREATE INDEX "duplicatekeys_app_user" ON "duplicate_keys" ("app", "user");
CREATE TABLE "duplicates" (
    "app" TEXT NOT NULL,
    "first" TEXT NOT NULL,
    "second" TEXT NOT NULL,
    "doubt" INTEGER NOT NULL,
    "signals" TEXT NOT NULL,
    PRIMARY KEY ("app", "first", "second"),
    FOREIGN KEY ("app", "first") REFERENCES "users" ("app", "id"),
    FOREIGN KEY ("app", "second") REFERENCES "users" ("app", "id")
);
CREATE INDEX "duplicates_app_doubt_first_second" ON "duplicates" ("app", "doubt", "first", "second");
CREATE INDEX "duplicates_app_second" ON "duplicates" ("app", "second");
CREATE TABLE "dismissals" (
    "app" TEXT NOT NULL,
    "home" TEXT NOT NULL,
    "other_home" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "other_user" TEXT NOT NULL,
    "at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "home", "other_home"),
    FOREIGN KEY ("app", "user") REFERENCES "users" ("app", "id")
);
CREATE INDEX "dismissals_app_user" ON "dismissals" ("app", "user");
CREATE INDEX "dismissals_app_other_user" ON "dismissals" ("app", "other_user")
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Create the tables, and the column of devices."""
    for statement in STATEMENTS.split(";"):
        db.execute_sql(statement)
