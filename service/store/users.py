"""Users and their user IDs.

A user who was merged away has a row still, and is answered by nothing here but ``survivor``.
"""

from collections.abc import Iterable
from typing import Any

from peewee import JOIN

from service.errors import LostRace
from service.identifiers import email_key, user_id_digest
from service.nouns import User
from service.store.database import Database
from service.store.tables import UserIds, Users

# As many users with one email as it takes to know that several share it.
ENOUGH = 2


class UserStore:
    """The users of all apps; every method names the app."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def with_id(self, app: str, id: str) -> User | None:
        """Find a user by our id."""
        return self._one(app, Users.id == id)

    def survivor(self, app: str, id: str) -> User | None:
        """Find a user by our id, or whoever that user became part of."""
        row = self._database.row(
            Users.select(Users.id, Users.merged_into).where((Users.app == app) & (Users.id == id))
        )
        if row is None:
            return None
        found, merged_into = row
        return self.survivor(app, merged_into) if merged_into else self.with_id(app, found)

    def with_user_id(self, app: str, user_id: str) -> User | None:
        """Find the user who has this user ID, as the primary one or as an alias."""
        owner = UserIds.select(UserIds.user).where(
            (UserIds.app == app) & (UserIds.digest == user_id_digest(user_id))
        )
        return self._one(app, Users.id == owner)

    def with_email(self, app: str, email: str) -> tuple[User, ...]:
        """Find who has this email: the unclaimed user first, and of the others enough to know
        whether they share it."""
        ids = (
            Users.select(Users.id)
            .where((Users.app == app) & (Users.email_key == email_key(email)) & Users.merged_into.is_null())
            .order_by(Users.user_id.is_null(False), Users.created_at, Users.id)
            .limit(ENOUGH)
        )
        found = [self.with_id(app, id) for (id,) in self._database.rows(ids)]
        return tuple(user for user in found if user is not None)

    def hold(self, app: str, id: str, *, to_change: bool) -> User | None:
        """Find a user by our id, and keep others from changing it (and, ``to_change``, from relying
        on it) until the transaction ends."""
        query = Users.select(Users.id).where(
            (Users.app == app) & (Users.id == id) & Users.merged_into.is_null()
        )
        held = self._database.row(self._database.held(query, "UPDATE" if to_change else "SHARE"))
        return None if held is None else self.with_id(app, id)

    def hold_email(self, app: str, *emails: str | None) -> None:
        """Keep others from deciding by these emails until the transaction ends."""
        self._database.lock(app, *(f"email {email_key(email)}" for email in emails if email))

    def create(self, app: str, user: User) -> None:
        """Add a user. Raises LostRace if its user ID, or its email while unclaimed, is taken."""
        self._database.change(
            Users.insert(
                app=app,
                id=user.id,
                user_id=user.user_id,
                email=user.email,
                email_key=user.email and email_key(user.email),
                name=user.name,
                created_at=user.created_at,
            )
        )
        if user.user_id is not None:
            self._add_user_id(app, user.id, user.user_id, user.created_at)

    def attach(self, app: str, id: str, user_id: str, at: int) -> None:
        """Give a user their first user ID. Raises LostRace if somebody has it."""
        self._update(app, id, user_id=user_id)
        self._add_user_id(app, id, user_id, at)

    def update(self, app: str, id: str, *, email: str | None, name: str | None) -> None:
        """Set those of the fields that are not None."""
        fields: dict[str, Any] = {}
        if email is not None:
            fields |= {"email": email, "email_key": email_key(email)}
        if name is not None:
            fields["name"] = name
        self._update(app, id, **fields)

    def clear(self, app: str, id: str, at: int) -> None:
        """Note when an anonymous user was cleared."""
        self._update(app, id, cleared_at=at)

    def absorb(self, app: str, id: str, into: str) -> None:
        """Make a user part of another: its user IDs lead there from now on."""
        self._update(app, id, merged_into=into)
        self._database.change(UserIds.update(user=into).where((UserIds.app == app) & (UserIds.user == id)))

    def _one(self, app: str, condition: Any) -> User | None:
        rows = self._database.rows(
            Users.select(Users.id, Users.user_id, Users.email, Users.name, Users.created_at, UserIds.value)
            .join(
                UserIds,
                JOIN.LEFT_OUTER,
                on=((UserIds.app == Users.app) & (UserIds.user == Users.id)),
            )
            .where((Users.app == app) & condition & Users.merged_into.is_null())
            .order_by(UserIds.added_at, UserIds.digest)
        )
        return as_user(rows)

    def _update(self, app: str, id: str, **fields: Any) -> None:
        changed = self._database.change(
            Users.update(**fields).where((Users.app == app) & (Users.id == id) & Users.merged_into.is_null())
        )
        if not changed:
            raise LostRace

    def _add_user_id(self, app: str, user: str, value: str, at: int) -> None:
        self._database.change(
            UserIds.insert(app=app, digest=user_id_digest(value), user=user, value=value, added_at=at)
        )


def as_user(rows: Iterable[tuple[Any, ...]]) -> User | None:
    """Make a user of its rows, one per user ID: id, primary, email, name, created at, user ID."""
    rows = list(rows)
    if not rows:
        return None
    id, user_id, email, name, created_at, _ = rows[0]
    aliases = tuple(row[-1] for row in rows if row[-1] not in (None, user_id))
    return User(id, user_id, email, name, aliases, created_at)
