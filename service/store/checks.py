"""The invariants of a store, each one a question that has no answer in a sound one.

Every question is one that only reads, and is asked of one app; so it can be put to a store in use.
"""

import operator
from collections.abc import Iterator
from functools import reduce
from typing import Any

from peewee import JOIN, fn

from service.model.apps import ProofKind
from service.model.attributes import MAX_ATTRIBUTES
from service.model.conversations import Side
from service.model.identifiers import email_key, search_key, user_id_digest
from service.store import AppStore
from service.store.attachment_checks import bytes_of_attachments_stay, messages_show_their_attachments
from service.store.database import Database
from service.store.engine.prepared import Prepared
from service.store.events import OF_ERASED
from service.store.merges import EMPTY
from service.store.questions import BATCH, Check, batches, each, rows, same
from service.store.several import is_kept
from service.store.tables import (
    TABLES,
    Apps,
    Attachments,
    Attributes,
    Contacts,
    Conversations,
    Devices,
    Dismissals,
    DuplicateKeys,
    Duplicates,
    Events,
    Fields,
    FormerKeys,
    History,
    IdempotencyKeys,
    Keys,
    Merges,
    Messages,
    OperatorSessions,
    Purchases,
    Removals,
    Sessions,
    StoreAccounts,
    UserIds,
    Users,
)
from service.store.unproven import (
    nobody_proven_rests_on_a_claim,
    nobody_proven_rests_on_what_is_not_known,
)
from service.store.users import anonymous, lives, merged_into, of_a_device, proven


def _differ(one: Any, other: Any) -> Any:
    """Whether one of two conditions holds and the other does not."""
    return (one & ~other) | (~one & other)


@Prepared
def _user_ids_elsewhere(app: Any) -> Any:
    is_elsewhere = Users.id.is_null() | ~lives() | _differ(UserIds.verified, proven())
    owner = same(Users, UserIds, id="user")
    return (
        UserIds.select(UserIds.user)
        .join(Users, JOIN.LEFT_OUTER, on=owner)
        .where((UserIds.app == app) & is_elsewhere)
    )


@Prepared
def _user_ids_twice(app: Any) -> Any:
    return (
        UserIds.select(fn.MIN(UserIds.user))
        .where(UserIds.app == app)
        .group_by(UserIds.verified, UserIds.digest)
        .having(fn.COUNT(UserIds.user) > 1)
    )


@Prepared
def _user_ids(app: Any, world: Any, after: Any) -> Any:
    return (
        UserIds.select(UserIds.digest, UserIds.user, UserIds.value, UserIds.search)
        .where((UserIds.app == app) & (UserIds.verified == world) & (UserIds.digest > after))
        .order_by(UserIds.digest)
        .limit(BATCH)
    )


def user_ids_name_one_user(store: AppStore) -> Iterator[str]:
    """Each user ID names one living user of its world, and is kept under its own digest."""
    for query in (_user_ids_elsewhere, _user_ids_twice):
        yield from (f"a user ID of {user}" for (user,) in rows(store, query))
    for world in (True, False):
        for digest, user, value, search in batches(store, _user_ids, world):
            if (user_id_digest(value), search_key(value)) != (digest, search):
                yield f"a digest of {user}"


@Prepared
def _users_without_their_id(app: Any) -> Any:
    kept = same(UserIds, Users, user="id", value="user_id")
    return (
        Users.select(Users.id)
        .join(UserIds, JOIN.LEFT_OUTER, on=kept)
        .where((Users.app == app) & Users.user_id.is_null(False) & lives() & UserIds.user.is_null())
    )


def primary_user_ids_are_kept(store: AppStore) -> Iterator[str]:
    """Each primary user ID stands among the user IDs, and leads to its user."""
    yield from (id for (id,) in rows(store, _users_without_their_id))


@Prepared
def _emails_unclaimed_twice(app: Any) -> Any:
    return (
        Users.select(fn.MIN(Users.id))
        .where((Users.app == app) & Users.user_id.is_null() & lives())
        .group_by(Users.verified, Users.email_key)
        .having(fn.COUNT(Users.id) > 1)
    )


