"""Disks of a test's own: small ones, to be full, and one whose power can be cut."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.servers import wait_until

PIECE = 1 << 16


@contextmanager
def mounted(folder: Path, *how: str) -> Iterator[Path]:
    """Have something mounted on a folder; skip where nobody may mount anything."""
    folder.mkdir(exist_ok=True)
    command = ["mount", *how, str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """Have a disk of a size, in memory; skip where nobody may mount one."""
    # As short as it gets: the path of PostgreSQL's socket has 107 bytes at most.
    with (
        tempfile.TemporaryDirectory(prefix="usher-disk-") as folder,
        mounted(Path(folder), "-t", "tmpfs", "-o", f"size={size}", "tmpfs") as disk,
    ):
        yield disk


def fill(disk: Path) -> Path:
    """Leave no room on a disk, but for what the store has reserved; return what has to go for that."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(PIECE)):
            pass
    return filler


class Disk:
    """A disk whose power can be cut while it is used.

    It is a file with a file system of its own, mounted through a loop device. What programs write stays in
    the memory of that file system until they sync it, or the system does so some 30 seconds later: only then
    the device is told to write, into the file. So what is in the file at a moment is what would be on a disk
    if the power failed then.

    The file is in another file system, and that is frozen while the file is copied. Each write of the device
    is either in the copy or waits until afterwards, so the copy is of one moment, in the middle of
    whatever goes on. Nothing else is stopped for it.

    It knows nothing of a disk that says that something lasts while it is in the disk's own memory.
    """

    def __init__(self, room: Path) -> None:
        self._room = room
        self._below = room / "below"
        self._image = self._below / "image"
        self._copy = room / "copy"
        self.path = room / "d"

    @contextmanager
    def present(self) -> Iterator[None]:
        """Have the disk be there; skip where that is not possible."""
        if not all(map(shutil.which, ("mkfs.ext4", "fsfreeze", "losetup"))):
            pytest.skip("no file system can be made, or frozen, here")
        image = self._room / "image"
        _format(image, "700M")
        with mounted(self._below, "-o", "loop", str(image)):
            _format(self._image, "500M")
            with mounted(self.path, "-o", "loop", str(self._image)):
                yield

    def sync(self) -> None:
        """Have all that was written so far last."""
        _run("sync", "--file-system", self.path)

    def cut(self) -> None:
        """Remember what the disk would hold if its power failed now."""
        _run("fsfreeze", "--freeze", self._below)
        try:
            _copy(self._image, self._copy)
        finally:
            _run("fsfreeze", "--unfreeze", self._below)

    def come_back(self) -> None:
        """Hold what it did when the power was cut. Nobody may have a file of it open any more."""
        umount = ["umount", self.path]
        wait_until(lambda: not subprocess.run(umount, capture_output=True, check=False).returncode)
        # Another file, as a device may not have let go of the former one yet.
        self._image.unlink()
        _copy(self._copy, self._image)
        _run("mount", "-o", "loop", self._image, self.path)


@contextmanager
def disk() -> Iterator[Disk]:
    """Have a disk whose power can be cut, in memory."""
    with small_disk("2g") as room:
        made = Disk(room)
        with made.present():
            yield made


def _format(image: Path, size: str) -> None:
    _run("truncate", "--size", size, image)
    _run("mkfs.ext4", "-q", "-F", image)


def _copy(source: Path, target: Path) -> None:
    # Most of it was never written.
    _run("cp", "--sparse=always", source, target)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)
