"""What looks at every statement of the test run finds those that could reach into another app."""

import pytest

from service.store.tables import Users
from tests.support.statements import unscoped

UNSCOPED = {
    "select": ('SELECT * FROM "users" AS "t1" WHERE ("t1"."id" = ?)', ["users"]),
    "select of all": ('SELECT * FROM "users" AS "t1"', ["users"]),
    "select of all apps in another order": ('SELECT * FROM "apps" AS "t1" ORDER BY "t1"."name"', ["apps"]),
    "select without quotes": ("SELECT * FROM users WHERE id = ?", ["users"]),
    "select from a schema": ('SELECT * FROM "public"."users" WHERE "id" = ?', ["users"]),
    "app compared with nothing": (
        'SELECT * FROM "users" AS "t1" WHERE ("t1"."app" IS NOT NULL)',
        ["users"],
    ),
    "app compared with itself": ('SELECT * FROM "users" AS "t1" WHERE ("t1"."app" = "t1"."app")', ["users"]),
    "another column compared": ('SELECT * FROM "users" AS "t1" WHERE ("t1"."id" = ?)', ["users"]),
    "app unequal": ('SELECT * FROM "users" AS "t1" WHERE ("t1"."app" != ?)', ["users"]),
    "not that app": ('SELECT * FROM "users" AS "t1" WHERE NOT ("t1"."app" = ?)', ["users"]),
    "in one branch of an or": (
        'SELECT * FROM "users" AS "t1" WHERE (("t1"."app" = ?) OR ("t1"."id" = ?))',
        ["users"],
    ),
    "or on the same level": (
        'SELECT * FROM "users" AS "t1" WHERE "t1"."app" = ? AND "t1"."id" = ? OR "t1"."name" = ?',
        ["users"],
    ),
    "in both branches of an or": (
        'SELECT * FROM "users" AS "t1" WHERE (("t1"."app" = ?) OR ("t1"."app" = ?))',
        ["users"],
    ),
    "the joined table": (
        'SELECT * FROM "users" AS "t1" INNER JOIN "keys" AS "t2" ON ("t2"."id" = "t1"."id")'
        ' WHERE ("t1"."app" = ?)',
        ["keys"],
    ),
    "the first table of a join": (
        'SELECT * FROM "users" AS "t1" INNER JOIN "keys" AS "t2" ON ("t2"."id" = "t1"."id")'
        ' WHERE ("t2"."app" = ?)',
        ["users"],
    ),
    "the second of a list": (
        'SELECT * FROM "users" AS "t1", "keys" AS "t2" WHERE ("t1"."app" = ?)',
        ["keys"],
    ),
    "a join by app without any value": (
        'SELECT * FROM "users" AS "t1" INNER JOIN "keys" AS "t2" ON ("t2"."app" = "t1"."app")'
        ' WHERE ("t1"."id" = ?)',
        ["users", "keys"],
    ),
    "a ring of joins without any value": (
        'SELECT * FROM "users" AS "t1" INNER JOIN "keys" AS "t2" ON ("t2"."app" = "t1"."app")'
        ' INNER JOIN "apps" AS "t3" ON (("t3"."app" = "t2"."app") AND ("t1"."app" = "t3"."app"))',
        ["users", "keys", "apps"],
    ),
    "the kept side of an outer join": (
        'SELECT * FROM "users" AS "t1" LEFT OUTER JOIN "keys" AS "t2"'
        ' ON (("t1"."app" = ?) AND ("t2"."app" = "t1"."app"))',
        ["users", "keys"],
    ),
    "both sides of a full join": (
        'SELECT * FROM "users" AS "t1" FULL OUTER JOIN "keys" AS "t2"'
        ' ON (("t1"."app" = ?) AND ("t2"."app" = ?))',
        ["users", "keys"],
    ),
    "a cross join": (
        'SELECT * FROM "users" AS "t1" CROSS JOIN "keys" AS "t2" WHERE ("t1"."app" = ?)',
        ["keys"],
    ),
    "subquery": (
        'SELECT * FROM "users" AS "t1" WHERE (("t1"."app" = ?) AND ("t1"."id" = '
        '(SELECT "t2"."user" FROM "user_ids" AS "t2" WHERE ("t2"."digest" = ?))))',
        ["user_ids"],
    ),
    "only the subquery is scoped": (
        'SELECT * FROM "users" AS "t1" WHERE ("t1"."id" = '
        '(SELECT "t2"."user" FROM "user_ids" AS "t2" WHERE ("t2"."app" = ?)))',
        ["users"],
    ),
    "subquery with the outer query's alias": (
        'SELECT * FROM "users" AS "t1" WHERE (("t1"."app" = ?) AND ("t1"."id" IN '
        '(SELECT "t1"."id" FROM "users" AS "t1")))',
        ["users"],
    ),
    "subquery of a column": (
        'SELECT (SELECT count(*) FROM "keys" AS "t2") FROM "users" AS "t1" WHERE ("t1"."app" = ?)',
        ["keys"],
    ),
    "derived table": ('SELECT * FROM (SELECT * FROM "users" AS "t2") AS "t1"', ["users"]),
    "second half of a union": (
        'SELECT * FROM "users" AS "t1" WHERE ("t1"."app" = ?) UNION SELECT * FROM "users" AS "t2"',
        ["users"],
    ),
    "with": (
        'WITH "found" AS (SELECT * FROM "users" AS "t1") SELECT * FROM "found" WHERE ("found"."app" = ?)',
        ["users"],
    ),
    "update": ('UPDATE "users" SET "name" = ? WHERE ("users"."id" = ?)', ["users"]),
    "update of all": ('UPDATE "users" SET "name" = ?', ["users"]),
    "update by or": (
        'UPDATE "users" SET "name" = ? WHERE (("users"."app" = ?) OR ("users"."id" = ?))',
        ["users"],
    ),
    "update that moves to another app": (
        'UPDATE "users" SET "app" = ? WHERE ("users"."app" = ?)',
        ["users"],
    ),
    "update by a subquery": (
        'UPDATE "users" SET "name" = (SELECT "t1"."name" FROM "apps" AS "t1") WHERE ("users"."app" = ?)',
        ["apps"],
    ),
    "update from another table": (
        'UPDATE "users" SET "name" = ? FROM "keys" AS "t1" WHERE ("users"."app" = ?)',
        ["keys"],
    ),
    "delete": ('DELETE FROM "users" WHERE ("users"."id" = ?)', ["users"]),
    "delete of all": ('DELETE FROM "users"', ["users"]),
    "delete by another table": (
        'DELETE FROM "users" USING "keys" AS "t1" WHERE ("t1"."app" = ?)',
        ["users"],
    ),
    "insert": ('INSERT INTO "users" ("id", "name") VALUES (?, ?)', ["users"]),
    "insert of an app from elsewhere": (
        'INSERT INTO "users" ("app", "id") VALUES ((SELECT max("app") FROM "apps"), ?)',
        ["users", "apps"],
    ),
    "insert of a subquery": (
        'INSERT INTO "messages" ("app", "number")'
        ' VALUES (?, (SELECT max("t1"."number") FROM "messages" AS "t1"))',
        ["messages"],
    ),
    "insert of a select": (
        'INSERT INTO "users" ("app", "id") SELECT "t1"."app", "t1"."id" FROM "keys" AS "t1"',
        ["keys", "users"],
    ),
    "insert of a select into an app of any name": (
        'INSERT INTO "users" ("id", "app") SELECT "t1"."id", "t1"."kind" FROM "keys" AS "t1"'
        ' WHERE ("t1"."app" = ?)',
        ["users"],
    ),
    "truncate": ('TRUNCATE "users"', ["users"]),
    "replace": ('REPLACE INTO "users" ("id") VALUES (?)', ["users"]),
}

