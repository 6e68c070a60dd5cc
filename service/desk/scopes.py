"""Which conversations a caller sees, and what of them it is told.

A session of somebody who proved nothing sees what was begun on its own device, and is told no id and
no name that it did not say itself: anybody can say to be that user.
"""

from dataclasses import replace
from typing import assert_never

from service.model.apps import ConversationScope
from service.model.callers import Backend, EndUser
from service.model.conversations import Author, Conversation, Message, Scope, Side

Writer = Backend | EndUser


def scope_of(caller: Writer) -> Scope:
    """Return which conversations a caller may see."""
    match caller:
        case EndUser(app, user, session):
            if session.claim is not None:
                # Anybody can say to be this user, so each device sees what was begun on it.
                return Scope(Side.USER, user.id, session.device, and_agents=False)
            by_device = app.settings.conversation_scope is ConversationScope.DEVICE
            return Scope(Side.USER, user.id, session.device if by_device else None)
        case Backend():
            return Scope(Side.AGENT)
        case never:
            assert_never(never)


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
