"""Migrations make the schema of the models, all or nothing, once, whoever else tries at the same time."""

import shutil
from pathlib import Path
from typing import Any

import peewee
import pytest
from playhouse.migrations import Runner
from playhouse.schema_diff import diff_models

from bench import bulk
from service.model.errors import OldSchema
from service.store.apps import KeyStore
from service.store.database import Database
from service.store.migrating import DIRECTORY, Schema, migrate
from service.store.tables import (
    TABLES,
    Apps,
    Keys,
    Messages,
    Purchases,
    Sessions,
    StoreAccounts,
    UserIds,
    Users,
)
from tests.conftest import ENGINES, Databases
from tests.support import catalogues
from tests.support.marks import at_once
from tests.support.servers import command

ALL = sorted(path.stem for path in DIRECTORY.glob("0*.py"))


# --- the schema is that of the models ----------------------------------------------------------------


def altered(
    model: type[peewee.Model], fields: dict[str, Any] | None = None, **meta: Any
) -> type[peewee.Model]:
    """Copy a model, with something changed."""
    meta["table_name"] = model._meta.table_name
    return type(model.__name__, (model,), (fields or {}) | {"Meta": type("Meta", (), meta)})


def unclaimed_and_merged(model: type[peewee.Model]) -> type[peewee.Model]:
    """Copy the users, with another predicate over the index that decides about emails."""
    copy = altered(model, indexes=model._meta.indexes[:2])
    copy.add_index(
        copy.index(
            copy.app,
            copy.email_key,
            unique=True,
            where=copy.user_id.is_null(),
            name="users_one_unclaimed_per_email",
        )
    )
    return copy


DRIFT = {
    "a column more": altered(Keys, {"more": peewee.TextField(null=True)}),
    "a column less": altered(Keys, {"sealed": None}),
    "another type": altered(Keys, {"created_at": peewee.TextField()}),
    "may be null": altered(Keys, {"kind": peewee.TextField(null=True)}),
    "may not be null": altered(Keys, {"sealed": peewee.TextField()}),
    "another primary key": altered(Keys, primary_key=peewee.CompositeKey("app", "digest")),
    "the primary key in another order": altered(Keys, primary_key=peewee.CompositeKey("id", "app")),
    "an index less": altered(Sessions, indexes=((("app", "token"), True),)),
    "an index more": altered(Messages, indexes=((("app", "id"), True), (("app", "side"), False))),
    "an index in another order": altered(Keys, indexes=((("digest", "app"), True),)),
    "an index that is not unique": altered(Keys, indexes=((("app", "digest"), False),)),
    "another predicate of an index": unclaimed_and_merged(Users),
    "a foreign key less": altered(Keys, constraints=[]),
    "another foreign key": altered(
        Keys, constraints=[peewee.SQL('FOREIGN KEY ("app", "id") REFERENCES "users" ("app", "id")')]
    ),
    "a check": altered(Keys, constraints=[*Keys._meta.constraints, peewee.SQL("CHECK (created_at > 0)")]),
}


@pytest.fixture(scope="module", params=ENGINES)
def migrated_url(request: pytest.FixtureRequest, databases: Databases) -> str:
    """A database that the migrations made."""
    url = databases.fresh(request.param)
    migrate(url)
    return url


@pytest.fixture(scope="module")
def created_url(migrated_url: str, databases: Databases) -> str:
    """A database of the same engine that was made from the models."""
    url = databases.fresh("sqlite" if migrated_url.startswith("sqlite:") else "postgresql")
    create(url, *TABLES)
    return url


def create(url: str, *models: type[peewee.Model]) -> None:
    """Create tables from models, in place of those that there are."""
    database = Database(url)
    with database.transaction(), database.peewee.bind_ctx(models):
        for model in models:
            model.drop_table(cascade=not database.is_sqlite)
            model.create_table(safe=False)
    database.close()


def test_migrations_make_the_schema_of_the_models(migrated_url, databases: Databases):
    url = databases.fresh("sqlite" if migrated_url.startswith("sqlite:") else "postgresql")

    create(url, *TABLES)

    assert catalogues.tables(migrated_url) == catalogues.tables(url)


def test_peewee_sees_no_difference_either(migrated_url):
    database = Database(migrated_url)

    with database.connected():
        difference = diff_models(database.peewee, TABLES)

    assert not difference, str(difference)
    database.close()


@pytest.mark.parametrize("model", DRIFT.values(), ids=DRIFT)
def test_a_model_that_no_migration_follows_is_found(migrated_url, created_url, model):
    name = model._meta.table_name

    create(created_url, model)

    assert catalogues.tables(migrated_url)[name] != catalogues.tables(created_url)[name]


def test_a_model_that_is_only_copied_is_not(migrated_url, created_url):
    create(created_url, altered(Keys))

    assert catalogues.tables(migrated_url)["keys"] == catalogues.tables(created_url)["keys"]


