"""The agents' inbox: which conversations are next, the latest of one, and what agents have read of it.

What a user wrote is unread until an agent looks at it, for all agents of the app.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from service.desk.scopes import scope_of, seen
from service.desk.transactions import one_transaction
from service.model.callers import Backend
from service.model.conversations import Conversation, Message, Status
from service.model.pages import Page, Position
from service.store import AppStore

# Up to how many unread conversations are counted.
MAX_COUNTED = 100


class Order(StrEnum):
    """What comes first in the list."""

    UNREAD = "unread"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of the list ends: at which conversation, and whether among those that are unread."""

    unread: bool
    at: Position


def list_inbox(
    store: AppStore, caller: Backend, *, status: Status | None, order: Order, cursor: Place | None, limit: int
) -> tuple[tuple[Conversation, ...], Place | None]:
    """Return conversations, the newest activity first, after those that are unread or among them; and where
    they go on, if they do."""
    before = None if cursor is None else cursor.at
    if order is Order.NEWEST:
        found = store.conversations.page(scope_of(caller), status, before, limit + 1)
    elif cursor is not None and not cursor.unread:
        found = store.inbox.page(status, before, limit + 1, unread=False)
    else:
        found = store.inbox.page(status, before, limit + 1, unread=True)
        if len(found) <= limit:
            found += store.inbox.page(status, None, limit + 1 - len(found), unread=False)
    page = Page.of(found, limit, lambda one: (one.updated_at, one.id))
    return page.data, page.next and Place(page.data[-1].unread > 0, page.next)


def count_unread(store: AppStore) -> Mapping[Status, int]:
    """Return how many conversations are unread, by where they stand; MAX_COUNTED if there are more."""
    return store.inbox.count_unread(MAX_COUNTED)


def list_latest(
    store: AppStore, caller: Backend, id: str, *, before: Position | None, limit: int
) -> Page[Message]:
    """Return the latest messages, the oldest of them first, or those before where a page began; ``next`` is
    where this one begins, if there are earlier ones. Raises NotFound."""
    seen(store, scope_of(caller), id)
    found = store.inbox.latest(id, before and before[0], limit + 1)
    page = Page.of(found, limit, lambda message: (message.number, ""))
    return replace(page, data=page.data[::-1])


def mark_read(store: AppStore, caller: Backend, id: str, through: int) -> None:
    """Note that agents have read all up to the message of a number, and not what came since. Raises
    NotFound."""
    if seen(store, scope_of(caller), id).unread:
        _mark_read(store, caller, id, through)


@one_transaction
def _mark_read(store: AppStore, caller: Backend, id: str, through: int) -> None:
    seen(store, scope_of(caller), id, lock=True)
    store.inbox.mark_read(id, through)
