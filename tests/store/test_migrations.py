"""Migrations make the schema of the models, each all or nothing, once, whoever else tries at once."""

import shutil
from concurrent.futures import ThreadPoolExecutor, wait
from importlib import import_module
from pathlib import Path
from typing import Any

import peewee
import pytest
from playhouse.migrations import Runner
from playhouse.schema_diff import diff_models

from bench import bulk
from service.model.errors import OldSchema, StoreUnavailable
from service.store import migrating
from service.store.apps import KeyStore
from service.store.database import Database
from service.store.migrating import DIRECTORY, Schema, migrate
from service.store.tables import (
    TABLES,
    Attachments,
    Fields,
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
from tests.support.marks import LONG, at_once
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
    migrate(url := databases.fresh(request.param))
    return url


@pytest.fixture(scope="module")
def created_url(migrated_url: str, databases: Databases) -> str:
    """A database of the same engine that was made from the models."""
    create(url := databases.fresh(migrated_url.partition(":")[0].replace("postgres", "postgresql")), *TABLES)
    return url


@pytest.fixture(scope="module")
def created(created_url: str) -> dict[str, catalogues.Table]:
    """Its tables, as they are before any of them is made anew."""
    return catalogues.tables(created_url)


def create(url: str, *models: type[peewee.Model]) -> None:
    """Create tables from models, in place of those that there are."""
    database = Database(url, LONG)
    with database.transaction(), database.peewee.bind_ctx(models):
        for model in models:
            model.drop_table(cascade=not database.is_sqlite)
            model.create_table(safe=False)
    database.close()


def test_migrations_make_the_schema_of_the_models_and_peewee_sees_no_difference_either(
    open_database, migrated_url, created
):
    database = open_database(migrated_url)

    with database.connected():
        difference = diff_models(database.peewee, TABLES)

    assert catalogues.tables(migrated_url) == created
    assert not difference, str(difference)


@pytest.mark.parametrize("model", DRIFT.values(), ids=DRIFT)
def test_a_model_that_no_migration_follows_is_found(migrated_url, created_url, created, model):
    table = model._meta.table_name

    create(created_url, model)

    assert catalogues.tables(created_url)[table] != catalogues.tables(migrated_url)[table] == created[table]


# --- all or nothing, and once ------------------------------------------------------------------------


def write(directory: Path, **migrations: str) -> Path:
    """Write migrations that run these statements."""
    for name, statements in migrations.items():
        lines = [f"    db.execute_sql({statement!r})" for statement in statements.split(";")]
        code = "\n".join(["def up(migrator, db):", *lines, ""])
        directory.joinpath(f"{name.lstrip('_')}.py").write_text(code)
    return directory


def test_all_is_applied_to_an_empty_database_and_a_second_time_nothing(empty_url):
    assert migrate(empty_url) == ALL
    before = catalogues.tables(empty_url)

    assert migrate(empty_url) == []
    assert catalogues.tables(empty_url) == before


def test_a_failure_leaves_nothing_of_its_own_and_repaired_it_is_applied(empty_url, tmp_path):
    one, two = "CREATE TABLE one (a TEXT)", "CREATE TABLE two (a TEXT)"
    write(tmp_path, _0001_good=one, _0002_bad=f"{two};SELECT nothing")
    with pytest.raises(peewee.DatabaseError):
        migrate(empty_url, tmp_path)
    assert set(catalogues.tables(empty_url)) == {"one"}

    applied = migrate(empty_url, write(tmp_path, _0002_bad=two))

    assert (applied, set(catalogues.tables(empty_url))) == (["0002_bad"], {"one", "two"})


def test_what_came_later_is_applied_alone(empty_url, tmp_path):
    migrate(empty_url, write(tmp_path, _0001_first="CREATE TABLE one (a TEXT)"))

    applied = migrate(empty_url, write(tmp_path, _0002_second="CREATE TABLE two (a TEXT)"))

    assert applied == ["0002_second"]


def test_a_table_that_others_refer_to_is_rebuilt_without_losing_their_rows(
    open_database, empty_url, tmp_path
):
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

    assert open_database(empty_url).rows(peewee.Table("two", ("a",)).select(peewee.SQL("a"))) == [("x",)]


def test_several_at_once_all_succeed_and_each_migration_is_applied_once(empty_url):
    ended = at_once(*[lambda: command("migrate", DATABASE_URL=empty_url)] * 4)

    assert [(process.returncode, process.stderr) for process in ended] == [(0, "")] * 4
    lines = [line for process in ended for line in process.stdout.splitlines()]
    assert sorted(line for line in lines if "applied" in line) == [f"applied {name}" for name in ALL]


# --- a server knows whether the schema is its own ------------------------------------------------------


def test_a_schema_that_lacks_a_migration_is_old(open_database, empty_url, tmp_path):
    migrate(empty_url, write(tmp_path, _0000_before="CREATE TABLE one (a TEXT)"))
    database = open_database(empty_url)

    with pytest.raises(OldSchema, match=ALL[0]):
        Schema(database).require()


def test_an_empty_database_is_an_old_schema_and_stays_empty(open_database, empty_url):
    database = open_database(empty_url)

    with pytest.raises(OldSchema, match=f"lacks {ALL[0]}.* run `python -m service migrate`"):
        Schema(database).require()

    with database.connected():
        assert Runner(database.peewee, str(DIRECTORY)).applied() == {}
    assert catalogues.tables(empty_url) == {}


def test_a_schema_that_is_newer_is_served_as_during_a_deployment(open_database, empty_url, tmp_path):
    migrate(empty_url)
    migrate(empty_url, write(tmp_path, _9999_later="CREATE TABLE one (a TEXT)"))
    database = open_database(empty_url)

    Schema(database).require()


# --- what a migration makes of what there was --------------------------------------------------------


def migrate_before(url: str, name: str, directory: Path) -> None:
    """Apply all migrations that come before one."""
    for path in DIRECTORY.glob("0*.py"):
        if path.stem < name:
            shutil.copy(path, directory)
    migrate(url, directory)


def keys_of(url: str, *apps: str) -> dict[str, object]:
    database = Database(url, LONG)
    found = {key.id: key.proof for app in apps for key in KeyStore(database, app).all()}
    database.close()
    return found


KEYS = ("keys", ["app", "id", "kind", "digest", "created_at", "last_used_at"])
TWO_APPS = (
    "apps",
    ["app", "name", "settings", "created_at"],
    [(f"app_{n}", "Shop", "{}", 1) for n in (1, 2)],
)


def test_an_identity_key_that_was_used_takes_both_kinds_of_proof_until_it_is_rotated(empty_url, tmp_path):
    migrate_before(empty_url, "0004_key_proofs", tmp_path)
    keys = [
        ("app_1", "unused", "identity", "w", 1, None),
        ("app_1", "used", "identity", "x", 1, 2),
        ("app_1", "secret", "secret", "y", 1, 2),
        ("app_2", "used too", "identity", "x", 1, 3),
        ("app_2", "publishable", "publishable", "z", 1, None),
    ]
    bulk.write(empty_url, [TWO_APPS, (*KEYS, keys)])

    assert migrate(empty_url)[0] == "0004_key_proofs"

    proofs = {"unused": "jwt", "used": "both", "secret": None, "used too": "both", "publishable": None}
    assert keys_of(empty_url, "app_1", "app_2") == proofs


def test_a_key_that_a_server_of_the_version_before_makes_meanwhile_proves_by_jwt(empty_url):
    migrate(empty_url)

    bulk.write(empty_url, [TWO_APPS, (*KEYS, [("app_1", "key_1", "identity", "x", 1, None)])])

    assert keys_of(empty_url, "app_1") == {"key_1": "jwt"}


def test_what_is_of_a_visitor_is_of_the_proven_world_and_so_is_each_store_account(
    open_database, empty_url, tmp_path
):
    migrate_before(empty_url, "0006_worlds", tmp_path)
    people = [("usr_1", "$anon:1", False), ("usr_2", "u-1", True), ("usr_3", "u-1", False)]
    tables = {
        "users": "app id user_id verified created_at",
        "user_ids": "app digest user home value search verified added_at",
        "store_accounts": "app digest user home store account claimed_at",
        "purchases": "app account digest id product transaction purchased_at",
    }
    rows = {
        "users": [("app_1", *one, 1) for one in people],
        "user_ids": [("app_1", name, id, id, name, name, verified, 1) for id, name, verified in people],
        "store_accounts": [("app_1", "d", "usr_2", "usr_2", "play", "a", 1)],
        "purchases": [("app_1", "d", "d", "pur_1", "pro", "t", 1)],
    }
    bulk.write(
        empty_url, [TWO_APPS, *((name, columns.split(), rows[name]) for name, columns in tables.items())]
    )

    migrate(empty_url)

    database = open_database(empty_url)
    of_ids = database.rows(UserIds.select(UserIds.user, UserIds.verified).where(UserIds.app == "app_1"))
    account, verified = StoreAccounts.account, StoreAccounts.verified
    accounts = database.rows(StoreAccounts.select(account, verified).where(StoreAccounts.app == "app_1"))
    bought = database.rows(Purchases.select(Purchases.product).where(Purchases.app == "app_1"))
    assert {user: bool(proven) for user, proven in of_ids} == {"usr_1": True, "usr_2": True, "usr_3": False}
    assert [(name, bool(proven)) for name, proven in accounts] == [("a", True)]
    assert bought == [("pro",)]


EMAIL_FIELDS = ("fields", ["app", "home", "name", "value", "rank"])


def test_each_email_that_was_said_and_counts_has_a_key(open_database, empty_url, tmp_path):
    migrate_before(empty_url, "0012_email_keys", tmp_path)
    people = [(app, f"usr_{n:03}", True, 1) for app in ("app_1", "app_2") for n in range(600)]
    said = [(app, id, "email", f"J{id}@Example.org", 0) for app, id, *_ in people]
    said[:4] = [
        ("app_1", "usr_000", "email", None, 0),
        ("app_1", "usr_001", "email", "", 0),
        ("app_1", "usr_002", "email", "claimed@example.org", -1),
        ("app_1", "usr_003", "name", "Jane", 0),
    ]
    users = ("users", ["app", "id", "verified", "created_at"], people)
    bulk.write(empty_url, [TWO_APPS, users, (*EMAIL_FIELDS, said)])

    assert "0012_email_keys" in migrate(empty_url)

    database = open_database(empty_url)
    keyed = [
        row
        for app in ("app_1", "app_2")
        for row in database.rows(
            Fields.select(Fields.value, Fields.key).where((Fields.app == app) & Fields.key.is_null(False))
        )
    ]
    assert len(keyed) == 1196
    assert {value.lower() for value, _ in keyed} == {key for _, key in keyed}


def test_files_are_there_as_before_and_may_wait_for_a_conversation(open_database, empty_url, tmp_path):
    migrate_before(empty_url, "0022_first_files", tmp_path)
    file = ("app_1", "att_1", "cnv_1", "user", "usr_1", "msg_1", "a.png", "image/png", 9, "0", 1)
    tables = {
        "users": ("app id verified created_at", ("app_1", "usr_1", True, 1)),
        "conversations": (
            "app id user home status messages unread_by_user unread_by_agent created_at updated_at",
            ("app_1", "cnv_1", "usr_1", "usr_1", "open", 1, 0, 0, 1, 1),
        ),
        "attachments": ("app id conversation side author message name type size sha256 created_at", file),
    }
    bulk.write(
        empty_url, [TWO_APPS, *((name, columns.split(), [row]) for name, (columns, row) in tables.items())]
    )

    assert migrate(empty_url)[0] == "0022_first_files"

    first = ("app_1", "att_2", None, *file[3:5], None, *file[6:])
    bulk.write(empty_url, [("attachments", tables["attachments"][0].split(), [first])])
    columns = [getattr(Attachments, name) for name in tables["attachments"][0].split()]
    rows = Attachments.select(*columns, Attachments.device).where(Attachments.app == "app_1")
    assert open_database(empty_url).rows(rows.order_by(Attachments.id)) == [(*file, None), (*first, None)]


def test_what_was_cut_off_while_files_are_looked_at_goes_on(open_database, empty_url, tmp_path):
    migrate_before(empty_url, "0022_first_files", tmp_path)
    fill = import_module("service.store.migrations.0022_first_files").fill
    database = open_database(empty_url)
    with database.transaction():
        next(fill(database.peewee), None)

    assert migrate(empty_url)[0] == "0022_first_files"
    assert migrate(empty_url) == []


# --- while it is in use ------------------------------------------------------------------------------


PARTS = """
def fill(db):
    for _ in range(3):
        db.execute_sql("INSERT INTO one VALUES ('part')")
        yield

def up(migrator, db):
    db.execute_sql("INSERT INTO one VALUES ('end')")
"""


def test_a_long_work_is_done_in_parts_before_the_migration_is_applied(open_database, empty_url, tmp_path):
    write(tmp_path, _0001_first="CREATE TABLE one (a TEXT)")
    (tmp_path / "0002_parts.py").write_text(PARTS)

    assert migrate(empty_url, tmp_path) == ["0001_first", "0002_parts"]

    rows = open_database(empty_url).rows(peewee.Table("one", ("a",)).select(peewee.SQL("a")))
    assert rows == [("part",)] * 3 + [("end",)]


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(migrating, "LOCK_TIMEOUT", 0.05)
    monkeypatch.setattr(migrating, "PAUSE", 0.05)
    monkeypatch.setattr(migrating, "ATTEMPTS", 2)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("hasty")
def test_whoever_reads_a_table_meanwhile_is_let_by(open_database, empty_url, tmp_path, monkeypatch):
    migrate(empty_url, write(tmp_path, _0001_first="CREATE TABLE one (a TEXT)"))
    write(tmp_path, _0002_second="ALTER TABLE one ADD COLUMN b TEXT")
    reader = open_database(empty_url)
    with reader.transaction():
        reader.rows(peewee.Table("one", ("a",)).select(peewee.SQL("a")))
        with pytest.raises(StoreUnavailable):
            migrate(empty_url, tmp_path)
        monkeypatch.setattr(migrating, "ATTEMPTS", 1000)
        with ThreadPoolExecutor(1) as thread:
            migrates = thread.submit(migrate, empty_url, tmp_path)
            wait([migrates], timeout=0.3)
            # It waits for us, and nobody waits for it.
            open_database(empty_url).rows(peewee.Table("one", ("a",)).select(peewee.SQL("a")))
            assert not migrates.done()
            reader.peewee.rollback()
            assert migrates.result() == ["0002_second"]
