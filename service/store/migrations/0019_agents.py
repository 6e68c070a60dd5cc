"""Which colour an agent at the console chose, and at which conversation they look.

A former release, which may serve still, reads and writes none of it.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

STATEMENTS = """
ALTER TABLE "sign_ins" ADD COLUMN "colour" TEXT;
ALTER TABLE "sign_ins" ADD COLUMN "looking_at" TEXT;
ALTER TABLE "sign_ins" ADD COLUMN "looked_at" BIGINT;
ALTER TABLE "sign_ins" ADD COLUMN "writes" BOOLEAN NOT NULL DEFAULT FALSE
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Add the columns."""
    for statement in STATEMENTS.split(";"):
        db.execute_sql(statement)
