"""Who is signed in to the console, and with which key."""

from peewee import IntegrityError

from service.errors import StaleState
from service.nouns import App, Key, SignIn
from service.store.apps import APP_COLUMNS, KEY_COLUMNS, as_app, as_key
from service.store.database import Database
from service.store.tables import Apps, Keys, SignIns


class SignInStore:
    """The sign-ins of all apps' agents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, app: str, digest: str, key: str, sign_in: SignIn) -> None:
        """Sign somebody in. Raises StaleState if the app is gone by now."""
        try:
            self._database.change(
                SignIns.insert(app=app, digest=digest, key=key, name=sign_in.name, began_at=sign_in.began_at)
            )
        except IntegrityError as error:
            raise StaleState from error

    def with_digest(self, app: str, digest: str) -> tuple[App, Key, SignIn] | None:
        """Find a sign-in whose key is there: its app and its key with it."""
        row = self._database.row(
            SignIns.select(SignIns.name, SignIns.began_at, *KEY_COLUMNS, *APP_COLUMNS)
            .join(Keys, on=((Keys.app == SignIns.app) & (Keys.id == SignIns.key)))
            .join(Apps, on=(Apps.app == Keys.app))
            .where((SignIns.app == app) & (SignIns.digest == digest))
        )
        if row is None:
            return None
        first = 2 + len(KEY_COLUMNS)
        return as_app(row[first:]), as_key(row[2:first]), SignIn(*row[:2])

    def end(self, app: str, digest: str) -> None:
        """Sign somebody out."""
        self._database.change(SignIns.delete().where((SignIns.app == app) & (SignIns.digest == digest)))

    def end_before(self, app: str, at: int) -> None:
        """Forget the sign-ins that began before a time."""
        self._database.change(SignIns.delete().where((SignIns.app == app) & (SignIns.began_at < at)))
