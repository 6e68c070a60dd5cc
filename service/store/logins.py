"""Logins about which nothing changes but the device's session: most of them by far.

Whether that is so is looked up, and the session is changed only if it is still the one that was seen, which
began under the same user ID. What would make another login of it ends or replaces that session: a logout,
another login on the device, a merge, an undo, an erase, the loss of the ID. So nothing else has to be locked,
and on PostgreSQL one statement does it all, and finds a backend's key too. On SQLite a statement that writes
is no part of another, so a look comes first.

What changes a user and leaves their session, such as another name, comes after a login that began before it
was done. On SQLite, where others may write between the two, such a login is decided anew.
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
from service.store.devices import claim_as_json
from service.store.engine.prepared import Prepared
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
        return self._begun(who, self._rows(_LOOK, _LOOK_AND_BEGIN, who))

    def begin_with_key(self, who: ComingBack, key: str) -> tuple[tuple[App, Key] | None, Found | None]:
        """As ``begin``, if the key of this digest is a secret one. Return also the key, with its app."""
        rows = self._rows(_LOOK_WITH_KEY, _LOOK_AND_BEGIN_WITH_KEY, who, key)
        return as_holder(rows), self._begun(who, [row[len(HOLDER) :] for row in rows])

    def _rows(self, look: Prepared, begin: Prepared, who: ComingBack, *key: str) -> list[tuple[Any, ...]]:
        conditions = *key, *self._conditions(who)
        if self._database.is_sqlite:
            return self._database.rows(look(*conditions))
        # Run twice, it begins the same session again: the token is the same.
        return self._database.rows_at_once(begin(*conditions, *_values(who)))

    def _begun(self, who: ComingBack, rows: Sequence[tuple[Any, ...]]) -> Found | None:
        if not rows or rows[0][0] is None:
            return None
        user, (*_, home, secret) = as_user([_alone(*row[:-2]) for row in rows]), rows[0]
        if self._database.is_sqlite:
            begin = _BEGIN_AS_SEEN(self._app, user.id, user.version, who.device, secret, *_values(who))
            if not self._database.change(begin):
                return None
        return user, home

    def _conditions(self, who: ComingBack) -> tuple[Any, ...]:
        digest = user_id_digest(who.user_id)
        return self._app, who.device, who.verified, digest, who.email, who.name, who.attributes


def _alone(*row: Any) -> tuple[Any, ...]:
    """Return a row of somebody who is one with nobody as one of ``user_columns``."""
    return *row[:-1], False, row[-1]


def _values(who: ComingBack) -> tuple[Any, ...]:
    return who.token, claim_as_json(who.claim), who.at


def _seen(*conditions: Any) -> Any:
    """Select the user, and the secret of the session that they began on the device under the same user ID, if
    all is as it should be."""
    app, device, verified, digest, email, name, attributes = conditions
    session, here, given = Sessions.alias("s"), Devices.alias("d"), UserIds.alias("i")
    user = Users.alias("u")
    # Of who is one with others more is kept, and more is to be told.
    said = Fields.select(SQL("1")).where((Fields.app == session.app) & (Fields.home == given.home))
    theirs = (given.app == session.app) & (given.verified == verified) & (given.digest == digest)
    theirs &= (given.user == session.user) & (given.home == session.home)
    return (
        session.select(session.app, *(getattr(user, name) for name in _USER), given.home, session.secret)
        .join(here, on=((here.app == session.app) & (here.digest == session.device)))
        .join(given, on=theirs)
        .join(user, on=((user.app == session.app) & (user.id == session.user)))
        .where((session.app == app) & (session.device == device) & (session.verified == verified))
        .where(session.user_id_digest == digest)
        # A former release's session has no secret that counts.
        .where(session.token.is_null() & here.anonymous.is_null())
        .where(lives(user) & _is(user.email, email) & _is(user.name, name))
        .where(_is(user.attributes, attributes) & ~fn.EXISTS(said))
    )


def _is(column: Any, value: Any) -> Any:
    """Whether a field is as it is said to be, if it is said at all."""
    nothing = SQL("''")
    return fn.COALESCE(column, nothing) == fn.COALESCE(value, column, nothing)


def _begin(app: Any, device: Any, secret: Any, token: Any, claim: Any, at: Any) -> Any:
    """Begin a session in place of the one with a secret, of the same user on the same device."""
    begun = Sessions.update(secret=token, claim=claim, began_at=at, used_at=at)
    same = (Sessions.device == device) & (Sessions.secret == secret) & Sessions.token.is_null()
    return begun.where((Sessions.app == app) & same)


def _begin_as_seen(app: Any, user: Any, version: Any, *session: Any) -> Any:
    """As ``_begin``, if the user is of a version still."""
    same = (Users.app == app) & (Users.id == user) & (Users.version == version)
    return _begin(app, *session).where(fn.EXISTS(Users.select(SQL("1")).where(same)))


def _look(*values: Any, with_key: bool, begins: bool) -> Any:
    """Select the key, if asked to, and whom it is about, once for each of their user IDs; and begin the
    session, if asked to."""
    key, *rest = values if with_key else (None, *values)
    conditions, session = rest[:CONDITIONS], rest[CONDITIONS:]
    app, device, *_ = conditions
    seen, parts = _seen(*conditions), []
    if with_key:
        holder = key_and_app(app, key).cte("k")
        is_secret = (holder.c.app == app) & (holder.c.key_kind == KeyKind.SECRET.value)
        seen, parts = seen.join(holder, on=is_secret), [holder]
    seen = seen.cte("seen")
    parts += [seen]
    whose = seen
    if begins:
        secret = Select([seen], [seen.c.secret]).where(seen.c.app == app)
        whose = CTE("begun", _begin(app, device, secret, *session).returning(Sessions.app))
        parts += [whose]
    ids: Any = UserIds.alias("t")
    first = holder if with_key else whose
    rows = first
    if with_key:
        rows = rows.join(whose, JOIN.LEFT_OUTER, on=(whose.c.app == first.c.app))
    if begins:
        rows = rows.join(seen, JOIN.LEFT_OUTER, on=(seen.c.app == whose.c.app))
    rows = rows.join(ids, JOIN.LEFT_OUTER, on=((ids.app == seen.c.app) & (ids.user == seen.c.id)))
    shown = [holder.c[name] for name in HOLDER] if with_key else []
    shown += [*(seen.c[name] for name in _USER), ids.value, seen.c.home, seen.c.secret]
    query = Select([rows], shown).where(first.c.app == app)
    return query.order_by(ids.added_at, ids.digest).with_cte(*parts)


CONDITIONS, VALUES = 7, 3

_LOOK = Prepared(partial(_look, with_key=False, begins=False), CONDITIONS)
_LOOK_WITH_KEY = Prepared(partial(_look, with_key=True, begins=False), CONDITIONS + 1)
_LOOK_AND_BEGIN = Prepared(partial(_look, with_key=False, begins=True), CONDITIONS + VALUES)
_LOOK_AND_BEGIN_WITH_KEY = Prepared(partial(_look, with_key=True, begins=True), CONDITIONS + VALUES + 1)
_BEGIN_AS_SEEN = Prepared(_begin_as_seen, 5 + VALUES)
