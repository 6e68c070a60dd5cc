"""Users and their user IDs, in two worlds that never meet: the proven, in which devices' anonymous users are
too, and the unproven, of whom somebody only said who they are.

A user who was merged away or erased has a row still, and is answered by nothing here but
``survivor``, which leads to whoever the merged user became part of.
"""

import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from peewee import JOIN, SQL, Case, Join, Select, fn

from service.model.attributes import Value, as_text
from service.model.contacts import ContactKey
from service.model.errors import StaleState
from service.model.identifiers import (
    ANONYMOUS_PREFIXES,
    DEVICE_PREFIX,
    email_key,
    is_of_a_device,
    search_key,
    user_id_digest,
)
from service.model.revocations import Revoked
from service.model.users import User
from service.store.database import Database, found_first
from service.store.engine.prepared import Prepared, inserting
from service.store.forgetting import some
from service.store.several import above, below, further, ids_of, is_kept
from service.store.tables import (
    Contacts,
    Fields,
    UserIds,
    Users,
)

# As many users with one email as it takes to know that several share it.
ENOUGH = 2


class UserStore:
    """The users of an app."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def with_id(self, id: str) -> User | None:
        """Find a user by our id."""
        found = self._ask(_with_id(self._app, id))
        return found[0] if found else None

    def with_ids(self, ids: Iterable[str]) -> list[User]:
        """Find users by our ids."""
        named = [*ids]
        return self._ask(_users(self._app, self._database.is_among(Users.id, named))) if named else []

    def with_user_ids(self, user_ids: Iterable[str], *, verified: bool) -> dict[str, User]:
        """Find the users of a world who have these user IDs, of which there may be a great many, each by that
        ID."""
        named = {user_id_digest(one): one for one in user_ids}
        digest = UserIds.digest
        having = (UserIds.verified == verified) & self._database.is_among(digest, named)
        found = self._ask(_users(self._app, Users.id.in_(_owners(self._app, having)))) if named else []
        owners = {one: user for user in found for one in user.user_ids}
        return {one: owners[one] for one in named.values() if one in owners}

    def unclaimed(self, emails: Iterable[str], *, verified: bool) -> dict[str, User]:
        """Find the unclaimed users of a world whose primary emails are these, of which there may be a great
        many, each by the key of the email."""
        keys = {email_key(one) for one in emails}
        having = (Users.verified == verified) & Users.user_id.is_null()
        having &= self._database.is_among(Users.email_key, keys)
        found = self._ask(_users(self._app, having)) if keys else []
        return {email_key(user.email or ""): user for user in found}

    def survivor(self, id: str) -> User | None:
        """Find a user by our id, or whoever that user became part of."""
        found = self.with_id(id)
        row = None if found else self._database.row(merged_into(self._app, id))
        if row is None:
            return found
        # Who is part of nobody was erased, or stands again since the first look.
        found = self.survivor(row[0]) if row[0] else self.with_id(id)
        # Else they stand apart since then, and it is another whom the id means.
        return found if row == self._database.row(merged_into(self._app, id)) else self.survivor(id)

    def with_user_id(self, user_id: str, *, verified: bool) -> User | None:
        """Find the user of a world who has this user ID, as the primary one or as an alias."""
        found = self.with_user_id_and_home(user_id, verified=verified)
        return found[0] if found else None

    def with_user_id_and_home(self, user_id: str, *, verified: bool) -> tuple[User, str] | None:
        """As ``with_user_id``, with the user to whom the ID was given."""
        return self._database.ask(self._with_user_id_and_home, user_id, verified)

    def _with_user_id_and_home(self, user_id: str, verified: bool) -> tuple[User, str] | None:
        rows = self._database.rows(_with_user_id(self._app, verified, user_id_digest(user_id)))
        return (self._as_users(row[:-1] for row in rows)[0], rows[0][-1]) if rows else None

    def with_email(self, email: str, *, verified: bool, limit: int = ENOUGH) -> tuple[User, ...]:
        """Find who of a world has this email: the unclaimed user first, and of the others, unless
        there is another limit, enough to know whether they share it."""
        found = self._database.ask(self._with_email, email_key(email), verified, limit)
        return tuple(sorted(found, key=lambda user: (user.user_id is not None, user.created_at, user.id)))

    def _with_email(self, key: str, verified: bool, limit: int) -> list[User]:
        rows = self._database.rows(_with_primary_email(self._app, key, verified, limit))
        if not rows[0][-1]:
            return self._as_users(row[:-1] for row in rows if row[0] is not None)
        found = self._ask(_with_email(self._app, key, verified, limit))
        having = [user for user in found if key in map(email_key, user.emails)]
        if len(having) < len(found) == limit:
            # A former release leaves emails behind that find nobody, and may have kept others out.
            return self._with_email(key, verified, 2 * limit)
        return having

    def page(
        self,
        *,
        user_id: str | None,
        email: str | None,
        begins: str | None,
        contact: ContactKey | None = None,
        after: str,
        limit: int,
    ) -> tuple[User, ...]:
        """Return up to ``limit`` users of both worlds, by our id, who come after the id ``after``.

        They have this user ID, this email, a name, email or user ID that begins so, and a contact of this
        key, as far as each is given.
        """
        found: list[Any] = []
        further: list[Any] = []
        if user_id is not None:
            digest = UserIds.digest == user_id_digest(user_id)
            found.append(_owners(self._app, digest & UserIds.verified.in_((True, False))))
        if email is not None:
            further.append(above(self._app, Fields.key == email_key(email)))
            having = (Users.app == self._app) & (Users.email_key == email_key(email))
            found.append(Users.select(Users.id).where(having) | ids_of(further[-1], self._app))
        if begins is not None:
            further.append(above(self._app, _begins(Fields.key, search_key(begins)), "beginning"))
            found.append(_beginning(self._app, search_key(begins)) | ids_of(further[-1], self._app))
        if contact is not None:
            found.append(_left(self._app, *contact))
        id = found_first(Users.id) if found else Users.id
        condition = reduce(operator.and_, map(Users.id.in_, found), id > after)
        ids = (
            Users.select(Users.id)
            .where((Users.app == self._app) & lives() & condition)
            .order_by(Users.id)
            .limit(limit)
        )
        # One statement: a user who went between two would make a full page look like the last.
        users = self._ask(_users(self._app, Users.id.in_(ids)).with_cte(*further))
        return tuple(sorted(users, key=lambda user: user.id))

    def lock(self, user: User, *, to_change: bool) -> None:
        """Keep others from changing a user (and, ``to_change``, from relying on them) until the transaction
        ends. Raises StaleState if they are of another version by now, or gone."""
        if self._lock(user.id, to_change=to_change) != user.version:
            raise StaleState

    def find_and_lock(self, id: str, *, to_change: bool) -> User | None:
        """Find a user by our id, and lock them as they are."""
        return None if self._lock(id, to_change=to_change) is None else self.with_id(id)

    def _lock(self, id: str, *, to_change: bool) -> int | None:
        # No id ever changes, so rows that refer to the user may be written meanwhile by who need not wait.
        strength = "NO KEY UPDATE" if to_change else "SHARE"
        row = self._database.row(self._database.locked(_version(self._app, id), strength))
        return None if row is None else row[0]

    def lock_emails(self, *emails: str | None) -> None:
        """Keep others from deciding by these emails until the transaction ends."""
        self._database.lock(self._app, *(f"email {email_key(email)}" for email in emails if email))

    def create(self, user: User) -> None:
        """Add a user. Raises StaleState if its user ID, or its email while unclaimed, is taken."""
        email = user.email and email_key(user.email)
        name = user.name and search_key(user.name)
        shown = user.user_id, user.email, email, user.name, name
        self._database.add(_insert(self._app, user.id, user.verified, *shown, user.created_at))
        if user.user_id is not None:
            self._add_user_id(user, user.user_id, user.created_at, user.id)

    def add_user_id(self, user: User, value: str, at: int, home: str | None = None) -> User:
        """Give a user a user ID, or to ``home`` who is part of them; return them as they are then. Raises
        StaleState if somebody of their world has it."""
        self._add_user_id(user, value, at, home or user.id)
        return self._update(user, aliases=(*user.aliases, value))

    def _add_user_id(self, user: User, value: str, at: int, home: str) -> None:
        digest, search, proven = user_id_digest(value), search_key(value), not user.is_unproven
        self._database.add(_insert_user_id(self._app, proven, digest, user.id, home, value, search, at))

    def ids_given_to(self, user: User, home: str) -> list[tuple[str, int]]:
        """Return those of a user's IDs that were given to ``home``, with when that was."""
        given = (UserIds.app == self._app) & (UserIds.user == user.id) & (UserIds.home == home)
        rows = self._database.rows(UserIds.select(UserIds.value, UserIds.added_at).where(given))
        return [(value, at) for value, at in rows]

    def home_of(self, user: User, value: str) -> str:
        """Return to whom one of a user's IDs was given: the user, or who is part of them."""
        ((home,),) = self._database.rows(UserIds.select(UserIds.home).where(self._one_of(user, value)))
        return str(home)

    def remove_user_id(self, user: User, home: str, value: str) -> None:
        """Unlink one of a user's IDs, which was given to ``home``."""
        self._database.change(UserIds.delete().where(self._one_of(user, value)))
        # Whose part they are may be another in a backup.
        self._database.revoke(Revoked.USER_ID_REMOVED, self._app, home, value)
        self._change(user.id)

    def _one_of(self, user: User, value: str) -> Any:
        mine = (UserIds.app == self._app) & (UserIds.verified == (not user.is_unproven))
        return mine & (UserIds.digest == user_id_digest(value)) & (UserIds.user == user.id)

    def rename_part(self, id: str, value: str, instead: str | None) -> None:
        """Have who is part of another, and whose primary ID goes, be known by another ID ``instead`` when
        they stand again, or by what they have then. An anonymous user's stays: it tells that they were one.
        """
        known_by = (Users.app == self._app) & (Users.id == id) & (Users.user_id == value)
        is_part = Users.merged_into.is_null(False) & ~anonymous()
        self._database.change(Users.update(user_id=instead).where(known_by & is_part))

    def remove_aliases(self, user: User, limit: int) -> int:
        """Unlink up to ``limit`` of the IDs of a user who is about to be erased, but not the primary one;
        return how many that were."""
        beside = (UserIds.app == self._app) & (UserIds.user == user.id) & (UserIds.value != user.user_id)
        these = some(self._database, UserIds.digest, beside, limit)
        removed = self._database.change(UserIds.delete().where(these))
        if removed:
            self._change(user.id)
        return removed

    def remove_user_ids(self, user: User) -> User:
        """Unlink all of a user's IDs; return the user as they are then."""
        self._database.change(UserIds.delete().where((UserIds.app == self._app) & (UserIds.user == user.id)))
        return self._update(user, aliases=())

    def set_primary(self, user: User, user_id: str | None, *, verified: bool) -> User:
        """Set which of a user's IDs is the primary one, and of which world they are from now on; return them
        as they are then."""
        ids = tuple(value for value in user.user_ids if value != user_id)
        self._database.change(
            UserIds.update(verified=verified or is_of_a_device(user_id)).where(
                (UserIds.app == self._app) & (UserIds.user == user.id)
            )
        )
        return self._update(user, aliases=ids, user_id=user_id, verified=verified)

    def set_email(self, user: User, email: str | None) -> User:
        """Set a user's email; return them as they are then. Raises StaleState if another unclaimed user has
        it."""
        return self._update(user, email=email)

    def give_up_email(self, home: str, email: str) -> None:
        """Note that an email which was said of somebody, ``home``, finds them no more."""
        self._database.revoke(Revoked.EMAIL_REMOVED, self._app, home, email_key(email))

    def set_name(self, user: User, name: str | None) -> User:
        """Set a user's name; return them as they are then."""
        return self._update(user, name=name)

    def set_attributes(self, user: User, attributes: Mapping[str, Value]) -> User:
        """Set what a user shows of what is said by name; return them as they are then."""
        self.show_attributes(user.id, attributes)
        return replace(user, version=user.version + 1, attributes=attributes)

    def show_attributes(self, id: str, attributes: Mapping[str, Value]) -> None:
        """As ``set_attributes``, of a user by our id."""
        # Of who is one with others it is worked out: see ``several.py``.
        is_alone = ~is_kept(self._app, id)
        self._change(id, attributes=Case(None, [(is_alone, as_text(attributes))]))

    def clear(self, user: User, at: int) -> None:
        """Note when an anonymous user was cleared."""
        self._change(user.id, cleared_at=at)
        self._database.revoke(Revoked.USER_CLEARED, self._app, user.id)

    def absorb(self, id: str, into: User, home: str) -> None:
        """Make a user part of ``home``, who is another or part of them: its user IDs lead to that other from
        now on."""
        self._change(id, merged_into=home)
        self._change(into.id, attributes=None)
        self._database.change(
            UserIds.update(user=into.id, verified=not into.is_unproven).where(
                (UserIds.app == self._app) & (UserIds.user == id)
            )
        )

    def release(self, user: User, from_: str, everyone: Sequence[str]) -> None:
        """Make a user, as given here, stand again who was part of another, with the IDs that were given to
        ``everyone`` who is part of them. Raises StaleState if the email has a new unclaimed user."""
        email, name = user.email and email_key(user.email), user.name and search_key(user.name)
        self._database.change(
            Users.update(
                merged_into=None,
                verified=user.verified,
                user_id=user.user_id,
                email=user.email,
                email_key=email,
                name=user.name,
                name_key=name,
                version=Users.version + 1,
            ).where((Users.app == self._app) & (Users.id == user.id) & Users.merged_into.is_null(False))
        )
        self._database.change(
            UserIds.update(user=user.id, verified=not user.is_unproven).where(
                (UserIds.app == self._app) & (UserIds.user == from_) & UserIds.home.in_(everyone)
            )
        )

    def merged(self, id: str, into: str) -> User | None:
        """Find a user who is part of another, as they were; their IDs are the other's now."""
        row = self._database.row(
            Users.select(*USER_FIELDS).where(
                (Users.app == self._app) & (Users.id == id) & (Users.merged_into == into)
            )
        )
        return as_user([(*row, False, None)]) if row else None

    def _ask(self, query: Any) -> list[User]:
        """Run a query of ``user_columns``, anew if somebody changes before all of them is known."""
        return self._database.ask(lambda: self._as_users(self._database.rows(query)))

    def _as_users(self, rows: Iterable[tuple[Any, ...]]) -> list[User]:
        by_id: dict[str, list[tuple[Any, ...]]] = {}
        for row in rows:
            by_id.setdefault(row[0], []).append(row)
        users = [as_user(theirs) for theirs in by_id.values()]
        versions = {user.id: user.version for user in users if user.further_emails is None}
        if not versions:
            return users
        beside = further(self._database, self._app, versions)
        return [_with(user, *beside[user.id]) if user.id in beside else user for user in users]

    def user_ids_of(self, id: str, homes: Sequence[str], *, beside: bool = False) -> tuple[str, ...]:
        """Return those of a user's IDs that were given to these, who are one with them, the oldest first; or
        all ``beside`` those."""
        given = UserIds.home.not_in(homes) if beside else UserIds.home.in_(homes)
        rows = self._database.rows(
            UserIds.select(UserIds.value)
            .where((UserIds.app == self._app) & (UserIds.user == id) & given)
            .order_by(UserIds.added_at, UserIds.digest)
        )
        return tuple(value for (value,) in rows)

    def first_user_id(self, id: str) -> tuple[str, int] | None:
        """Return the user ID of a user that was seen first, and when."""
        # One transaction may add several in one millisecond: then our ids tell which user was made
        # first, and who was anonymous was so before they had another ID.
        row = self._database.row(
            UserIds.select(UserIds.value, UserIds.added_at)
            .where((UserIds.app == self._app) & (UserIds.user == id))
            .order_by(UserIds.added_at, UserIds.home, _anonymous(UserIds.value).desc(), UserIds.digest)
            .limit(1)
        )
        return (row[0], row[1]) if row else None

    def is_gone(self, id: str) -> bool | None:
        """Return whether a user was merged away or erased; None if there never was one."""
        query = Users.select(lives()).where((Users.app == self._app) & (Users.id == id))
        row = self._database.row(query)
        return None if row is None else not row[0]

    def erased(self, ids: Iterable[str]) -> set[str]:
        """Return who of some users was erased."""
        these = (Users.app == self._app) & self._database.is_among(Users.id, ids)
        rows = self._database.rows(Users.select(Users.id).where(these & Users.erased_at.is_null(False)))
        return {id for (id,) in rows}

    def part_of(self, id: str) -> tuple[str, ...]:
        """Return the ids of all who became part of a user, also by way of others."""
        rows = self._database.rows(
            Users.select(Users.id).where((Users.app == self._app) & (Users.merged_into == id))
        )
        parts = tuple(part for (part,) in rows)
        # Nearly always there is nobody, and the simpler question is the cheaper one.
        return parts + tuple(id for (id,) in self._database.rows(below(self._app, parts))) if parts else ()

    def one_with(self, id: str) -> tuple[str, ...]:
        """Return a user, and all who became part of them and count there: those of one world with them, and
        with whoever is between."""
        into, found, level = Users.alias(), [id], [id]
        while level:
            rows = self._database.rows(
                Users.select(Users.id)
                .join(into, on=((into.app == Users.app) & (into.id == Users.merged_into)))
                .where((Users.app == self._app) & Users.merged_into.in_(level) & (proven() == proven(into)))
            )
            level = [part for (part,) in rows]
            found += level
        return tuple(found)

    def is_part(self, id: str, of: str) -> bool:
        """Return whether somebody is a user, or part of them."""
        if id == of:
            return True
        row = self._database.row(merged_into(self._app, id))
        return row is not None and row[0] is not None and self.is_part(row[0], of)

    def is_part_of_one_world(self, id: str, of: str) -> bool:
        """Return whether somebody, the user whom they are part of, and all between are of one world."""
        if id == of:
            return True
        into = Users.alias()
        one_world = Users.select(into.id).join(
            into, on=((into.app == self._app) & (into.id == Users.merged_into))
        )
        row = self._database.row(
            one_world.where((Users.app == self._app) & (Users.id == id) & (proven() == proven(into)))
        )
        return row is not None and self.is_part_of_one_world(row[0], of)

    def erase(self, ids: Sequence[str], at: int) -> None:
        """Leave of these users their ids and times, and nothing personal."""
        self._database.change(UserIds.delete().where((UserIds.app == self._app) & UserIds.user.in_(ids)))
        self._database.change(
            Users.update(
                user_id=None,
                email=None,
                email_key=None,
                name=None,
                name_key=None,
                attributes=None,
                erased_at=at,
                version=Users.version + 1,
            ).where((Users.app == self._app) & Users.id.in_(ids))
        )
        for id in ids:
            self._database.revoke(Revoked.USER_ERASED, self._app, id)

    def _update(self, user: User, *, aliases: tuple[str, ...] | None = None, **fields: Any) -> User:
        """Set fields of a user, and the keys by which they are compared."""
        keys = {f"{name}_key": _KEYS[name](fields[name] or "") or None for name in fields if name in _KEYS}
        self._change(user.id, **fields, **keys)
        aliases = user.aliases if aliases is None else aliases
        return replace(user, aliases=aliases, version=user.version + 1, **fields)

    def _change(self, id: str, **fields: Any) -> None:
        changed = Users.update(version=Users.version + 1, **fields)
        if not self._database.change(changed.where((Users.app == self._app) & (Users.id == id) & lives())):
            raise StaleState


