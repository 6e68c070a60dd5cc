"""What becomes of one user's things when they become another's, or nobody's."""

from dataclasses import replace

from service.errors import LostRace
from service.nouns import User
from service.store import Store


def absorb(store: Store, app: str, device: str, anonymous: User, into: User) -> User:
    """Make a device's anonymous user part of another, and answer that other as they are then.

    Both are held, so that nothing is written for the one while its things move; whoever began a
    message keeps being its author.
    """
    if store.users.hold(app, anonymous.id, to_change=True) != anonymous:
        raise LostRace
    store.conversations.move(app, anonymous.id, into.id)
    store.users.absorb(app, anonymous.id, into.id)
    store.sessions.end_of_user(app, anonymous.id)
    store.devices.set_anonymous(app, device, None)
    found = store.users.with_id(app, into.id)
    return replace(into, aliases=found.aliases) if found else into


def clear(store: Store, app: str, device: str, anonymous: User, at: int) -> None:
    """Let no end user reach a device's anonymous user again; agents still see the conversations."""
    store.users.clear(app, anonymous.id, at)
    store.sessions.end_of_user(app, anonymous.id)
    store.devices.set_anonymous(app, device, None)
