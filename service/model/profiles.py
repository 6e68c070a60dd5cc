"""A user with all that surrounds them."""

from dataclasses import dataclass

from service.model.conversations import Transcript
from service.model.history import Entry
from service.model.merges import Merge
from service.model.purchases import StoreAccount
from service.model.sessions import Session
from service.model.users import Attribute, Field, User


@dataclass(frozen=True, slots=True)
class Profile:
    """A user with what surrounds them: ``parts`` are those who became part of them, ``sessions`` where
    they are logged in, ``merges`` what they had to do with."""

    user: User
    parts: tuple[str, ...]
    sessions: tuple[Session, ...]
    merges: tuple[Merge, ...]


@dataclass(frozen=True, slots=True)
class Export:
    """All that is stored about a user. ``parts`` are those who became part of them."""

    user: User
    parts: tuple[str, ...]
    history: tuple[Entry, ...]
    sessions: tuple[Session, ...]
    conversations: tuple[Transcript, ...]
    idempotency_keys: tuple[str, ...]
    store_accounts: tuple[StoreAccount, ...]
    attributes: tuple[Attribute, ...]
    fields: tuple[Field, ...]
    merges: tuple[Merge, ...]