SCOPED = {
    "select": 'SELECT * FROM "users" AS "t1" WHERE ("t1"."app" = %s)',
    "value first": 'SELECT * FROM "users" AS "t1" WHERE (%s = "t1"."app")',
    "and": (
        'SELECT * FROM "users" AS "t1" WHERE ((("t1"."app" = %s) AND ("t1"."id" = %s)) AND ("t1"."x" > %s))'
    ),
    "beside an or": (
        'SELECT * FROM "users" AS "t1" WHERE (("t1"."app" = ?) AND (("t1"."x" IS NULL) OR ("t1"."x" = ?)))'
    ),
    "held": 'SELECT * FROM "users" AS "t1" WHERE ("t1"."app" = %s) FOR UPDATE OF "t1"',
    "joined by app": (
        'SELECT * FROM "keys" AS "t1" INNER JOIN "apps" AS "t2" ON ("t2"."app" = "t1"."app")'
        ' WHERE (("t1"."app" = ?) AND ("t1"."id" = ?))'
    ),
    "joined by app, scoped at the far end": (
        'SELECT * FROM "keys" AS "t1" INNER JOIN "apps" AS "t2" ON ("t1"."app" = "t2"."app")'
        ' INNER JOIN "users" AS "t3" ON ("t3"."app" = "t2"."app") WHERE ("t3"."app" = ?)'
    ),
    "outer join": (
        'SELECT * FROM "users" AS "t1" LEFT OUTER JOIN "user_ids" AS "t2"'
        ' ON (("t2"."app" = "t1"."app") AND ("t2"."user" = "t1"."id")) WHERE ("t1"."app" = ?)'
    ),
    "correlated subquery": (
        'SELECT * FROM "users" AS "t1" WHERE (("t1"."app" = ?) AND EXISTS '
        '(SELECT 1 FROM "keys" AS "t2" WHERE ("t2"."app" = "t1"."app")))'
    ),
    "with": ('WITH "found" AS (SELECT * FROM "users" AS "t1" WHERE ("t1"."app" = ?)) SELECT * FROM "found"'),
    "union": (
        'SELECT * FROM "users" AS "t1" WHERE ("t1"."app" = ?)'
        ' UNION ALL SELECT * FROM "users" AS "t1" WHERE ("t1"."app" = ?)'
    ),
    "update": 'UPDATE "users" SET "name" = ?, "x" = ("users"."x" + ?) WHERE ("users"."app" = ?)',
    "delete": 'DELETE FROM "users" WHERE (("users"."app" = ?) AND ("users"."id" = ?))',
    "insert": 'INSERT INTO "users" ("id", "app") VALUES (?, ?), (?, ?)',
    "upsert": (
        'INSERT INTO "sessions" ("app", "device") VALUES (?, ?)'
        ' ON CONFLICT ("app", "device") DO UPDATE SET "token" = ? RETURNING "token"'
    ),
    "insert of a select": (
        'INSERT INTO "users" ("id", "app") SELECT "t1"."id", "t1"."app" FROM "keys" AS "t1"'
        ' WHERE ("t1"."app" = ?) ON CONFLICT ("app", "id") DO UPDATE SET "name" = EXCLUDED."name"'
    ),
    "a table of no app": 'SELECT * FROM "schema_migration" AS "t1"',
    "all apps, for the operator": (
        'SELECT "t1"."app" FROM "apps" AS "t1" ORDER BY "t1"."created_at", "t1"."app"'
    ),
    "rows of no app, for the self-test": (
        'SELECT DISTINCT "t1"."app" FROM "users" AS "t1"'
        ' WHERE ("t1"."app" NOT IN (SELECT "t2"."app" FROM "apps" AS "t2"))'
    ),
    "a column named as a table": (
        'UPDATE "conversations" SET "messages" = ? WHERE ("conversations"."app" = ?)'
    ),
    "schema": 'CREATE TABLE "users" ("app" TEXT)',
    "lock": "SELECT pg_advisory_xact_lock(%s)",
}


@pytest.mark.parametrize(("sql", "tables"), UNSCOPED.values(), ids=UNSCOPED)
def test_a_statement_that_could_reach_into_another_app_is_found(sql, tables):
    assert list(unscoped(sql)) == tables


@pytest.mark.parametrize("sql", SCOPED.values(), ids=SCOPED)
def test_a_statement_of_one_app_passes(sql):
    assert unscoped(sql) == ()


def test_every_database_that_a_test_opens_is_looked_at(database):
    with pytest.raises(AssertionError, match="users"):
        database.rows(Users.select().where(Users.id == "usr_1"))