@Prepared
def _emails(app: Any, after: Any) -> Any:
    return (
        Users.select(Users.id, Users.email, Users.email_key)
        .where((Users.app == app) & (Users.id > after))
        .order_by(Users.id)
        .limit(BATCH)
    )


def one_unclaimed_user_per_email(store: AppStore) -> Iterator[str]:
    """In each world at most one user without a user ID has an email, and its key is that of the email."""
    yield from (f"the email of {id}" for (id,) in rows(store, _emails_unclaimed_twice))
    for id, email, key in batches(store, _emails):
        if key != (email and email_key(email)):
            yield f"the key of {id}"


@Prepared
def _nobodies(app: Any) -> Any:
    has_nothing = Users.user_id.is_null() & Users.email.is_null()
    has_too_much = (anonymous() & Users.email.is_null(False)) | (of_a_device() & Users.verified)
    is_no_longer_nobody = Users.cleared_at.is_null(False) & (Users.merged_into.is_null(False) | ~anonymous())
    is_odd = (lives() & (has_nothing | has_too_much)) | (Users.erased_at.is_null() & is_no_longer_nobody)
    return Users.select(Users.id).where((Users.app == app) & is_odd)


def users_are_somebody(store: AppStore) -> Iterator[str]:
    """A living user has a user ID or an email; an anonymous one has no email, and a device's is unproven. One
    who was cleared is anonymous still, and part of nobody."""
    yield from (id for (id,) in rows(store, _nobodies))


@Prepared
def _conversations_of_nobody(app: Any) -> Any:
    return (
        Conversations.select(Conversations.id)
        .join(Users, JOIN.LEFT_OUTER, on=same(Users, Conversations, id="user"))
        .where((Conversations.app == app) & (Users.id.is_null() | ~lives()))
    )


@Prepared
def _strangers(app: Any) -> Any:
    return (
        Messages.select(Messages.conversation, Conversations.user, Messages.author)
        .join(Conversations, on=same(Conversations, Messages, id="conversation"))
        .join(Users, JOIN.LEFT_OUTER, on=same(Users, Messages, id="author"))
        .where(
            (Messages.app == app)
            & (Messages.side == Side.USER.value)
            & (Messages.author.is_null() | (Messages.author != Conversations.user))
            & (Users.merged_into.is_null() | (Users.merged_into != Conversations.user))
        )
        .distinct()
    )


def conversations_have_one_owner(store: AppStore) -> Iterator[str]:
    """A conversation is a living user's, and nobody wrote in it who never was one with that user."""
    yield from (id for (id,) in rows(store, _conversations_of_nobody))
    strangers = rows(store, _strangers)
    one = _ever_one(store) if strangers else {}
    for conversation, user, author in strangers:
        if author is None or one.get(author, author) != one.get(user, user):
            yield conversation


@Prepared
def _store_accounts_of_nobody(app: Any) -> Any:
    return (
        StoreAccounts.select(StoreAccounts.user)
        .join(Users, JOIN.LEFT_OUTER, on=same(Users, StoreAccounts, id="user"))
        .where((StoreAccounts.app == app) & (Users.id.is_null() | ~lives()))
        .distinct()
    )


def store_accounts_have_one_owner(store: AppStore) -> Iterator[str]:
    """A store account is a living user's."""
    yield from (f"a store account of {user}" for (user,) in rows(store, _store_accounts_of_nobody))


HAVING_A_HOME = (UserIds, Sessions, Conversations, StoreAccounts, Contacts, DuplicateKeys, Dismissals)


@each
def _away_from_home(app: Any) -> Any:
    return [
        table.select(table.user, table.home).where((table.app == app) & (table.user != table.home)).distinct()
        for table in HAVING_A_HOME
    ]


@Prepared
def _contacts_of_merged(app: Any) -> Any:
    merged = Users.merged_into.is_null(False)
    theirs = Contacts.select(Contacts.user).join(Users, on=same(Users, Contacts, id="user"))
    return theirs.where((Contacts.app == app) & (Contacts.home == Contacts.user) & merged).distinct()


