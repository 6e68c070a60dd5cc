"""The tables of the first version; what they are for is said in ``tables.py``."""

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator

SCHEMA = """
CREATE TABLE "apps" (
    "app" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "settings" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL
);
CREATE TABLE "keys" (
    "app" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "sealed" TEXT,
    "created_at" BIGINT NOT NULL,
    "last_used_at" BIGINT,
    PRIMARY KEY ("app", "id"),
    FOREIGN KEY ("app") REFERENCES "apps" ("app")
);
CREATE UNIQUE INDEX "keys_app_digest" ON "keys" ("app", "digest");
CREATE TABLE "users" (
    "app" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "verified" BOOLEAN NOT NULL,
    "user_id" TEXT,
    "email" TEXT,
    "email_key" TEXT COLLATE {bytewise},
    "name" TEXT,
    "name_key" TEXT COLLATE {bytewise},
    "merged_into" TEXT,
    "cleared_at" BIGINT,
    "erased_at" BIGINT,
    "created_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "id"),
    FOREIGN KEY ("app") REFERENCES "apps" ("app"),
    FOREIGN KEY ("app", "merged_into") REFERENCES "users" ("app", "id")
);
CREATE INDEX "users_app_email_key" ON "users" ("app", "email_key");
CREATE INDEX "users_app_name_key" ON "users" ("app", "name_key");
CREATE INDEX "users_app_merged_into" ON "users" ("app", "merged_into")
    WHERE "merged_into" IS NOT NULL;
CREATE UNIQUE INDEX "users_one_unclaimed_per_email"
    ON "users" ("app", "verified", "email_key")
    WHERE "user_id" IS NULL AND "merged_into" IS NULL;
CREATE TABLE "user_ids" (
    "app" TEXT NOT NULL,
    "verified" BOOLEAN NOT NULL,
    "digest" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "home" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    "search" TEXT COLLATE {bytewise} NOT NULL,
    "added_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "verified", "digest"),
    FOREIGN KEY ("app", "user") REFERENCES "users" ("app", "id")
);
CREATE INDEX "userids_app_user" ON "user_ids" ("app", "user");
CREATE INDEX "userids_app_search" ON "user_ids" ("app", "search");
CREATE UNIQUE INDEX "user_ids_one_client_made" ON "user_ids" ("app", "digest")
    WHERE substr("value", 1, 15) = '$RCAnonymousID:';
CREATE TABLE "devices" (
    "app" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "anonymous" TEXT,
    "clears" BOOLEAN NOT NULL,
    "sharing" BOOLEAN,
    "created_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "digest"),
    FOREIGN KEY ("app") REFERENCES "apps" ("app"),
    FOREIGN KEY ("app", "anonymous") REFERENCES "users" ("app", "id")
);
CREATE INDEX "devices_app_anonymous" ON "devices" ("app", "anonymous");
CREATE TABLE "sessions" (
    "app" TEXT NOT NULL,
    "device" TEXT NOT NULL,
    "token" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "home" TEXT NOT NULL,
    "verified" BOOLEAN NOT NULL,
    "claim" TEXT,
    "began_at" BIGINT NOT NULL,
    "used_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "device"),
    FOREIGN KEY ("app", "device") REFERENCES "devices" ("app", "digest"),
    FOREIGN KEY ("app", "user") REFERENCES "users" ("app", "id")
);
CREATE UNIQUE INDEX "sessions_app_token" ON "sessions" ("app", "token");
CREATE INDEX "sessions_app_user" ON "sessions" ("app", "user");
CREATE TABLE "conversations" (
    "app" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "home" TEXT NOT NULL,
    "device" TEXT,
    "subject" TEXT,
    "status" TEXT NOT NULL,
    "messages" INTEGER NOT NULL,
    "unread_by_user" INTEGER NOT NULL,
    "unread_by_agent" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "id"),
    FOREIGN KEY ("app", "user") REFERENCES "users" ("app", "id")
);
CREATE INDEX "conversations_app_user_updated_at_id"
    ON "conversations" ("app", "user", "updated_at", "id");
CREATE INDEX "conversations_app_updated_at_id" ON "conversations" ("app", "updated_at", "id");
CREATE INDEX "conversations_app_status_updated_at_id"
    ON "conversations" ("app", "status", "updated_at", "id");
CREATE TABLE "messages" (
    "app" TEXT NOT NULL,
    "conversation" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "id" TEXT NOT NULL,
    "side" TEXT NOT NULL,
    "author" TEXT,
    "agent_name" TEXT,
    "body" TEXT NOT NULL,
    "verified" BOOLEAN NOT NULL,
    "created_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "conversation", "number"),
    FOREIGN KEY ("app", "conversation") REFERENCES "conversations" ("app", "id")
);
CREATE UNIQUE INDEX "messages_app_id" ON "messages" ("app", "id");
CREATE TABLE "store_accounts" (
    "app" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "home" TEXT NOT NULL,
    "store" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "claimed_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "digest"),
    FOREIGN KEY ("app", "user") REFERENCES "users" ("app", "id")
);
CREATE INDEX "storeaccounts_app_user" ON "store_accounts" ("app", "user");
CREATE TABLE "purchases" (
    "app" TEXT NOT NULL,
    "account" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "product" TEXT NOT NULL,
    "transaction" TEXT NOT NULL,
    "purchased_at" BIGINT NOT NULL,
    "expires_at" BIGINT,
    PRIMARY KEY ("app", "account", "digest"),
    FOREIGN KEY ("app", "account") REFERENCES "store_accounts" ("app", "digest")
);
CREATE TABLE "merges" (
    "app" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "target" TEXT NOT NULL,
    "rule" TEXT NOT NULL,
    "ledger" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "undone_at" BIGINT,
    PRIMARY KEY ("app", "id"),
    FOREIGN KEY ("app", "source") REFERENCES "users" ("app", "id"),
    FOREIGN KEY ("app", "target") REFERENCES "users" ("app", "id")
);
CREATE INDEX "merges_app_source" ON "merges" ("app", "source");
CREATE INDEX "merges_app_target" ON "merges" ("app", "target");
CREATE TABLE "history" (
    "app" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "at" BIGINT NOT NULL,
    "event" TEXT NOT NULL,
    "rule" TEXT,
    "by" TEXT NOT NULL,
    "request" TEXT NOT NULL,
    "before" TEXT,
    "after" TEXT,
    PRIMARY KEY ("app", "user", "id"),
    FOREIGN KEY ("app", "user") REFERENCES "users" ("app", "id")
);
CREATE TABLE "repeats" (
    "app" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "by" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "request" TEXT NOT NULL,
    "made" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    PRIMARY KEY ("app", "user", "by", "key"),
    FOREIGN KEY ("app", "user") REFERENCES "users" ("app", "id")
);
CREATE TABLE "rates" (
    "app" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "minute" BIGINT NOT NULL,
    "count" INTEGER NOT NULL,
    PRIMARY KEY ("app", "kind", "address"),
    FOREIGN KEY ("app") REFERENCES "apps" ("app")
);
"""


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Create them."""
    bytewise = "BINARY" if isinstance(db, SqliteDatabase) else '"C"'
    for statement in SCHEMA.format(bytewise=bytewise).split(";"):
        if statement.strip():
            db.execute_sql(statement)