_KEYS: dict[str, Callable[[str], str]] = {"email": email_key, "name": search_key}


USER_FIELDS = (
    Users.id,
    Users.user_id,
    Users.email,
    Users.name,
    Users.created_at,
    Users.verified,
    Users.cleared_at,
    Users.version,
    Users.attributes,
)


def user_columns(app: Any) -> tuple[Any, ...]:
    """Return the columns of a user of an app, who is selected once for each of their user IDs."""
    return (*USER_FIELDS, is_kept(app), UserIds.value)


def as_user(rows: Sequence[tuple[Any, ...]]) -> User:
    """Make a user of its rows of ``user_columns``, of which there is at least one. The further emails and
    the attributes of who is one with others are still to be asked for."""
    id, user_id, email, name, created_at, verified, cleared_at, version, attributes, kept, _ = rows[0]
    aliases = tuple(row[-1] for row in rows if row[-1] not in (None, user_id))
    said = json.loads(attributes) if attributes and not kept else {}
    return User(
        id,
        user_id,
        email,
        name,
        aliases,
        created_at,
        bool(verified),
        cleared_at is not None,
        version=version,
        further_emails=None if kept else (),
        attributes=said,
    )


def _with(user: User, emails: tuple[str, ...], attributes: Mapping[str, Value]) -> User:
    return replace(user, further_emails=emails, attributes=attributes)