def things_are_where_their_home_is(store: AppStore) -> Iterator[str]:
    """A user ID, a session, a conversation, a store account, a contact, what users are compared by, and what
    was said of two of them is of the user whom its home became
    part of, or is."""
    for table, query in zip(HAVING_A_HOME, _away_from_home, strict=True):
        for user, home in rows(store, query):
            if user not in _became(store, home)[-1:]:
                yield f"{table._meta.table_name} of {user}"
    yield from (f"contacts of {user}" for (user,) in rows(store, _contacts_of_merged))


OF_A_WORLD = (UserIds, StoreAccounts)


@each
def _of_another_world(app: Any) -> Any:
    home = Users.alias()
    return [
        table.select(table.user)
        .join(home, on=same(home, table, id="home"))
        .where((table.app == app) & _differ(table.verified, proven(home)))
        .distinct()
        for table in OF_A_WORLD
    ]


@Prepared
def _proven_within_unproven(app: Any) -> Any:
    into = Users.alias()
    merged = (into.app == Users.app) & (into.id == Users.merged_into)
    return (
        Users.select(Users.id)
        .join(into, on=merged)
        .where((Users.app == app) & Users.verified & ~proven(into) & into.erased_at.is_null())
    )


def worlds_are_apart(store: AppStore) -> Iterator[str]:
    """A user ID or a store account is of the proven world only where its home is, the user to whom the ID was
    given or who brought the account, and the other way round; nobody proven is part of who only claims."""
    yield from (id for (id,) in rows(store, _proven_within_unproven))
    for table, query in zip(OF_A_WORLD, _of_another_world, strict=True):
        yield from (f"{table._meta.table_name} of {user}" for (user,) in rows(store, query))


@Prepared
def _sessions_of_nobody(app: Any) -> Any:
    is_gone = Users.id.is_null() | ~lives() | Users.cleared_at.is_null(False)
    is_unproven = ~proven()
    is_elsewhere = Devices.anonymous.is_null() | (Devices.anonymous != Sessions.user)
    return (
        Sessions.select(Sessions.user)
        .join(Users, JOIN.LEFT_OUTER, on=same(Users, Sessions, id="user"))
        .join(Devices, JOIN.LEFT_OUTER, on=same(Devices, Sessions, digest="device"))
        .where(
            (Sessions.app == app)
            & (
                is_gone
                | (Sessions.verified != Users.verified)
                | (Sessions.claim.is_null() & is_unproven)
                | (Sessions.claim.is_null(False) & ~is_unproven)
                | (anonymous() & is_elsewhere)
            )
        )
    )


def sessions_are_of_living_users(store: AppStore) -> Iterator[str]:
    """No session is of a user who was erased, merged or cleared, or of the other world; it holds what was
    said where nobody proved it, and an anonymous one is on its own user's device."""
    yield from (f"a session of {user}" for (user,) in rows(store, _sessions_of_nobody))


@each
def _merged_into_nobody_or_on(app: Any) -> Any:
    into = Users.alias()
    merged = (
        Users.select(Users.id)
        .join(into, JOIN.LEFT_OUTER, on=((into.app == Users.app) & (into.id == Users.merged_into)))
        .where((Users.app == app) & Users.merged_into.is_null(False))
    )
    return [merged.where(into.id.is_null()), merged.where(into.merged_into.is_null(False))]


def merges_end_somewhere(store: AppStore) -> Iterator[str]:
    """Who was merged leads to somebody, and never back to themselves."""
    into_nobody, on = _merged_into_nobody_or_on
    yield from (id for (id,) in rows(store, into_nobody))
    yield from (id for (id,) in rows(store, on) if id in _became(store, id))


@each
def _merges_unlike_what_is_written(app: Any) -> Any:
    stands = Merges.undone_at.is_null()
    written = same(Merges, Users, source="id", target="merged_into") & stands
    merged = same(Users, Merges, id="source", merged_into="target")
    return [
        Users.select(Users.id)
        .join(Merges, JOIN.LEFT_OUTER, on=written)
        .where((Users.app == app) & Users.merged_into.is_null(False) & Merges.id.is_null()),
        Merges.select(Merges.id)
        .join(Users, JOIN.LEFT_OUTER, on=merged)
        .where((Merges.app == app) & stands & Users.id.is_null()),
    ]


