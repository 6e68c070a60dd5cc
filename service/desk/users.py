"""Users, for the app's backend: find, correct, explain, hand out and erase."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from service.desk.attributes import describe, require_room
from service.desk.editing import say
from service.desk.history import AuditLog
from service.desk.merging import present
from service.desk.purchasing import with_purchases
from service.desk.transactions import one_transaction
from service.model.callers import Backend, EndUser
from service.model.contacts import ContactKey
from service.model.conversations import Conversation, Message, Scope, Side, Transcript
from service.model.errors import Conflict, NotFound
from service.model.history import Entry
from service.model.identifiers import is_anonymous, is_id
from service.model.pages import Page, Position
from service.model.profiles import Export, Panel, Profile
from service.model.users import User, UserChange
from service.store import AppStore
from service.times import now

# How many rows of one kind are read at a time when all of a user's are.
BATCH = 500

# How many contacts are shown with a user; the export has all.
MAX_CONTACTS = 100
# How many of each kind are shown of a user in short.
SHOWN = 5


def find(
    store: AppStore,
    *,
    user_id: str | None,
    email: str | None,
    begins: str | None,
    contact: ContactKey | None = None,
    cursor: Position | None,
    limit: int,
) -> Page[User]:
    """Return the users of both worlds whom all that is given fits, the oldest first."""
    after = cursor[1] if cursor else ""
    found = store.users.page(
        user_id=user_id, email=email, begins=begins, contact=contact, after=after, limit=limit + 1
    )
    return Page.of(found, limit, lambda user: (0, user.id))


def show_with_all(store: AppStore, id: str) -> User:
    """As ``show``, with what was bought under the user's store accounts, and how they said that they can be
    reached."""
    return with_all(store, show(store, id))


def with_all(store: AppStore, user: User) -> User:
    """Return a user with their purchases and contacts."""
    return replace(with_purchases(store, user), contacts=store.contacts.of_user(user.id, MAX_CONTACTS))


def show_own(store: AppStore, caller: EndUser) -> User:
    """Return who is logged in, with what was bought under their store accounts. Raises InvalidCredential if
    they are gone."""
    # Their session tells all but what was said of who is part of them.
    user = present(store, caller) if caller.user.further_emails is None else caller.user
    return with_purchases(store, user, caller.ahead)


def show(store: AppStore, id: str) -> User:
    """Return a user, or whoever that user became part of. Raises NotFound."""
    user = store.users.survivor(id) if is_id("usr", id) else None
    if user is None:
        raise NotFound
    return user


def show_several(store: AppStore, ids: Collection[str]) -> dict[str, User]:
    """Return by their ids the users of these who are there."""
    return {user.id: user for user in store.users.with_ids(ids)}


@one_transaction
def change(store: AppStore, caller: Backend, id: str, change: UserChange) -> User:
    """Set or remove a user's email, name and attributes.

    Raises NotFound, Refused for more attributes than a user may have, and Conflict where an email would have
    two unclaimed users, the user neither user ID nor email, or an anonymous user an email.
    """
    log = AuditLog(store, caller.actor, now())
    user = show(store, id)
    email = change.fields.get("email", user.email)
    store.users.lock_emails(email, *user.emails)
    store.users.lock(user, to_change=True)
    if email != user.email:
        _require_email_may_be(store, user, email)
    attributes = dict.fromkeys(user.attributes) if change.removes_attributes else change.attributes
    require_room(user, attributes)
    user = say(store, user, user.id, change.fields, log)
    return describe(store, user, user.id, attributes, log)


def _require_email_may_be(store: AppStore, user: User, email: str | None) -> None:
    if is_anonymous(user.user_id):
        raise Conflict("anonymous-email", "an anonymous user has no email")
    if user.user_id is not None:
        return
    if email is None:
        raise Conflict("nothing-left", "a user without a user ID keeps their email")
    if has_rival(store, user, email):
        raise Conflict("unclaimed-email", "an unclaimed user has this email")


def has_rival(store: AppStore, user: User, *emails: str, beside: User | None = None) -> bool:
    """Return whether somebody else of a user's world, ``beside`` one more, is unclaimed and has one of these
    emails."""
    theirs = {user.id, beside and beside.id}
    having = (one for email in emails for one in store.users.with_email(email, verified=user.verified))
    return any(other.user_id is None and other.id not in theirs for other in having)


def history(store: AppStore, id: str, cursor: Position | None, limit: int) -> Page[Entry]:
    """Return what happened to a user and to those who are part of them, the oldest first. Raises NotFound."""
    user = show(store, id)
    everyone = (user.id, *store.users.part_of(user.id))
    found = store.history.page(everyone, cursor[1] if cursor else "", limit + 1)
    return Page.of(found, limit, lambda entry: (0, entry.id))


def profile(store: AppStore, id: str) -> Profile:
    """Return a user, or whoever that user became part of, with what surrounds them. Raises NotFound."""
    user = show_with_all(store, id)
    parts = store.users.part_of(user.id)
    everyone = (user.id, *parts)
    return Profile(
        user,
        parts,
        sessions=store.sessions.of_users(everyone),
        merges=store.merges.of_users(everyone),
    )


def panel(store: AppStore, id: str) -> Panel:
    """As ``profile``, in short: the last few of each kind, in a number of statements that does not grow with
    what there is of the user."""
    user = show_with_all(store, id)
    everyone = (user.id, *store.users.part_of(user.id))
    return Panel(
        user,
        sessions=store.sessions.last_of(everyone, SHOWN),
        merges=store.merges.last_into(everyone, SHOWN),
        entries=store.history.last(everyone, SHOWN),
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
        waiting=store.attachments.of_waiting(everyone),
        idempotency_keys=store.idempotency_keys.keys_of(everyone),
        store_accounts=store.purchases.accounts(user.id),
        attributes=store.attributes.of_homes(everyone),
        contacts=store.contacts.of_user(user.id),
        fields=store.fields.of_homes(everyone),
        merges=found.merges,
        compared_by=tuple(store.duplicates.traits_of([user.id])[user.id]),
        dismissals=store.duplicates.dismissals_of(user.id),
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
