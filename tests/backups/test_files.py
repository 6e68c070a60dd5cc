"""A backup is all of a store as of one moment, for either engine; what is no whole one changes nothing."""

import gzip
import hashlib
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.bulk import write as write_rows
from service.store import backups
from service.store.backups import LEFT_OUT
from service.store.database import Database
from service.store.migrating import DIRECTORY
from service.store.tables import TABLES, Events, Webhooks
from tests.conftest import ENGINES, engine_of
from tests.support.cases import cases
from tests.support.many_apps import COLUMNS, LargeApp
from tests.support.old_store import ODD, OLD
from tests.support.rows import rows_of
from tests.support.servers import command

# Where those stand that are numbered anew.
XIDS = [(table._meta.table_name, [*table._meta.columns].index("xid")) for table in (Events, Webhooks)]
LAST = max(path.stem for path in DIRECTORY.glob("0*.py"))
# Of each table.
ROWS = 3


def fill(url):
    """Fill every table of a migrated store with rows of one app."""
    large = LargeApp.gather()
    rows = large.rows("{}", ROWS)
    tables = [table._meta.table_name for table in TABLES]
    write_rows(
        url,
        [
            (name, ["app", *COLUMNS[name].split()], [(large.app, *row) for row in rows[name]])
            for name in tables
        ],
    )
    return large.app


def rewrite(path, change):
    """Write the lines of a backup anew, and what they come to."""
    *lines, _ = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    lines = change(lines)
    rows, name = {}, ""
    for line in lines:
        value = json.loads(line)
        if isinstance(value, str):
            name = value
        elif isinstance(value, list):
            rows[name] = rows.get(name, 0) + 1
    end = {"rows": rows, "sha256": hashlib.sha256(b"".join(lines)).hexdigest()}
    path.write_bytes(gzip.compress(b"".join(lines) + json.dumps(end).encode() + b"\n"))


def in_the_head(**members):
    return lambda lines: [json.dumps(json.loads(lines[0]) | members).encode() + b"\n", *lines[1:]]


@pytest.mark.parametrize("into", ENGINES)
@pytest.mark.parametrize("engine", ENGINES)
def test_each_row_of_each_table_is_there_on_either_engine(operate, databases, engine, into):
    shop = operate(engine)
    shop.store.database.close()
    app = fill(shop.url)
    before = rows_of(shop.store, app)
    shop.back_up()
    last = max(row[place] for name, place in XIDS for row in before[name])
    shop.url = databases.fresh(into)

    code, said = shop.run("restore", shop.file, "--without-journal")

    assert "left to do" not in said, said
    assert f"from {engine}, schema {LAST}; 2 apps, {ROWS} users" in said
    assert [name for name, rows in before.items() if not rows] == []
    database = Database(shop.url)
    after = rows_of(type(shop.store)(database), app)
    database.close()
    for table in LEFT_OUT:
        assert after.pop(table._meta.table_name) == []
        del before[table._meta.table_name]
    # They are numbered anew, and stand where they did.
    for name, place in XIDS:
        after[name] = [(*row[:place], row[place] + last + 1, *row[place + 1 :]) for row in after[name]]
    assert after == before


def test_what_is_written_meanwhile_is_in_the_next_one(shop, tenant):
    database = shop.store.database

    def count():
        return sum(1 for _ in database.peewee.stream('SELECT "id" FROM "users"'))

    with ThreadPoolExecutor(1) as threads, database.snapshot(60):
        before = count()
        threads.submit(tenant.known, userId="u-1").result(60)
        assert count() == before == 0
    assert tenant.find(userId="u-1")


def test_a_backup_is_for_its_owner_alone_and_takes_the_place_of_the_one_before(shop):
    shop.file.write_text("an earlier one")
    shop.file.with_name("usher.backup.part").write_text("one that was cut off")

    said = shop.back_up()

    assert stat.S_IMODE(shop.file.stat().st_mode) == 0o600
    assert backups.examine(shop.file).checksum in said
    assert not shop.file.with_name("usher.backup.part").exists()


def test_a_backup_that_fails_leaves_nothing(shop):
    shop.file.mkdir()

    is_there = shop.run("backup", shop.file)
    nowhere = shop.run("backup", shop.directory / "nowhere" / "usher.backup")

    assert (is_there[0], "Is a directory" in is_there[1]) == (1, True)
    assert (nowhere[0], "No such file or directory" in nowhere[1]) == (1, True)
    assert sorted(path.name for path in shop.directory.iterdir()) == ["journal", "usher.backup"]


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def flip(path):
    lines = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(lines.replace(b'"Shop"', b'"Shed"')))


def lose_a_row(path):
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:-2] + lines[-1:])))


@cases(
    "spoil, complaint",
    ("cut off", cut, "is damaged, or no backup"),
    ("other bytes", flip, "its checksum does not hold"),
    ("a row less", lose_a_row, "its checksum does not hold"),
    ("something else", lambda path: path.write_text("hello"), "is damaged, or no backup"),
    ("an empty file", lambda path: path.write_text(""), "is damaged, or no backup"),
    ("other JSON", lambda path: path.write_bytes(gzip.compress(b"{}\n")), "is damaged, or no backup"),
    ("none", Path.unlink, "is damaged, or no backup: FileNotFoundError"),
    (
        "a later format",
        lambda path: rewrite(path, in_the_head(format=2)),
        "no backup that this release can read",
    ),
    (
        "a later schema",
        lambda path: rewrite(path, in_the_head(migrations=["0001_first", "9999_later"])),
        "the backup has 9999_later, which this release does not know",
    ),
)
def test_what_is_no_whole_backup_of_this_release_changes_nothing(shop, tenant, spoil, complaint):
    jane = tenant.known(userId="u-1")
    shop.back_up()
    spoil(shop.file)

    code, said = shop.run("restore", shop.file, "--replace")

    assert (code, complaint in said) == (1, True), said
    assert tenant.user(jane)["userId"] == "u-1"


