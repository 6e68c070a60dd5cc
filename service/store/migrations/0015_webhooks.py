"""Webhooks: where events are delivered, what signs them, and what became of each."""

from peewee import Database
from playhouse.migrate import SchemaMigrator

STATEMENTS = """
CREATE TABLE "webhooks" (
    "app" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "types" TEXT NOT NULL,
    "disabled" TEXT,
    "xid" BIGINT NOT NULL,
    "event" TEXT NOT NULL,
    "lease" TEXT,
    "leased_until" BIGINT NOT NULL,
    "failures" INTEGER NOT NULL,
    "failing_since" BIGINT,
    "rests_until" BIGINT NOT NULL,
    "milliseconds" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "id"),
    FOREIGN KEY ("app") REFERENCES "apps" ("app")
);
CREATE TABLE "webhook_secrets" (
    "app" TEXT NOT NULL,
    "webhook" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "sealed" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "webhook", "id"),
    FOREIGN KEY ("app", "webhook") REFERENCES "webhooks" ("app", "id")
);
CREATE TABLE "deliveries" (
    "app" TEXT NOT NULL,
    "webhook" TEXT NOT NULL,
    "event" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "at" BIGINT NOT NULL,
    "user" TEXT,
    "state" TEXT NOT NULL,
    "due" BIGINT,
    "attempts" INTEGER NOT NULL,
    "failures" INTEGER NOT NULL,
    PRIMARY KEY ("app", "webhook", "event"),
    FOREIGN KEY ("app", "webhook") REFERENCES "webhooks" ("app", "id")
);
CREATE INDEX "deliveries_app_at" ON "deliveries" ("app", "at");
CREATE INDEX "deliveries_due" ON "deliveries" ("app", "webhook", "due") WHERE ("due" IS NOT NULL);
CREATE INDEX "deliveries_user" ON "deliveries" ("app", "user") WHERE ("user" IS NOT NULL);
CREATE TABLE "attempts" (
    "app" TEXT NOT NULL,
    "webhook" TEXT NOT NULL,
    "event" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "at" BIGINT NOT NULL,
    "milliseconds" INTEGER NOT NULL,
    "status" INTEGER,
    "answer" TEXT,
    "error" TEXT,
    PRIMARY KEY ("app", "webhook", "event", "number"),
    FOREIGN KEY ("app", "webhook", "event") REFERENCES "deliveries" ("app", "webhook", "event")
)
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Create the tables."""
    for statement in STATEMENTS.split(";"):
        db.execute_sql(statement)
