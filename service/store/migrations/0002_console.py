"""Who is signed in to the console."""

from peewee import Database
from playhouse.migrate import SchemaMigrator

SIGN_INS = """
CREATE TABLE "sign_ins" (
    "app" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "name" TEXT,
    "began_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "digest"),
    FOREIGN KEY ("app") REFERENCES "apps" ("app")
)
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Create the table."""
    db.execute_sql(SIGN_INS)