def merges_are_written_down(store: AppStore) -> Iterator[str]:
    """Who is part of another has a merge that says so and was not undone, and no such merge says so of
    anybody else."""
    for query in _merges_unlike_what_is_written:
        yield from (id for (id,) in rows(store, query))


@each
def _held_by_erased(app: Any) -> Any:
    into = Users.alias()
    is_erased = Users.erased_at.is_null(False)
    personal = (Users.user_id, Users.email, Users.email_key, Users.name, Users.name_key, Users.attributes)
    holds = reduce(operator.or_, (column.is_null(False) for column in personal))
    said = History.before.is_null(False) | History.after.is_null(False)
    tells = Events.data.is_null(False) & Events.type.not_in(OF_ERASED)
    mine = Users.select(Users.id).where(Users.app == app).distinct()
    is_into = (into.app == Users.app) & (into.id == Users.merged_into)
    return [
        mine.where(is_erased & holds),
        mine.join(into, on=is_into).where(into.erased_at.is_null(False) & ~is_erased),
        mine.join(UserIds, on=same(UserIds, Users, user="id")).where(is_erased),
        mine.join(IdempotencyKeys, on=same(IdempotencyKeys, Users, home="id")).where(is_erased),
        mine.join(FormerKeys, on=same(FormerKeys, Users, user="id")).where(is_erased),
        mine.join(Attributes, on=same(Attributes, Users, home="id")).where(is_erased),
        mine.join(Contacts, on=same(Contacts, Users, home="id")).where(is_erased),
        mine.join(Fields, on=same(Fields, Users, home="id")).where(is_erased),
        mine.join(DuplicateKeys, on=same(DuplicateKeys, Users, user="id")).where(is_erased),
        mine.join(DuplicateKeys, on=same(DuplicateKeys, Users, home="id")).where(is_erased),
        mine.join(Duplicates, on=same(Duplicates, Users, first="id")).where(is_erased),
        mine.join(Duplicates, on=same(Duplicates, Users, second="id")).where(is_erased),
        mine.join(Dismissals, on=same(Dismissals, Users, user="id")).where(is_erased),
        mine.join(Dismissals, on=same(Dismissals, Users, other_user="id")).where(is_erased),
        mine.join(History, on=same(History, Users, user="id")).where(is_erased & said),
        mine.join(Merges, on=same(Merges, Users, source="id")).where(is_erased & (Merges.ledger != EMPTY)),
        mine.join(Merges, on=same(Merges, Users, target="id")).where(is_erased & (Merges.ledger != EMPTY)),
        mine.join(Messages, on=same(Messages, Users, author="id")).where(is_erased & (Messages.body != "")),
        mine.join(Attachments, on=same(Attachments, Users, author="id")).where(is_erased),
        mine.join(Events, on=same(Events, Users, user="id")).where(is_erased & tells),
    ]


def erased_users_hold_nothing(store: AppStore) -> Iterator[str]:
    """Of who was erased, and of all who became part of them, there is no name, no email, no user ID, no
    attribute, no contact, nothing that was said of them, nothing that they are
    compared by, no idempotency key, no message, no file, and no word in the
    history, an event or the record of a merge."""
    for query in _held_by_erased:
        yield from (id for (id,) in rows(store, query))


@each
def _devices_elsewhere(app: Any) -> Any:
    anonymous = same(Users, Devices, id="anonymous") & of_a_device() & lives() & Users.cleared_at.is_null()
    mine = Devices.select(Devices.anonymous).where((Devices.app == app) & Devices.anonymous.is_null(False))
    return [
        mine.join(Users, JOIN.LEFT_OUTER, on=anonymous).where(Users.id.is_null()),
        mine.group_by(Devices.anonymous).having(fn.COUNT(Devices.digest) > 1),
    ]


def devices_lead_to_anonymous_users(store: AppStore) -> Iterator[str]:
    """A device's anonymous user is anonymous, lives, was not cleared, and is of one device only."""
    for query in _devices_elsewhere:
        yield from (id for (id,) in rows(store, query))