def lives(users: Any = Users) -> Any:
    """Whether a user is one still: neither part of another, nor erased."""
    return users.merged_into.is_null() & users.erased_at.is_null()


def of_a_device(users: Any = Users) -> Any:
    """Whether a user is a device's anonymous one."""
    return _begins_with(fn.COALESCE(users.user_id, ""), DEVICE_PREFIX)


def proven(users: Any = Users) -> Any:
    """Whether a user is of the proven world."""
    return users.verified | of_a_device(users)


def anonymous(users: Any = Users) -> Any:
    """Whether a user is anonymous: a device's, or one whose ID a client of RevenueCat's made."""
    return _anonymous(fn.COALESCE(users.user_id, ""))


def _anonymous(user_id: Any) -> Any:
    """Whether a user ID is one that is made for anonymous users."""
    return reduce(operator.or_, [_begins_with(user_id, prefix) for prefix in ANONYMOUS_PREFIXES])


def _begins_with(text: Any, prefix: str) -> Any:
    return fn.SUBSTR(text, 1, len(prefix)) == prefix


def _users(app: Any, condition: Any) -> Any:
    """Select users, each as often as they have user IDs, the oldest of these first."""
    ids = (UserIds.app == Users.app) & (UserIds.user == Users.id)
    return (
        Users.select(*user_columns(app))
        .join(UserIds, JOIN.LEFT_OUTER, on=ids)
        .where((Users.app == app) & condition & lives())
        .order_by(UserIds.added_at, UserIds.digest)
    )


