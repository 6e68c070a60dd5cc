"""Files in a folder: they last, are found again, and where the disk is away or full, that is said."""

import os
import resource
from contextlib import closing

import pytest

from service.files.folder import PIECE, Folder
from service.model.errors import FilesUnavailable, NotFound

APP, ID = "app_1", "att_1234"
DATA = bytes(range(256)) * 1000


@pytest.fixture
def root(tmp_path):
    return tmp_path / "some files"


@pytest.fixture
def folder(root):
    return Folder.of(f"file://{str(root).replace(' ', '%20')}")


def keep(folder, id=ID, data=DATA):
    with closing(folder.writing(APP, id)) as file:
        file.write(data)
        file.keep()


def read(folder, start=0, length=None, id=ID):
    length = length or len(DATA)
    with closing(folder.read(APP, id, start, length)) as pieces:
        return b"".join(pieces)


def test_a_file_is_there_as_it_was_written(folder):
    folder.require()
    keep(folder)
    assert read(folder) == DATA
    assert read(folder, 100_000, PIECE + 1) == DATA[100_000 : 100_001 + PIECE]
    assert read(folder, len(DATA) - 1, 1) == DATA[-1:]


def test_nobody_else_on_the_machine_reads_it(folder, root):
    keep(folder)
    for path in (root, *root.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0


def test_what_is_written_is_on_the_disk_with_its_folders_before_it_is_kept(folder, root, monkeypatch):
    synced = []

    def fsync(descriptor):
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))

    monkeypatch.setattr(os, "fsync", fsync)
    keep(folder)
    place = root / APP / ID[-2:]
    assert set(synced) == {str(one) for one in (root.parent, root, root / APP, place, place / ID)}


def test_a_folder_that_somebody_else_has_just_made_is_on_the_disk_too(folder, root, monkeypatch):
    place = root / APP / ID[-2:]
    place.mkdir(parents=True)
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.readlink(f"/proc/self/fd/{file}")))
    keep(folder)
    assert set(synced) >= {str(one) for one in (root.parent, root, root / APP)}


def test_a_file_is_written_once(folder):
    keep(folder)
    with pytest.raises(FilesUnavailable):
        folder.writing(APP, ID)
    assert read(folder) == DATA


def test_a_file_that_is_removed_is_gone_and_may_be_removed_again(folder):
    keep(folder)
    for _ in range(2):
        folder.remove(APP, ID)
    with pytest.raises(NotFound):
        folder.read(APP, ID, 0, 1)


def test_who_reads_no_further_lets_go_of_the_file(folder):
    keep(folder)
    pieces = folder.read(APP, ID, 0, len(DATA))
    assert next(iter(pieces)) == DATA[:PIECE]
    # Whoever had it open still would be told of by a warning, which is an error here.
    pieces.close()


def test_of_a_file_that_was_cut_there_is_what_there_is(folder, root):
    keep(folder)
    os.truncate(root / APP / ID[-2:] / ID, 0)
    assert read(folder) == b""


def test_a_disk_that_is_not_mounted_is_no_empty_one(folder, root):
    keep(folder)
    root.rename(root.with_name("elsewhere"))
    for call in (lambda: folder.read(APP, ID, 0, 1), lambda: folder.remove(APP, ID)):
        with pytest.raises(FilesUnavailable):
            call()


def test_a_folder_that_is_nowhere_is_not_made(tmp_path):
    folder = Folder(tmp_path / "no" / "such")
    for call in (folder.require, lambda: folder.writing(APP, ID)):
        with pytest.raises(FilesUnavailable):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def no_room():
    """Have no file grow beyond 64 KiB, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_said_to_be_and_goes_on_when_it_has_room(folder, no_room):
    with pytest.raises(FilesUnavailable):
        keep(folder)
    folder.remove(APP, ID)
    keep(folder, data=b"small")
    assert read(folder) == b"small"