def test_rows_that_do_not_fit_change_nothing(shop, tenant):
    jane = tenant.known(userId="u-1")
    shop.back_up()
    rewrite(shop.file, lambda lines: [line for one in lines for line in ([one] * (1 + (b'"Shop"' in one)))])

    refused = shop.run("restore", shop.file, "--replace")

    assert refused[1].endswith("usher: the rows of apps do not fit: UniqueViolation") or refused[1].endswith(
        "usher: the rows of apps do not fit: IntegrityError"
    )
    assert tenant.user(jane)["userId"] == "u-1"


def test_a_store_of_a_later_release_is_left_alone(shop):
    shop.back_up()
    with shop.store.transaction():
        shop.store.database.peewee.execute_sql(
            "INSERT INTO schema_migration (name, applied) VALUES ('9999_later', '2026-11-29')"
        )

    backup, restore = shop.run("backup", shop.file), shop.run("restore", shop.file, "--replace")

    assert backup == (1, "usher: the store has 9999_later, which this release does not know")
    assert "usher: the store has 9999_later, which this release does not know: restore with" in restore[1]


def test_a_backup_of_a_former_release_is_restored_and_migrated(shop, databases):
    shop.back_up()
    old = next(iter(ODD.values()))["tables"]

    def as_it_was(lines):
        head = json.loads(lines[0]) | {"migrations": OLD}
        head["tables"] = {name: table["columns"] for name, table in old.items()}
        values = [head]
        for name, table in old.items():
            values += [name, *as_rows(name, table)]
        return [json.dumps(value).encode() + b"\n" for value in values]

    rewrite(shop.file, as_it_was)
    said = shop.restore()

    assert "schema 0003_attributes" in said
    assert "\napplied 0004_key_proofs\n" in said
    assert f"\napplied {LAST}\n" in said


def as_rows(name, table):
    booleans = {"verified", "clears", "sharing"}
    for row in table["rows"]:
        yield [
            bool(value) if column in booleans and value is not None else value
            for column, value in zip(table["columns"], row, strict=True)
        ]


def test_a_store_with_apps_in_it_is_replaced_if_that_is_asked_for(shop, tenant, databases, migrated):
    jane = tenant.known(userId="u-1")
    shop.back_up()
    engine = engine_of(shop.url)

    refused = shop.run("restore", shop.file)
    assert refused == (1, "usher: there are apps in the store: with --replace the backup takes their place")
    for url in (databases.copy(migrated[engine]), databases.fresh(engine)):
        shop.url = url
        assert shop.run("restore", shop.file)[0] == 0
        with_it = Database(url)
        assert type(shop.store)(with_it).of(tenant.id).users.with_id(jane)
        with_it.close()


def test_without_a_journal_nothing_is_restored_unless_that_is_meant(shop, tenant):
    jane = tenant.known(userId="u-1")
    shop.back_up()
    tenant.erase(jane)
    shop.journal.unlink()

    refused = shop.run("restore", shop.file, "--replace")
    missing = shop.run("restore", shop.file, "--replace", "--journal", shop.directory / "log")

    assert refused[1].startswith("usher: there is no journal to tell what was revoked since")
    assert missing[1].endswith(f"No such file or directory: '{shop.directory / 'log'}'")
    assert tenant.get(f"/v1/users/{jane}").status_code == 404
    shop.restore("--without-journal")
    assert tenant.user(jane)["userId"] == "u-1"


def test_secrets_under_another_secret_key_are_counted(shop, tenant):
    tenant.call("POST", f"/v1/apps/{tenant.id}/keys", tenant.admin_key, {"kind": "identity"})
    tenant.call("POST", "/v1/webhooks", tenant.sk, {"url": "https://shop.example.org/usher"})
    shop.back_up()

    known = shop.restore()
    ran = command(
        "restore",
        SECRET_KEY="t" * 40,
        DATABASE_URL=shop.url,
        JOURNAL=str(shop.journal),
    )

    assert "SECRET_KEY" not in known
    assert "decide: 2 secrets were encrypted under another SECRET_KEY" in ran.stdout
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_commands_of_the_operator_do_it_by_themselves(shop, tenant, migrated, tmp_path):
    environment = {"DATABASE_URL": shop.url, "JOURNAL": str(shop.journal)}
    jane, token = tenant.known(userId="u-1"), tenant.session(userId="u-2")

    backed_up = command("backup", str(shop.file), **environment)
    tenant.erase(jane)
    restored = command("restore", "--replace", str(shop.file), **environment)

    assert (backed_up.returncode, backed_up.stderr) == (0, "")
    assert (restored.returncode, restored.stderr) == (0, "")
    assert '"event":"revoked"' in restored.stdout
    assert tenant.get("/v1/me", token).status_code == 401
    assert tenant.get(f"/v1/users/{jane}").status_code == 404
