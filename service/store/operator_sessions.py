"""Which operators are signed in to the console."""

from service.store.database import Database
from service.store.tables import OperatorSessions

# They are of no app.
NO_APP = ""


class OperatorSessionStore:
    """The console sessions of operators."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, digest: str, at: int) -> None:
        """Sign somebody in."""
        self._database.change(OperatorSessions.insert(app=NO_APP, digest=digest, began_at=at))

    def began_at(self, digest: str) -> int | None:
        """Return when a session began, if there is one."""
        row = self._database.row(OperatorSessions.select(OperatorSessions.began_at).where(_is(digest)))
        return None if row is None else int(row[0])

    def end(self, digest: str) -> None:
        """Sign somebody out."""
        self._database.change(OperatorSessions.delete().where(_is(digest)))

    def end_before(self, at: int) -> None:
        """Forget the sessions that began before a time."""
        is_old = (OperatorSessions.app == NO_APP) & (OperatorSessions.began_at < at)
        self._database.change(OperatorSessions.delete().where(is_old))


def _is(digest: str) -> object:
    return (OperatorSessions.app == NO_APP) & (OperatorSessions.digest == digest)
