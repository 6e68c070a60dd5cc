"""Idempotency keys of every call that changes something, each by whose it is: a user's, or a key's.

Until now each was of one user, and stood in ``repeats``. The former release, which may serve still, goes on
writing there; what it remembers is not asked for any more, and is forgotten when its time has come.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

STATEMENTS = """
CREATE TABLE "idempotency_keys" (
    "app" TEXT NOT NULL,
    "scope" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "request" TEXT NOT NULL,
    "made" TEXT NOT NULL,
    "home" TEXT,
    "created_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "scope", "key"),
    FOREIGN KEY ("app") REFERENCES "apps" ("app"),
    FOREIGN KEY ("app", "home") REFERENCES "users" ("app", "id")
);
CREATE INDEX "idempotency_keys_app_home" ON "idempotency_keys" ("app", "home") WHERE ("home" IS NOT NULL);
ALTER TABLE "apps" ADD COLUMN "made_with" TEXT
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Create the table, and the column of apps."""
    for statement in STATEMENTS.split(";"):
        db.execute_sql(statement)
