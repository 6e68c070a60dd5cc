"""Read people with all that is theirs, and write them, a great many at a time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from peewee import Case, fn

from service.model.moving import Claim, Claims, Person, Prepared, Row, no_claims
from service.store.database import Database
from service.store.indexed import begin_anew
from service.store.kinds import (
    ATTRIBUTE,
    CONTACT,
    CONVERSATION,
    DEVICE,
    FIELD,
    MESSAGE,
    OF_A_PERSON,
    PURCHASE,
    STORE_ACCOUNT,
    USER,
    USER_ID,
    Kind,
)
from service.store.preparing import ATTACHED, ATTACHMENT, WRITTEN
from service.store.tables import (
    Attachments,
    Conversations,
    Devices,
    Fields,
    Merges,
    Messages,
    StoreAccounts,
    UserIds,
    Users,
)

# How many users, devices or messages are read at a time.
BATCH = 500

# What tells who somebody is.
_WHO = USER, USER_ID, ATTRIBUTE, CONTACT, FIELD
# By whom these are found; all others by their users.
_OTHERS = (PURCHASE, MESSAGE)


class MovingStore:
    """What is moved of an app."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def count(self) -> int:
        """Return how many users there are, also merged and erased ones."""
        [(users,)] = self._database.rows(Users.select(fn.COUNT(Users.id)).where(Users.app == self._app))
        return int(users)

    def devices(self) -> Iterator[Row]:
        """Read all devices, without their anonymous users."""
        after = ""
        while rows := self._database.rows(self._page(DEVICE, Devices.digest, after)):
            yield from rows
            after = rows[-1][DEVICE.columns.index("digest")]

    def people(self) -> Iterator[list[Person]]:
        """Read everybody, without messages, some at a time."""
        before = ""
        while ids := [id for (id, *_) in self._database.rows(self._page(USER, Users.id, before))]:
            # Whoever was ever one with somebody who came before came with them.
            yield self.read([one for one in self._ever_one(ids) if min(one) > before])
            before = ids[-1]

    def _page(self, kind: Kind, key: Any, after: str) -> Any:
        mine = (kind.table.app == self._app) & (key > after)  # type: ignore[attr-defined]
        return kind.table.select(*kind.fields).where(mine).order_by(key).limit(BATCH)

    def _ever_one(self, ids: Sequence[str]) -> list[list[str]]:
        """Return these users, each with all who were ever one with them, by the first of each."""
        groups, added = {id: {id} for id in ids}, set(ids)
        while added:
            merged, added = self._merges(added), set()
            for pair in merged:
                added |= {id for id in pair if id not in groups}
                one = set().union(*(groups.get(id, {id}) for id in pair))
                groups |= dict.fromkeys(one, one)
        return sorted({min(one): sorted(one) for one in groups.values()}.values())

    def _merges(self, ids: Iterable[str]) -> list[tuple[str, str]]:
        named = [*ids]
        both = Merges.source, Merges.target
        return [pair for side in both for pair in self._rows(side, named, *both)]

    def _rows(
        self, column: Any, values: Iterable[Any], *selected: Any, where: Any = True, locked: bool = False
    ) -> list[Any]:
        """Select columns of the rows in which a column has one of these values."""
        named = [*values]
        if not named:
            return []
        table = column.model
        is_named = (table.app == self._app) & self._database.is_among(column, named) & where
        query = table.select(*selected or (column,)).where(is_named)
        return self._database.rows(self._database.locked(query.order_by(column)) if locked else query)

    def _of(self, kind: Kind, values: Iterable[Any]) -> list[Row]:
        """Return the rows of a kind whose column ``of`` has one of these values."""
        return self._rows(kind.table._meta.columns[kind.of], values, *kind.fields)

    def read(self, people: Sequence[Sequence[str]]) -> list[Person]:
        """Read people, each of whom is given by all of their users, without messages. Users who are not there
        are left out."""
        ids = [id for one in people for id in one]
        place = {id: number for number, one in enumerate(people) for id in one}
        rows: list[dict[str, list[Row]]] = [{kind.name: [] for kind in OF_A_PERSON} for _ in people]
        for kind in OF_A_PERSON:
            if kind not in _OTHERS:
                of = kind.columns.index(kind.of)
                for row in self._of(kind, ids):
                    rows[place[row[of]]][kind.name].append(row)
        self._read_purchases(rows)
        anonymous = self._anonymous(ids)
        return [_sorted(mine, anonymous) for mine in rows]

    def known_of(self, ids: Iterable[str]) -> list[Person]:
        """Read these users, each with all who were ever one with them, as far as it tells who they are."""
        people = self.read(self._ever_one([*ids]))
        nothing: dict[str, Sequence[Row]] = {kind.name: () for kind in OF_A_PERSON}
        return [
            Person(one.users, nothing | {kind.name: one.rows[kind.name] for kind in _WHO}) for one in people
        ]

    def _read_purchases(self, rows: list[dict[str, list[Row]]]) -> None:
        digest = WRITTEN[STORE_ACCOUNT.name]["digest"]
        place = {
            STORE_ACCOUNT.row(self._app, account)[digest]: number
            for number, mine in enumerate(rows)
            for account in mine[STORE_ACCOUNT.name]
        }
        of = PURCHASE.columns.index(PURCHASE.of)
        for row in self._of(PURCHASE, place):
            rows[place[row[of]]][PURCHASE.name].append(row)

    def _anonymous(self, users: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for digest, user in self._rows(Devices.anonymous, users, Devices.digest, Devices.anonymous):
            found.setdefault(user, []).append(digest)
        return found

    def with_messages(self, people: Sequence[Person]) -> Iterator[tuple[Person, Iterable[Row]]]:
        """Read the messages of people, in the order of their conversations; of whoever has a great many, one
        page after the other, as they are asked for."""
        waiting: list[Person] = []
        messages = 0
        for person in people:
            messages += _count(person)
            if messages > BATCH:
                yield from self._with_messages(waiting)
                waiting, messages = [], _count(person)
            if messages > BATCH:
                yield person, self._all_messages(person)
                messages = 0
            else:
                waiting.append(person)
        yield from self._with_messages(waiting)

    def _with_messages(self, people: Sequence[Person]) -> Iterator[tuple[Person, Iterable[Row]]]:
        conversations = [id for person in people for id in _conversations(person)]
        found: dict[str, list[Row]] = {id: [] for id in conversations}
        conversation, number = map(MESSAGE.columns.index, MESSAGE.order)
        for row in sorted(self._of(MESSAGE, conversations), key=lambda row: row[number]):
            found[row[conversation]].append(row)
        for person in people:
            yield person, [row for id in _conversations(person) for row in found[id]]

    def _all_messages(self, person: Person) -> Iterator[Row]:
        number = MESSAGE.columns.index("number")
        for conversation in _conversations(person):
            after = 0
            while rows := self._database.rows(self._messages(conversation, after)):
                yield from rows
                after = rows[-1][number]

    def _messages(self, conversation: str, after: int) -> Any:
        mine = (Messages.app == self._app) & (Messages.conversation == conversation)
        later = Messages.select(*MESSAGE.fields).where(mine & (Messages.number > after))
        return later.order_by(Messages.number).limit(BATCH)

    def there(self, users: Iterable[str]) -> dict[str, bool]:
        """Return which of these users are there, and whether they were erased."""
        rows = self._rows(Users.id, users, Users.id, Users.erased_at)
        return {id: erased_at is not None for id, erased_at in rows}

    def lock(self, people: Sequence[Prepared]) -> None:
        """Keep others from deciding by what these claim until the transaction ends."""
        self._rows(Devices.digest, {device for one in people for device in one.devices}, locked=True)
        names = [f"email {key}" for one in people for key in one.emails]
        names += [f"store account {digest}" for one in people for digest in one.claims[Claim.STORE_ACCOUNT]]
        self._database.lock(self._app, *names)

    def taken(self, claims: Claims) -> dict[Claim, set[Any]]:
        """Return what of these claims somebody has already; of devices which have any anonymous user."""
        found = no_claims()
        for world in (True, False):
            digests = [digest for proven, digest in claims[Claim.USER_ID] if proven is world]
            rows = self._rows(UserIds.digest, digests, where=UserIds.verified == world)
            found[Claim.USER_ID] |= {(world, digest) for (digest,) in rows}
        found[Claim.EMAIL] = self._unclaimed({key for _, key in claims[Claim.EMAIL]})
        has = Devices.anonymous.is_null(False)
        found[Claim.DEVICE] = _first(self._rows(Devices.digest, claims[Claim.DEVICE], where=has))
        found[Claim.STORE_ACCOUNT] = _first(self._rows(StoreAccounts.digest, claims[Claim.STORE_ACCOUNT]))
        for column in (Conversations.id, Messages.id, Merges.id, Attachments.id):
            found[Claim.ID] |= _first(self._rows(column, claims[Claim.ID]))
        return found

    def _unclaimed(self, keys: set[str]) -> set[tuple[bool, str]]:
        """Return by which of these emails, in which world, a user without a user ID is found."""
        is_unclaimed = Users.user_id.is_null() & Users.merged_into.is_null()
        found = self._rows(Users.email_key, keys, Users.verified, Users.email_key, where=is_unclaimed)
        found += self._above(self._rows(Fields.key, keys, Fields.home, Fields.key))
        return {(bool(world), key) for world, key in found}

    def _above(self, said: list[tuple[str, str]]) -> list[tuple[bool, str]]:
        """Return the worlds of those without a user ID of whom these are part, with what leads there."""
        found = []
        while said:
            columns = Users.id, Users.verified, Users.user_id, Users.merged_into
            users = {row[0]: row[1:] for row in self._rows(Users.id, {id for id, _ in said}, *columns)}
            found += [(users[id][0], key) for id, key in said if users[id][1:] == (None, None)]
            said = [(users[id][2], key) for id, key in said if users[id][2] is not None]
        return found

    def known_devices(self, digests: Iterable[str]) -> set[str]:
        """Return which of these devices are there."""
        return _first(self._rows(Devices.digest, digests))

    def add_devices(self, rows: Sequence[Row]) -> None:
        """Add devices. Raises StaleState if one is there."""
        self._copy(DEVICE.table, DEVICE.written, [(self._app, *row) for row in rows])

    def put(self, people: Sequence[Prepared]) -> None:
        """Write people, none of whom is there. Raises StaleState if somebody has taken what is theirs."""
        since = {device: at for one in people for device, at in one.devices.items()}
        missing = since.keys() - self.known_devices(since)
        self.add_devices([DEVICE.new(digest=one, clears=False, created_at=since[one]) for one in missing])
        for kind in OF_A_PERSON:
            rows = chain.from_iterable(one.written[kind.name] for one in people)
            self._copy(kind.table, WRITTEN[kind.name], list(rows))
        if any(one.written[CONVERSATION.name] for one in people):
            begin_anew(self._database, self._app)
        named = chain.from_iterable(one.written[ATTACHMENT] for one in people)
        self._copy(Attachments, ATTACHED, list(named))
        anonymous = [pair for one in people for pair in one.person.anonymous]
        if anonymous:
            these = self._database.is_among(Devices.digest, [digest for digest, _ in anonymous])
            update = Devices.update(anonymous=Case(Devices.digest, anonymous))
            self._database.change(update.where((Devices.app == self._app) & these))

    def _copy(self, table: Any, columns: Iterable[str], rows: Sequence[Row]) -> None:
        if rows:
            self._database.copy(table, list(columns), rows)


def _first(rows: list[Any]) -> set[Any]:
    return {row[0] for row in rows}


def _sorted(rows: Mapping[str, list[Row]], anonymous: Mapping[str, list[str]]) -> Person:
    """Make a person of rows in any order."""
    id, into = map(USER.columns.index, ("id", "merged_into"))
    merged = {row[id]: row[into] for row in rows[USER.name]}

    def depth(user: str) -> int:
        above = merged.get(user)
        return 0 if above is None else 1 + depth(above)

    users = sorted(merged, key=lambda user: (depth(user), user))
    place = {user: number for number, user in enumerate(users)}
    ordered = {kind.name: sorted(rows[kind.name], key=kind.place) for kind in OF_A_PERSON}
    ordered[USER.name] = sorted(rows[USER.name], key=lambda row: place[row[id]])
    devices = [(digest, user) for user in users for digest in sorted(anonymous.get(user, ()))]
    return Person(tuple(users), ordered, devices)


def _conversations(person: Person) -> list[str]:
    id = CONVERSATION.columns.index("id")
    return [row[id] for row in person.rows[CONVERSATION.name]]


def _count(person: Person) -> int:
    messages = CONVERSATION.columns.index("messages")
    return sum(row[messages] for row in person.rows[CONVERSATION.name])
