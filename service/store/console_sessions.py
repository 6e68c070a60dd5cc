"""Who is signed in to the console, and with which key."""

from typing import Any

from peewee import IntegrityError

from service.model.apps import App, Key
from service.model.errors import StaleState
from service.model.sessions import Colour, ConsoleSession, Look
from service.store.apps import APP_COLUMNS, KEY_COLUMNS, as_app, as_key
from service.store.database import Database
from service.store.tables import Apps, ConsoleSessions, Keys

_SESSION = ConsoleSessions.name, ConsoleSessions.began_at, ConsoleSessions.colour
_LOOK = (
    ConsoleSessions.digest,
    ConsoleSessions.name,
    ConsoleSessions.colour,
    ConsoleSessions.looking_at,
    ConsoleSessions.looked_at,
    ConsoleSessions.writes,
)


class ConsoleSessionStore:
    """The console sessions of an app's agents."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def add(self, digest: str, key: str, session: ConsoleSession) -> None:
        """Sign somebody in. Raises StaleState if the app is gone by now."""
        try:
            self._database.change(
                ConsoleSessions.insert(
                    app=self._app, digest=digest, key=key, name=session.name, began_at=session.began_at
                )
            )
        except IntegrityError as error:
            raise StaleState from error

    def with_digest(self, digest: str) -> tuple[App, Key, ConsoleSession] | None:
        """Find a session whose key is there: its app and its key with it."""
        row = self._database.row(
            ConsoleSessions.select(*_SESSION, *KEY_COLUMNS, *APP_COLUMNS)
            .join(Keys, on=((Keys.app == ConsoleSessions.app) & (Keys.id == ConsoleSessions.key)))
            .join(Apps, on=(Apps.app == Keys.app))
            .where((ConsoleSessions.app == self._app) & (ConsoleSessions.digest == digest))
        )
        if row is None:
            return None
        (name, began_at, colour), rest = row[: len(_SESSION)], row[len(_SESSION) :]
        session = ConsoleSession(name, began_at, _as_colour(colour))
        return as_app(rest[len(KEY_COLUMNS) :]), as_key(rest[: len(KEY_COLUMNS)]), session

    def describe(self, digest: str, name: str | None, colour: Colour | None) -> None:
        """Note which name and colour somebody has from now on."""
        self._change(ConsoleSessions.digest == digest, name=name, colour=colour)

    def look(self, digest: str, conversation: str, at: int, *, writes: bool) -> None:
        """Note at which conversation somebody looks."""
        self._change(ConsoleSessions.digest == digest, looking_at=conversation, looked_at=at, writes=writes)

    def leave(self, digest: str, conversation: str) -> None:
        """Note that somebody looks at a conversation no more, if that is where they looked last."""
        there = (ConsoleSessions.digest == digest) & (ConsoleSessions.looking_at == conversation)
        self._change(there, looking_at=None, writes=False)

    def looks(self, begun_after: int, limit: int) -> tuple[Look, ...]:
        """Return up to ``limit`` of those who signed in after a time with a key that is there."""
        key = (Keys.app == ConsoleSessions.app) & (Keys.id == ConsoleSessions.key)
        signed_in = (ConsoleSessions.app == self._app) & (ConsoleSessions.began_at > begun_after)
        rows = self._database.rows(
            ConsoleSessions.select(*_LOOK)
            .join(Keys, on=key)
            .where(signed_in)
            .order_by(ConsoleSessions.began_at, ConsoleSessions.digest)
            .limit(limit)
        )
        return tuple(
            Look(digest, name, _as_colour(colour), conversation, at or 0, bool(writes))
            for digest, name, colour, conversation, at, writes in rows
        )

    def _change(self, condition: Any, **fields: Any) -> None:
        theirs = (ConsoleSessions.app == self._app) & condition
        self._database.change(ConsoleSessions.update(**fields).where(theirs))

    def end(self, digest: str) -> None:
        """Sign somebody out."""
        self._database.change(
            ConsoleSessions.delete().where(
                (ConsoleSessions.app == self._app) & (ConsoleSessions.digest == digest)
            )
        )

    def end_before(self, at: int) -> None:
        """Forget the sessions that began before a time."""
        self._database.change(
            ConsoleSessions.delete().where(
                (ConsoleSessions.app == self._app) & (ConsoleSessions.began_at < at)
            )
        )


def _as_colour(text: str | None) -> Colour | None:
    return None if text is None else Colour(text)
