"""The invariants of attachments: what a message shows is what it names, and its author's own."""

from collections.abc import Iterator
from typing import Any

from peewee import JOIN

from service.store import AppStore
from service.store.attachments import COLUMNS, from_text
from service.store.engine.prepared import Prepared
from service.store.questions import BATCH, batches, each, rows, same
from service.store.tables import Attachments, Messages, Removals


@each
def _named_elsewhere(app: Any) -> Any:
    named = same(Messages, Attachments, id="message", conversation="conversation", side="side")
    named &= (Messages.author == Attachments.author) | (
        Messages.author.is_null() & Attachments.author.is_null()
    )
    message = same(Attachments, Messages, message="id")
    return [
        Attachments.select(Attachments.id)
        .join(Messages, JOIN.LEFT_OUTER, on=named)
        .where((Attachments.app == app) & Attachments.message.is_null(False) & Messages.id.is_null()),
        Messages.select(Messages.id)
        .join(Attachments, JOIN.LEFT_OUTER, on=message)
        .where((Messages.app == app) & Messages.attachments.is_null(False) & Attachments.id.is_null()),
    ]


@Prepared
def _named(app: Any, after: Any) -> Any:
    return (
        Attachments.select(*COLUMNS, Messages.attachments)
        .join(Messages, on=same(Messages, Attachments, id="message"))
        .where((Attachments.app == app) & (Attachments.id > after))
        .order_by(Attachments.id)
        .limit(BATCH)
    )


def messages_show_their_attachments(store: AppStore) -> Iterator[str]:
    """An attachment that is named is named by one message, of whoever sent it and in the conversation into
    which they did, and shown by it as it is."""
    for query in _named_elsewhere:
        yield from (id for (id,) in rows(store, query))
    for *members, text in batches(store, _named):
        if tuple(members) not in [
            (one.id, one.name, one.type, one.size, one.sha256) for one in from_text(text)
        ]:
            yield members[0]


@Prepared
def _to_be_removed(app: Any) -> Any:
    removal = same(Removals, Attachments, file="id")
    return Attachments.select(Attachments.id).join(Removals, on=removal).where(Attachments.app == app)


def bytes_of_attachments_stay(store: AppStore) -> Iterator[str]:
    """The bytes of no attachment are to be removed."""
    yield from (id for (id,) in rows(store, _to_be_removed))
