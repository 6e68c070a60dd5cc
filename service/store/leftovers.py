"""What a server of a former release leaves behind, as it knows nothing of it, while a deploy rolls."""

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_
from typing import Any

from peewee import SQL, fn

from service.model.attributes import Attribute, as_text, shown
from service.model.identifiers import email_key
from service.store.attributes import AttributeStore
from service.store.comparing import amounts, unseen
from service.store.database import Database
from service.store.events import OF_ERASED
from service.store.indexed import forget_conversations
from service.store.several import is_kept
from service.store.tables import (
    Attachments,
    Attributes,
    Contacts,
    Conversations,
    Dismissals,
    DuplicateKeys,
    Events,
    Fields,
    SearchIndex,
    Users,
)
from service.store.users import lives

# Of how many users is read at a time.
BATCH = 200


class LeftoverStore:
    """What is left behind of an app's users. All of it is read in parts, and may be mended meanwhile."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def of_erased(self) -> Iterator[str]:
        """Find, by our id, who was erased and of whom something is kept still."""
        kept = [
            fn.EXISTS(table.select(SQL("1")).where((table.app == Users.app) & (table.home == Users.id)))
            for table in (Attributes, Contacts, Fields, DuplicateKeys, Dismissals)
        ]
        tells = Events.select(SQL("1")).where((Events.app == Users.app) & (Events.user == Users.id))
        tells = tells.where(Events.data.is_null(False) & Events.type.not_in(OF_ERASED))
        waits = Attachments.select(SQL("1")).where(Attachments.app == Users.app)
        waits = waits.where((Attachments.author == Users.id) & Attachments.message.is_null())
        holds = reduce(or_, kept, Users.attributes.is_null(False)) | fn.EXISTS(tells) | fn.EXISTS(waits)
        for ids in self._batches(Users.id):
            theirs = (Users.app == self._app) & Users.id.in_(ids) & Users.erased_at.is_null(False)
            yield from (id for (id,) in self._database.rows(Users.select(Users.id).where(theirs & holds)))

    def described(self) -> Iterator[str]:
        """Find, by our id, who is one with nobody and shows other attributes than were said of them."""
        attributes = AttributeStore(self._database, self._app)
        for homes in self._batches(Attributes.home):
            said: dict[str, list[Attribute]] = {home: [] for home in homes}
            for one in attributes.of_homes(homes):
                said[one.home].append(one)
            alone = (Users.app == self._app) & Users.id.in_(homes) & lives() & ~is_kept(self._app)
            for id, text in self._database.rows(Users.select(Users.id, Users.attributes).where(alone)):
                if text != as_text(shown(said[id])):
                    yield id

    def elsewhere(self) -> Iterator[tuple[str, str]]:
        """Find who left contacts, or is compared by something, and is part of another, or is not whose that
        is; and whose it is."""
        for table in (Contacts, DuplicateKeys, Dismissals):
            home = (Users.app == table.app) & (Users.id == table.home)
            is_elsewhere = (table.user != table.home) | Users.merged_into.is_null(False)
            for homes in self._batches(table.home):
                theirs = (table.app == self._app) & table.home.in_(homes) & is_elsewhere
                found = table.select(table.home, table.user).join(Users, on=home).where(theirs)
                yield from self._database.rows(found.distinct())

    def emails(self) -> Iterator[str]:
        """Find, by our id, of whom an email was said that has another key than it should, or none."""
        for homes in self._batches(Fields.home):
            theirs = (Fields.app == self._app) & Fields.home.in_(homes) & (Fields.name == "email")
            said = Fields.select(Fields.home, Fields.value, Fields.rank, Fields.key).where(theirs)
            for home, value, rank, key in self._database.rows(said):
                if (key or "") != (email_key(value or "") if rank >= 0 else ""):
                    yield home

    def unseen(self) -> Iterator[list[tuple[str, int]]]:
        """Find, by our id, who has what users are compared by, and was not compared by it yet, each with how
        much that is: whoever was there before this was kept, too."""
        for ids in self._batches(Users.id):
            theirs = (Users.app == self._app) & Users.id.in_(ids) & unseen()
            if found := self._database.rows(Users.select(Users.id, *amounts()).where(theirs)):
                yield [(id, 1 + sum(much)) for id, *much in found]

    def indexed(self) -> Iterator[list[str]]:
        """Find conversations that were erased and are in the index of what was written still. A file is
        served by one release at a time."""
        if self._database.is_sqlite:
            return
        for ids in self._batches(SearchIndex.conversation):
            these = (Conversations.app == self._app) & Conversations.id.in_(ids)
            there = {id for (id,) in self._database.rows(Conversations.select(Conversations.id).where(these))}
            if gone := [id for id in ids if id not in there]:
                yield gone

    def unindex(self, conversations: Sequence[str]) -> None:
        """Take conversations that were erased out of the index."""
        forget_conversations(self._database, self._app, conversations)

    def clear(self, id: str) -> None:
        """Have somebody who was erased show nothing."""
        erased = (Users.app == self._app) & (Users.id == id) & Users.erased_at.is_null(False)
        self._database.change(Users.update(attributes=None).where(erased))

    def _batches(self, column: Any) -> Iterator[list[str]]:
        table = column.model
        # Whoever comes later is not waited for: somebody may come as fast as one is mended.
        rows = self._database.rows(table.select(fn.MAX(column)).where(table.app == self._app))
        after, last = "", rows[0][0] or ""
        while ids := self._batch(column, after, last):
            yield ids
            after = ids[-1]

    def _batch(self, column: Any, after: str, last: str) -> list[str]:
        table = column.model
        found = table.select(column).where((table.app == self._app) & (column > after) & (column <= last))
        return [id for (id,) in self._database.rows(found.distinct().order_by(column).limit(BATCH))]