@Prepared
def _with_id(app: Any, id: Any) -> Any:
    return _users(app, Users.id == id)


@Prepared
def _with_user_id(app: Any, verified: Any, digest: Any) -> Any:
    given = UserIds.alias()
    given_here = (given.app == app) & (given.verified == verified) & (given.digest == digest)
    query = _users(app, given_here).select_extend(given.home)
    return query.join(given, on=((given.app == Users.app) & (given.user == Users.id)))


@Prepared
def _with_primary_email(app: Any, key: Any, verified: Any, limit: Any) -> Any:
    """Select who has an email as the primary one, or a row of nobody; and with each whether it was also said
    of one of several who are one. Nearly always it was not, and nothing else has to be asked."""
    of_several = Fields.select(SQL("1")).where((Fields.app == app) & (Fields.key == key))
    first = Select(columns=[fn.EXISTS(of_several).alias("of_several")]).alias("first")
    theirs = _first_of(app, (Users.email_key == key) & (Users.verified == verified), limit)
    user = theirs.select(*USER_FIELDS, is_kept(app).alias("kept")).alias("theirs")
    shown = *(user.c[field.column_name] for field in USER_FIELDS), user.c.kept, UserIds.value
    ids = (UserIds.app == app) & (UserIds.user == user.c.id)
    rows = Join(Join(first, user, JOIN.LEFT_OUTER, SQL("TRUE")), UserIds, JOIN.LEFT_OUTER, ids)
    return Select([rows], [*shown, first.c.of_several]).order_by(UserIds.added_at, UserIds.digest)


