"""Change a user's email, name or IDs, and write it into the history."""

from dataclasses import replace

from service.desk.history import Scribe
from service.identifiers import is_anonymous
from service.nouns import Event, User
from service.store import Store


def set_email(
    store: Store, app: str, user: User, email: str | None, scribe: Scribe, rule: str | None = None
) -> User:
    """Set a held user's email, if it is another, and answer the user as they are then."""
    if email == user.email:
        return user
    store.users.set_email(app, user.id, email)
    before, after = {"email": user.email}, {"email": email}
    scribe.note(user.id, Event.EMAIL_CHANGED, rule, before=before, after=after)
    return replace(user, email=email)


def set_name(
    store: Store, app: str, user: User, name: str | None, scribe: Scribe, rule: str | None = None
) -> User:
    """Set a held user's name, if it is another, and answer the user as they are then."""
    if name == user.name:
        return user
    store.users.set_name(app, user.id, name)
    scribe.note(user.id, Event.NAME_CHANGED, rule, before={"name": user.name}, after={"name": name})
    return replace(user, name=name)


def give_user_id(store: Store, app: str, user: User, user_id: str, scribe: Scribe, rule: str) -> User:
    """Give a held user a user ID that nobody has, and answer the user as they are then.

    It is the primary one of a user who had none; who was anonymous is somebody from then on. Raises
    LostRace if somebody has it by now.
    """
    was_nobody = is_anonymous(user.user_id)
    verified = user.verified or was_nobody
    store.users.add_user_id(app, replace(user, verified=verified), user_id, scribe.at)
    if user.user_id is not None and not was_nobody:
        scribe.note(user.id, Event.ALIAS_ADDED, rule, after={"userId": user_id})
        return replace(user, aliases=(*user.aliases, user_id))
    store.users.set_primary(app, user.id, user_id, verified=verified)
    if was_nobody:
        store.devices.forget_anonymous(app, [user.id])
        store.sessions.set_verified(app, user.id, True)
    scribe.note(
        user.id, Event.USER_ID_ATTACHED, rule, before={"userId": user.user_id}, after={"userId": user_id}
    )
    aliases = (user.user_id, *user.aliases) if user.user_id else user.aliases
    return replace(user, user_id=user_id, aliases=aliases, verified=verified)
