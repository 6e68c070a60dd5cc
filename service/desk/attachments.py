"""Attachments: somebody sends a file, a message names it, and who sees that fetches it. It is sent into a
conversation, or where none is begun yet into none: then it waits on the device from which it was sent.

Nothing is acknowledged before its bytes last and its row is written, and no bytes are ever anywhere of which
the database does not know: before they are written it is written down that they are to be removed, and that
is taken back in the transaction that adds the attachment.
"""

import codecs
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from service.desk.idempotency_keys import made_before
from service.desk.removing import expected, remove_now
from service.desk.scopes import (
    Writer,
    author_of,
    device_of,
    locked_user,
    scope_of,
    seen,
    there,
    with_authors,
)
from service.desk.transactions import one_transaction
from service.model.attachments import MAX_WAITING, WAITS, Attachment
from service.model.callers import EndUser
from service.model.errors import Conflict, FieldError, FilesUnavailable, NotFound, Refused
from service.model.idempotency_keys import IdempotencyKey
from service.model.identifiers import is_id, new_id
from service.rules.file_types import HEAD, type_of
from service.store import AppStore
from service.times import HOUR, MINUTE, now

# For how long a file may be on its way, and how much of that has to be left when its row is written.
EXPECTED, MARGIN = HOUR, MINUTE

# What makes a key of this call's, if it has one, by the digest of what was sent.
KeyOf = Callable[[str], IdempotencyKey | None]


def upload(
    store: AppStore,
    caller: Writer,
    conversation: str | None,
    *,
    name: str,
    pieces: Iterable[bytes],
    key_of: KeyOf,
) -> tuple[Attachment, bool]:
    """Keep a file, whose bytes come in pieces, for a message that will name it, of a conversation or, for
    None, of any that is begun or written into from where it was sent; return it, and whether it is new.

    Raises NotFound for a conversation that the caller does not see, Refused for an empty file and for an
    idempotency key that was used for something else, Conflict where too many wait for a message, and NoFiles
    and FilesUnavailable. Whatever ``pieces`` raises is passed on, and nothing is kept.
    """
    if conversation is not None:
        seen(store, scope_of(caller), conversation)
    _require_room(store, caller)
    store.files.require()
    # A file that does not come, or is refused at its first byte, leaves no trace.
    pieces = iter(pieces)
    first = next(pieces, b"")
    if not first:
        raise Refused(FieldError("", "empty", "A file has at least one byte."))
    id = new_id("att")
    with expected(store, id, now() + EXPECTED):
        received = _receive(store, id, chain((first,), pieces))
        attachment = Attachment(id, name, received.type, received.size, received.digest)
        attachment, is_new = _add(store, caller, conversation, attachment, key_of(received.digest))
    if not is_new:
        remove_now(store, id)
    return attachment, is_new


@dataclass
class _Received:
    """What is known of a file, after more and more of its bytes."""

    head: bytes = b""
    size: int = 0
    is_text: bool = True
    _sha256: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    _decoder: codecs.IncrementalDecoder = field(default_factory=codecs.getincrementaldecoder("utf-8"))

    def add(self, piece: bytes) -> None:
        """Add bytes; none are the end."""
        self.head = self.head or piece[:HEAD]
        self.size += len(piece)
        self._sha256.update(piece)
        try:
            text = self._decoder.decode(piece, final=not piece) if self.is_text else ""
            self.is_text = self.is_text and _NO_TEXT.search(text) is None
        except UnicodeDecodeError:
            self.is_text = False

    @property
    def digest(self) -> str:
        return self._sha256.hexdigest()

    @property
    def type(self) -> str:
        return type_of(self.head, is_text=self.is_text)


# Control characters that stand in no text.
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")


def _receive(store: AppStore, id: str, pieces: Iterable[bytes]) -> _Received:
    received = _Received()
    with store.files.writing(id) as file:
        for piece in pieces:
            received.add(piece)
            file.write(piece)
        received.add(b"")
        file.keep()
    return received


@one_transaction
def _add(
    store: AppStore,
    caller: Writer,
    conversation: str | None,
    attachment: Attachment,
    key: IdempotencyKey | None,
) -> tuple[Attachment, bool]:
    at, by = now(), author_of(caller)
    home = _lock(store, caller, conversation)
    made = made_before(store, key, at, makes=attachment.id, home=by.id or home)
    if made is not None:
        return show(store, caller, made), False
    _require_room(store, caller)
    if not store.attachments.keep(attachment.id, at + MARGIN):
        raise FilesUnavailable
    store.attachments.add(attachment, conversation, by, device_of(caller), at)
    return attachment, True


def _lock(store: AppStore, caller: Writer, conversation: str | None) -> str | None:
    """Have whoever sends to the same place wait, so that no more wait for a message than may; return whose
    place it is. Raises NotFound, and InvalidCredential for a user who was merged away or erased."""
    if conversation is not None:
        return seen(store, scope_of(caller), conversation, lock=True).user
    if isinstance(caller, EndUser):
        return locked_user(store, caller, to_change=True).id
    return None


def _require_room(store: AppStore, caller: Writer) -> None:
    """Raise Conflict for a user who has sent as many as may wait."""
    if not isinstance(caller, EndUser):
        return
    session = caller.session
    # Anybody can say to be this user, and does not learn, nor use up, what another device sent.
    device = None if session.claim is None else session.device
    if store.attachments.count_waiting(session.home, device, now() - WAITS) >= MAX_WAITING:
        raise Conflict("too-many-waiting", "too many attachments wait for a message that names them")


def show(store: AppStore, caller: Writer, id: str) -> Attachment:
    """Return an attachment of a message that the caller sees, or one that they sent within a day and that no
    message names yet. Raises NotFound."""
    if not is_id("att", id):
        raise NotFound
    scope, by = with_authors(store, scope_of(caller)), author_of(caller)
    return there(store.attachments.find(scope, id, by, device_of(caller), now() - WAITS))


def named(
    store: AppStore, caller: Writer, conversation: str, message: str, ids: Sequence[str]
) -> tuple[Attachment, ...]:
    """Have a new message of the caller's name attachments, in this transaction, and return them. Raises
    Refused for each that they did not send within a day into its conversation, or into none and from where
    they write, or that a message names."""
    known = [id for id in ids if is_id("att", id)]
    by, device = author_of(caller), device_of(caller)
    found = store.attachments.name(known, conversation, by, device, message, now() - WAITS)
    errors = [
        FieldError(f"/attachments/{place}", "unknown-attachment", "It was not sent for this message.")
        for place, id in enumerate(ids)
        if id not in found or id in ids[:place]
    ]
    if errors:
        raise Refused(*errors)
    return tuple(found[id] for id in ids)
