"""Conversations: each side begins them, writes, reads and settles them.

Who may see what is a Scope, made of the caller and part of every lookup.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from service.desk import users
from service.desk.attachments import named
from service.desk.idempotency_keys import made_before, note_made
from service.desk.scopes import (
    Writer,
    author_of,
    device_of,
    locked_user,
    message_shown_to,
    scope_of,
    seen,
    shown_to,
    there,
    with_authors,
)
from service.desk.transactions import one_transaction
from service.model.apps import MIN_SESSION_DAYS
from service.model.callers import Backend, EndUser
from service.model.conversations import Author, Beginning, Conversation, Message, Scope, Side, Status
from service.model.errors import Refused, StaleState
from service.model.events import Event, EventType
from service.model.idempotency_keys import IdempotencyKey
from service.model.identifiers import is_id, new_id
from service.model.pages import Page, Position
from service.model.sessions import Token
from service.model.users import User
from service.store import AppStore
from service.store.engine.prepared import Question
from service.times import DAY, now

# What an app is told of a conversation that stands otherwise than before.
CHANGED_TO = {
    Status.OPEN: EventType.CONVERSATION_REOPENED,
    Status.RESOLVED: EventType.CONVERSATION_RESOLVED,
}


@one_transaction
def begin(
    store: AppStore,
    caller: Writer,
    begun: Beginning,
    key: IdempotencyKey | None,
) -> tuple[Conversation, bool]:
    """Begin a conversation with its first message; answer it, and whether it is new.

    Raises NotFound for an unknown user, Refused if an agent names none or a user does, for an idempotency key
    that was used for something else, and for attachments that wait for another conversation, that its author
    did not send from where they write, or that a message names.
    """
    user = begun.user
    _require_agent(caller, user=user, agentName=begun.agent_name)
    owner = _owner(store, caller, user)
    at, scope = now(), scope_of(caller)
    id = new_id("cnv")
    home = caller.session.home if isinstance(caller, EndUser) else user or ""
    made = made_before(store, key, at, makes=id, home=home)
    if made is not None:
        return shown_to(caller, seen(store, scope, made))[0], False
    conversation = Conversation(id, owner.id, begun.subject, Status.OPEN, 0, 1, at, at)
    first = _message(caller, begun.body, begun.agent_name, at)
    store.conversations.create(conversation, first.author.kind, device_of(caller), home)
    if begun.attachments:
        first = replace(first, attachments=named(store, caller, id, first.id, begun.attachments))
    store.conversations.add_first(id, first)
    is_unread = isinstance(caller, EndUser)
    store.events.add(
        _event(EventType.CONVERSATION_CREATED, replace(conversation, unread=int(is_unread)), first.verified),
        Event(new_id("evt"), EventType.MESSAGE_CREATED, at, owner.id, id, first.id),
    )
    return shown_to(caller, conversation)[0], True


def page_ahead(
    store: AppStore,
    token: Token,
    *,
    user: str | None,
    status: Status | None,
    cursor: Position | None,
    limit: int,
) -> Question | None:
    """Ask for what ``list_conversations`` shows to whoever's session has a token."""
    if user is not None:
        return None
    return store.conversations.page_of_session(token, status, cursor, limit + 1)


def list_conversations(
    store: AppStore,
    caller: Writer,
    *,
    user: str | None,
    status: Status | None,
    cursor: Position | None,
    limit: int,
) -> Page[Conversation]:
    """Return conversations, the newest activity first; ``user`` is for agents.

    Raises NotFound for an unknown user, and Refused if a user names one.
    """
    _require_agent(caller, user=user)
    scope = scope_of(caller)
    if user is not None:
        scope = replace(scope, user=users.show(store, user).id)
    # What was asked ahead is all of the user's.
    found = caller.ahead if isinstance(caller, EndUser) and scope.device is None else None
    if found is None:
        found = store.conversations.page(scope, status, cursor, limit + 1)
    return Page.of(
        shown_to(caller, *found),
        limit,
        lambda conversation: (conversation.updated_at, conversation.id),
    )


def show(store: AppStore, caller: Writer, id: str) -> Conversation:
    """Return one conversation. Raises NotFound."""
    return shown_to(caller, seen(store, scope_of(caller), id))[0]


def list_messages(
    store: AppStore, caller: Writer, id: str, *, after: str | None, cursor: Position | None, limit: int
) -> Page[Message]:
    """Return messages, the oldest first, after the message ``after`` and after a page's end.

    Raises NotFound, and Refused if ``after`` is no message of this conversation.
    """
    scope = with_authors(store, scope_of(caller))
    seen(store, scope, id)
    number = cursor[0] if cursor else 0
    if after is not None:
        message = store.conversations.message(scope, id, after) if is_id("msg", after) else None
        if message is None:
            raise Refused.member("after", "unknown-message", "It is no message of this conversation.")
        number = max(number, message.number)
    found = store.conversations.messages(scope, id, number, limit + 1)
    return Page.of(
        tuple(message_shown_to(caller, message) for message in found),
        limit,
        lambda message: (message.number, ""),
    )


