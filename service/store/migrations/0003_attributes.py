"""What is said of users by name."""

from peewee import Database
from playhouse.migrate import SchemaMigrator

ATTRIBUTES = """
CREATE TABLE "attributes" (
    "app" TEXT NOT NULL,
    "home" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "value" TEXT,
    "at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "home", "name"),
    FOREIGN KEY ("app", "home") REFERENCES "users" ("app", "id")
)
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Create the table."""
    db.execute_sql(ATTRIBUTES)
