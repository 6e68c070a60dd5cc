"""Work out how a person is written, and what of theirs only one user may have. This asks no database.

It is done for each of a great many, so places of columns are looked up once.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from service.model.attributes import as_text, shown
from service.model.identifiers import email_key
from service.model.moving import BadLine, Claim, Person, Prepared, Row, no_claims
from service.store.attachments import from_text
from service.store.attributes import as_attribute
from service.store.kinds import (
    ATTRIBUTE,
    CONTACT,
    CONVERSATION,
    FIELD,
    MERGE,
    MESSAGE,
    OF_A_PERSON,
    PURCHASE,
    STORE_ACCOUNT,
    USER,
    USER_ID,
    Kind,
)

# The columns of each kind that are written, each with its place. What users show of their attributes follows
# from other lines.
WRITTEN = {
    kind.name: {name: place for place, name in enumerate((*kind.written, *kind.from_other_lines))}
    for kind in OF_A_PERSON
}

# What messages name are rows of their own, with these columns.
ATTACHMENT = "attachment"
ATTACHED = (
    "app",
    "id",
    "name",
    "type",
    "size",
    "sha256",
    "conversation",
    "side",
    "author",
    "message",
    "created_at",
)


def _places(kind: Kind, *names: str) -> tuple[int, ...]:
    return tuple(map(kind.columns.index, names))


# Where a user is named.
_NAMES_A_USER = {"user", "home", "author", "source", "target", "merged_into"}
_USERS = [(kind.name, _places(kind, *_NAMES_A_USER.intersection(kind.columns))) for kind in OF_A_PERSON]
_ID, _VERIFIED, _USER_ID, _INTO, _EMAIL, _CREATED = _places(
    USER, "id", "verified", "user_id", "merged_into", "email", "created_at"
)
_OF, _VALUE = _places(USER_ID, "user", "value")
_WORLD, _DIGEST = (WRITTEN[USER_ID.name][name] for name in ("verified", "digest"))
_ACCOUNT = WRITTEN[STORE_ACCOUNT.name]["digest"]
(_UNDER,) = _places(PURCHASE, "account")
_CONVERSATION, _MESSAGES, _BY_USER, _BY_AGENT, _DEVICE = _places(
    CONVERSATION, "id", "messages", "unread_by_user", "unread_by_agent", "device"
)
_WITHIN, _NUMBER, _MESSAGE, _NAMES = _places(MESSAGE, "conversation", "number", "id", "attachments")
_SENT = _places(MESSAGE, "conversation", "side", "author", "id", "created_at")
_ATTRIBUTE = _places(ATTRIBUTE, "home", "name", "value", "at", "rank")
_FIELD = _places(FIELD, "home", "name", "value", "rank")
(_LEFT_ON,) = _places(CONTACT, "device")
(_MERGE,) = _places(MERGE, "id")


def prepare(app: str, person: Person) -> Prepared:
    """Work out how a person is written into an app. Raises BadLine unless what hangs together is there."""
    rows = person.rows
    _require_users(person)
    _require_messages(rows[CONVERSATION.name], rows[MESSAGE.name])
    written = {kind.name: [kind.row(app, row) for row in rows[kind.name]] for kind in OF_A_PERSON}
    accounts = {row[_ACCOUNT] for row in written[STORE_ACCOUNT.name]}
    if any(row[_UNDER] not in accounts for row in rows[PURCHASE.name]):
        raise BadLine("a purchase is under a store account that is none of theirs")
    written[USER.name] = _with_attributes(person, written[USER.name])
    written[ATTACHMENT] = _attachments(app, rows[MESSAGE.name])
    emails = [*_emails(person)]
    claims = no_claims()
    claims[Claim.USER_ID] = {(bool(row[_WORLD]), row[_DIGEST]) for row in written[USER_ID.name]}
    claims[Claim.EMAIL] = _unclaimed(person, emails)
    claims[Claim.STORE_ACCOUNT] = accounts
    claims[Claim.DEVICE] = {device for device, _ in person.anonymous}
    claims[Claim.ID] = {row[_CONVERSATION] for row in rows[CONVERSATION.name]}
    claims[Claim.ID].update(row[_MESSAGE] for row in rows[MESSAGE.name])
    claims[Claim.ID].update(row[_MERGE] for row in rows[MERGE.name])
    claims[Claim.ID].update(row[1] for row in written[ATTACHMENT])
    return Prepared(person, written, claims, tuple({key for _, key in emails}), _devices(person))


def _require_users(person: Person) -> None:
    """Raise BadLine unless every user who is named is one of the person's, and comes after whom they are part
    of; and the primary user ID of each stands among the user IDs."""
    users = {*person.users, None}
    for name, places in _USERS:
        for row in person.rows[name]:
            for place in places:
                if row[place] not in users:
                    raise BadLine(f"a {name} names a user who is none of theirs")
    if any(user not in users for _, user in person.anonymous):
        raise BadLine("a device names a user who is none of theirs")
    kept = {(row[_OF], row[_VALUE]) for row in person.rows[USER_ID.name]}
    before: set[str | None] = {None}
    for row in person.rows[USER.name]:
        if row[_INTO] not in before:
            raise BadLine("a user comes before the one whom they are part of")
        before.add(row[_ID])
        if row[_USER_ID] is not None and row[_INTO] is None and (row[_ID], row[_USER_ID]) not in kept:
            raise BadLine("the primary user ID of a user does not stand among their user IDs")
    if len(before) != len(person.users) + 1 or not person.users:
        raise BadLine("it has no user, or one of them twice")


def _require_messages(conversations: Any, messages: Any) -> None:
    """Raise BadLine unless the messages of each conversation are there, and numbered without a gap."""
    numbers: dict[str, list[int]] = {row[_CONVERSATION]: [] for row in conversations}
    for row in messages:
        if row[_WITHIN] not in numbers:
            raise BadLine("a message is in a conversation that is none of theirs")
        numbers[row[_WITHIN]].append(row[_NUMBER])
    for row in conversations:
        found, many = numbers[row[_CONVERSATION]], row[_MESSAGES]
        if len(found) != many or sorted(found) != [*range(1, many + 1)]:
            raise BadLine("not all messages of a conversation are there")
        if row[_BY_USER] + row[_BY_AGENT] > many:
            raise BadLine("more messages of a conversation are unread than there are")


def _with_attributes(person: Person, users: list[Row]) -> list[Row]:
    """Add what users show of their attributes, who are one with nobody."""
    attributes = person.rows[ATTRIBUTE.name]
    if not attributes:
        return [(*row, None) for row in users]
    several = {row[_FIELD[0]] for row in person.rows[FIELD.name]}
    said: dict[str, list[Any]] = {}
    for row in attributes:
        home, *rest = (row[place] for place in _ATTRIBUTE)
        if home not in several:
            said.setdefault(home, []).append(as_attribute(home, *rest))
    ids = [row[_ID] for row in person.rows[USER.name]]
    return [
        (*row, as_text(shown(said[id])) if id in said else None) for id, row in zip(ids, users, strict=True)
    ]


def _attachments(app: str, messages: Sequence[Row]) -> list[Row]:
    """Return the attachments that messages name: as sent when they were."""
    return [
        (app, one.id, one.name, one.type, one.size, one.sha256, *(row[place] for place in _SENT))
        for row in messages
        for one in from_text(row[_NAMES])
    ]


def _emails(person: Person) -> Iterator[tuple[str, str]]:
    """Return by which emails these users are found, each with of whom it was said."""
    for row in person.rows[USER.name]:
        if row[_EMAIL]:
            yield row[_ID], email_key(row[_EMAIL])
    for row in person.rows[FIELD.name]:
        home, name, value, rank = (row[place] for place in _FIELD)
        if name == "email" and value and rank >= 0:
            yield home, email_key(value)


def _unclaimed(person: Person, emails: list[tuple[str, str]]) -> set[tuple[bool, str]]:
    """Return by which emails, in which world, those are found who have no user ID."""
    users = {row[_ID]: row for row in person.rows[USER.name]}

    def survivor(id: str) -> Row:
        row = users[id]
        return row if row[_INTO] is None else survivor(row[_INTO])

    found = ((survivor(id), key) for id, key in emails)
    return {(bool(row[_VERIFIED]), key) for row, key in found if row[_USER_ID] is None}


def _devices(person: Person) -> dict[str, int]:
    """Return the devices that are named, and since when there was somebody who used them."""
    named = {device for device, _ in person.anonymous}
    named.update(row[_DEVICE] for row in person.rows[CONVERSATION.name])
    named.update(row[_LEFT_ON] for row in person.rows[CONTACT.name])
    since = min(row[_CREATED] for row in person.rows[USER.name])
    return dict.fromkeys(filter(None, named), since)
