"""Take a file of people from an operator, keep it until it is read, and forget it.

What is kept of a file is encrypted with a key of its own, which is forgotten with it: so no copy of it that
is left anywhere can be read. It is kept for a day at most, and its bytes go as soon as its people are taken
in.
"""

import hashlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from tempfile import TemporaryFile
from typing import IO, Any

import orjson

from service.desk.removing import expected, remove_soon
from service.desk.transactions import one_transaction
from service.encryption import Encryption, FileEncryption
from service.files.pieces import Pieces
from service.model.errors import BadFile, Conflict, FieldError, NotFound, Refused
from service.model.identifiers import is_id, new_id
from service.model.imports import Import, ImportState, Options
from service.store import AppStore
from service.times import DAY, MINUTE, now

# How large a file may be, in bytes, and how many an app may have.
MAX_BYTES, MAX_FILES = 64 * 2**20, 10
# How long it is kept, and for how long whoever reads it leases it.
KEPT, LEASE = DAY, MINUTE
# So often in a row somebody may begin with a step and not come to its end.
MAX_TRIES = 10
PIECE = 64 * 1024  # bytes

AGAIN_AND_AGAIN = f"whoever read it was cut off {MAX_TRIES} times in a row"


class LeaseLost(Exception):
    """Somebody else reads a file by now, or it is gone."""


@dataclass(frozen=True)
class Leased:
    """A file that somebody reads, and what decrypts it."""

    one: Import
    lease: str
    cipher: FileEncryption


def receive(store: AppStore, encryption: Encryption, options: Options, pieces: Iterable[bytes]) -> Import:
    """Keep a file of people, whose bytes come in pieces, to be read.

    Raises Refused for an empty one, Conflict where there are as many as an app may have, NoFiles and
    FilesUnavailable. Whatever ``pieces`` raises is passed on, and nothing is kept.
    """
    _require_room(store)
    store.files.require()
    id, at, key = new_id("imp"), now(), FileEncryption.new_key()
    cipher = FileEncryption(key)
    with expected(store, id, at + KEPT):
        written = _write(store, id, cipher, pieces)
        if not written.size:
            raise Refused(FieldError("/file", "empty", "Choose a file, in which something stands."))
        said = cipher.encrypt(orjson.dumps(asdict(options)).decode())
        sizes = written.size, written.stored
        one = Import(
            id, ImportState.READING, encryption.encrypt(key), *sizes, written.digest, said, at, at + KEPT
        )
        _add(store, one)
    return one


@one_transaction
def _add(store: AppStore, one: Import) -> None:
    _require_room(store)
    store.imports.add(one)


def _require_room(store: AppStore) -> None:
    if len(store.imports.all(now())) >= MAX_FILES:
        raise Conflict("too-many-imports", f"this app has {MAX_FILES} files already: remove one of them")


@dataclass
class _Written:
    """How much of a file was written, and what its digest is."""

    size: int = 0
    stored: int = 0
    _sha256: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def add(self, piece: bytes, encrypted: bytes) -> None:
        self.size += len(piece)
        self.stored += len(encrypted)
        self._sha256.update(piece)

    @property
    def digest(self) -> str:
        return self._sha256.hexdigest()


def _write(store: AppStore, id: str, cipher: FileEncryption, pieces: Iterable[bytes]) -> _Written:
    written = _Written()
    with store.files.writing(id) as file:
        for piece in _large(pieces):
            encrypted = cipher.encrypt_piece(piece)
            file.write(encrypted)
            written.add(piece, encrypted)
        file.keep()
    return written


