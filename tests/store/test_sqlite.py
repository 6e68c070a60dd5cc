"""An SQLite file that is locked, gone or replaced, and what is set on every connection to it.

Who writes for too long, and a full disk, are in ``tests/faults/test_outages.py``.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from service.model.errors import StaleState, StoreUnavailable
from service.store.database import Database
from service.store.migrating import migrate
from tests.store.conftest import an_app
from tests.support.marks import LONG, another_writes, at_once, count, mark


@pytest.fixture
def file(tmp_path: Path) -> Path:
    tmp_path.joinpath("store").mkdir()
    file = tmp_path / "store" / "usher.sqlite"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def app_id(file: Path) -> str:
    return an_app(f"sqlite:///{file}")


@pytest.fixture
def opened(open_database: Callable[..., Database]) -> Callable[..., Database]:
    return lambda at, timeout=LONG: open_database(f"sqlite:///{at}", timeout=timeout)


def setting(database: Database, name: str) -> object:
    return database.ask(lambda: database.peewee.execute_sql(f"PRAGMA {name}").fetchone()[0])


def test_each_connection_is_set_so_that_nothing_is_lost(opened, file):
    database = opened(file)
    met = threading.Barrier(3)

    def look() -> list[object]:
        with database.connected():
            met.wait(LONG)
            return [setting(database, name) for name in ("journal_mode", "synchronous", "foreign_keys")]

    # A commit is on the disk, and foreign keys hold; also here, where it was migrated.
    assert at_once(*[look] * 3) == [["wal", 2, 1]] * 3


def test_a_connection_from_the_stock_waits_no_longer_than_a_new_one(opened, file, app_id):
    database = opened(file, timeout=LONG)
    database.ping()
    database.timeout = 0.3

    with another_writes(file), pytest.raises(StoreUnavailable):
        database.change(mark(app_id))


def test_whoever_writes_for_a_moment_is_waited_for(opened, file, app_id):
    database = opened(file)
    begun, enough = threading.Event(), threading.Event()

    def write_for_a_moment() -> None:
        with another_writes(file):
            begun.set()
            enough.wait(LONG)

    def change() -> int:
        begun.wait(LONG)
        threading.Timer(0.1, enough.set).start()
        return database.change(mark(app_id))

    assert at_once(write_for_a_moment, change) == [None, 1]


@pytest.mark.parametrize("number", [2, 8])
def test_those_who_open_a_new_file_at_once_all_find_it_set_up(opened, tmp_path, number):
    together = threading.Barrier(number)

    def open_(database: Database) -> object:
        together.wait(LONG)
        return setting(database, "journal_mode")

    for turn in range(50):
        databases = [opened(tmp_path / f"{turn}.sqlite") for _ in range(number)]

        assert at_once(*(partial(open_, database) for database in databases)) == ["wal"] * number


def test_whoever_sets_up_a_new_file_for_a_moment_is_waited_for(opened, tmp_path):
    other = sqlite3.connect(tmp_path / "new.sqlite", isolation_level=None, check_same_thread=False)
    # Behind one who has begun to write without a log ahead, SQLite gives up at once.
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE new (a)")
    ends = threading.Timer(0.1, other.execute, ["ROLLBACK"])
    ends.start()

    assert setting(opened(tmp_path / "new.sqlite"), "journal_mode") == "wal"
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


def test_who_comes_after_one_who_waits_to_write_waits_no_longer_than_it_may(opened, file, app_id):
    database = opened(file, timeout=0.3)

    # As while somebody else waits for whoever writes.
    with database.peewee._queue, pytest.raises(StoreUnavailable):
        database.change(mark(app_id))

    database.timeout = LONG
    assert database.change(mark(app_id)) == 1


def test_what_sqlite_itself_has_taken_back_is_not_taken_back_again(opened, file, app_id):
    database = opened(file)
    database.change(mark(app_id))
    again = "INSERT OR ROLLBACK INTO rates (app, kind, address, minute, count) VALUES (?, 'mark', '', 0, 1)"

    with pytest.raises(StaleState), database.transaction():
        database.change(mark(app_id, "taken back"))
        database.peewee.connection().execute(again, (app_id,))

    assert count(database, app_id) == 1


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


def test_a_directory_that_vanished_is_a_store_that_is_away_until_it_is_back(opened, file, app_id):
    database = opened(file)
    database.change(mark(app_id, "before"))
    moved = file.parent.rename(file.parent.with_name("elsewhere"))

    with pytest.raises(StoreUnavailable):
        database.change(mark(app_id, "lost"))

    assert not file.exists()
    moved.rename(file.parent)
    assert (database.change(mark(app_id, "after")), count(database, app_id)) == (1, 2)


def test_a_file_that_vanished_is_never_begun_anew(opened, file):
    database = opened(file)
    database.ping()
    file.rename(file.with_name("elsewhere"))

    with pytest.raises(StoreUnavailable):
        database.ping()

    assert not file.exists()


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


NAMES = {
    "plain": "usher.sqlite",
    "spaces": "our own store.sqlite",
    "percent signs": "100%20 %.sqlite",
    "what a URL gives a meaning": "a?b#c&d=e+f;g:h@i.sqlite",
    "other letters": "хранилище ☃.sqlite",
    "a directory": "deep/er/usher.sqlite",
}


@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_path_is_taken_as_it_is_meant_and_begins_where_the_server_was_started(
    tmp_path, monkeypatch, name, relative
):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)

    migrate(f"sqlite:///{quote(name if relative else str(file))}")

    assert file.read_bytes().startswith(b"SQLite format 3")


def test_spaces_may_stand_as_they_are(tmp_path):
    migrate(f"sqlite:///{tmp_path}/our own store.sqlite")

    assert tmp_path.joinpath("our own store.sqlite").exists()


def test_a_directory_that_is_not_there_is_a_store_that_is_away(opened, tmp_path):
    with pytest.raises(StoreUnavailable):
        opened(tmp_path / "nowhere" / "usher.sqlite").ping()
