"""``python -m service check``: it holds on a sound store, finds whatever was broken by hand, and only
reads."""

# ruff: noqa: S608 - every statement here is written by hand, and meant to do harm

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest

from service.api.context import NAME
from service.cli import MAX_SHOWN, main
from service.config import Config
from service.store import Store
from service.store.checks import CHECKS, DECISIONS, every_row_has_its_app, user_ids_name_one_user
from service.store.database import Database
from service.store.migrating import migrate
from service.store.tables import TABLES
from tests.conftest import ENGINES, Databases, patient
from tests.support.corruptions import CORRUPTIONS, OPEN_QUESTIONS, UNGUARDED, sql
from tests.support.marks import LONG
from tests.support.servers import ADMIN_KEY, SECRET_KEY, command
from tests.support.stories import live

# What a store holds, by table.
Rows = dict[str, list[Any]]

INVARIANTS = [question.__name__ for question in (*CHECKS, *DECISIONS, every_row_has_its_app)]
TO_DECIDE = {question.__name__ for question in DECISIONS}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


class Lived(NamedTuple):
    """A store in which a story was lived and which nobody has open, and the names in it."""

    url: str
    names: dict[str, str]


def lived_in(databases: Databases, engine: str) -> Lived:
    url = databases.fresh(engine)
    migrate(url)
    rates = {"login_rate": 0, "proof_failure_rate": 0}
    with tempfile.TemporaryDirectory() as files:
        app = patient(Config(ADMIN_KEY, SECRET_KEY, url, files_url=f"file://{files}", **rates))
        database = app.extensions[NAME].store.database
        names = live(app.test_client(), ADMIN_KEY)
    database.close()
    with opened(url) as connection:
        for name, query in (
            ("janes_device", "SELECT device FROM sessions WHERE user = '{jane}'"),
            ("janes_account", "SELECT digest FROM store_accounts WHERE user = '{jane}'"),
        ):
            [(names[name],)] = connection.execute(sql(query).format(**names)).fetchall()
    return Lived(url, names)


@pytest.fixture(scope="module")
def untouched(databases: Databases, engine: str) -> Lived:
    return lived_in(databases, engine)


