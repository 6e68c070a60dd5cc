"""Follow who is added, to compare them with others: up to where events were followed.

The table is empty. Whoever works begins with the oldest event that is kept, and passes over all who were
compared. The former release, which may serve still, compares by itself whom it adds.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

PROGRESS = """
CREATE TABLE "duplicate_progress" (
    "app" TEXT NOT NULL,
    "xid" BIGINT NOT NULL,
    "event" TEXT NOT NULL,
    PRIMARY KEY ("app"),
    FOREIGN KEY ("app") REFERENCES "apps" ("app")
)
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Create the table."""
    db.execute_sql(PROGRESS)
