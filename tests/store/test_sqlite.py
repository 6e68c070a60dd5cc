"""An SQLite file that is locked, full, gone or replaced, and what is set on every connection to it."""

import os
import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from service.model.errors import StoreUnavailable
from service.store.database import Database
from service.store.migrating import migrate
from tests.store.conftest import an_app
from tests.support.marks import LONG, at_once, count, mark


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A migrated file in a directory of its own."""
    tmp_path.joinpath("store").mkdir()
    file = tmp_path / "store" / "usher.sqlite"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def app_id(file: Path) -> str:
    return an_app(f"sqlite:///{file}")


@pytest.fixture
def opened() -> Iterator[Callable[..., Database]]:
    """Open databases, and close them after."""
    with ExitStack() as stack:

        def open_(at: Path, timeout: float = LONG) -> Database:
            database = Database(f"sqlite:///{at}", timeout=timeout)
            stack.callback(database.close)
            return database

        yield open_


def setting(database: Database, name: str) -> object:
    return database.ask(lambda: database.peewee.execute_sql(f"PRAGMA {name}").fetchone()[0])


# --- every connection --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)],
    ids=["write-ahead log", "a commit is on the disk", "foreign keys hold"],
)
def test_each_connection_is_set_so_that_nothing_is_lost(opened, file, name, value):
    database = opened(file)
    met = threading.Barrier(3)

    def look() -> object:
        with database.connected():
            met.wait(LONG)
            return setting(database, name)

    assert at_once(*[look] * 3) == [value] * 3


def test_migrating_leaves_foreign_keys_in_force(opened, file):
    migrate(f"sqlite:///{file}")

    assert setting(opened(file), "foreign_keys") == 1


def test_a_connection_is_handed_on_without_a_transaction(opened, file, app_id):
    database = opened(file)
    with pytest.raises(ValueError, match="in the middle"), database.transaction():
        raise ValueError("in the middle")

    with database.connected():
        assert not database.peewee.connection().in_transaction


# --- others have it locked ---------------------------------------------------------------------------


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Have another process's transaction that writes and does not end."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


def test_whoever_writes_for_too_long_is_not_waited_for(opened, file, app_id):
    database = opened(file, timeout=0.3)

    with writing(file), pytest.raises(StoreUnavailable):
        database.change(mark(app_id))

    assert count(database, app_id) == 0


def test_those_who_wait_behind_whoever_waits_are_not_kept_any_longer(opened, file, app_id):
    database = opened(file, timeout=0.3)

    with writing(file):
        ended = at_once(*[lambda: database.change(mark(app_id))] * 4)

    assert [type(end) for end in ended] == [StoreUnavailable] * 4


def test_a_connection_from_the_stock_waits_no_longer_than_a_new_one(opened, file, app_id):
    database = opened(file, timeout=LONG)
    database.ping()
    database.timeout = 0.3

    with writing(file), pytest.raises(StoreUnavailable):
        database.change(mark(app_id))


def test_meanwhile_questions_are_answered(opened, file, app_id):
    with writing(file):
        assert count(opened(file), app_id) == 0


def test_when_the_other_is_done_the_next_change_succeeds(opened, file, app_id):
    database = opened(file, timeout=0.3)
    with writing(file), pytest.raises(StoreUnavailable):
        database.change(mark(app_id))
    database.timeout = LONG

    changed = database.change(mark(app_id))

    assert changed == 1


def test_whoever_writes_for_a_moment_is_waited_for(opened, file, app_id):
    database = opened(file)
    begun, asked = threading.Event(), threading.Event()

    def write_for_a_moment() -> None:
        with writing(file):
            begun.set()
            asked.wait(LONG)

    def change() -> int:
        begun.wait(LONG)
        threading.Timer(0.1, asked.set).start()
        return database.change(mark(app_id))

    assert at_once(write_for_a_moment, change) == [None, 1]


@pytest.mark.parametrize("number", [2, 8])
def test_those_who_open_a_new_file_at_once_all_find_it_set_up(opened, tmp_path, number):
    for turn in range(50):
        together = threading.Barrier(number)

        def open_(database: Database, together: threading.Barrier = together) -> object:
            together.wait(LONG)
            return setting(database, "journal_mode")

        databases = [opened(tmp_path / f"{turn}.sqlite") for _ in range(number)]

        assert at_once(*(partial(open_, database) for database in databases)) == ["wal"] * number


def test_whoever_sets_up_a_new_file_for_a_moment_is_waited_for(opened, tmp_path):
    other = sqlite3.connect(tmp_path / "new.sqlite", isolation_level=None, check_same_thread=False)
    # Behind one who has begun to write without a log ahead, SQLite gives up at once.
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE new (a)")
    ends = threading.Timer(0.1, other.execute, ["ROLLBACK"])
    ends.start()

    mode = setting(opened(tmp_path / "new.sqlite"), "journal_mode")

    assert mode == "wal"
    ends.join()
    other.close()


def test_a_file_that_another_has_for_itself_is_not_waited_for(opened, file):
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN IMMEDIATE")
    database = opened(file, timeout=0.3)

    with pytest.raises(StoreUnavailable):
        database.ping()

    other.close()


# --- the file ----------------------------------------------------------------------------------------


@contextmanager
def longest_file(size: int) -> Iterator[None]:
    """Have a disk that has no room for longer files."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_a_full_disk_refuses_is_not_acknowledged_and_what_was_is_kept(opened, file, app_id):
    database = opened(file)
    database.change(mark(app_id, "before"))
    written_ahead = Path(f"{file}-wal").stat().st_size

    with longest_file(written_ahead + 1), pytest.raises(StoreUnavailable):
        database.change(mark(app_id, "refused"))

    assert count(opened(file), app_id) == 1


