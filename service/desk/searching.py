"""Search what was written: which conversations hold all of some words, the newest activity first.

An index says which conversations may hold them, and these are looked at; so are those in which something
happened that it does not hold yet, so that a message is found at once. Where it is of no use, as it is being
filled, or the words are too short for it, or nearly everywhere, so many conversations are looked through at a
time, and whoever wants to know of earlier ones goes on from there.
"""

from collections.abc import Sequence

from service.model.conversations import Conversation
from service.model.pages import Page, Position
from service.model.words import pieces_of, words_in
from service.store import AppStore

# How many words are looked for; what else is typed is left out.
MAX_WORDS = 8

# How many conversations one search looks through at most, and how many messages of them; of a single one all.
CONVERSATIONS, MESSAGES = 2_000, 20_000

# A word that more texts hold than so many is found soon without an index; and how many things may have
# happened that the index does not hold.
MAX_HAVING, MAX_RECENT = 3_000, 1_000


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of what somebody looks for, each once."""
    return tuple(dict.fromkeys(words_in(text)))[:MAX_WORDS]


def search(store: AppStore, text: str, *, cursor: Position | None, limit: int) -> Page[Conversation]:
    """Return conversations of which each word is in the subject or a message, in whatever case, and also as a
    part of a word. A page may hold less than ``limit``, or nothing, and yet others come after it: ``next`` is
    where the search has come."""
    words = words_of(text)
    among = _indexed(store, words)
    end = store.inbox.end_of_search(cursor, CONVERSATIONS, MESSAGES, among) if words else None
    if end is None:
        return Page((), None)
    found = store.inbox.search(words, cursor, end, limit + 1, among)
    if len(found) > limit:
        return Page.of(found, limit, lambda one: (one.updated_at, one.id))
    goes_on = store.inbox.end_of_search(end, 1, 1, among) is not None
    return Page(found, end if goes_on else None)


def _indexed(store: AppStore, words: Sequence[str]) -> set[str] | None:
    """Return the conversations that may hold all of these words; None if that may be any."""
    pieces = [some for word in words if (some := pieces_of(store.app_id, word))]
    # What is put into the index from now on was done before, and is among these.
    recent = store.search.recent(MAX_RECENT) if pieces else None
    if recent is None:
        return None
    having = [store.search.having(some, MAX_HAVING) for some in pieces]
    known = [some for some in having if some is not None]
    return recent.union(set.intersection(*known)) if known else None
