"""Who is one with whom, what a user shows, and who sees what: what the model of identity keeps, and what
follows from it.

Whoever became part of another stays a record here. Their IDs, emails, conversations and store accounts stay
with whom they came to, their *home*, and a merge only notes who became part of whom; what a user shows
follows from all records that are one. So an undo forgets the merge, and there is nothing to bring back.
"""

import json
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Self

from tests.support.identity_records import (
    REMOVED,
    Account,
    Conversation,
    Device,
    Merge,
    User,
    UserId,
    is_anonymous,
    key,
)


@dataclass
class Users:
    """The users of one app and all that is theirs. What is kept in order is kept oldest first."""

    policy: str = "keep"
    scope: str = "user"
    behavior: str = "alias"
    users: dict[str, User] = field(default_factory=dict)
    user_ids: tuple[UserId, ...] = ()
    # What was last said of each record: by "email" or "name" or "/" and the name of an attribute, and the
    # record; the last said counts.
    words: dict[tuple[str, str], Any] = field(default_factory=dict)
    # Those that stand, and the ids of those that were undone.
    merges: dict[str, Merge] = field(default_factory=dict)
    undone: frozenset[str] = frozenset()
    devices: dict[str, Device] = field(default_factory=dict)
    conversations: dict[str, Conversation] = field(default_factory=dict)
    accounts: dict[tuple[bool, str], Account] = field(default_factory=dict)
    # What the first call with an idempotency key was answered.
    answered: dict[str, Any] = field(default_factory=dict)
    # What each record left of how to reach it, and on which device where nobody proved who it is.
    contacts: dict[tuple[str, str], tuple[Any, ...]] = field(default_factory=dict)

    def copy(self) -> Self:
        """Return a model that goes its own way from here."""
        other = copy(self)
        for name, kept in vars(self).items():
            if isinstance(kept, dict):
                setattr(other, name, kept.copy())
        return other

    def state(self) -> object:
        """Return what is the case, to be compared; what was said when, and in which order messages came, only
        where something rests on it."""
        conversations = {
            (id, told.home, told.device, frozenset(told.messages)) for id, told in self.conversations.items()
        }
        words = tuple(self.words.items()) if self.merges else frozenset(self.words.items())
        kept = (self.users, self.merges, self.devices, self.accounts, self.contacts)
        return (
            *(frozenset(one.items()) for one in kept),
            frozenset(self.user_ids),
            words,
            frozenset(conversations),
            frozenset(self.answered),
        )

    # Who is one with whom

    def into(self, id: str) -> str | None:
        """Return the record that a record became part of."""
        return next((merge.target for merge in self.merges.values() if merge.source == id), None)

    def one(self, id: str) -> str:
        """Return the user whom a record is, or is part of."""
        into = self.into(id) if self.merges else None
        return self.one(into) if into else id

    def all_of(self, id: str) -> list[str]:
        """Return the records that are part of one, and that one."""
        parts = [merge.source for merge in self.merges.values() if merge.target == id]
        return [id] + [below for part in parts for below in self.all_of(part)]

    def standing(self) -> list[str]:
        """Return all users: the records that are part of nobody."""
        return [id for id in self.users if self.one(id) == id]

    def is_proven_to_be(self, id: str) -> bool:
        """Whether a record is of the same world as all those that it is part of."""
        into = self.into(id) if self.merges else None
        return into is None or (
            self.users[into].proven == self.users[id].proven and self.is_proven_to_be(into)
        )

    # What a user shows

    def ids_of(self, id: str) -> list[str]:
        """Return the user IDs that lead to a user: those that were only claimed lead nowhere meanwhile."""
        homes = {home for home in self.all_of(id) if self.is_proven_to_be(home)}
        return [given.value for given in self.user_ids if given.home in homes]

    def home_of(self, user_id: str, *, proven: bool) -> str | None:
        """Return to whom of a world a user ID was given."""
        having = (one.home for one in self.user_ids if (one.value, one.proven) == (user_id, proven))
        return next((home for home in having if self.is_proven_to_be(home)), None)

    def said(self, id: str, name: str) -> list[tuple[str, Any]]:
        """Return what was said of a user by a name, with the record of whom, the last said last."""
        if not self.merges:
            return [(id, self.words[name, id])] if (name, id) in self.words else []
        homes = {home for home in self.all_of(id) if self.is_proven_to_be(home)}
        if name == "email" and self.nobodys_id(id) and all(map(is_anonymous, self.ids_of(id))):
            # Who is not known by an ID of their own has no email of their own.
            homes.remove(id)
        return [(home, value) for (of, home), value in self.words.items() if of == name and home in homes]

    def shown(self, id: str, name: str) -> str | None:
        """Return the email, the name or an attribute of a user: what was last said of any record that is one
        with them."""
        said = self.said(id, name)
        return None if not said or said[-1][1] == REMOVED else said[-1][1]

    def attributes(self, id: str) -> str:
        """Return the attributes of a user as JSON has them, to which true is not 1."""
        names = {name for name, _ in self.words if name.startswith("/")}
        shown = {name[1:]: self.shown(id, name) for name in names}
        return json.dumps({name: value for name, value in shown.items() if value is not None}, sort_keys=True)

    def contacts_of(self, id: str) -> set[tuple[Any, ...]]:
        """Return all that was left of how to reach a user."""
        homes = self.all_of(id)
        return {left for (home, _), left in self.contacts.items() if home in homes}

    def emails(self, id: str) -> list[str]:
        """Return a user's emails: those of all records that are one with them, the last said first, but none
        that was said before one was removed."""
        found: dict[str, str] = {}
        for _, value in reversed(self.said(id, "email")):
            if value == REMOVED:
                break
            found.setdefault(key(value), value)
        return list(found.values())

    def is_nobody(self, id: str) -> bool:
        """Whether a user is anonymous."""
        return is_anonymous(self.users[id].primary)

    def is_unclaimed(self, id: str) -> bool:
        """Whether a user has an email and no ID."""
        return self.users[id].primary is None

    def is_verified(self, id: str) -> bool:
        """Whether a user is known to be somebody."""
        return self.users[id].proven and not self.is_nobody(id)

    def user(self, id: str) -> dict[str, Any]:
        """Return a user as they are shown to their app's backend."""
        primary = self.users[id].primary
        return {
            "id": id,
            "userId": primary,
            "email": self.shown(id, "email"),
            "emails": self.emails(id),
            "name": self.shown(id, "name"),
            "anonymous": self.is_nobody(id),
            "verified": self.is_verified(id),
            "aliases": frozenset(self.ids_of(id)) - {primary},
            "attributes": self.attributes(id),
        }

    def purchases(self, id: str) -> set[str]:
        """Return what a user bought, and what was bought by whoever claims to have an ID of theirs."""
        claimed = [self.home_of(user_id, proven=False) for user_id in self.ids_of(id)]
        owners = {id, *(self.one(home) for home in claimed if home)}
        bought = [one.transactions for one in self.accounts.values() if self.one(one.home) in owners]
        return {transaction for transactions in bought for transaction in transactions}

    def born(self, id: str) -> str | None:
        """Return the ID that a record had as a device's anonymous user."""
        given = (one for one in self.user_ids if one.home == id and is_anonymous(one.value))
        return next((one.value for one in given), None)

    def nobodys_id(self, id: str) -> str | None:
        """Return the ID by which a user is nobody again where no other leads to them, if they may be."""
        return None if self.users[id].was_somebody else self.born(id)

    def with_email(self, email: str | None, proven: bool) -> list[str]:
        """Return the users of a world who have an email."""
        if email is None:
            return []
        theirs = [id for id in self.standing() if self.users[id].proven is proven and not self.is_nobody(id)]
        return [id for id in theirs if key(email) in map(key, self.emails(id))]

    def of_whom(self, id: str, email: str) -> str:
        """Return of whom an email of a user's was said: of themselves, if of them too."""
        homes = [home for home, value in self.said(id, "email") if key(value) == key(email)]
        return id if id in homes else homes[-1]

    # Who sees what?

    def sees(self, device_id: str, conversation: Conversation) -> bool:
        """Whether a device's session sees a conversation."""
        session = self.devices[device_id].session
        if session is None or self.one(session.home) != self.one(conversation.home):
            return False
        if session.claim is not None:
            return conversation.device == device_id
        return self.scope == "user" or conversation.device in (device_id, None)

    def texts(self, conversation: Conversation, user: str | None) -> list[str]:
        """Return the messages that a user sees of a conversation, only their own and ours; or agents, all."""
        authors = None if user is None else {None, *self.all_of(user)}
        return [body for author, body in conversation.messages if authors is None or author in authors]
