"""Devices, and the session that each of them may have."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from peewee import JOIN, fn

from service.model.apps import App
from service.model.identifiers import user_id_digest
from service.model.sessions import Device, Session, Token
from service.model.users import Claim, User
from service.store.apps import APP_COLUMNS, as_app
from service.store.database import Database
from service.store.engine.prepared import Prepared, Question
from service.store.tables import Apps, Devices, Sessions, UserIds, Users
from service.store.users import USER_COLUMNS, as_user, lives

SESSION_COLUMNS = (
    Sessions.device,
    Sessions.user,
    Sessions.verified,
    Sessions.claim,
    Sessions.home,
    Sessions.began_at,
    Sessions.used_at,
)


class DeviceStore:
    """The devices of an app, by the digest of their device ID."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def lock(self, digest: str) -> Device | None:
        """Find a device, and keep others from changing it until the transaction ends."""
        row = self._database.row(self._database.locked(_device(self._app, digest)))
        return None if row is None else as_device(row)

    def lock_all(self, digests: Sequence[str]) -> None:
        """Keep others from logging in on these devices until the transaction ends."""
        query = Devices.select(Devices.digest).where((Devices.app == self._app) & Devices.digest.in_(digests))
        self._database.rows(self._database.locked(query.order_by(Devices.digest)))

    def lock_of(self, anonymous: str) -> None:
        """Keep others from logging in where this is the anonymous user, until the transaction ends."""
        query = Devices.select(Devices.digest).where(
            (Devices.app == self._app) & (Devices.anonymous == anonymous)
        )
        self._database.rows(self._database.locked(query))

    def add(self, digest: str, at: int) -> None:
        """Add a device unless it is there."""
        self._database.add(_add_device(self._app, digest, at))

    def set_anonymous(self, digest: str, user: str | None) -> None:
        """Set the device's anonymous user."""
        self._update(digest, anonymous=user)

    def of_anonymous(self, users: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """Return the devices of these anonymous users, each with its user."""
        rows = self._database.rows(
            Devices.select(Devices.digest, Devices.anonymous)
            .where((Devices.app == self._app) & Devices.anonymous.in_(users))
            .order_by(Devices.digest)
        )
        return tuple((digest, user) for digest, user in rows)

    def forget_anonymous(self, users: Sequence[str]) -> None:
        """Unlink these anonymous users from their devices."""
        self._database.change(
            Devices.update(anonymous=None).where((Devices.app == self._app) & Devices.anonymous.in_(users))
        )

    def return_anonymous(self, digest: str, user: str) -> None:
        """Link an anonymous user to a device again, unless it has another by now."""
        self._database.change(
            Devices.update(anonymous=user).where(
                (Devices.app == self._app) & (Devices.digest == digest) & Devices.anonymous.is_null()
            )
        )

    def set_sharing(self, digests: Sequence[str], allowed: bool) -> None:
        """Set the allowSharingStoreAccount flag of these devices."""
        self._database.change(
            Devices.update(sharing=allowed).where((Devices.app == self._app) & Devices.digest.in_(digests))
        )

    def find(self, digest: str) -> Device | None:
        """Find a device."""
        row = self._database.row(_device(self._app, digest))
        return None if row is None else as_device(row)

    def set_clears(self, digest: str, clears: bool) -> None:
        """Set the device's clearAnonymousUser flag."""
        self._update(digest, clears=clears)

    def _update(self, digest: str, **fields: Any) -> None:
        self._database.change(
            Devices.update(**fields).where((Devices.app == self._app) & (Devices.digest == digest))
        )


class SessionStore:
    """The sessions of an app. One that has expired is answered like any other: its life depends
    on the app's settings."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def lock_of_device(self, device: str) -> tuple[Session, str | None] | None:
        """Find a device's session, and its user's primary user ID, and keep others from ending it until
        the transaction ends."""
        row = self._database.row(self._database.locked(_session_of_device(self._app, device), of=Sessions))
        return None if row is None else (as_session(row), row[-1])

    def with_token(self, token: Token) -> tuple[App, User, Session] | None:
        """Find a session by its token, with its app and user."""
        return _found(self._database.rows(_session_of_token(self._app, *token)))

    def with_token_and(
        self, token: Token, question: Question
    ) -> tuple[tuple[App, User, Session] | None, Any]:
        """As ``with_token``, with the answer to a question that is put in the same round trip."""
        whose = _session_of_token(self._app, *token)
        if question.changes:
            rows, (answer,) = self._database.rows_and(whose, question)
            return _found(rows), answer
        # No session begins twice: one that is there after the answer was there before.
        answer, (found,) = self._database.rows_and(question.statement, Question(whose, _found))
        return found, question.read(answer)

    def device_of(self, digest: str) -> str | None:
        """Return the device of a token that does not say it, by the token's digest."""
        row = self._database.row(_device_of_token(self._app, digest))
        return None if row is None else row[0]

    def replace(self, session: Session, digest: str) -> None:
        """Log a device in, with the token of this digest; whatever session it had has ended."""
        whose = session.user, session.home or session.user, session.verified, claim_as_json(session.claim)
        when = session.began_at, session.used_at
        which = None, digest, session.user_id_digest
        self._database.add(_log_in(self._app, session.device, *which, *whose, *when))

    def of_user(self, user: str) -> tuple[Session, ...]:
        """Return a user's sessions, the oldest first, also those that have expired."""
        rows = self._database.rows(
            Sessions.select(*SESSION_COLUMNS)
            .where((Sessions.app == self._app) & (Sessions.user == user))
            .order_by(Sessions.began_at, Sessions.device)
        )
        return tuple(as_session(row) for row in rows)

    def end_old(self, *, begun_before: int, used_before: int) -> int:
        """End the sessions that began before a time and were last used before another; return how many."""
        old = (Sessions.began_at < begun_before) & (Sessions.used_at < used_before)
        return self._database.change(Sessions.delete().where((Sessions.app == self._app) & old))

    def touch(self, token: Token, session: Session, at: int) -> Session:
        """Note that a session was used."""
        self._database.change(_use(self._app, *token, at))
        return replace(session, used_at=at)

    def devices_of(self, users: Sequence[str]) -> tuple[str, ...]:
        """Return the devices where a session of these users is."""
        rows = self._database.rows(
            Sessions.select(Sessions.device).where((Sessions.app == self._app) & Sessions.user.in_(users))
        )
        return tuple(device for (device,) in rows)

    def end(self, token: Token) -> tuple[str, ...]:
        """End the session of a token, and return the devices that this leaves."""
        return self._end(with_token(Sessions, *token))

    def end_on_device(self, device: str) -> tuple[str, ...]:
        """End a device's session; as ``end``."""
        return self._end(Sessions.device == device)

    def end_of_users(self, *users: str) -> tuple[str, ...]:
        """End every session of these users; as ``end``."""
        return self._end(Sessions.user.in_(users))

    def end_of_homes(self, user: str, homes: Sequence[str]) -> None:
        """End a user's sessions that began under an ID of these, who are part of the user."""
        self._end((Sessions.user == user) & Sessions.home.in_(homes))

    def end_of_user_id(self, user: str, home: str, user_id: str) -> None:
        """End a user's sessions that began under a user ID, which was given to ``home``."""
        # A former release does not say under which of them.
        perhaps = Sessions.token.is_null(False) & (Sessions.home == home)
        began = Sessions.user_id_digest == user_id_digest(user_id)
        self._end((Sessions.user == user) & (began | perhaps))

    def set_verified(self, user: str, verified: bool) -> None:
        """Note whether whoever is logged in as a user is known to be them."""
        self._database.change(
            Sessions.update(verified=verified).where((Sessions.app == self._app) & (Sessions.user == user))
        )

    def _end(self, condition: Any) -> tuple[str, ...]:
        query = Sessions.delete().where((Sessions.app == self._app) & condition).returning(Sessions.device)
        return tuple(device for (device,) in self._database.rows(query))


def _found(rows: list[tuple[Any, ...]]) -> tuple[App, User, Session] | None:
    if not rows:
        return None
    first = len(SESSION_COLUMNS)
    second = first + len(APP_COLUMNS)
    user = as_user([row[second:] for row in rows])
    return as_app(rows[0][first:second]), user, as_session(rows[0])


def with_token(sessions: Any, device: Any, digest: Any) -> Any:
    """Return the condition that a session has a token."""
    # A former release, which may serve still, sets its own and leaves the other.
    return (sessions.device == device) & (fn.COALESCE(sessions.token, sessions.secret) == digest)


def user_of_session(app: Any, device: Any, digest: Any) -> Any:
    """Select whose session has a token."""
    whose = (Sessions.app == app) & with_token(Sessions, device, digest)
    return Sessions.select(Sessions.user).where(whose)


@Prepared
def _device(app: Any, digest: Any) -> Any:
    shown = Devices.digest, Devices.anonymous, Devices.clears, Devices.sharing
    return Devices.select(*shown).where((Devices.app == app) & (Devices.digest == digest))


@Prepared
def _add_device(app: Any, digest: Any, at: Any) -> Any:
    return Devices.insert(app=app, digest=digest, created_at=at).on_conflict_ignore()


@Prepared
def _session_of_device(app: Any, device: Any) -> Any:
    return (
        Sessions.select(*SESSION_COLUMNS, Users.user_id)
        .join(Users, on=((Users.app == Sessions.app) & (Users.id == Sessions.user)))
        .where((Sessions.app == app) & (Sessions.device == device) & lives())
    )


@Prepared
def _device_of_token(app: Any, digest: Any) -> Any:
    return Sessions.select(Sessions.device).where((Sessions.app == app) & (Sessions.token == digest))


@Prepared
def _session_of_token(app: Any, device: Any, digest: Any) -> Any:
    ids = (UserIds.app == Users.app) & (UserIds.user == Users.id)
    return (
        Sessions.select(*SESSION_COLUMNS, *APP_COLUMNS, *USER_COLUMNS)
        .join(Apps, on=(Apps.app == Sessions.app))
        .switch(Sessions)
        .join(Users, on=((Users.app == Sessions.app) & (Users.id == Sessions.user)))
        .join(UserIds, JOIN.LEFT_OUTER, on=ids)
        .where((Sessions.app == app) & with_token(Sessions, device, digest) & lives())
        .order_by(UserIds.added_at, UserIds.digest)
    )


_OF_A_LOGIN = (
    Sessions.token,
    Sessions.secret,
    Sessions.user_id_digest,
    Sessions.user,
    Sessions.home,
    Sessions.verified,
    Sessions.claim,
    Sessions.began_at,
    Sessions.used_at,
)


def _replaced(app: Any, device: Any, *values: Any) -> Any:
    fields = dict(zip(_OF_A_LOGIN, values, strict=True))
    begun = Sessions.insert({Sessions.app: app, Sessions.device: device} | fields)
    return begun.on_conflict(conflict_target=[Sessions.app, Sessions.device], preserve=_OF_A_LOGIN)


_log_in = Prepared(_replaced, 2 + len(_OF_A_LOGIN))


@Prepared
def _use(app: Any, device: Any, digest: Any, at: Any) -> Any:
    used = (Sessions.app == app) & with_token(Sessions, device, digest)
    return Sessions.update(used_at=at).where(used)


def claim_as_json(claim: Claim | None) -> str | None:
    """Write what an unproven login said as it is kept."""
    return json.dumps(asdict(claim)) if claim else None


def as_device(row: tuple[Any, ...]) -> Device:
    """Make a device of its columns."""
    digest, anonymous, clears, sharing = row
    return Device(digest, anonymous, bool(clears), None if sharing is None else bool(sharing))


def as_session(row: tuple[Any, ...]) -> Session:
    """Make a session of its columns."""
    device, user, verified, claim, home, began_at, used_at = row[: len(SESSION_COLUMNS)]
    said = Claim(**json.loads(claim)) if claim else None
    return Session(device, user, bool(verified), began_at, used_at, said, home)
