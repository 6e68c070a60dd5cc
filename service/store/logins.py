"""Logins about which nothing changes but the device's session: most of them by far.

Whether that is so is a condition of the statement that begins the session, so nothing can change in between.
On PostgreSQL that one statement also finds a backend's key, and who it is that logs in. On SQLite, where a
statement that writes is no part of another, a look comes first, and the statement asks for the version that
was seen.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from peewee import CTE, JOIN, SQL, Select, fn

from service.model.apps import App, Key, KeyKind
from service.model.identifiers import user_id_digest
from service.model.logins import ComingBack
from service.model.users import User
from service.store.apps import HOLDER, as_holder, key_and_app
from service.store.database import Database
from service.store.devices import OF_A_LOGIN, claim_as_json, in_place
from service.store.engine.prepared import Prepared, as_value
from service.store.tables import Devices, Fields, Sessions, UserIds, Users
from service.store.users import USER_FIELDS, as_user, lives

# A user, and to whom the user ID was given, who may be part of them now.
Found = tuple[User, str]

_USER = [column.column_name for column in USER_FIELDS]


class LoginStore:
    """The logins of an app that change nothing but a session."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def begin(self, who: ComingBack) -> Found | None:
        """Begin the session of somebody who comes back, and return them. None, and nothing is changed, unless
        all is as ``who`` says."""
        return self._begun(who, self._rows(_LOOK, _BEGIN, who))

    def begin_with_key(self, who: ComingBack, key: str) -> tuple[tuple[App, Key] | None, Found | None]:
        """As ``begin``, if the key of this digest is a secret one. Return also the key, with its app."""
        rows = self._rows(_LOOK_WITH_KEY, _BEGIN_WITH_KEY, who, key)
        return as_holder(rows), self._begun(who, [row[len(HOLDER) :] for row in rows])

    def _rows(self, look: Prepared, begin: Prepared, who: ComingBack, *key: str) -> list[tuple[Any, ...]]:
        conditions = *key, *self._conditions(who)
        if self._database.is_sqlite:
            return self._database.rows(look(*conditions))
        # It may be run twice, as who logs in twice is logged in.
        return self._database.rows(begin(*conditions, *_values(who)))

    def _begun(self, who: ComingBack, rows: Sequence[tuple[Any, ...]]) -> Found | None:
        if not rows or rows[0][0] is None:
            return None
        user, home = as_user([row[:-1] for row in rows]), rows[0][-1]
        if self._database.is_sqlite:
            begin = _BEGIN_AS_SEEN(*self._conditions(who), user.version, *_values(who))
            if not self._database.change(begin):
                return None
        return user, home

    def _conditions(self, who: ComingBack) -> tuple[Any, ...]:
        # No app has an empty id, so nothing is kept there.
        kept = self._app if who.says_something else ""
        digest = user_id_digest(who.user_id)
        return self._app, who.device, who.verified, digest, who.email, who.name, kept


def _values(who: ComingBack) -> tuple[Any, ...]:
    return None, who.token, who.verified, claim_as_json(who.claim), who.at, who.at


def _seen(conditions: Sequence[Any], version: Any = None) -> Any:
    """Select the device and the user, if all is as it should be and the user is of this version.

    Where none is given, it is the version that the statement sees elsewhere: who waited for a lock sees what
    others did of the user meanwhile, and of all else what was before.
    """
    app, device, verified, digest, email, name, kept = conditions
    here, given, user, before = Devices.alias("d"), UserIds.alias("i"), Users.alias("u"), Users.alias("b")
    said = Fields.select(SQL("1")).where((Fields.app == kept) & (Fields.home == given.home))
    whose = (given.app == here.app) & (given.verified == verified) & (given.digest == digest)
    seen = (
        here.select(here.app, here.digest, *(getattr(user, column) for column in _USER), given.home)
        .join(given, on=whose)
        .join(user, on=((user.app == given.app) & (user.id == given.user)))
        .where((here.app == app) & (here.digest == device) & here.anonymous.is_null())
        # The former release, which may serve still, does not count what it changes.
        .where(lives(user) & _is(user.email, email) & _is(user.name, name) & ~fn.EXISTS(said))
    )
    if version is not None:
        return seen.where(user.version == version)
    same = (before.app == user.app) & (before.id == user.id) & (before.version == user.version)
    return seen.join(before, on=same)


def _is(column: Any, value: Any) -> Any:
    """Whether a field is as it is said to be, if it is said at all."""
    nothing = SQL("''")
    return fn.COALESCE(column, nothing) == fn.COALESCE(value, column, nothing)


def _session(seen: Any, app: Any, values: Sequence[Any]) -> Any:
    """Insert the session of what was seen, in place of the one that the device has."""
    token, secret, verified, claim, began_at, used_at = map(as_value, values)
    columns = (
        seen.c.app,
        seen.c.digest,
        token,
        secret,
        seen.c.id,
        seen.c.home,
        verified,
        claim,
        began_at,
        used_at,
    )
    row = Select([seen], columns).where(seen.c.app == app)
    return in_place(Sessions.insert_from(row, [Sessions.app, Sessions.device, *OF_A_LOGIN]))


def _look(*values: Any, locked: Any, with_key: bool, begins: bool) -> Any:
    """Select the key, if asked to, and whom it is about, once for each of their user IDs; and begin the
    session, if asked to."""
    key, *rest = values if with_key else (None, *values)
    conditions, session = rest[:CONDITIONS], rest[CONDITIONS:]
    seen = _seen(conditions)
    ids: Any = UserIds.alias("t")
    shown: list[Any] = []
    parts: list[Any] = []
    if with_key:
        holder = key_and_app(conditions[0], key).cte("k")
        is_secret = (holder.c.app == conditions[0]) & (holder.c.key_kind == KeyKind.SECRET.value)
        seen = seen.join(holder, on=is_secret)
        shown, parts = [holder.c[name] for name in HOLDER], [holder]
    if begins:
        # In the order in which every login locks them.
        seen = locked(seen, 'NO KEY UPDATE OF "d" FOR SHARE OF "u"', None)
    seen = seen.cte("seen")
    rows = holder.join(seen, JOIN.LEFT_OUTER, on=(seen.c.app == holder.c.app)) if with_key else seen
    rows = rows.join(ids, JOIN.LEFT_OUTER, on=((ids.app == seen.c.app) & (ids.user == seen.c.id)))
    parts += [seen, CTE("begun", _session(seen, conditions[0], session))] if begins else [seen]
    user = [seen.c[name] for name in _USER]
    first = holder if with_key else seen
    query = Select([rows], [*shown, *user, ids.value, seen.c.home]).where(first.c.app == conditions[0])
    return query.order_by(ids.added_at, ids.digest).with_cte(*parts)


def _begin_as_seen(*values: Any) -> Any:
    app, version, session = values[0], values[CONDITIONS], values[CONDITIONS + 1 :]
    return _session(_seen(values[:CONDITIONS], version).alias("seen"), app, session)


CONDITIONS, VALUES = 7, 6

_LOOK = Prepared(partial(_look, with_key=False, begins=False), CONDITIONS, locks=True)
_LOOK_WITH_KEY = Prepared(partial(_look, with_key=True, begins=False), CONDITIONS + 1, locks=True)
_BEGIN = Prepared(partial(_look, with_key=False, begins=True), CONDITIONS + VALUES, locks=True)
_BEGIN_WITH_KEY = Prepared(partial(_look, with_key=True, begins=True), CONDITIONS + VALUES + 1, locks=True)
_BEGIN_AS_SEEN = Prepared(_begin_as_seen, CONDITIONS + 1 + VALUES)
