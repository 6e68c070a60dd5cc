"""What the model of identity is made of: frozen, so that one state is compared with another."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

ANONYMOUS = "$anon:"
# What was last said of somebody of whom an email or a name was removed.
REMOVED = ""


def is_anonymous(user_id: str | None) -> bool:
    """Whether a user ID is an anonymous user's."""
    return user_id is not None and user_id.startswith(ANONYMOUS)


def key(email: str | None) -> str:
    """Return what emails are compared by."""
    return (email or "").lower()


@dataclass(frozen=True)
class Claim:
    """Who a login says it is, and what else of them: names with values, None for what is removed."""

    user_id: str | None = None
    email: str | None = None
    name: str | None = None
    attributes: tuple[tuple[str, Any], ...] = ()

    @property
    def names_somebody(self) -> bool:
        """Whether it claims an identity: a name is none."""
        return self.user_id is not None or self.email is not None

    def as_sent(self) -> dict[str, str | None]:
        """Return the members of a login that say who it is."""
        return {"userId": self.user_id, "email": self.email, "name": self.name}

    def as_described(self) -> dict[str, Any]:
        """Return the members of a login."""
        return self.as_sent() | {"attributes": dict(self.attributes)}


@dataclass(frozen=True)
class User:
    """A record: its world, its primary ID, and the device whose anonymous user it is where it is nobody.
    Devices' anonymous users are of the proven world. Who was known by an ID that was taken away since is
    never nobody again."""

    proven: bool
    primary: str | None
    device: str | None = None
    cleared: bool = False
    was_somebody: bool = False


@dataclass(frozen=True)
class UserId:
    """A user ID of a world, and the record that it was given to."""

    value: str
    proven: bool
    home: str


@dataclass(frozen=True)
class Session:
    """What a device is logged in as: the record under whose ID or email, which ID, and what was claimed where
    nobody proved it."""

    token: str
    home: str
    user_id: str | None
    claim: Claim | None = None
    has_expired: bool = False


@dataclass(frozen=True)
class Device:
    """One installation."""

    anonymous: str | None = None
    clears: bool = False
    session: Session | None = None


@dataclass(frozen=True)
class Merge:
    """That one record became part of another."""

    source: str
    target: str


@dataclass(frozen=True)
class Account:
    """A store account: the record that brought it, and what was bought under it."""

    home: str
    transactions: tuple[str, ...] = ()

    def with_transaction(self, transaction: str) -> "Account":
        """Return it with one more, unless that is known."""
        is_known = transaction in self.transactions
        return self if is_known else replace(self, transactions=(*self.transactions, transaction))


@dataclass(frozen=True)
class Conversation:
    """A conversation: with whom, on which device a user began it, the messages with their authors (None is an
    agent), and how many of them each side has not read."""

    home: str
    device: str | None
    messages: tuple[tuple[str | None, str], ...] = ()
    unread_by_user: int = 0
    unread_by_agents: int = 0

    def with_message(self, author: str | None, body: str) -> "Conversation":
        """Return it with one more message."""
        return replace(
            self,
            messages=(*self.messages, (author, body)),
            unread_by_user=self.unread_by_user + (author is None),
            unread_by_agents=self.unread_by_agents + (author is not None),
        )

    def read_by(self, author: str | None) -> "Conversation":
        """Return it with nothing unread by a side: that of an author."""
        return replace(self, **{"unread_by_agents" if author is None else "unread_by_user": 0})

    def without_texts_of(self, authors: Collection[str]) -> "Conversation":
        """Return it with the messages of some authors blank."""
        return replace(
            self,
            messages=tuple((author, "" if author in authors else body) for author, body in self.messages),
        )


@dataclass(frozen=True)
class Decision:
    """What the rules have a login do: the rule, the user whom it leads to (None for a new one), by which
    record, what it changes of them, and what becomes of the device's anonymous user."""

    rule: str
    user: str | None
    home: str | None
    changes: frozenset[str]
    outcome: str | None

    @property
    def then(self) -> str:
        """What is done, in a word."""
        if self.user is None:
            return "create"
        return "attach" if self.rule == "attach-user-id" else "use"