@Prepared
def _messages_counted(app: Any) -> Any:
    return (
        Conversations.select(
            Conversations.id,
            Conversations.messages,
            Conversations.unread_by_user + Conversations.unread_by_agent,
            fn.COUNT(Messages.number),
            fn.MAX(Messages.number),
        )
        .join(Messages, JOIN.LEFT_OUTER, on=same(Messages, Conversations, conversation="id"))
        .where(Conversations.app == app)
        .group_by(Conversations.id, Conversations.app)
    )


def messages_are_numbered(store: AppStore) -> Iterator[str]:
    """A conversation's messages are numbered without a gap, and no more are unread than there are."""
    for id, messages, unread, count, last in rows(store, _messages_counted):
        if not messages == count == (last or 0) or unread > messages:
            yield id


@each
def _fields_elsewhere(app: Any) -> Any:
    part, kept = Users.alias(), same(Fields, Users, home="id")
    parts = part.select(part.id).where((part.app == Users.app) & (part.merged_into == Users.id))
    is_several = Users.merged_into.is_null(False) | fn.EXISTS(parts)
    mine = Users.select(Users.id).where((Users.app == app) & Users.erased_at.is_null())
    return [
        mine.where(~fn.EXISTS(Fields.select(Fields.home).where(kept)) & is_several),
        mine.where(fn.EXISTS(Fields.select(Fields.home).where(kept)) & ~is_several),
    ]


@Prepared
def _with_fields(app: Any, after: Any) -> Any:
    kept = Fields.select(Fields.home).where(Fields.app == app)
    return (
        Users.select(Users.id, Users.email, Users.name)
        .where((Users.app == app) & lives() & Users.id.in_(kept) & (Users.id > after))
        .order_by(Users.id)
        .limit(BATCH)
    )


def fields_are_shown(store: AppStore) -> Iterator[str]:
    """Of each of those who are one person, and of nobody else, it is kept what was last said of them, and the
    latest is shown."""
    for query in _fields_elsewhere:
        yield from (id for (id,) in rows(store, query))
    for id, *members in batches(store, _with_fields):
        counted = [one for one in store.fields.of_homes((id, *store.users.part_of(id))) if one.rank >= 0]
        # In the order of their ranks, so that of each name the latest is left.
        latest = {one.name: one.value or None for one in counted if one.value is not None}
        if [latest.get("email"), latest.get("name")] != members:
            yield f"what is said of {id}"


def emails_find_their_user(store: AppStore) -> Iterator[str]:
    """Who is one with others is found by each of their emails, and nobody else is unclaimed with one of who
    is."""
    for id, *_ in batches(store, _with_fields):
        for user in filter(None, [store.users.with_id(id)]):
            for email in user.emails:
                having = store.users.with_email(email, verified=user.verified, limit=BATCH)
                unclaimed = {user.id, *(one.id for one in having if one.user_id is None)}
                if user not in having or (user.user_id is None and len(unclaimed) > 1):
                    yield f"an email of {id}"


@Prepared
def _with_attributes(app: Any, after: Any) -> Any:
    return (
        Users.select(Users.id)
        .where(
            (Users.app == app)
            & lives()
            & (Users.attributes.is_null(False) | is_kept(app))
            & (Users.id > after)
        )
        .order_by(Users.id)
        .limit(BATCH)
    )


def attributes_are_shown(store: AppStore) -> Iterator[str]:
    """Of what was said by name of those who are one person the latest is shown, of 50 names at most."""
    found = (store.users.with_id(id) for (id,) in batches(store, _with_attributes))
    for user in filter(None, found):
        counted = store.attributes.of_homes(store.users.one_with(user.id))
        # In the order of their ranks, so that of each name the latest is left.
        latest = {
            one.name: one.value for one in sorted(counted, key=lambda one: (one.rank, one.at, one.home))
        }
        there = {name: value for name, value in latest.items() if value is not None}
        shown = user.attributes
        if len(shown) != min(len(there), MAX_ATTRIBUTES) or shown.items() - there.items():
            yield f"the attributes of {user.id}"


