"""Which conversations a caller sees, and what of them it is told.

A session of somebody who proved nothing sees what was begun on its own device, and is told no id and
no name that it did not say itself: anybody can say to be that user.
"""

from dataclasses import replace
from typing import TypeVar, assert_never

from service.model.apps import App, ConversationScope
from service.model.callers import Backend, EndUser
from service.model.conversations import Author, Conversation, Message, Scope, Side
from service.model.errors import InvalidCredential, NotFound
from service.model.identifiers import is_id
from service.model.sessions import Session
from service.model.users import User
from service.store import AppStore

Writer = Backend | EndUser

Item = TypeVar("Item")


def scope_of(caller: Writer) -> Scope:
    """Return which conversations a caller may see."""
    match caller:
        case EndUser(app, _, session):
            return scope_of_session(app, session)
        case Backend():
            return Scope(Side.AGENT)
        case never:
            assert_never(never)


def scope_of_session(app: App, session: Session) -> Scope:
    """Return which conversations whoever has a session of this app may see."""
    if session.claim is not None:
        # Anybody can say to be this user, so each device sees what was begun on it.
        return Scope(Side.USER, session.user, session.device, and_agents=False)
    by_device = app.settings.conversation_scope is ConversationScope.DEVICE
    return Scope(Side.USER, session.user, session.device if by_device else None)


def with_authors(store: AppStore, scope: Scope) -> Scope:
    """Let a user's scope show the messages of that user and of who became part of them, and no other's:
    a conversation goes back whole when a merge is undone."""
    if scope.user is None:
        return scope
    return replace(scope, authors=(scope.user, *store.users.part_of(scope.user)))


def seen(store: AppStore, scope: Scope, id: str, *, lock: bool = False) -> Conversation:
    """Find a conversation that a scope sees. Raises NotFound."""
    find = store.conversations.lock if lock else store.conversations.with_id
    return there(find(scope, id) if is_id("cnv", id) else None)


def there(found: Item | None) -> Item:
    """Return what was found. Raises NotFound for nothing."""
    if found is None:
        raise NotFound
    return found


def author_of(caller: Writer, agent_name: str | None = None) -> Author:
    """Return as whom a caller writes."""
    match caller:
        case EndUser(_, user, session):
            return Author(Side.USER, user.name, session.home)
        case Backend():
            return Author(Side.AGENT, agent_name)
        case never:
            assert_never(never)


def device_of(caller: Writer) -> str | None:
    """Return the device on which a user is, None for an agent."""
    return caller.session.device if isinstance(caller, EndUser) else None


def locked_user(store: AppStore, caller: EndUser, *, to_change: bool) -> User:
    """Lock the user as whom somebody is logged in, so that they are not merged away or erased meanwhile.
    Raises InvalidCredential if they are by now."""
    user = store.users.find_and_lock(caller.user.id, to_change=to_change)
    if user is None or not store.users.is_part(caller.session.home, user.id):
        raise InvalidCredential
    return user


def shown_to(caller: Writer, *conversations: Conversation) -> tuple[Conversation, ...]:
    """Leave out what an unproven session may not know: an id tells whether a record was there before."""
    if isinstance(caller, Backend) or caller.session.claim is None:
        return conversations
    return tuple(replace(conversation, user=None) for conversation in conversations)


def message_shown_to(caller: Writer, message: Message) -> Message:
    """As above; of a user's name it is told what its own login said."""
    if message.author.kind is Side.AGENT or not isinstance(caller, EndUser) or caller.session.claim is None:
        return message
    return replace(message, author=Author(Side.USER, caller.session.claim.name))
