"""Look up what only some of a great many people have, and add those who are new, in few statements."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from service.model.attributes import Attribute, as_text
from service.model.contacts import Contact, phone_key
from service.model.conversations import Transcript
from service.model.history import Entry
from service.model.identifiers import email_key, search_key, user_id_digest
from service.model.users import User
from service.store.conversations import MESSAGE_COLUMNS as MESSAGE
from service.store.conversations import as_said
from service.store.database import Database
from service.store.history import COLUMNS as HISTORY
from service.store.history import values as line
from service.store.indexed import begin_anew
from service.store.tables import (
    Apps,
    Attributes,
    Contacts,
    Conversations,
    Fields,
    History,
    Messages,
    UserIds,
    Users,
)

_USER = (
    "app",
    "id",
    "verified",
    "user_id",
    "email",
    "email_key",
    "name",
    "name_key",
    "created_at",
    "attributes",
)
_USER_ID = "app", "verified", "digest", "user", "home", "value", "search", "added_at"
_ATTRIBUTE = "app", "home", "name", "value", "at", "rank"
_CONVERSATION = (
    "app",
    "id",
    "user",
    "home",
    "subject",
    "status",
    "messages",
    "unread_by_user",
    "unread_by_agent",
    "created_at",
    "updated_at",
)
_CONTACT = "app", "home", "device", "user", "email", "email_key", "phone", "phone_key", "at"


class NewcomerStore:
    """Those whom many claims are about, and who are to be an app's users."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def had(self, keys: Iterable[str], *, verified: bool) -> set[str]:
        """Return which of these emails, by their keys, somebody of a world has as the primary one."""
        stands = (Users.verified == verified) & Users.merged_into.is_null()
        return self._among(Users.email_key, keys, stands)

    def said_of_several(self, keys: Iterable[str]) -> set[str]:
        """Return which of these emails, by their keys, were said of somebody who is one with others."""
        return self._among(Fields.key, keys)

    def several(self, ids: Iterable[str]) -> set[str]:
        """Return which of these users are one with others."""
        return self._among(Fields.home, ids)

    def reachable(self, homes: Iterable[str]) -> set[str]:
        """Return of which of these users something was left by which they can be reached."""
        return self._among(Contacts.home, homes)

    def add(
        self,
        users: Sequence[User],
        attributes: Sequence[Attribute],
        contacts: Sequence[Contact],
        history: Sequence[tuple[str, Entry]],
    ) -> None:
        """Add users with what is said of them. Raises StaleState if somebody has a user ID or, unclaimed, an
        email of theirs."""
        app = self._app
        self._copy(Users, _USER, [(app, *_as_row(user)) for user in users])
        ids = [(app, *_as_id(user, user.user_id)) for user in users if user.user_id is not None]
        self._copy(UserIds, _USER_ID, ids)
        said = [(one.home, one.name, json.dumps(one.value), one.at, one.rank) for one in attributes]
        self._copy(Attributes, _ATTRIBUTE, [(app, *one) for one in said])
        self._copy(Contacts, _CONTACT, [(app, *_as_contact(one)) for one in contacts])
        self._copy(History, HISTORY, [(app, *line(user, entry)) for user, entry in history])

    def tidy_soon(self) -> None:
        """Have the app tidied soon: then they are compared with others."""
        self._database.change(Apps.update(tidy_at=None).where(Apps.app == self._app))

    def conversations(self, ids: Iterable[str]) -> set[str]:
        """Return which of these conversations are there."""
        return self._among(Conversations.id, ids)

    def add_transcripts(self, found: Iterable[tuple[str, str, Transcript]]) -> None:
        """Add conversations, of which none is there, each of a user and begun by ``home``."""
        conversations: list[tuple[Any, ...]] = []
        messages: list[tuple[Any, ...]] = []
        for user, home, one in found:
            id, what = one.conversation.id, one.conversation
            when = len(one.messages), 0, 0, what.created_at, what.updated_at
            conversations.append((self._app, id, user, home, what.subject, what.status.value, *when))
            places = ((self._app, id, said.number, said.created_at, *as_said(said)) for said in one.messages)
            messages += places
        self._copy(Conversations, _CONVERSATION, conversations)
        self._copy(Messages, MESSAGE, messages)
        if conversations:
            begin_anew(self._database, self._app)

    def _among(self, column: Any, values: Iterable[str], where: Any = True) -> set[str]:
        """Return which of these values a column has."""
        named = list(values)
        if not named:
            return set()
        is_named = (column.model.app == self._app) & self._database.is_among(column, named) & where
        return {
            value for (value,) in self._database.rows(column.model.select(column).where(is_named).distinct())
        }

    def _copy(self, table: Any, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        if rows:
            self._database.copy(table, columns, rows)


def _as_row(user: User) -> tuple[Any, ...]:
    email, name = user.email and email_key(user.email), user.name and search_key(user.name)
    fields = user.user_id, user.email, email, user.name, name
    return user.id, user.verified, *fields, user.created_at, as_text(user.attributes)


def _as_id(user: User, value: str) -> tuple[Any, ...]:
    both = user.id, user.id
    return user.verified, user_id_digest(value), *both, value, search_key(value), user.created_at


def _as_contact(contact: Contact) -> tuple[Any, ...]:
    email, phone = contact.email and email_key(contact.email), contact.phone and phone_key(contact.phone)
    return contact.home, "", contact.home, contact.email, email, contact.phone, phone, contact.at
