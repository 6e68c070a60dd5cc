"""A user has a version, which each change of them counts up.

The former release neither reads nor writes it, so it has a default, which takes no time on PostgreSQL.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Add the column."""
    db.execute_sql('ALTER TABLE "users" ADD COLUMN "version" INTEGER NOT NULL DEFAULT 1')