def _large(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Put small pieces together: each that is encrypted takes some bytes more."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= PIECE:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


def list_imports(store: AppStore) -> tuple[Import, ...]:
    """Return the files of an app, the newest first."""
    return store.imports.all(now())


def show_import(store: AppStore, id: str) -> Import:
    """Return a file. Raises NotFound."""
    return _there(store, id)


def options_of(one: Import, cipher: FileEncryption) -> Options:
    """Return how a file is to be read."""
    return Options(**orjson.loads(cipher.decrypt(one.options)))


def cipher_of(encryption: Encryption, one: Import) -> FileEncryption | None:
    """Return what decrypts a file; None if its key was encrypted under another SECRET_KEY."""
    key = encryption.decrypt(one.key)
    return None if key is None else FileEncryption(key)


@one_transaction
def begin(store: AppStore, id: str) -> None:
    """Have the people of a file taken in that was read; once, however often it is said. Raises NotFound, and
    Conflict where it was not read."""
    one, at = _there(store, id, lock=True), now()
    if one.state in (ImportState.TAKING_IN, ImportState.DONE):
        return
    if one.state is not ImportState.READ:
        raise Conflict("not-read", "what would come of the file is not known")
    if not store.attachments.postpone(id, at + KEPT, at):
        raise NotFound
    store.imports.begin(id, at + KEPT)


def forget(store: AppStore, id: str) -> None:
    """Forget a file, also in the midst of it: whoever is taken in stays. Raises NotFound."""
    _forget(store, _there(store, id))
    remove_soon(store)


def forget_old(store: AppStore) -> None:
    """Forget what was kept for long enough."""
    for one in store.imports.old(now()):
        _forget(store, one)
        remove_soon(store)


@one_transaction
def _forget(store: AppStore, one: Import) -> None:
    store.imports.forget(one.id)
    for id in (one.id, one.rejects):
        if id is not None:
            store.attachments.hasten(id)


def rejects_of(store: AppStore, cipher: FileEncryption, one: Import) -> Pieces:
    """Return what was left out of a file, piece by piece. Raises NotFound where there is nothing."""
    if one.rejects is None:
        raise NotFound
    return Pieces(_decrypted(store, cipher, one.rejects, one.rejects_size))


def _decrypted(store: AppStore, cipher: FileEncryption, id: str, stored: int) -> Generator[bytes, None, None]:
    with closing(store.files.read(id, 0, stored)) as pieces:
        yield from cipher.decrypt_pieces(pieces)


# --- for whoever reads it --------------------------------------------------------------------------


def lease(store: AppStore, encryption: Encryption) -> Leased | None:
    """Return a file with which there is something to do, for whoever asks alone; None if there is none. One
    that can't be decrypted, or at which all have failed, is given up."""
    while (leased := _lease(store)) is not None:
        one, lease = leased
        cipher = cipher_of(encryption, one)
        if cipher is None:
            fail(store, one, lease, None)
        elif one.tries >= MAX_TRIES:
            fail(store, one, lease, cipher.encrypt(AGAIN_AND_AGAIN))
        else:
            return Leased(one, lease, cipher)
    return None


@one_transaction
def _lease(store: AppStore) -> tuple[Import, str] | None:
    at, lease = now(), new_id("lse")
    one = store.imports.lease(lease, at, at + LEASE)
    return None if one is None else (one, lease)


@contextmanager
def opened(store: AppStore, leased: Leased) -> Iterator[IO[bytes]]:
    """Have a file decrypted inside, in one that has no name and goes with its process. Raises BadFile where
    it is not what was sent, NotFound where it is gone, and FilesUnavailable."""
    one, digest = leased.one, hashlib.sha256()
    with TemporaryFile() as file:
        with closing(_decrypted(store, leased.cipher, one.id, one.stored)) as pieces:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != one.sha256:
            raise BadFile("its bytes are not those that were sent")
        file.seek(0)
        yield file


def go_on(store: AppStore, leased: Leased, **members: Any) -> None:
    """Go on with a lease, and note what came of the file so far. Raises LeaseLost; then nothing may come of
    the transaction in which this is."""
    if not store.imports.note(leased.one.id, leased.lease, leased_until=now() + LEASE, **members):
        raise LeaseLost


def let_go(store: AppStore, leased: Leased) -> None:
    """Leave the rest to somebody else, as if nobody had begun."""
    store.imports.note(leased.one.id, leased.lease, leased_until=0, tries=leased.one.tries)


def finish(store: AppStore, leased: Leased, people: int, report: str, rejects: IO[bytes]) -> None:
    """Note what would come of a file, or came, and what was left out. Raises LeaseLost."""
    rejected = new_id("rej")
    with expected(store, rejected, leased.one.until):
        rejects.seek(0)
        size = _write(store, rejected, leased.cipher, iter(lambda: rejects.read(PIECE), b"")).stored
        _finish(store, leased, report, people=people, rejects=rejected, rejects_size=size)
    remove_soon(store)


@one_transaction
def _finish(store: AppStore, /, leased: Leased, report: str, **members: Any) -> None:
    one, said = leased.one, leased.cipher.encrypt(report)
    is_read = one.state is ImportState.READING
    came = {"preview": said} if is_read else {"report": said}
    state = ImportState.READ if is_read else ImportState.DONE
    if not store.imports.note(one.id, leased.lease, state=state.value, **came, **members):
        raise LeaseLost
    if not is_read:
        store.attachments.hasten(one.id)
    if one.rejects is not None:
        store.attachments.hasten(one.rejects)


def fail(store: AppStore, one: Import, lease: str, why: str | None) -> None:
    """Note that a file can't be read, and why, encrypted."""
    _fail(store, one, lease, why)
    remove_soon(store)


@one_transaction
def _fail(store: AppStore, one: Import, lease: str, why: str | None) -> None:
    if store.imports.note(one.id, lease, state=ImportState.FAILED.value, failed=why):
        store.attachments.hasten(one.id)


def _there(store: AppStore, id: str, *, lock: bool = False) -> Import:
    found = store.imports.find(id, now(), lock=lock) if is_id("imp", id) else None
    if found is None:
        raise NotFound
    return found