def write_ahead(
    store: AppStore,
    token: Token,
    id: str,
    *,
    body: str,
    agent_name: str | None,
    attachments: Sequence[str] = (),
) -> Question | None:
    """Ask for what ``write`` does, by whoever's session has a token, if that is certain to be
    allowed."""
    if agent_name is not None or attachments or not is_id("cnv", id):
        return None
    at = now()
    message = Message(new_id("msg"), 0, Author(Side.USER, None), body, False, at)
    # No app can have its sessions end sooner.
    alive_since = at - MIN_SESSION_DAYS * DAY
    return store.conversations.append_of_session(token, id, message, new_id("evt"), alive_since=alive_since)


def write(
    store: AppStore,
    caller: Writer,
    id: str,
    *,
    body: str,
    agent_name: str | None,
    attachments: Sequence[str] = (),
    key: IdempotencyKey | None = None,
) -> tuple[Message, bool]:
    """Append a message; answer it, and whether it is new. A user's message reopens. ``attachments`` are those
    that it names, by their ids; ``body`` may be empty beside them.

    Raises NotFound, and Refused for an idempotency key that was used for something else, and for attachments
    that its author sent elsewhere or did not send, or that a message names.
    """
    _require_agent(caller, agentName=agent_name)
    message = _message(caller, body, agent_name, now())
    if isinstance(caller, EndUser) and caller.ahead is not None:
        return message_shown_to(caller, replace(message, **caller.ahead._asdict())), True
    if key is None and not attachments:
        return _append(store, caller, id, message), True
    return _write_once(store, caller, id, message, attachments, key)


@one_transaction
def _write_once(
    store: AppStore,
    caller: Writer,
    id: str,
    message: Message,
    attachments: Sequence[str],
    key: IdempotencyKey | None,
) -> tuple[Message, bool]:
    scope = scope_of(caller)
    conversation = seen(store, scope, id, lock=True)
    home = caller.session.home if isinstance(caller, EndUser) else conversation.user
    made = made_before(store, key, message.created_at, makes=message.id, home=home)
    if made is not None:
        return message_shown_to(caller, there(store.conversations.message(scope, id, made))), False
    if attachments:
        message = replace(message, attachments=named(store, caller, id, message.id, attachments))
    return _append(store, caller, id, message), True


def _append(store: AppStore, caller: Writer, id: str, message: Message) -> Message:
    appended = None
    if is_id("cnv", id):
        events = new_id("evt"), new_id("evt")
        appended = store.conversations.append(scope_of(caller), id, message, events)
    return message_shown_to(caller, there(appended))


@one_transaction
def mark_read(store: AppStore, caller: Writer, id: str, key: IdempotencyKey | None = None) -> None:
    """Note that the caller's side has read all. Raises NotFound, and Refused for an idempotency key that was
    used for something else; a repeat reads again."""
    conversation = seen(store, scope_of(caller), id)
    made_before(store, key, now())
    # Whoever erases the user locks them before their conversations.
    note_made(store, key, id, conversation.user)
    store.conversations.mark_read(scope_of(caller), id)


@one_transaction
def set_status(store: AppStore, caller: Writer, id: str, status: Status) -> Conversation:
    """Resolve or reopen, from either side. Raises NotFound."""
    conversation = seen(store, scope_of(caller), id, lock=True)
    changed = replace(conversation, status=status, updated_at=now())
    store.conversations.set_status(scope_of(caller), id, status, changed.updated_at)
    if status is not conversation.status:
        type = CHANGED_TO[status]
        verified = not isinstance(caller, EndUser) or caller.session.verified
        store.events.add(_event(type, seen(store, Scope(Side.AGENT), id), verified))
    return shown_to(caller, changed)[0]


def _event(type: EventType, conversation: Conversation, verified: bool) -> Event:
    """Tell of a conversation, as agents see it; it is ``verified`` if whoever changed it is."""
    data = {"conversation": conversation, "verified": verified}
    at = conversation.updated_at
    return Event(new_id("evt"), type, at, conversation.user or "", conversation.id, data=data)


def _owner(store: AppStore, caller: Writer, id: str | None) -> User:
    """Lock the user whose conversation it becomes, so that they are not merged away meanwhile."""
    match caller:
        case EndUser():
            return locked_user(store, caller, to_change=False)
        case Backend():
            if id is None:
                raise Refused.member("user", "required", "An agent says to whom.")
            user = users.show(store, id)
            locked = store.users.find_and_lock(user.id, to_change=False)
            if locked is None or not store.users.is_part(id, locked.id):
                raise StaleState
            return locked
        case never:
            assert_never(never)


def _message(caller: Writer, body: str, agent_name: str | None, at: int) -> Message:
    verified = not isinstance(caller, EndUser) or caller.session.verified
    return Message(new_id("msg"), 0, author_of(caller, agent_name), body, verified, at)


def _require_agent(caller: Writer, **members: str | None) -> None:
    """Raise Refused for members that only agents may give."""
    given = [name for name, value in members.items() if value is not None]
    if given and isinstance(caller, EndUser):
        raise Refused.member(given[0], "agents-only", "This member goes with a secret key.")
