"""Find what was written by an index of its words, which the engine's own full-text search keeps.

Both tables are empty. Whoever works fills them, with what is there already too, a little at a time, so that a
deploy waits for nobody; the former release, which may serve still, knows nothing of them.
"""

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator

PROGRESS = """
CREATE TABLE "search_progress" (
    "app" TEXT NOT NULL,
    "xid" BIGINT NOT NULL,
    "event" TEXT NOT NULL,
    "filled" TEXT,
    PRIMARY KEY ("app"),
    FOREIGN KEY ("app") REFERENCES "apps" ("app")
)
"""

# What is waiting to be put in order is looked through by each search, so that is kept short, in KiB.
POSTGRESQL = """
CREATE TABLE "search_index" (
    "app" TEXT NOT NULL,
    "conversation" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "pieces" TSVECTOR NOT NULL,
    PRIMARY KEY ("app", "conversation", "number"),
    FOREIGN KEY ("app") REFERENCES "apps" ("app")
);
CREATE INDEX "search_index_pieces" ON "search_index" USING gin ("pieces") WITH (gin_pending_list_limit = 512)
"""

# Where in a text a piece stands, and how long the text is, is of no use.
SQLITE = """
CREATE VIRTUAL TABLE "search_index" USING fts5 (
    "app" UNINDEXED, "conversation" UNINDEXED, "number" UNINDEXED, "pieces",
    tokenize = 'ascii', detail = none, columnsize = 0
)
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Create the tables."""
    db.execute_sql(PROGRESS)
    for statement in (SQLITE if isinstance(db, SqliteDatabase) else POSTGRESQL).split(";"):
        db.execute_sql(statement)
