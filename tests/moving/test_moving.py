"""An app is moved with all that is in it: out of a store of either engine, into one of either."""

import json
import shutil
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.moving import importing
from service.moving.importing import Import
from service.store.kinds import DEVICE, LEFT_OUT, LEFT_OUT_OF_AN_APP, OF_A_PERSON
from service.store.tables import TABLES, Apps, Users
from tests.conftest import ENGINES, engine_of
from tests.moving.test_progress import Terminal
from tests.support.attachments import fetch, name_in_message, sent
from tests.support.backups import Operated
from tests.support.rows import rows_of
from tests.support.servers import ADMIN_KEY, command
from tests.support.stories import live

# What stays behind of the tables that are moved, or counts changes in a store of its own.
NOT_MOVED = {"devices": {"last_user"}, "users": {"version"}}


@pytest.fixture
def story(shop):
    """An app in which a story was lived, with its lines, and the names in it."""
    names = live(shop.tenant.client, ADMIN_KEY)
    return names, shop.export(names["app"])


def rows_without(store, app):
    """Return all rows of an app that are moved, without what stays behind."""
    found = {}
    for table in TABLES:
        if table in LEFT_OUT or table is Apps:
            continue
        name = table._meta.table_name
        left = {"app", *NOT_MOVED.get(name, ())}
        columns = [field for field in table._meta.sorted_fields if field.column_name not in left]
        rows = store.database.rows(table.select(*columns).where(table.app == app))
        # SQLite knows numbers only.
        listed = [[int(value) if value in (True, False) else value for value in row] for row in rows]
        if table is Users:
            # What was shown of who is part of another is worked out anew when they stand again.
            into, shown = (
                table._meta.sorted_field_names.index(one) - 1 for one in ("merged_into", "attributes")
            )
            shown -= 1
            listed = [[*row[:shown], None] if row[into] else row for row in listed]
        found[name] = sorted(listed, key=repr)
    return found


def lines_of(exported):
    return [json.loads(line) for line in exported]


def import_(shop: Operated, *arguments, code=0, file=None):
    """Import into the app that is served, and return what is said."""
    ended, said = shop.run("import", shop.tenant.id, file or shop.exported, *arguments)
    assert ended == code, said
    return said


def rewrite(shop, lines):
    shop.exported.write_text("".join(f"{line}\n" for line in lines))


def counted(said):
    """Return by its rule how many people are said to be, and how many lines were refused for what reason."""
    people, refused = {}, {}
    for line in said.splitlines():
        number, _, rest = line.strip().partition(" ")
        if rest.startswith("people: "):
            people[rest.split(": ")[1]] = int(number.replace(",", ""))
        elif rest.startswith("lines refused: "):
            refused[rest.split(": ")[1]] = int(number.replace(",", ""))
    return people, refused


def people_in(exported):
    return sum(line["kind"] == "person" for line in lines_of(exported))


@pytest.mark.parametrize("into", ENGINES)
@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_exported_again_elsewhere_is_the_same_but_for_the_app(operate, engine, into):
    former = operate(engine)
    app = live(former.tenant.client, ADMIN_KEY)["app"]
    exported = former.export(app)
    before = rows_without(former.store, app)
    new = operate(into)

    import_(new)

    again = new.export(new.tenant.id)
    assert again[1:] == exported[1:]
    app_line, new_app_line = json.loads(exported[0]), json.loads(again[0])
    assert {name for name in app_line if app_line[name] != new_app_line[name]} == {
        "id",
        "createdAt",
        "settings",
    }
    assert rows_without(new.store, new.tenant.id) == before
    # The story leaves something in every table that is moved.
    assert [name for name, rows in before.items() if not rows] == []
    assert new.run("check")[0] == 0


