"""In which way an identity key proves: by JWT or by HMAC.

Until now each key proved in both ways, and of one that was used nobody knows in which. So it goes on as it
was until it is rotated; one that was never used proves by JWT.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

COLUMN = 'ALTER TABLE "keys" ADD COLUMN "proof" TEXT'

PROOFS = """
UPDATE "keys" SET "proof" = CASE WHEN "last_used_at" IS NULL THEN 'jwt' ELSE 'both' END
WHERE "kind" = 'identity'
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Add the column, and fill it."""
    db.execute_sql(COLUMN)
    db.execute_sql(PROOFS)