@pytest.fixture(scope="module")
def unguarded(databases: Databases, engine: str) -> Lived:
    """A store without the constraints that keep the worst away."""
    lived = lived_in(databases, engine)
    plant(lived, *UNGUARDED)
    return lived


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Settings with which every command runs, but for the store's."""
    monkeypatch.setenv("ADMIN_KEY", ADMIN_KEY)
    monkeypatch.setenv("SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("DYNO", "")
    return monkeypatch


@pytest.fixture
def sound(untouched: Lived, environment: pytest.MonkeyPatch) -> Lived:
    environment.setenv("DATABASE_URL", untouched.url)
    return untouched


@pytest.fixture(scope="module")
def before(unguarded: Lived) -> Rows:
    return dump(unguarded.url)


@pytest.fixture
def broken(unguarded: Lived, before: Rows, environment: pytest.MonkeyPatch) -> Iterator[Lived]:
    """A store to break, which the settings name, and which is mended after."""
    environment.setenv("DATABASE_URL", unguarded.url)
    yield unguarded
    sign = "?" if unguarded.url.startswith("sqlite:") else "%s"
    with opened(unguarded.url) as connection:
        for table, rows in before.items():
            connection.execute(f'DELETE FROM "{table}"')
            for row in rows:
                signs = ", ".join(sign for _ in row)
                connection.execute(f'INSERT INTO "{table}" VALUES ({signs})', row)


@contextmanager
def opened(url: str) -> Iterator[Any]:
    """Open a database as somebody would who knows no foreign key; what is done inside is one transaction."""
    if url.startswith("sqlite:"):
        # Foreign keys are off in a connection that does not ask for them.
        with closing(sqlite3.connect(urlsplit(url).path[1:])) as connection, connection:
            yield connection
    else:
        with psycopg.connect(url) as connection:
            connection.execute("SET LOCAL session_replication_role = replica")
            yield connection


def dump(url: str) -> Rows:
    names = [table._meta.table_name for table in TABLES]
    with opened(url) as connection:
        return {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}


def plant(lived: Lived, *statements: str) -> None:
    """Run statements, each of which changes something."""
    with opened(lived.url) as connection:
        for statement in statements:
            changed = connection.execute(statement.format(**lived.names)).rowcount
            assert changed, statement


def check(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run the command; return how it ended, and what it printed."""
    capsys.readouterr()
    code: Any = 0
    try:
        main(["check"])
    except SystemExit as ended:
        code = ended.code
    return code, capsys.readouterr().out


def read(printed: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return what was printed: of each invariant whether it holds, and where it does not."""
    words, where, name = {}, {}, ""
    for line in printed.splitlines():
        if line.startswith("  "):
            where.setdefault(name, []).append(line.strip())
        else:
            word, name, _ = line.split(": ", 2)
            words[name] = word
    return words, where


# --- a sound store -----------------------------------------------------------------------------------


def test_of_each_invariant_a_line_says_in_a_sentence_that_it_holds(sound, capsys):
    code, printed = check(capsys)

    words, where = read(printed)
    assert (code, where) == (0, {})
    assert list(words.items()) == [(name, "holds") for name in INVARIANTS]
    sentences = [line.split(": ", 2)[2] for line in printed.splitlines()]
    assert [
        sentence for sentence in sentences if len(sentence.split()) < 5 or not sentence.endswith(".")
    ] == []


def test_nothing_is_written(sound, capsys, may_not_write):
    before = dump(sound.url)

    code, _ = check(capsys)

    assert (code, dump(sound.url)) == (0, before)


@pytest.fixture
def may_not_write(sound: Lived) -> Iterator[None]:
    """Nobody may write into the store: its server refuses it, or somebody else has the file for that."""
    if sound.url.startswith("sqlite:"):
        with opened(sound.url) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
        return
    name = urlsplit(sound.url).path[1:]
    with psycopg.connect(sound.url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        yield
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")


def test_what_somebody_is_about_to_write_is_neither_seen_nor_waited_for(sound, capsys):
    half_done = sql("UPDATE conversations SET user = '{mary}' WHERE id = '{thread}'")

    with opened(sound.url) as connection:
        connection.execute(half_done.format(**sound.names))
        code, printed = check(capsys)
        connection.rollback()

    assert (code, set(read(printed)[0].values())) == (0, {"holds"})


# --- a broken one ------------------------------------------------------------------------------------


FOUND = {name: (*case, "violated", 1) for name, case in CORRUPTIONS.items()}
# What a person has to decide is no violation.
FOUND |= {name: (*case, "decide", 0) for name, case in OPEN_QUESTIONS.items()}


@pytest.mark.parametrize(("statements", "found", "word", "code"), FOUND.values(), ids=FOUND)
def test_what_is_broken_or_to_be_decided_is_named_with_where_and_nothing_else_is(
    broken, capsys, statements, found, word, code
):
    plant(broken, *statements)

    ended, printed = check(capsys)

    words, where = read(printed)
    assert ended == code
    assert words == {name: word if name in found else "holds" for name in INVARIANTS}
    assert {name: {place.split(" in app_")[0] for place in where[name]} for name in where} == {
        name: {place.format(**broken.names) for place in places} for name, places in found.items()
    }


def test_a_violation_beside_what_is_to_be_decided_is_one_all_the_same(broken, capsys):
    [(open_question, _), *_] = OPEN_QUESTIONS.values()
    plant(broken, *open_question, sql("UPDATE users SET email_key = NULL WHERE id = '{jane}'"))

    code, printed = check(capsys)

    assert code == 1
    assert {"decide", "violated"} < set(read(printed)[0].values())


def test_every_invariant_is_broken_by_some_corruption_and_every_decision_is_open_in_some_store():
    broken = {name for _, violated in CORRUPTIONS.values() for name in violated}
    to_decide = {name for _, open_ in OPEN_QUESTIONS.values() for name in open_}

    assert broken == set(INVARIANTS) - TO_DECIDE
    assert to_decide == TO_DECIDE


def test_of_many_violations_only_the_first_are_shown(broken, capsys):
    first = "COPY messages WHERE conversation = '{thread}' AND number = 1"
    orphans = [f"SET conversation = 'cnv_{n}', id = 'msg_{n}'" for n in range(3, MAX_SHOWN + 5)]
    plant(broken, *[sql(f"{first} {orphan}") for orphan in orphans])

    _, where = read(check(capsys)[1])

    assert len(where["nothing_is_orphaned"]) == MAX_SHOWN


def test_rows_beyond_the_first_thousand_are_looked_at(broken, capsys):
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= 1100)"
    row = "'{app}', TRUE, 'z' || i, '{mary}', '{mary}', 'u-5', 'u-5', 1"
    plant(broken, f'INSERT INTO "user_ids" {many} SELECT {row} FROM n')
    database = Database(broken.url, LONG)

    found = list(user_ids_name_one_user(Store(database).of(broken.names["app"])))

    database.close()
    assert len(found) == 1101


def test_the_process_tells_its_caller_that_something_is_broken(broken):
    plant(broken, sql("UPDATE users SET name = 'Jane' WHERE id = '{erased}'"))

    ran = command("check")

    assert (ran.returncode, ran.stderr) == (1, "")
    assert f"  {broken.names['erased']} in {broken.names['app']}\n" in ran.stdout