def test_each_table_and_each_column_is_moved_or_left_out_for_a_reason():
    kinds = {kind.table: kind for kind in (DEVICE, *OF_A_PERSON)}

    assert {*kinds, *LEFT_OUT, Apps} == set(TABLES)
    assert not kinds.keys() & LEFT_OUT.keys()
    assert all(LEFT_OUT.values())
    for table, kind in kinds.items():
        named = Counter(("app", *kind.columns, *kind.worked_out, *kind.from_other_lines, *kind.left_out))
        assert named == Counter(table._meta.columns), table
        assert len(set(kind.members)) == len(kind.columns)
    assert {*Apps._meta.columns} == {"app", "name", "settings", "created_at", *LEFT_OUT_OF_AN_APP}


def test_whoever_was_moved_goes_on_as_before(operate, shop, tenant):
    visitor = tenant.login()
    thread = tenant.begin(visitor["session"]["token"], "Hello?")
    jane, bob = tenant.known(userId="u-1", email="jane@example.org"), tenant.known(userId="u-2")
    merge = tenant.merge(bob, jane)
    shop.export(tenant.id)
    new = operate("sqlite")

    import_(new)

    at = new.tenant
    again = at.login(deviceId=visitor["deviceId"])
    assert again["user"]["id"] == visitor["user"]["id"]
    assert at.conversations(again["session"]["token"]) == [thread]
    assert at.known(email="jane@example.org") == at.known(userId="u-2") == jane
    at.undo(merge)
    assert at.known(userId="u-2") == bob
    assert new.run("check")[0] == 0


def test_files_are_there_again_once_their_bytes_are_copied(operate, shop, tenant):
    token = tenant.session(userId="jane")
    conversation = tenant.begin(token)
    file = sent(tenant, conversation, token)["id"]
    message = name_in_message(tenant, conversation, token, file).json
    shop.export(tenant.id)
    new = operate("sqlite")
    import_(new)
    files = shop.directory / "files"
    shutil.copytree(files / tenant.id, files / new.tenant.id)
    again = new.tenant.session(userId="jane")
    assert new.tenant.messages(conversation, again)[-1] == message
    assert fetch(new.tenant, file, again).data == fetch(tenant, file, token).data


def test_an_import_tells_nobody_and_revokes_nothing(shop, story, operate):
    new = operate("sqlite")

    import_(new)

    rows = rows_of(new.store, new.tenant.id)
    left = [name for table in LEFT_OUT if rows[name := table._meta.table_name]]
    # The new app's own keys, what messages name, and that no index holds it yet.
    assert left == ["keys", "attachments", "search_progress"]
    assert not new.journal.exists() or new.lines() == shop.lines()


def test_a_second_import_of_a_file_changes_nothing(shop, story, operate):
    _, exported = story
    new = operate("postgresql" if shop.store.database.is_sqlite else "sqlite")
    first = import_(new)
    before = rows_of(new.store, new.tenant.id)

    second = import_(new)

    people = people_in(exported)
    assert counted(first) == ({"new-person": people}, {})
    assert counted(second) == ({"there-already": people}, {})
    assert rows_of(new.store, new.tenant.id) == before


def test_an_import_into_the_app_itself_changes_nothing(shop, story):
    names, exported = story
    before = rows_of(shop.store, names["app"])

    code, said = shop.run("import", names["app"], shop.exported)

    assert (code, counted(said)) == (0, ({"there-already": people_in(exported)}, {}))
    assert rows_of(shop.store, names["app"]) == before


def test_an_import_that_was_cut_off_anywhere_is_taken_up_again(shop, story, monkeypatch):
    _, exported = story
    monkeypatch.setattr(importing, "MAX_PEOPLE", 2)
    monkeypatch.setattr(importing, "MAX_DEVICES", 3)
    for end in range(1, len(exported), 7):
        rewrite(shop, exported[:end])
        import_(shop, code=1)
    rewrite(shop, exported)

    import_(shop)

    assert shop.export(shop.tenant.id)[1:] == exported[1:]
    assert shop.run("check")[0] == 0