# --- all or nothing, and once ------------------------------------------------------------------------


def write(directory: Path, **migrations: str) -> Path:
    """Write migrations that run these statements."""
    for name, statements in migrations.items():
        lines = [f"    db.execute_sql({statement!r})" for statement in statements.split(";")]
        code = "\n".join(["def up(migrator, db):", *lines, ""])
        directory.joinpath(f"{name.lstrip('_')}.py").write_text(code)
    return directory


def test_all_is_applied_to_an_empty_database(empty_url):
    applied = migrate(empty_url)

    assert applied == ALL


def test_a_second_time_does_nothing(empty_url):
    migrate(empty_url)
    before = catalogues.tables(empty_url)

    applied = migrate(empty_url)

    assert applied == []
    assert catalogues.tables(empty_url) == before


def test_a_failure_in_the_middle_leaves_nothing(empty_url, tmp_path):
    write(
        tmp_path, _0001_good="CREATE TABLE one (a TEXT)", _0002_bad="CREATE TABLE two (a TEXT);SELECT nothing"
    )

    with pytest.raises(peewee.DatabaseError):
        migrate(empty_url, tmp_path)

    assert catalogues.tables(empty_url) == {}


def test_after_a_failure_a_repaired_migration_is_applied_with_those_before_it(empty_url, tmp_path):
    write(
        tmp_path, _0001_good="CREATE TABLE one (a TEXT)", _0002_bad="CREATE TABLE two (a TEXT);SELECT nothing"
    )
    with pytest.raises(peewee.DatabaseError):
        migrate(empty_url, tmp_path)
    write(tmp_path, _0002_bad="CREATE TABLE two (a TEXT)")

    applied = migrate(empty_url, tmp_path)

    assert applied == ["0001_good", "0002_bad"]
    assert set(catalogues.tables(empty_url)) == {"one", "two"}


def test_what_came_later_is_applied_alone(empty_url, tmp_path):
    migrate(empty_url, write(tmp_path, _0001_first="CREATE TABLE one (a TEXT)"))

    applied = migrate(empty_url, write(tmp_path, _0002_second="CREATE TABLE two (a TEXT)"))

    assert applied == ["0002_second"]


def test_a_table_that_others_refer_to_is_rebuilt_without_losing_their_rows(empty_url, tmp_path):
    write(
        tmp_path,
        _0001_first="CREATE TABLE one (a TEXT PRIMARY KEY);"
        "CREATE TABLE two (a TEXT, FOREIGN KEY (a) REFERENCES one (a) ON DELETE CASCADE);"
        "INSERT INTO one VALUES ('x');INSERT INTO two VALUES ('x')",
    )
    migrate(empty_url, tmp_path)
    rebuild = "CREATE TABLE new (a TEXT PRIMARY KEY);INSERT INTO new SELECT a FROM one;DROP TABLE one"
    if not empty_url.startswith("sqlite:"):
        rebuild = "ALTER TABLE two DROP CONSTRAINT two_a_fkey;" + rebuild
    write(tmp_path, _0002_second=rebuild + ";ALTER TABLE new RENAME TO one")

    migrate(empty_url, tmp_path)

    database = Database(empty_url)
    assert database.rows(peewee.Table("two", ("a",)).select(peewee.SQL("a"))) == [("x",)]
    database.close()


@pytest.mark.parametrize("number", [2, 8])
def test_several_at_once_all_succeed_and_one_of_them_applies(empty_url, number):
    told = at_once(*[lambda: command("migrate", DATABASE_URL=empty_url)] * number)

    assert [(process.returncode, process.stderr) for process in told] == [(0, "")] * number
    assert sorted(process.stdout for process in told) == [
        "".join(f"applied {name}\n" for name in ALL),
        *["the schema is up to date\n"] * (number - 1),
    ]


# --- a server knows whether the schema is its own ------------------------------------------------------


def test_an_empty_database_is_an_old_schema_and_the_message_says_what_to_run(empty_url):
    database = Database(empty_url)

    with pytest.raises(OldSchema, match=f"lacks {ALL[0]}.* run `python -m service migrate`"):
        Schema(database).require()

    database.close()


def test_a_schema_that_lacks_a_migration_is_old(empty_url, tmp_path):
    migrate(empty_url, write(tmp_path, _0000_before="CREATE TABLE one (a TEXT)"))
    database = Database(empty_url)

    with pytest.raises(OldSchema, match=ALL[0]):
        Schema(database).require()

    database.close()


def test_looking_at_an_empty_database_leaves_it_empty(empty_url):
    database = Database(empty_url)
    with pytest.raises(OldSchema):
        Schema(database).require()

    with database.connected():
        found = Runner(database.peewee, str(DIRECTORY)).applied()

    assert (found, catalogues.tables(empty_url)) == ({}, {})
    database.close()


