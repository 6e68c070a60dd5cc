"""Attachments, as a scope sees them, and the files whose bytes are to be removed."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson
from peewee import JOIN

from service.model.attachments import Attachment
from service.model.conversations import Author, Scope, Side
from service.store.database import Database, found_first
from service.store.tables import Attachments, Conversations, Removals

COLUMNS = (Attachments.id, Attachments.name, Attachments.type, Attachments.size, Attachments.sha256)

# When files are due whose rows are gone already.
AT_ONCE = 0


class AttachmentStore:
    """The attachments of an app."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def add(
        self, attachment: Attachment, conversation: str | None, by: Author, device: str | None, at: int
    ) -> None:
        """Add an attachment that no message names yet, sent into a conversation or into none, and by a user
        from a device."""
        sent = {"conversation": conversation, "side": by.kind.value, "author": by.id, "device": device}
        members = asdict(attachment) | sent | {"created_at": at}
        self._database.change(Attachments.insert(app=self._app, **members))

    def find(self, scope: Scope, id: str, by: Author, device: str | None, since: int) -> Attachment | None:
        """Find an attachment of a message that a scope sees, or one that these sent ``since`` then and no
        message names: into a conversation that the scope sees, or into none and from this device."""
        shown = (Attachments.app == self._app) & (Attachments.id == id)
        if scope.authors is not None:
            shown &= Attachments.author.is_null() | Attachments.author.in_(scope.authors)
        named = Attachments.message.is_null(False)
        conversation = (Conversations.app == Attachments.app) & (Conversations.id == Attachments.conversation)
        row = self._database.row(
            Attachments.select(*COLUMNS)
            .join(Conversations, JOIN.LEFT_OUTER, on=conversation)
            .where(shown & (named | (_sent_by(by) & (Attachments.created_at > since))))
            .where(in_view(self._app, scope) | _sent_from(device))
        )
        return None if row is None else Attachment(*row)

    def count_waiting(self, author: str, device: str | None, since: int) -> int:
        """Return how many a user sent since a time that no message names, from one device or, for None, from
        all."""
        theirs = self._waiting() & (Attachments.author == author) & (Attachments.created_at > since)
        if device is not None:
            theirs &= Attachments.device == device
        return len(self._database.rows(Attachments.select(Attachments.id).where(theirs)))

    def of_waiting(self, authors: Sequence[str]) -> tuple[Attachment, ...]:
        """Return what these users sent that no message names, the oldest first."""
        theirs = Attachments.select(*COLUMNS).where(self._waiting() & Attachments.author.in_(authors))
        rows = self._database.rows(theirs.order_by(found_first(Attachments.id)))
        return tuple(Attachment(*row) for row in rows)

    def name(
        self,
        ids: Sequence[str],
        conversation: str,
        by: Author,
        device: str | None,
        message: str,
        since: int,
    ) -> dict[str, Attachment]:
        """Have a message name those of these attachments that no other names and that its author sent since a
        time, into its conversation, or into none and from this device; return them by their ids."""
        sent_here = (Attachments.conversation == conversation) | _sent_from(device)
        theirs = self._waiting() & Attachments.id.in_(ids) & sent_here
        named = (
            Attachments.update(message=message, conversation=conversation, device=None)
            .where(theirs & _sent_by(by) & (Attachments.created_at > since))
            .returning(*COLUMNS)
        )
        return {row[0]: Attachment(*row) for row in self._database.rows(named)}

    def forget_waiting(self, before: int, limit: int) -> int:
        """Forget some of those that were sent before a time and that no message names; return how many."""
        old = Attachments.select(Attachments.id).where(self._waiting() & (Attachments.created_at <= before))
        ids = [id for (id,) in self._database.rows(self._database.locked(old.limit(limit)))]
        forget(self._database, self._app, Attachments.id.in_(ids))
        return len(ids)

    def forget_unnamed(self, authors: Sequence[str]) -> None:
        """Forget what these users sent that no message names."""
        forget(self._database, self._app, Attachments.message.is_null() & Attachments.author.in_(authors))

    def expect(self, id: str, due: int) -> None:
        """Have a file's bytes removed when they are due, unless it is added before."""
        self._database.change(Removals.insert(app=self._app, file=id, due=due))

    def keep(self, id: str, until: int) -> bool:
        """Have a file's bytes not removed; return False if they are due until then, or were."""
        one = (Removals.app == self._app) & (Removals.file == id) & (Removals.due > until)
        return self._database.change(Removals.delete().where(one)) > 0

    def postpone(self, id: str, due: int, at: int) -> bool:
        """Have a file's bytes removed later than they were to be; return False if they are due by now."""
        one = (Removals.app == self._app) & (Removals.file == id) & (Removals.due > at)
        return self._database.change(Removals.update(due=due).where(one)) > 0

    def hasten(self, id: str) -> bool:
        """Have a file's bytes removed now that were to be removed later; return whether they were."""
        one = (Removals.app == self._app) & (Removals.file == id)
        return self._database.change(Removals.update(due=AT_ONCE).where(one)) > 0

    def due(self, at: int, limit: int) -> tuple[str, ...]:
        """Return some of the files whose bytes are to be removed by now."""
        query = Removals.select(Removals.file).where((Removals.app == self._app) & (Removals.due <= at))
        rows = self._database.rows(query.order_by(Removals.due, Removals.file).limit(limit))
        return tuple(file for (file,) in rows)

    def removed(self, id: str) -> None:
        """Note that a file's bytes are gone."""
        one = (Removals.app == self._app) & (Removals.file == id)
        self._database.change(Removals.delete().where(one))

    def _waiting(self) -> Any:
        return (Attachments.app == self._app) & Attachments.message.is_null()


def in_view(app: Any, scope: Scope) -> Any:
    """Return the condition that a scope sees a conversation."""
    condition = Conversations.app == app
    if scope.user is not None:
        condition &= Conversations.user == scope.user
    if scope.device is not None:
        here = Conversations.device == scope.device
        condition &= (here | Conversations.device.is_null()) if scope.and_agents else here
    return condition


def forget(database: Database, app: str, which: Any) -> int:
    """Forget some of an app's attachments, and write down that their bytes are to be removed; return how many
    they were."""
    theirs = (Attachments.app == app) & which
    rows = Attachments.select(Attachments.app, Attachments.id, AT_ONCE).where(theirs)
    database.change(Removals.insert_from(rows, [Removals.app, Removals.file, Removals.due]))
    return database.change(Attachments.delete().where(theirs))


def as_text(attachments: Sequence[Attachment]) -> str | None:
    """Write attachments as a message keeps them."""
    return orjson.dumps([asdict(one) for one in attachments]).decode() if attachments else None


def from_text(text: str | None) -> tuple[Attachment, ...]:
    """Read attachments as a message keeps them."""
    return () if text is None else tuple(Attachment(**members) for members in orjson.loads(text))


def _sent_by(by: Author) -> Any:
    mine = Attachments.author.is_null() if by.kind is Side.AGENT else Attachments.author == by.id
    return (Attachments.side == by.kind.value) & mine


def _sent_from(device: str | None) -> Any:
    """Return the condition that an attachment waits for no conversation in particular, and was sent from a
    device, or from none, as an agent's is."""
    here = Attachments.device.is_null() if device is None else Attachments.device == device
    return Attachments.conversation.is_null() & here