def test_an_import_that_dies_is_taken_up_again(shop, story, monkeypatch):
    _, exported = story
    monkeypatch.setattr(importing, "MAX_PEOPLE", 2)
    put, left = Import._put_people, iter(range(4))

    def die(self):
        if next(left, None) is None:
            raise KeyboardInterrupt
        put(self)

    with monkeypatch.context() as context:
        context.setattr(Import, "_put_people", die)
        with pytest.raises(KeyboardInterrupt):
            shop.run("import", shop.tenant.id, shop.exported)

    people, _ = counted(import_(shop))

    assert people["there-already"] > 0
    assert people["new-person"] > 0
    assert shop.export(shop.tenant.id)[1:] == exported[1:]


def test_a_dry_run_says_what_would_happen_and_changes_nothing(shop, story, tenant):
    tenant.known(userId="u-1")
    tenant.known(email="joan@example.org")
    before = rows_of(shop.store, tenant.id)

    would = import_(shop, "--dry-run", code=1)

    assert rows_of(shop.store, tenant.id) == before
    assert "nothing was changed" in would
    is_so = import_(shop, code=1)
    assert counted(would) == counted(is_so)
    assert would.splitlines()[1:] == is_so.splitlines()[1:]
    assert {"user-id-taken", "email-taken"} < counted(is_so)[0].keys()


def test_people_log_in_meanwhile_and_nobody_is_two(operate, shop, tenant, monkeypatch):
    monkeypatch.setattr(importing, "MAX_PEOPLE", 1)
    for number in range(20):
        tenant.known(userId=f"u-{number}")
        tenant.known(email=f"jane-{number}@example.org")
    exported = shop.export(tenant.id)
    new = operate(engine_of(shop.url))
    at = new.tenant

    def log_in(number):
        at.login(userId=f"u-{number}")
        at.login(email=f"jane-{number}@example.org")

    with ThreadPoolExecutor(2) as threads:
        # From the end, so that they meet.
        logins = [threads.submit(log_in, number) for number in reversed(range(20))]
        _, said = new.run("import", at.id, shop.exported)
        for login in logins:
            login.result(60)

    people, _ = counted(said)
    taken = people.get("user-id-taken", 0) + people.get("email-taken", 0)
    assert people.get("new-person", 0) + taken == people_in(exported)
    for number in range(20):
        assert len(at.find(userId=f"u-{number}")) == 1
        assert len(at.find(email=f"jane-{number}@example.org")) == 1
    assert new.run("check")[0] == 0


def test_the_commands_of_the_operator_do_it_by_themselves(shop, story):
    names, exported = story
    environment = {"DATABASE_URL": shop.url, "JOURNAL": str(shop.journal)}

    written = command("export", names["app"], **environment)
    shop.exported.write_text(written.stdout)
    moved = command("import", shop.tenant.id, str(shop.exported), **environment)

    assert (written.stdout.splitlines(), written.stderr) == (exported, "")
    assert (moved.returncode, moved.stderr) == (0, "")


def test_settings_stay_with_the_app_and_those_that_differ_are_named(shop, tenant):
    tenant.set(anonymousOnLogin="clear", sessionDays=7)
    shop.export(tenant.id)

    code, said = shop.run("import", tenant.id, shop.exported)
    assert (code, "decide" in said) == (0, False)
    tenant.set(sessionDays=8)
    assert "decide: these settings are other than" in import_(shop)
    assert import_(shop).endswith(": sessionDays\n")


def test_whoever_is_at_a_terminal_sees_how_far_it_is(shop, story, monkeypatch, tenant):
    names, _ = story
    monkeypatch.setattr("service.moving.progress.EVERY", 0)
    monkeypatch.setattr("sys.stderr", Terminal())

    import_(shop)
    shop.run("export", names["app"])

    assert "%, " in sys.stderr.getvalue()
    assert sys.stderr.getvalue().endswith("\r\x1b[K")


def test_there_has_to_be_the_app(shop, story):
    for words in (("export", "app_none"), ("import", "app_none", shop.exported)):
        assert shop.run(*words) == (1, "usher: there is no app app_none")