def test_a_schema_that_is_newer_is_served_as_during_a_deployment(empty_url, tmp_path):
    migrate(empty_url)
    migrate(empty_url, write(tmp_path, _9999_later="CREATE TABLE one (a TEXT)"))
    database = Database(empty_url)

    Schema(database).require()

    database.close()


# --- what a migration makes of what there was --------------------------------------------------------


def test_an_identity_key_that_was_used_takes_both_kinds_of_proof_until_it_is_rotated(empty_url, tmp_path):
    for path in DIRECTORY.glob("000[1-3]*.py"):
        tmp_path.joinpath(path.name).write_text(path.read_text())
    migrate(empty_url, tmp_path)
    database = Database(empty_url)
    made = {
        ("app_1", "key_unused"): ("identity", None),
        ("app_1", "key_used"): ("identity", 2),
        ("app_1", "key_secret"): ("secret", 2),
        ("app_2", "key_used"): ("identity", 3),
        ("app_2", "key_publishable"): ("publishable", None),
    }
    for app in ("app_1", "app_2"):
        with database.transaction():
            database.change(Apps.insert(app=app, name="Shop", settings="{}", created_at=1))
    for (app, id), (kind, last_used_at) in made.items():
        columns = {Keys.app: app, Keys.id: id, Keys.kind: kind, Keys.digest: f"digest of {id}"}
        with database.transaction():
            database.change(Keys.insert(columns | {Keys.created_at: 1, Keys.last_used_at: last_used_at}))

    applied = migrate(empty_url)

    found = {(app, key.id): key.proof for app in ("app_1", "app_2") for key in KeyStore(database).of_app(app)}
    database.close()
    assert applied[0] == "0004_key_proofs"
    assert found == {
        ("app_1", "key_unused"): "jwt",
        ("app_1", "key_used"): "both",
        ("app_1", "key_secret"): None,
        ("app_2", "key_used"): "both",
        ("app_2", "key_publishable"): None,
    }


def test_a_key_that_a_server_of_the_version_before_makes_meanwhile_proves_by_jwt(empty_url):
    migrate(empty_url)
    database = Database(empty_url)
    columns = {Keys.app: "app_1", Keys.id: "key_1", Keys.kind: "identity", Keys.digest: "x"}

    with database.transaction():
        database.change(Apps.insert(app="app_1", name="Shop", settings="{}", created_at=1))
        database.change(Keys.insert(columns | {Keys.created_at: 1}))

    [key] = KeyStore(database).of_app("app_1")
    database.close()
    assert key.proof == "jwt"


def migrate_before(url: str, name: str, directory: Path) -> None:
    """Apply all migrations that come before one."""
    for path in DIRECTORY.glob("0*.py"):
        if path.stem < name:
            shutil.copy(path, directory)
    migrate(url, directory)


def test_what_is_of_a_visitor_is_of_the_proven_world_and_so_is_each_store_account(empty_url, tmp_path):
    migrate_before(empty_url, "0006_worlds", tmp_path)
    people = {"usr_1": ("$anon:1", False), "usr_2": ("u-1", True), "usr_3": ("u-1", False)}
    bulk.write(
        empty_url,
        [
            ("apps", ["app", "name", "settings", "created_at"], [("app_1", "Shop", "{}", 1)]),
            (
                "users",
                ["app", "id", "user_id", "verified", "created_at"],
                [("app_1", id, *user, 1) for id, user in people.items()],
            ),
            (
                "user_ids",
                ["app", "digest", "user", "home", "value", "search", "verified", "added_at"],
                [("app_1", user[0], id, id, user[0], user[0], user[1], 1) for id, user in people.items()],
            ),
            (
                "store_accounts",
                ["app", "digest", "user", "home", "store", "account", "claimed_at"],
                [("app_1", "d", "usr_2", "usr_2", "play", "a", 1)],
            ),
            (
                "purchases",
                ["app", "account", "digest", "id", "product", "transaction", "purchased_at"],
                [("app_1", "d", "d", "pur_1", "pro", "t", 1)],
            ),
        ],
    )

    migrate(empty_url)

    database = Database(empty_url)
    worlds = dict(database.rows(UserIds.select(UserIds.user, UserIds.verified).where(UserIds.app == "app_1")))
    account, verified = StoreAccounts.account, StoreAccounts.verified
    accounts = database.rows(StoreAccounts.select(account, verified).where(StoreAccounts.app == "app_1"))
    bought = database.rows(Purchases.select(Purchases.product).where(Purchases.app == "app_1"))
    database.close()
    assert {user: bool(world) for user, world in worlds.items()} == {
        "usr_1": True, "usr_2": True, "usr_3": False,
    }  # fmt: skip
    assert [(name, bool(world)) for name, world in accounts] == [("a", True)]
    assert bought == [("pro",)]
