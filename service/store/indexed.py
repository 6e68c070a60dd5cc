"""Which rows of the index of what was written are of which conversations, and how they leave it."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from service.store.database import Database
from service.store.tables import SearchIndex, SearchProgress

# How many conversations are named at a time.
BATCH = 32


def forget_conversations(database: Database, app: str, conversations: Iterable[str]) -> None:
    """Take conversations out of the index, after their messages are gone: whoever fills it has put in by then
    what they had found, and finds no more."""
    for some in batches([*conversations]):
        database.change(SearchIndex.delete().where(of_conversations(database, app, some)))


def forget_messages(database: Database, app: str, messages: Iterable[tuple[str, int]]) -> None:
    """Take messages out of the index, by their conversations and numbers, after what they say is gone."""
    numbers: dict[str, list[int]] = {}
    for conversation, number in messages:
        numbers.setdefault(conversation, []).append(number)
    for conversation, some in numbers.items():
        these = of_conversations(database, app, [conversation]) & SearchIndex.number.in_(some)
        database.change(SearchIndex.delete().where(these))


def begin_anew(database: Database, app: str) -> None:
    """Have all conversations be looked through for what the index does not hold, as no event tells of it.
    Until this transaction ends nobody fills the index."""
    row = {"app": app, "xid": 0, "event": "", "filled": ""}
    anew = SearchProgress.insert(row).on_conflict(
        conflict_target=[SearchProgress.app], update={SearchProgress.filled: ""}
    )
    database.change(anew)


def of_conversations(database: Database, app: str, conversations: Sequence[str]) -> Any:
    """Return the condition that a row of the index is of one of these conversations."""
    these = (SearchIndex.app == app) & SearchIndex.conversation.in_(conversations)
    if not database.is_sqlite:
        return these
    own = [own_piece(app, id) for id in conversations]
    return these & database.matches(SearchIndex, own, any_of=True)


def own_piece(app: str, conversation: str) -> str:
    """Return by which piece SQLite, where an index of pieces has no other, finds a conversation."""
    return hashlib.sha256(f"{app} {conversation}".encode()).hexdigest()[:16]


def batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Return some of the values after the other."""
    for first in range(0, len(values), BATCH):
        yield values[first : first + BATCH]
