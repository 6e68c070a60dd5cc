"""How people said that they can be reached, kept with the user under whose ID their session began."""

from collections.abc import Iterable, Sequence
from typing import Any

from service.model.contacts import Contact, phone_key
from service.model.identifiers import email_key
from service.model.users import User
from service.store.database import Database
from service.store.forgetting import some
from service.store.tables import Contacts

_CONTACT = Contacts.email, Contacts.phone, Contacts.name, Contacts.home, Contacts.at


class ContactStore:
    """The contacts of an app's users."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def put(self, user: User, contact: Contact, device: str) -> None:
        """Write what was left under an ID of the contact's home, who is a user or part of them, in place of
        what was left there before, on the device if one is named."""
        row = {
            "app": self._app,
            "home": contact.home,
            "device": device,
            "user": user.id,
            "email": contact.email,
            "email_key": contact.email and email_key(contact.email),
            "phone": contact.phone,
            "phone_key": contact.phone and phone_key(contact.phone),
            "name": contact.name,
            "at": contact.at,
        }
        self._database.put(Contacts, [row])

    def left(self, home: str, device: str) -> Contact:
        """Return what was left there, which may be nothing."""
        row = self._database.row(
            Contacts.select(*_CONTACT).where(
                (Contacts.app == self._app) & (Contacts.home == home) & (Contacts.device == device)
            )
        )
        return Contact() if row is None else Contact(*row)

    def remove(self, home: str, device: str) -> None:
        """Forget what was left there."""
        self._database.change(self._theirs((Contacts.home == home) & (Contacts.device == device)))

    def of_user(self, user: str, limit: int | None = None) -> tuple[Contact, ...]:
        """Return what was left of a user, and of all who are part of them, the newest first: all of it, or so
        many."""
        rows = self._database.rows(
            Contacts.select(*_CONTACT)
            .where((Contacts.app == self._app) & (Contacts.user == user))
            .order_by(Contacts.at.desc(), Contacts.home, Contacts.device)
            .limit(limit)
        )
        return tuple(Contact(*row) for row in rows)

    def of_users(self, users: Iterable[str]) -> dict[str, list[Contact]]:
        """Return what was left of each of these users, the newest first."""
        found: dict[str, list[Contact]] = {user: [] for user in users}
        theirs = (Contacts.app == self._app) & self._database.is_among(Contacts.user, found)
        rows = self._database.rows(
            Contacts.select(Contacts.user, *_CONTACT).where(theirs).order_by(Contacts.at.desc())
        )
        for user, *contact in rows:
            found[user].append(Contact(*contact))
        return found

    def move(self, user: str, into: str) -> None:
        """Make all contacts of a user another's."""
        self._change(Contacts.user == user, into)

    def give_back(self, user: str, to: str, homes: Sequence[str]) -> None:
        """Make those contacts of a user another's that were left under IDs of these, who are part of that
        other."""
        self._change((Contacts.user == user) & Contacts.home.in_(homes), to)

    def bring(self, home: str, user: str) -> None:
        """Make all contacts that were left under IDs of ``home`` a user's."""
        self._change((Contacts.home == home) & (Contacts.user != user), user)

    def erase(self, homes: Sequence[str], limit: int | None = None) -> int:
        """Forget what was left under IDs of these users, up to ``limit`` if there is one; return how much
        that was."""
        theirs = (Contacts.app == self._app) & Contacts.home.in_(homes)
        these = some(self._database, Contacts.device, theirs, limit, Contacts.home)
        return self._database.change(Contacts.delete().where(these))

    def _theirs(self, condition: Any) -> Any:
        return Contacts.delete().where((Contacts.app == self._app) & condition)

    def _change(self, condition: Any, user: str) -> None:
        self._database.change(Contacts.update(user=user).where((Contacts.app == self._app) & condition))
