"""A user with all that surrounds them."""

from dataclasses import dataclass

from service.model.attachments import Attachment
from service.model.attributes import Attribute
from service.model.contacts import Contact
from service.model.conversations import Transcript
from service.model.duplicates import Dismissal, Trait
from service.model.history import Entry
from service.model.merges import Merge
from service.model.purchases import StoreAccount
from service.model.sessions import Session
from service.model.users import Field, User


@dataclass(frozen=True, slots=True)
class Profile:
    """A user with what surrounds them: ``parts`` are those who became part of them, ``sessions`` where
    they are logged in, ``merges`` what they had to do with."""

    user: User
    parts: tuple[str, ...]
    sessions: tuple[Session, ...]
    merges: tuple[Merge, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """A user in short: ``sessions`` are where they are logged in, ``merges`` by which others are part of
    them, ``entries`` what was decided about them. Of each there are the last few, the latest first."""

    user: User
    sessions: tuple[Session, ...]
    merges: tuple[Merge, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Export:
    """All that is stored about a user. ``parts`` are those who became part of them, ``waiting`` what they
    sent that no message names."""

    user: User
    parts: tuple[str, ...]
    history: tuple[Entry, ...]
    sessions: tuple[Session, ...]
    conversations: tuple[Transcript, ...]
    waiting: tuple[Attachment, ...]
    idempotency_keys: tuple[str, ...]
    store_accounts: tuple[StoreAccount, ...]
    attributes: tuple[Attribute, ...]
    contacts: tuple[Contact, ...]
    fields: tuple[Field, ...]
    merges: tuple[Merge, ...]
    compared_by: tuple[Trait, ...]
    dismissals: tuple[Dismissal, ...]
