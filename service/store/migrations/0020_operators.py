"""Operators who are signed in to the console. They are of no app: ``app`` is empty, and leads as ever."""

from peewee import Database
from playhouse.migrate import SchemaMigrator

OPERATOR_SESSIONS = """
CREATE TABLE "operator_sessions" (
    "app" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "began_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "digest")
)
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Create the table."""
    db.execute_sql(OPERATOR_SESSIONS)