def test_when_the_disk_has_room_again_the_next_change_succeeds(opened, file, app_id):
    database = opened(file)
    database.change(mark(app_id, "before"))
    with longest_file(Path(f"{file}-wal").stat().st_size + 1), pytest.raises(StoreUnavailable):
        database.change(mark(app_id, "refused"))

    changed = database.change(mark(app_id, "after"))

    assert (changed, count(database, app_id)) == (1, 2)


def test_a_file_that_may_only_be_read_is_a_store_that_is_away(opened, file, app_id):
    migrated = sqlite3.connect(file)
    migrated.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    migrated.close()
    database = opened(file)

    with read_only(file), pytest.raises(StoreUnavailable):
        database.change(mark(app_id))

    assert count(opened(file), app_id) == 0


@contextmanager
def read_only(file: Path) -> Iterator[None]:
    """Take the right to write away; from root it cannot be taken, so root is somebody else meanwhile."""
    nobody = 65534
    for path in (file, file.parent):
        path.chmod(path.stat().st_mode & ~0o222 | 0o555)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(nobody)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)
        file.parent.chmod(0o755)
        file.chmod(0o644)


def test_a_directory_that_vanished_is_a_store_that_is_away(opened, file, app_id):
    database = opened(file)
    database.change(mark(app_id))
    file.parent.rename(file.parent.with_name("elsewhere"))

    with pytest.raises(StoreUnavailable):
        database.change(mark(app_id, "lost"))

    assert not file.exists()


def test_a_file_that_vanished_is_never_begun_anew(opened, file):
    database = opened(file)
    database.ping()
    file.rename(file.with_name("elsewhere"))

    with pytest.raises(StoreUnavailable):
        database.ping()

    assert not file.exists()


def test_when_a_directory_is_back_all_is_there_and_the_next_change_succeeds(opened, file, app_id):
    database = opened(file)
    database.change(mark(app_id, "before"))
    moved = file.parent.rename(file.parent.with_name("elsewhere"))
    with pytest.raises(StoreUnavailable):
        database.ping()
    moved.rename(file.parent)

    database.change(mark(app_id, "after"))

    assert count(database, app_id) == 2


def test_after_a_restore_the_restored_file_is_written(opened, file, app_id):
    database = opened(file)
    with sqlite3.connect(file) as source, sqlite3.connect(file.with_name("backup")) as backup:
        source.backup(backup)
    backup.close()
    source.close()
    database.change(mark(app_id, "after the backup"))
    for path in file.parent.glob("usher.sqlite*"):
        path.unlink()
    file.with_name("backup").rename(file)

    database.change(mark(app_id, "after the restore"))

    assert count(opened(file), app_id) == 1


# --- URLs --------------------------------------------------------------------------------------------

NAMES = {
    "plain": "usher.sqlite",
    "spaces": "our own store.sqlite",
    "percent signs": "100%20 %.sqlite",
    "what a URL gives a meaning": "a?b#c&d=e+f;g:h@i.sqlite",
    "other letters": "хранилище ☃.sqlite",
    "a directory": "deep/er/usher.sqlite",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_an_absolute_path_is_taken_as_it_is_meant(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)

    migrate(f"sqlite:///{quote(str(file))}")

    assert file.read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_relative_path_begins_where_the_server_was_started(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)

    migrate(f"sqlite:///{quote(name)}")

    assert file.read_bytes().startswith(b"SQLite format 3")


def test_spaces_may_stand_as_they_are(tmp_path):
    migrate(f"sqlite:///{tmp_path}/our own store.sqlite")

    assert tmp_path.joinpath("our own store.sqlite").exists()


def test_a_directory_that_is_not_there_is_a_store_that_is_away(opened, tmp_path):
    with pytest.raises(StoreUnavailable):
        opened(tmp_path / "nowhere" / "usher.sqlite").ping()
