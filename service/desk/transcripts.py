"""Take in what was said at another desk. Nobody is told, and nothing is unread."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from service.desk.placing import nothing_else
from service.desk.transactions import one_transaction
from service.model.conversations import Side, Transcript
from service.store import AppStore


@one_transaction
def take_in_transcripts(
    store: AppStore,
    found: Sequence[tuple[str, Transcript]],
    also: Callable[[Sequence[bool]], None] = nothing_else,
) -> list[bool]:
    """Add conversations, each of a user by our id, or of whoever they are part of by now; return which were
    not there. Those of whoever was erased meanwhile are not added. ``also`` is told, in the transaction."""
    there = store.newcomers.conversations(one.conversation.id for _, one in found)
    users = {id: store.users.survivor(id) for id in {user for user, _ in found}}
    added, new = [], []
    for id, one in found:
        user = users[id]
        is_new = one.conversation.id not in there and user is not None
        new.append(is_new)
        if is_new and user is not None:
            there.add(one.conversation.id)
            added.append((user.id, id, _by(id, one)))
    for user in {user.id: user for user in users.values() if user is not None}.values():
        store.users.lock(user, to_change=False)
    store.newcomers.add_transcripts(added)
    also(new)
    return new


def _by(user: str, transcript: Transcript) -> Transcript:
    """Return a transcript in which what its user wrote is this user's."""
    messages = (
        replace(one, author=replace(one.author, id=user)) if one.author.kind is Side.USER else one
        for one in transcript.messages
    )
    return replace(transcript, messages=tuple(messages))
