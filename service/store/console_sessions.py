"""Who is signed in to the console, and with which key."""

from peewee import IntegrityError

from service.model.apps import App, Key
from service.model.errors import StaleState
from service.model.sessions import ConsoleSession
from service.store.apps import APP_COLUMNS, KEY_COLUMNS, as_app, as_key
from service.store.database import Database
from service.store.tables import Apps, ConsoleSessions, Keys


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
            ConsoleSessions.select(ConsoleSessions.name, ConsoleSessions.began_at, *KEY_COLUMNS, *APP_COLUMNS)
            .join(Keys, on=((Keys.app == ConsoleSessions.app) & (Keys.id == ConsoleSessions.key)))
            .join(Apps, on=(Apps.app == Keys.app))
            .where((ConsoleSessions.app == self._app) & (ConsoleSessions.digest == digest))
        )
        if row is None:
            return None
        first = 2 + len(KEY_COLUMNS)
        return as_app(row[first:]), as_key(row[2:first]), ConsoleSession(*row[:2])

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
