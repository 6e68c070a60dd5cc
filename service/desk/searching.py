"""Search what was written: which conversations hold all of some words, the newest activity first.

No index of words is kept: each message would cost more, and of whoever is erased the words would stay in it,
as neither engine takes them out at once. So many conversations are looked through at a time, and whoever
wants to know of earlier ones goes on from there.
"""

import unicodedata

from service.desk.scopes import scope_of
from service.model.callers import Backend
from service.model.conversations import Conversation
from service.model.pages import Page, Position
from service.store import AppStore

# How many words are looked for; what else is typed is left out.
MAX_WORDS = 8

# How many conversations one search looks through at most, and how many messages of them; of a single one all.
CONVERSATIONS, MESSAGES = 2_000, 20_000

# Letters, marks, digits and symbols: all else stands between words.
_OF_WORDS = "LMNS"


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of what somebody looks for, each once."""
    parts = [char if unicodedata.category(char)[0] in _OF_WORDS else " " for char in text]
    return tuple(dict.fromkeys("".join(parts).split()))[:MAX_WORDS]


def search(
    store: AppStore, caller: Backend, text: str, *, cursor: Position | None, limit: int
) -> Page[Conversation]:
    """Return conversations of which each word is in the subject or a message, in whatever case, and also as a
    part of a word. A page may hold less than ``limit``, or nothing, and yet others come after it: ``next`` is
    where the search has come."""
    words = words_of(text)
    end = store.inbox.end_of_search(cursor, CONVERSATIONS, MESSAGES) if words else None
    if end is None:
        return Page((), None)
    found = store.inbox.search(words, cursor, end, limit + 1)
    if len(found) > limit:
        return Page.of(found, limit, lambda one: (one.updated_at, one.id))
    goes_on = store.conversations.page(scope_of(caller), None, end, 1)
    return Page(found, end if goes_on else None)
