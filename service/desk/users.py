"""Users, for the app's backend: find, correct, explain, hand out and erase."""

from collections.abc import Iterator

from service.desk.editing import say
from service.desk.history import AuditLog
from service.desk.purchasing import with_purchases
from service.desk.transactions import one_transaction
from service.model.callers import Backend
from service.model.conversations import Conversation, Message, Scope, Side, Transcript
from service.model.errors import Conflict, NotFound
from service.model.history import Entry
from service.model.identifiers import is_anonymous, is_id
from service.model.pages import Page, Position
from service.model.profiles import Export, Profile
from service.model.users import User
from service.store import AppStore
from service.times import now

# How many rows of one kind are read at a time when all of a user's are.
BATCH = 500


def find(
    store: AppStore,
    *,
    user_id: str | None,
    email: str | None,
    begins: str | None,
    cursor: Position | None,
    limit: int,
) -> Page[User]:
    """Return the users of both worlds whom all that is given fits, the oldest first."""
    after = cursor[1] if cursor else ""
    found = store.users.page(user_id=user_id, email=email, begins=begins, after=after, limit=limit + 1)
    return Page.of(found, limit, lambda user: (0, user.id))


def show_with_purchases(store: AppStore, id: str) -> User:
    """As ``show``, with what was bought under the user's store accounts."""
    return with_purchases(store, show(store, id))


def show(store: AppStore, id: str) -> User:
    """Return a user, or whoever that user became part of. Raises NotFound."""
    user = store.users.survivor(id) if is_id("usr", id) else None
    if user is None:
        raise NotFound
    return user


@one_transaction
def change(store: AppStore, caller: Backend, id: str, changes: dict[str, str | None]) -> User:
    """Set or remove a user's email and name, as far as they are among ``changes``.

    Raises NotFound, and Conflict where an email would have two unclaimed users, the user neither user ID nor
    email, or an anonymous user an email.
    """
    log = AuditLog(store, caller.actor, now())
    user = show(store, id)
    email = changes.get("email", user.email)
    store.users.lock_emails(user.email, email)
    store.users.lock(user, to_change=True)
    if email != user.email:
        _require_email_may_be(store, user, email)
    return say(store, user, user.id, changes, log)


def _require_email_may_be(store: AppStore, user: User, email: str | None) -> None:
    if is_anonymous(user.user_id):
        raise Conflict("anonymous-email", "an anonymous user has no email")
    if user.user_id is not None:
        return
    if email is None:
        raise Conflict("nothing-left", "a user without a user ID keeps their email")
    if has_rival(store, user, email):
        raise Conflict("unclaimed-email", "an unclaimed user has this email")


def has_rival(store: AppStore, user: User, email: str | None) -> bool:
    """Return whether somebody else of a user's world is unclaimed and has an email."""
    having = () if email is None else store.users.with_email(email, verified=user.verified)
    return any(other.user_id is None and other.id != user.id for other in having)


def history(store: AppStore, id: str, cursor: Position | None, limit: int) -> Page[Entry]:
    """Return what happened to a user and to those who are part of them, the oldest first. Raises NotFound."""
    user = show(store, id)
    everyone = (user.id, *store.users.part_of(user.id))
    found = store.history.page(everyone, cursor[1] if cursor else "", limit + 1)
    return Page.of(found, limit, lambda entry: (0, entry.id))


def profile(store: AppStore, id: str) -> Profile:
    """Return a user, or whoever that user became part of, with what surrounds them. Raises NotFound."""
    user = show_with_purchases(store, id)
    parts = store.users.part_of(user.id)
    everyone = (user.id, *parts)
    return Profile(
        user,
        parts,
        sessions=tuple(session for one in everyone for session in store.sessions.of_user(one)),
        merges=store.merges.of_users(everyone),
    )


def export(store: AppStore, id: str) -> Export:
    """Return all that is stored about a user, and about those who became part of them.

    Raises NotFound.
    """
    found = profile(store, id)
    user, everyone = found.user, (found.user.id, *found.parts)
    return Export(
        user,
        found.parts,
        history=tuple(_entries(store, everyone)),
        sessions=found.sessions,
        conversations=tuple(
            Transcript(conversation, tuple(_messages(store, conversation.id)))
            for conversation in _conversations(store, user.id)
        ),
        idempotency_keys=store.idempotency_keys.keys_of(everyone),
        store_accounts=store.purchases.accounts(user.id),
        attributes=store.attributes.of_homes(everyone),
        fields=store.fields.of_homes(everyone),
        merges=found.merges,
    )


def _entries(store: AppStore, users: tuple[str, ...]) -> Iterator[Entry]:
    after = ""
    while found := store.history.page(users, after, BATCH):
        yield from found
        after = found[-1].id


def _conversations(store: AppStore, user: str) -> Iterator[Conversation]:
    scope, before = Scope(Side.AGENT, user), None
    while found := store.conversations.page(scope, None, before, BATCH):
        yield from found
        before = found[-1].updated_at, found[-1].id


def _messages(store: AppStore, conversation: str) -> Iterator[Message]:
    number = 0
    while found := store.conversations.messages(Scope(Side.AGENT), conversation, number, BATCH):
        yield from found
        number = found[-1].number
