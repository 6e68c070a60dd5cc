"""Devices, and the session that each of them may have."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from peewee import JOIN, fn

from service.model.apps import App
from service.model.identifiers import user_id_digest
from service.model.sessions import Device, Session, Token
from service.model.users import Claim, User
from service.store.apps import APP_COLUMNS, APP_NAMES, as_app
from service.store.database import Database, found_first
from service.store.engine.prepared import Prepared, Question
from service.store.forgetting import Key, page, some
from service.store.several import is_kept
from service.store.tables import Apps, Devices, Sessions, UserIds, Users
from service.store.users import USER_FIELDS, as_user, lives

SESSION_COLUMNS = (
    Sessions.device,
    Sessions.user,
    Sessions.verified,
    Sessions.claim,
    Sessions.home,
    Sessions.began_at,
    Sessions.used_at,
)
# What the columns of a session are called with its app and user.
WHOSE = (
    *(column.column_name for column in SESSION_COLUMNS),
    *APP_NAMES,
    *(f"user_{column.column_name}" for column in USER_FIELDS),
    "user_is_kept",
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

    def add(self, digest: str, at: int, last_user: str | None = None) -> None:
        """Add a device unless it is there."""
        self._database.add(_add_device(self._app, digest, at, last_user))

    def set_last_user(self, digest: str, user: str) -> None:
        """Note who logged in on a device last."""
        self._database.add(_use_device(self._app, digest, user))

    def set_anonymous(self, digest: str, user: str | None) -> None:
        """Set the device's anonymous user."""
        self._update(digest, anonymous=user)

    def of_anonymous(self, users: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """Return the devices of these anonymous users, each with its user."""
        rows = self._database.rows(
            Devices.select(Devices.digest, Devices.anonymous)
            .where((Devices.app == self._app) & Devices.anonymous.in_(users))
            .order_by(found_first(Devices.digest))
        )
        return tuple((digest, user) for digest, user in rows)

    def forget_anonymous(self, users: Sequence[str]) -> None:
        """Unlink these anonymous users from their devices."""
        self._database.change(
            Devices.update(anonymous=None).where((Devices.app == self._app) & Devices.anonymous.in_(users))
        )

    def return_anonymous(self, digest: str, user: str) -> None:
        """Link an anonymous user to a device again, unless it has another by now, or they were cleared."""
        seen = Users.select(Users.id).where(
            (Users.app == self._app) & (Users.id == user) & Users.cleared_at.is_null()
        )
        self._database.change(
            Devices.update(anonymous=user).where(
                (Devices.app == self._app)
                & (Devices.digest == digest)
                & Devices.anonymous.is_null()
                & fn.EXISTS(seen)
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
        """Find a session by its token, with its app and user, whose further emails are not asked for."""
        return _found(self._database.rows(_session_of_token(self._app, *token)))

    def with_token_and(
        self, token: Token, question: Question
    ) -> tuple[tuple[App, User, Session] | None, Any]:
        """As ``with_token``, with the answer to a question that is put in the same round trip; of one that
        changes something each row begins with one of ``with_token``."""
        if question.changes:
            rows = self._database.rows_of_change(question.statement)
            return _found(rows), question.read(rows)
        whose = _session_of_token(self._app, *token)
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
        return self.of_users((user,))

    def of_users(self, users: Sequence[str]) -> tuple[Session, ...]:
        """As ``of_user``, of several."""
        query = self._of(users).order_by(Sessions.began_at, Sessions.device)
        return tuple(as_session(row) for row in self._database.rows(query))

    def last_of(self, users: Sequence[str], limit: int) -> tuple[Session, ...]:
        """Return up to ``limit`` of these users' sessions, the one that was used last first, also those that
        have expired."""
        query = self._of(users).order_by(Sessions.used_at.desc(), Sessions.device).limit(limit)
        return tuple(as_session(row) for row in self._database.rows(query))

    def _of(self, users: Sequence[str]) -> Any:
        theirs = (Sessions.app == self._app) & Sessions.user.in_(users)
        return Sessions.select(*SESSION_COLUMNS).where(theirs)

    def old(
        self, *, begun_before: int, used_before: int, after: Key = ()
    ) -> tuple[tuple[str, ...], Key | None]:
        """Return the devices of those of the sessions on the page after a key that began before a time and
        were last used before another, and after which the next page begins; none if there is no other."""
        rows, last = page(self._database, self._app, [Sessions.device], after)
        old = (Sessions.began_at < begun_before) & (Sessions.used_at < used_before)
        found = Sessions.select(Sessions.device).where((Sessions.app == self._app) & rows & old)
        return tuple(device for (device,) in self._database.rows(found)), last

    def end_old(self, devices: Sequence[str], *, begun_before: int, used_before: int) -> int:
        """End the sessions of these devices that are as old; return how many that were."""
        old = (Sessions.began_at < begun_before) & (Sessions.used_at < used_before)
        these = (Sessions.app == self._app) & Sessions.device.in_(devices)
        return self._database.change(Sessions.delete().where(these & old))

    def end_all(self) -> None:
        """End every session."""
        self._database.change(Sessions.delete().where(Sessions.app == self._app))

    def touch(self, token: Token, session: Session, at: int) -> Session:
        """Note that a session was used."""
        self._database.change(_use(self._app, *token, at))
        return replace(session, used_at=at)

    def tokens_of(self, users: Sequence[str]) -> tuple[Token, ...]:
        """Return by which tokens there are sessions of these users."""
        theirs = (Sessions.app == self._app) & Sessions.user.in_(users)
        rows = self._database.rows(Sessions.select(Sessions.device, _digest(Sessions)).where(theirs))
        # In the order in which devices are locked; to be asked for it, SQLite would look at all of an app's.
        return tuple(Token(*row) for row in sorted(rows))

    def end(self, token: Token) -> tuple[Session, ...]:
        """End the session of a token, and return those that this ended."""
        return self._end(with_token(Sessions, *token))

    def end_on_device(self, device: str) -> tuple[Session, ...]:
        """End a device's session; as ``end``."""
        return self._end(Sessions.device == device)

    def end_some(self, tokens: Sequence[Token]) -> tuple[Session, ...]:
        """End the sessions of these tokens; as ``end``."""
        on_devices = Sessions.device.in_([token.device for token in tokens])
        return self._end(on_devices & _digest(Sessions).in_([token.digest for token in tokens]))

    def end_of_users(self, *users: str, limit: int | None = None) -> tuple[Session, ...]:
        """End the sessions of these users, up to ``limit`` if there is one; as ``end``."""
        theirs = (Sessions.app == self._app) & Sessions.user.in_(users)
        return self._end(some(self._database, Sessions.device, theirs, limit))

    def end_of_homes(self, user: str, homes: Sequence[str]) -> None:
        """End a user's sessions that began under an ID of these, who are part of the user."""
        self._end((Sessions.user == user) & Sessions.home.in_(homes))

    def end_elsewhere(self, anonymous: str) -> None:
        """End an anonymous user's sessions on all devices but their own."""
        own = Devices.select(Devices.digest).where(
            (Devices.app == self._app) & (Devices.anonymous == anonymous)
        )
        self._end((Sessions.user == anonymous) & Sessions.device.not_in(own))

    def end_of_user_id(self, user: str, home: str, user_id: str) -> None:
        """End a user's sessions that began under a user ID, which was given to ``home``."""
        self._end(_under_user_id(user, home, user_id))

    def of_user_id(self, user: str, home: str, user_id: str) -> tuple[Session, ...]:
        """Return those that ``end_of_user_id`` would end, also those that have expired."""
        began_under = (Sessions.app == self._app) & _under_user_id(user, home, user_id)
        rows = self._database.rows(
            Sessions.select(*SESSION_COLUMNS).where(began_under).order_by(found_first(Sessions.device))
        )
        return tuple(as_session(row) for row in rows)

    def set_verified(self, user: str, verified: bool) -> None:
        """Note whether whoever is logged in as a user is known to be them."""
        self._database.change(
            Sessions.update(verified=verified).where((Sessions.app == self._app) & (Sessions.user == user))
        )

    def _end(self, condition: Any) -> tuple[Session, ...]:
        query = Sessions.delete().where((Sessions.app == self._app) & condition).returning(*SESSION_COLUMNS)
        return tuple(as_session(row) for row in self._database.rows(query))


def _under_user_id(user: str, home: str, user_id: str) -> Any:
    # A former release does not say under which of them.
    perhaps = Sessions.token.is_null(False) & (Sessions.home == home)
    began = Sessions.user_id_digest == user_id_digest(user_id)
    return (Sessions.user == user) & (began | perhaps)


def _found(rows: list[tuple[Any, ...]]) -> tuple[App, User, Session] | None:
    if not rows:
        return None
    first = len(SESSION_COLUMNS)
    second = first + len(APP_COLUMNS)
    third = len(WHOSE) + 1
    user = as_user([row[second:third] for row in rows])
    return as_app(rows[0][first:second]), user, as_session(rows[0])


def with_token(sessions: Any, device: Any, digest: Any) -> Any:
    """Return the condition that a session has a token."""
    return (sessions.device == device) & (_digest(sessions) == digest)


def _digest(sessions: Any) -> Any:
    """Return the digest of the token that a session has."""
    # A former release, which may serve still, sets its own and leaves the other.
    return fn.COALESCE(sessions.token, sessions.secret)


def user_of_session(app: Any, device: Any, digest: Any) -> Any:
    """Select whose session has a token."""
    whose = (Sessions.app == app) & with_token(Sessions, device, digest)
    return Sessions.select(Sessions.user).where(whose)


@Prepared
def _device(app: Any, digest: Any) -> Any:
    shown = Devices.digest, Devices.anonymous, Devices.clears, Devices.sharing, Devices.last_user
    return Devices.select(*shown).where((Devices.app == app) & (Devices.digest == digest))


@Prepared
def _add_device(app: Any, digest: Any, at: Any, last_user: Any) -> Any:
    row = {"app": app, "digest": digest, "created_at": at, "last_user": last_user}
    return Devices.insert(row).on_conflict_ignore()


@Prepared
def _use_device(app: Any, digest: Any, user: Any) -> Any:
    return Devices.update(last_user=user).where((Devices.app == app) & (Devices.digest == digest))


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


def session_of_token(app: Any, device: Any, digest: Any) -> Any:
    """Select a session by its token, with its app and user, under WHOSE names."""
    columns = *SESSION_COLUMNS, *APP_COLUMNS, *USER_FIELDS, is_kept(app)
    return (
        Sessions.select(*(column.alias(name) for name, column in zip(WHOSE, columns, strict=True)))
        .join(Apps, on=(Apps.app == Sessions.app))
        .switch(Sessions)
        .join(Users, on=((Users.app == Sessions.app) & (Users.id == Sessions.user)))
        .where((Sessions.app == app) & with_token(Sessions, device, digest) & lives())
    )


@Prepared
def _session_of_token(app: Any, device: Any, digest: Any) -> Any:
    ids = (UserIds.app == Users.app) & (UserIds.user == Users.id)
    whose = session_of_token(app, device, digest).select_extend(UserIds.value)
    return whose.join(UserIds, JOIN.LEFT_OUTER, on=ids).order_by(UserIds.added_at, UserIds.digest)


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
    # What nobody proved to be somebody is given no attributes, and a former release knows none.
    said = claim and {"user_id": claim.user_id, "email": claim.email, "name": claim.name}
    return json.dumps(said) if said else None


def as_device(row: tuple[Any, ...]) -> Device:
    """Make a device of its columns."""
    digest, anonymous, clears, sharing, last_user = row
    return Device(digest, anonymous, bool(clears), None if sharing is None else bool(sharing), last_user)


def as_session(row: tuple[Any, ...]) -> Session:
    """Make a session of its columns."""
    device, user, verified, claim, home, began_at, used_at = row[: len(SESSION_COLUMNS)]
    said = Claim(**json.loads(claim)) if claim else None
    return Session(device, user, bool(verified), began_at, used_at, said, home)