LEADING = (
    (Sessions, Sessions.device, Devices, Devices.digest),
    (Conversations, Conversations.device, Devices, Devices.digest),
    (Messages, Messages.conversation, Conversations, Conversations.id),
    (Messages, Messages.author, Users, Users.id),
    (Attachments, Attachments.conversation, Conversations, Conversations.id),
    (Purchases, Purchases.account, StoreAccounts, StoreAccounts.digest),
    (Attributes, Attributes.home, Users, Users.id),
    (Contacts, Contacts.home, Users, Users.id),
    (Contacts, Contacts.user, Users, Users.id),
    (Fields, Fields.home, Users, Users.id),
    (Merges, Merges.source, Users, Users.id),
    (Merges, Merges.target, Users, Users.id),
    (History, History.user, Users, Users.id),
    (IdempotencyKeys, IdempotencyKeys.home, Users, Users.id),
    (FormerKeys, FormerKeys.user, Users, Users.id),
)


@each
def _orphans(app: Any) -> Any:
    return [
        table.select(column)
        .join(parent, JOIN.LEFT_OUTER, on=(parent.app == table.app) & (key == column))
        .where((table.app == app) & column.is_null(False) & key.is_null())
        .distinct()
        for table, column, parent, key in LEADING
    ]


def nothing_is_orphaned(store: AppStore) -> Iterator[str]:
    """Each row's device, user, conversation and store account is there."""
    for (table, *_), query in zip(LEADING, _orphans, strict=True):
        yield from (f"{table._meta.table_name} of {name}" for (name,) in rows(store, query))


CHECKS: tuple[Check, ...] = (
    user_ids_name_one_user,
    primary_user_ids_are_kept,
    one_unclaimed_user_per_email,
    users_are_somebody,
    conversations_have_one_owner,
    store_accounts_have_one_owner,
    things_are_where_their_home_is,
    worlds_are_apart,
    sessions_are_of_living_users,
    merges_end_somewhere,
    merges_are_written_down,
    fields_are_shown,
    emails_find_their_user,
    attributes_are_shown,
    nobody_proven_rests_on_a_claim,
    erased_users_hold_nothing,
    devices_lead_to_anonymous_users,
    messages_are_numbered,
    messages_show_their_attachments,
    bytes_of_attachments_stay,
    nothing_is_orphaned,
)


@Prepared
def _keys_for_both(app: Any) -> Any:
    return Keys.select(Keys.id).where((Keys.app == app) & (Keys.proof == ProofKind.BOTH.value))


def identity_keys_prove_in_one_way(store: AppStore) -> Iterator[str]:
    """Each identity key proves in one way, by JWT or by HMAC; one that proves in both has to be rotated, as
    whoever has an HMAC made of a text of their own may have had a JWT signed."""
    yield from (id for (id,) in rows(store, _keys_for_both))


# What is no fault of the store, and a person has to decide about.
DECISIONS: tuple[Check, ...] = (identity_keys_prove_in_one_way, nobody_proven_rests_on_what_is_not_known)


def every_row_has_its_app(database: Database) -> Iterator[str]:
    """Each row is of an app that is there, but for what says which bytes are still to be removed, and for
    operators, who are of none. The one question that is asked of all apps at once."""
    apps = Apps.select(Apps.app)
    for table in [table for table in TABLES[1:] if table not in (OperatorSessions, Removals)]:
        column = table._meta.fields["app"]
        found = database.rows(table.select(column).where(column.not_in(apps)).distinct())
        yield from (f"{table._meta.table_name} of {app}" for (app,) in found)


def _became(store: AppStore, id: str) -> list[str]:
    """Return whom a user became part of, one after the other, as far as it does not go in a circle."""
    chain: list[str] = []
    while True:
        [(into,)] = rows(store, merged_into, id) or [(None,)]
        if into is None or into in chain:
            return chain
        id = into
        chain.append(id)


@Prepared
def _merges(app: Any) -> Any:
    return Merges.select(Merges.source, Merges.target).where(Merges.app == app)


def _ever_one(store: AppStore) -> dict[str, str]:
    """Answer, for each user who had to do with a merge, undone or not, one name for all of those."""
    names: dict[str, str] = {}
    for source, target in rows(store, _merges):
        kept, lost = names.setdefault(target, target), names.setdefault(source, source)
        names |= {user: kept for user, name in names.items() if name == lost}
    return names
