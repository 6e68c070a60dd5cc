"""Files of people that operators send: how far each is, and what came of it.

The former release, which may serve still, knows none.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

IMPORTS = """
CREATE TABLE "imports" (
    "app" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "stored" BIGINT NOT NULL,
    "sha256" TEXT NOT NULL,
    "options" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "until" BIGINT NOT NULL,
    "preview" TEXT,
    "report" TEXT,
    "failed" TEXT,
    "people" BIGINT NOT NULL,
    "steps" BIGINT NOT NULL,
    "rejects" TEXT,
    "rejects_size" BIGINT NOT NULL,
    "leased_until" BIGINT NOT NULL,
    "tries" INTEGER NOT NULL,
    "lease" TEXT,
    PRIMARY KEY ("app", "id"),
    FOREIGN KEY ("app") REFERENCES "apps" ("app")
)
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Create the table."""
    db.execute_sql(IMPORTS)
