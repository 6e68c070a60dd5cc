"""Of many who follow what is new: whose credentials live, and who may see it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import fn

from service.model.apps import App, KeyKind
from service.model.sessions import Session, Token
from service.store.apps import APP_COLUMNS, as_app
from service.store.database import Database
from service.store.devices import SESSION_COLUMNS, as_session
from service.store.tables import Apps, ConsoleSessions, Conversations, Keys, Sessions, Users
from service.store.users import lives

# How many are looked up by one statement.
BATCH = 500

_TOKEN = Sessions.device, fn.COALESCE(Sessions.token, Sessions.secret)
_SESSION = (*SESSION_COLUMNS, *APP_COLUMNS, *_TOKEN)


@dataclass(frozen=True, slots=True)
class Found:
    """A session that is there, with its app and what is kept of its token."""

    app: App
    session: Session
    token: Token


@dataclass(frozen=True, slots=True)
class Place:
    """Where a conversation was begun: on a device, or by an agent."""

    conversation: str
    user: str
    device: str | None


class StreamStore:
    """What is asked of one app."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def sessions(self, devices: Sequence[str]) -> Iterator[Found]:
        """Find the sessions of these devices."""
        for some in _batches(devices):
            query = _with_user_and_app(Sessions.select(*_SESSION))
            yield from map(
                _found, self._database.rows(query.where(self._of_app() & Sessions.device.in_(some)))
            )

    def sessions_of(self, conversations: Sequence[str]) -> Iterator[tuple[Found, Place]]:
        """Find the sessions of the users whose these conversations are now, each with each of them."""
        places = Conversations.id, Conversations.user, Conversations.device
        theirs = (Conversations.app == Sessions.app) & (Conversations.user == Sessions.user)
        for some in _batches(conversations):
            query = _with_user_and_app(Sessions.select(*_SESSION, *places)).switch(Sessions)
            query = query.join(Conversations, on=theirs)
            for row in self._database.rows(query.where(self._of_app() & Conversations.id.in_(some))):
                yield _found(row), Place(*row[len(_SESSION) :])

    def keys(self, digests: Sequence[str]) -> Iterator[str]:
        """Find the secret keys of these digests that are there."""
        for some in _batches(digests):
            query = Keys.select(Keys.digest).join(Apps, on=(Apps.app == Keys.app))
            is_one = (Keys.app == self._app) & (Keys.kind == KeyKind.SECRET.value) & Keys.digest.in_(some)
            yield from (digest for (digest,) in self._database.rows(query.where(is_one)))

    def sign_ins(self, digests: Sequence[str], since: int) -> Iterator[str]:
        """Find the digests of the sign-ins to the console that began after a time, and whose key is there."""
        key = (Keys.app == ConsoleSessions.app) & (Keys.id == ConsoleSessions.key)
        for some in _batches(digests):
            query = ConsoleSessions.select(ConsoleSessions.digest).join(Keys, on=key)
            query = query.join(Apps, on=(Apps.app == Keys.app))
            is_one = (ConsoleSessions.app == self._app) & ConsoleSessions.digest.in_(some)
            rows = self._database.rows(query.where(is_one & (ConsoleSessions.began_at > since)))
            yield from (digest for (digest,) in rows)

    def _of_app(self) -> Any:
        return (Sessions.app == self._app) & lives()


def _batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[first : first + BATCH] for first in range(0, len(values), BATCH))


def _with_user_and_app(sessions: Any) -> Any:
    user = (Users.app == Sessions.app) & (Users.id == Sessions.user)
    return sessions.join(Apps, on=(Apps.app == Sessions.app)).switch(Sessions).join(Users, on=user)


def _found(row: tuple[Any, ...]) -> Found:
    first = len(SESSION_COLUMNS)
    second = first + len(APP_COLUMNS)
    return Found(as_app(row[first:second]), as_session(row), Token(*row[second : second + len(_TOKEN)]))