@Prepared
def _with_email(app: Any, key: Any, verified: Any, limit: Any) -> Any:
    further = above(app, Fields.key == key)
    primary = Users.select(Users.id).where((Users.app == app) & (Users.email_key == key))
    having = Users.id.in_(primary | ids_of(further, app)) & (Users.verified == verified)
    return _users(app, Users.id.in_(_first_of(app, having, limit))).with_cte(further)


def _first_of(app: Any, condition: Any, limit: Any) -> Any:
    """Select the ids of some users, the unclaimed ones first."""
    unclaimed_first = Users.user_id.is_null(False), Users.created_at, Users.id
    users = Users.select(Users.id).where((Users.app == app) & condition & lives())
    return users.order_by(*unclaimed_first).limit(limit)


@Prepared
def merged_into(app: Any, id: Any) -> Any:
    """Ask whom a user is part of."""
    return Users.select(Users.merged_into).where((Users.app == app) & (Users.id == id))


@Prepared
def _version(app: Any, id: Any) -> Any:
    return Users.select(Users.version).where((Users.app == app) & (Users.id == id) & lives())


_insert = inserting(
    Users.app,
    Users.id,
    Users.verified,
    Users.user_id,
    Users.email,
    Users.email_key,
    Users.name,
    Users.name_key,
    Users.created_at,
)
_insert_user_id = inserting(
    UserIds.app,
    UserIds.verified,
    UserIds.digest,
    UserIds.user,
    UserIds.home,
    UserIds.value,
    UserIds.search,
    UserIds.added_at,
)


def _owners(app: str, condition: Any) -> Any:
    return UserIds.select(UserIds.user).where((UserIds.app == app) & condition)


def _left(app: str, email: str | None, phone: str | None) -> Any:
    """Select the ids of users who left an email, or else a phone number, by its key."""
    is_it = Contacts.phone_key == phone if email is None else Contacts.email_key == email
    return Contacts.select(Contacts.user).where((Contacts.app == app) & is_it)


def _beginning(app: str, prefix: str) -> Any:
    """Select the ids of users whose name, email or user ID begins so, each by its own index."""
    named = Users.select(Users.id).where((Users.app == app) & _begins(Users.name_key, prefix))
    mailed = Users.select(Users.id).where((Users.app == app) & _begins(Users.email_key, prefix))
    return named | mailed | _owners(app, _begins(UserIds.search, prefix))


def _begins(column: Any, prefix: str) -> Any:
    """Compare as a range, which an index answers; the column is compared byte by byte."""
    following = _following(prefix)
    return (column >= prefix) & (column < following) if following else column >= prefix


def _following(prefix: str) -> str:
    """Return the first text after all that begin so, or "" if there is none."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return ""
    last = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if 0xD800 <= last <= 0xDFFF else last)
