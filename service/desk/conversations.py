"""Conversations: each side begins them, writes, reads and settles them.

Who may see what is a Scope, made of the caller and part of every lookup.
"""

from dataclasses import replace
from typing import assert_never

from service.desk import users
from service.desk.idempotency_keys import made_before, note_made
from service.desk.scopes import Writer, message_shown_to, scope_of, shown_to
from service.desk.transactions import one_transaction
from service.model.apps import MIN_SESSION_DAYS
from service.model.callers import Backend, EndUser
from service.model.conversations import Author, Conversation, Message, Scope, Side, Status
from service.model.errors import InvalidCredential, NotFound, Refused, StaleState
from service.model.idempotency_keys import IdempotencyKey
from service.model.identifiers import is_id, new_id
from service.model.pages import Item, Page, Position
from service.model.sessions import Token
from service.model.users import User
from service.store import AppStore
from service.store.engine.prepared import Question
from service.times import DAY, now


@one_transaction
def begin(
    store: AppStore,
    caller: Writer,
    *,
    user: str | None,
    subject: str | None,
    body: str,
    agent_name: str | None,
    key: IdempotencyKey | None,
) -> tuple[Conversation, bool]:
    """Begin a conversation with its first message; answer it, and whether it is new.

    ``user`` is whom an agent writes to. Raises NotFound for an unknown one, Refused if it is missing or
    a user gives it, and for an idempotency key that was used for something else.
    """
    _require_agent(caller, user=user, agentName=agent_name)
    owner = _owner(store, caller, user)
    at, scope = now(), scope_of(caller)
    id = new_id("cnv")
    home = caller.session.home if isinstance(caller, EndUser) else user or ""
    made = made_before(store, key, at, makes=id, home=home)
    if made is not None:
        return shown_to(caller, _seen(store, scope, made))[0], False
    conversation = Conversation(id, owner.id, subject, Status.OPEN, 0, 1, at, at)
    device = caller.session.device if isinstance(caller, EndUser) else None
    first = _message(caller, body, agent_name, at)
    store.conversations.create(conversation, first, device, home)
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
    return shown_to(caller, _seen(store, scope_of(caller), id))[0]


def list_messages(
    store: AppStore, caller: Writer, id: str, *, after: str | None, cursor: Position | None, limit: int
) -> Page[Message]:
    """Return messages, the oldest first, after the message ``after`` and after a page's end.

    Raises NotFound, and Refused if ``after`` is no message of this conversation.
    """
    scope = _with_authors(store, scope_of(caller))
    _seen(store, scope, id)
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
    store: AppStore, token: Token, id: str, *, body: str, agent_name: str | None
) -> Question | None:
    """Ask for what ``write`` does, by whoever's session has a token, if that is certain to be
    allowed."""
    if agent_name is not None or not is_id("cnv", id):
        return None
    at = now()
    message = Message(new_id("msg"), 0, Author(Side.USER, None), body, False, at)
    # No app can have its sessions end sooner.
    alive_since = at - MIN_SESSION_DAYS * DAY
    return store.conversations.append_of_session(token, id, message, alive_since=alive_since)


def write(
    store: AppStore,
    caller: Writer,
    id: str,
    *,
    body: str,
    agent_name: str | None,
    key: IdempotencyKey | None = None,
) -> tuple[Message, bool]:
    """Append a message; answer it, and whether it is new. A user's message reopens.

    Raises NotFound, and Refused for an idempotency key that was used for something else.
    """
    _require_agent(caller, agentName=agent_name)
    message = _message(caller, body, agent_name, now())
    if isinstance(caller, EndUser) and caller.ahead is not None:
        written = replace(caller.ahead, author=message.author, verified=message.verified)
        return message_shown_to(caller, written), True
    if key is None:
        return _append(store, caller, id, message), True
    return _write_once(store, caller, id, message, key)


@one_transaction
def _write_once(
    store: AppStore, caller: Writer, id: str, message: Message, key: IdempotencyKey
) -> tuple[Message, bool]:
    scope = scope_of(caller)
    conversation = _seen(store, scope, id, lock=True)
    home = caller.session.home if isinstance(caller, EndUser) else conversation.user
    made = made_before(store, key, message.created_at, makes=message.id, home=home)
    if made is not None:
        return message_shown_to(caller, _there(store.conversations.message(scope, id, made))), False
    return _append(store, caller, id, message), True


def _append(store: AppStore, caller: Writer, id: str, message: Message) -> Message:
    appended = store.conversations.append(scope_of(caller), id, message) if is_id("cnv", id) else None
    return message_shown_to(caller, _there(appended))


@one_transaction
def mark_read(store: AppStore, caller: Writer, id: str, key: IdempotencyKey | None = None) -> None:
    """Note that the caller's side has read all. Raises NotFound, and Refused for an idempotency key that was
    used for something else; a repeat reads again."""
    conversation = _seen(store, scope_of(caller), id)
    made_before(store, key, now())
    # Whoever erases the user locks them before their conversations.
    note_made(store, key, id, conversation.user)
    store.conversations.mark_read(scope_of(caller), id)


@one_transaction
def set_status(store: AppStore, caller: Writer, id: str, status: Status) -> Conversation:
    """Resolve or reopen, from either side. Raises NotFound."""
    conversation = _seen(store, scope_of(caller), id, lock=True)
    changed = replace(conversation, status=status, updated_at=now())
    store.conversations.set_status(scope_of(caller), id, status, changed.updated_at)
    return shown_to(caller, changed)[0]


def _owner(store: AppStore, caller: Writer, id: str | None) -> User:
    """Lock the user whose conversation it becomes, so that they are not merged away meanwhile."""
    match caller:
        case EndUser(_, user):
            locked = store.users.find_and_lock(user.id, to_change=False)
            if locked is None or not store.users.is_part(caller.session.home, locked.id):
                raise InvalidCredential
        case Backend():
            if id is None:
                raise Refused.member("user", "required", "An agent says to whom.")
            user = users.show(store, id)
            locked = store.users.find_and_lock(user.id, to_change=False)
            if locked is None or not store.users.is_part(id, locked.id):
                raise StaleState
        case never:
            assert_never(never)
    return locked


def _message(caller: Writer, body: str, agent_name: str | None, at: int) -> Message:
    match caller:
        case EndUser(_, user, session):
            author, verified = Author(Side.USER, user.name, session.home), session.verified
        case Backend():
            author, verified = Author(Side.AGENT, agent_name), True
        case never:
            assert_never(never)
    return Message(new_id("msg"), 0, author, body, verified, at)


def _with_authors(store: AppStore, scope: Scope) -> Scope:
    """Let a user's scope show the messages of that user and of who became part of them, and no other's:
    a conversation goes back whole when a merge is undone."""
    if scope.user is None:
        return scope
    return replace(scope, authors=(scope.user, *store.users.part_of(scope.user)))


def _require_agent(caller: Writer, **members: str | None) -> None:
    """Raise Refused for members that only agents may give."""
    given = [name for name, value in members.items() if value is not None]
    if given and isinstance(caller, EndUser):
        raise Refused.member(given[0], "agents-only", "This member goes with a secret key.")


def _seen(store: AppStore, scope: Scope, id: str, *, lock: bool = False) -> Conversation:
    """Find a conversation that a scope sees. Raises NotFound."""
    find = store.conversations.lock if lock else store.conversations.with_id
    return _there(find(scope, id) if is_id("cnv", id) else None)


def _there(found: Item | None) -> Item:
    if found is None:
        raise NotFound
    return found
