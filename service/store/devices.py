"""Devices, and the session that each of them may have."""

from dataclasses import replace
from typing import Any

from peewee import JOIN

from service.nouns import App, Device, Session, User
from service.store.apps import APP_COLUMNS, as_app
from service.store.database import Database
from service.store.tables import Apps, Devices, Sessions, UserIds, Users
from service.store.users import as_user

SESSION_COLUMNS = (
    Sessions.device,
    Sessions.user,
    Sessions.verified,
    Sessions.began_at,
    Sessions.used_at,
)


class DeviceStore:
    """The devices of all apps, by the digest of their device ID."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hold(self, app: str, digest: str) -> Device | None:
        """Find a device, and keep others from changing it until the transaction ends."""
        query = Devices.select(Devices.digest, Devices.anonymous, Devices.clears).where(
            (Devices.app == app) & (Devices.digest == digest)
        )
        row = self._database.row(self._database.held(query))
        return None if row is None else Device(row[0], row[1], bool(row[2]))

    def add(self, app: str, digest: str, at: int) -> None:
        """Add a device unless it is there."""
        self._database.change(Devices.insert(app=app, digest=digest, created_at=at).on_conflict_ignore())

    def set_anonymous(self, app: str, digest: str, user: str | None) -> None:
        """Say who is the device's anonymous user."""
        self._update(app, digest, anonymous=user)

    def set_clears(self, app: str, digest: str, clears: bool) -> None:
        """Set the device's clearAnonymousUser flag."""
        self._update(app, digest, clears=clears)

    def _update(self, app: str, digest: str, **fields: Any) -> None:
        self._database.change(
            Devices.update(**fields).where((Devices.app == app) & (Devices.digest == digest))
        )


class SessionStore:
    """The sessions of all apps. One that has expired is answered like any other: its life depends
    on the app's settings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_device(self, app: str, device: str) -> tuple[Session, str | None] | None:
        """Find a device's session, and its user's primary user ID."""
        row = self._database.row(
            Sessions.select(*SESSION_COLUMNS, Users.user_id)
            .join(Users, on=((Users.app == Sessions.app) & (Users.id == Sessions.user)))
            .where((Sessions.app == app) & (Sessions.device == device) & Users.merged_into.is_null())
        )
        return None if row is None else (as_session(row), row[-1])

    def with_token(self, app: str, token: str) -> tuple[App, User, Session] | None:
        """Find a session by the digest of its token, with its app and user."""
        rows = self._database.rows(
            Sessions.select(
                *SESSION_COLUMNS,
                *APP_COLUMNS,
                Users.id,
                Users.user_id,
                Users.email,
                Users.name,
                Users.created_at,
                UserIds.value,
            )
            .join(Apps, on=(Apps.app == Sessions.app))
            .switch(Sessions)
            .join(Users, on=((Users.app == Sessions.app) & (Users.id == Sessions.user)))
            .join(
                UserIds,
                JOIN.LEFT_OUTER,
                on=((UserIds.app == Users.app) & (UserIds.user == Users.id)),
            )
            .where((Sessions.app == app) & (Sessions.token == token) & Users.merged_into.is_null())
            .order_by(UserIds.added_at, UserIds.digest)
        )
        first = len(SESSION_COLUMNS)
        second = first + len(APP_COLUMNS)
        user = as_user(row[second:] for row in rows)
        return None if user is None else (as_app(rows[0][first:second]), user, as_session(rows[0]))

    def replace(self, app: str, session: Session, token: str) -> None:
        """Log a device in; whatever session it had has ended."""
        fields = {
            "token": token,
            "user": session.user,
            "verified": session.verified,
            "began_at": session.began_at,
            "used_at": session.used_at,
        }
        self._database.change(
            Sessions.insert(app=app, device=session.device, **fields).on_conflict(
                conflict_target=[Sessions.app, Sessions.device],
                update={getattr(Sessions, name): value for name, value in fields.items()},
            )
        )

    def touch(self, app: str, token: str, session: Session, at: int) -> Session:
        """Note that a session was used."""
        self._database.change(
            Sessions.update(used_at=at).where((Sessions.app == app) & (Sessions.token == token))
        )
        return replace(session, used_at=at)

    def end(self, app: str, *, token: str) -> None:
        """End the session of a token, by its digest."""
        self._end(app, Sessions.token == token)

    def end_on_device(self, app: str, device: str) -> None:
        """End a device's session."""
        self._end(app, Sessions.device == device)

    def end_of_user(self, app: str, user: str) -> None:
        """End every session of a user."""
        self._end(app, Sessions.user == user)

    def _end(self, app: str, condition: Any) -> None:
        self._database.change(Sessions.delete().where((Sessions.app == app) & condition))


def as_session(row: tuple[Any, ...]) -> Session:
    """Make a session of its columns."""
    device, user, verified, began_at, used_at = row[: len(SESSION_COLUMNS)]
    return Session(device, user, bool(verified), began_at, used_at)
