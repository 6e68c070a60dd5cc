"""Who else looks at a conversation, so that no two agents answer it without knowing of each other.

It is noted with an agent's sign-in, not each time they are heard of: to write each time would cost more than
it tells.
"""

from service.desk.console_sessions import LASTS
from service.desk.transactions import one_transaction
from service.model.sessions import Colour, Company, Look
from service.store import AppStore
from service.times import now

# How long after they were last heard of somebody looks there still, and how far that may lag behind, in
# milliseconds. A page is heard of every five seconds.
THERE, LAG = 20_000, 8_000
# As many agents as are ever looked at.
MAX_AGENTS = 500


def look(store: AppStore, digest: str, conversation: str, *, writes: bool | None = None) -> Company:
    """Note that an agent, by the digest of their sign-in, looks at a conversation, and whether they write
    there; None leaves that as it was. Return who else does."""
    at = now()
    looks = store.console_sessions.looks(at - LASTS, MAX_AGENTS)
    there = {one.digest: one for one in looks if one.conversation == conversation and one.at > at - THERE}
    own = there.pop(digest, None)
    if own is None or own.at < at - LAG or writes not in (None, own.writes):
        was_writing = own is not None and own.writes
        _note(store, digest, conversation, at, was_writing if writes is None else writes)
    return Company(tuple(there.values()), _colours(looks))


@one_transaction
def leave(store: AppStore, digest: str, conversation: str) -> None:
    """Note that an agent looks at a conversation no more."""
    store.console_sessions.leave(digest, conversation)


@one_transaction
def _note(store: AppStore, digest: str, conversation: str, at: int, writes: bool) -> None:
    store.console_sessions.look(digest, conversation, at, writes=writes)


def _colours(looks: tuple[Look, ...]) -> dict[str, Colour]:
    return {one.name: one.colour for one in looks if one.name is not None and one.colour is not None}
