"""What a user shows of what is said of them by name, and how people want to be reached.

``users.attributes`` is written with the next change of a user, and by tidying for those of whom something was
said before: to fill it here would keep everybody from logging in meanwhile. A former release, which may serve
still, reads and writes neither; ``rank`` has a default for what it writes.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

STATEMENTS = """
ALTER TABLE "users" ADD COLUMN "attributes" TEXT;
ALTER TABLE "attributes" ADD COLUMN "rank" INTEGER NOT NULL DEFAULT 0;
CREATE TABLE "contacts" (
    "app" TEXT NOT NULL,
    "home" TEXT NOT NULL,
    "device" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "email" TEXT,
    "email_key" TEXT,
    "phone" TEXT,
    "phone_key" TEXT,
    "name" TEXT,
    "at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "home", "device"),
    FOREIGN KEY ("app", "home") REFERENCES "users" ("app", "id"),
    FOREIGN KEY ("app", "user") REFERENCES "users" ("app", "id")
);
CREATE INDEX "contacts_app_user" ON "contacts" ("app", "user");
CREATE INDEX "contacts_app_email_key" ON "contacts" ("app", "email_key");
CREATE INDEX "contacts_app_phone_key" ON "contacts" ("app", "phone_key")
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Add the columns, and create the table."""
    for statement in STATEMENTS.split(";"):
        db.execute_sql(statement)
