"""By what users are compared, which pairs were found by it, and which of them are not the same."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache, reduce
from itertools import chain, islice
from operator import or_
from typing import Any

from peewee import Tuple

from service.model.duplicates import Dismissal, Pair, Source, Trait
from service.model.pages import Position
from service.store.database import Database
from service.store.engine.prepared import Prepared, Question
from service.store.tables import Dismissals, DuplicateKeys, Duplicates, Users
from service.store.users import lives

# Of how many keys or pairs is asked at a time.
BATCH = 32

_TRAIT = DuplicateKeys.user, DuplicateKeys.key, DuplicateKeys.source, DuplicateKeys.value, DuplicateKeys.home

# Two users, by our ids, the lower one first; and how likely it is, in hundredths, with the signals' names.
Both = tuple[str, str]
Found = tuple[Both, int, tuple[str, ...]]


class DuplicateStore:
    """Who of an app's users are probably one person."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def lock(self, keys: Iterable[str]) -> None:
        """Keep others from deciding by these keys until the transaction ends."""
        self._database.lock(self._app, *(f"duplicate {key}" for key in keys))

    def put(self, traits: Sequence[tuple[str, Trait]]) -> int:
        """Have users be compared by traits, and return how many of these are new."""
        new = 0
        for some in _batches(traits, BATCH):
            rows = ((user, one.key, one.source.value, one.value, one.home) for user, one in some)
            new += self._database.change(_unless_there(len(some))(self._app, *chain.from_iterable(rows)))
        return new

    def remove(self, user: str, traits: Sequence[Trait]) -> None:
        """Have a user be compared by these traits no more."""
        if traits:
            mine = (DuplicateKeys.app == self._app) & (DuplicateKeys.user == user)
            which = DuplicateKeys.key.in_([trait.key for trait in traits])
            self._database.change(DuplicateKeys.delete().where(mine & which))

    def traits_of(self, users: Iterable[str]) -> dict[str, list[Trait]]:
        """Return by what each of these users is compared."""
        found: dict[str, list[Trait]] = {user: [] for user in users}
        theirs = (DuplicateKeys.app == self._app) & self._database.is_among(DuplicateKeys.user, found)
        rows = self._database.rows(DuplicateKeys.select(*_TRAIT).where(theirs))
        for user, key, source, value, home in rows:
            found[user].append(Trait(key, Source(source), value, home))
        return found

    def sharing(self, keys: Iterable[str], most: int) -> dict[str, set[str]]:
        """Return who shares each of these keys; where that is more than one above ``most``, only so many."""
        found: dict[str, set[str]] = {}
        for some in _batches(sorted(set(keys)), BATCH):
            first, *others = (_sharing(self._app, key, most + 2) for key in some)
            rows, answers = self._database.rows_and(first, *(Question(one, list) for one in others))
            for key, answer in zip(some, [rows, *answers], strict=True):
                found[key] = {user for (user,) in answer}
        return found

    def replace(self, users: Collection[str], pairs: Iterable[Both], found: Sequence[Pair]) -> None:
        """Write the pairs that were found, in place of all of some users, and of those ``pairs``."""
        for column in (Duplicates.first, Duplicates.second) if users else ():
            # Both at once SQLite would look for among all.
            self._delete(self._database.is_among(column, users))
        # A pair that is looked at has somebody of those who are compared, who are few; of pairs alone SQLite
        # would look for all.
        for some in _batches([*pairs], BATCH):
            one_of_them = reduce(or_, ((Duplicates.first == a) & (Duplicates.second == b) for a, b in some))
            self._delete(Duplicates.first.in_({a for a, _ in some}) & one_of_them)
        rows = [
            {
                "app": self._app,
                "first": pair.users[0],
                "second": pair.users[1],
                "doubt": 100 - pair.likelihood,
                "signals": " ".join(reason.signal for reason in pair.reasons),
            }
            for pair in found
        ]
        if rows:
            self._database.change(Duplicates.insert_many(rows))

    def _delete(self, condition: Any) -> None:
        self._database.change(Duplicates.delete().where((Duplicates.app == self._app) & condition))

    def page(self, after: Position | None, limit: int) -> list[Found]:
        """Return up to ``limit`` pairs, the likeliest first, that come after a position."""
        doubt, ids = after or (0, "")
        # Both begin alike.
        one, prefix, other = ids.rpartition("usr_")
        query = _page(after is not None)
        return _as_found(self._database.rows(query(self._app, doubt, one, prefix + other, limit)))

    def of_user(self, user: str, limit: int) -> list[Found]:
        """Return up to ``limit`` pairs of a user, the likeliest first."""
        rows = [row for query in _OF_USER for row in self._database.rows(query(self._app, user))]
        return _as_found(sorted(rows, key=lambda row: (row[2], row[0], row[1]))[:limit])

    def dismiss(self, users: Both, at: int) -> bool:
        """Write down that two users are not the same, and return whether nobody had said so."""
        rows = [
            {"app": self._app, "home": a, "other_home": b, "user": a, "other_user": b, "at": at}
            for a, b in (users, users[::-1])
        ]
        new = self._database.change(Dismissals.insert_many(rows).on_conflict_ignore())
        self._delete((Duplicates.first == users[0]) & (Duplicates.second == users[1]))
        return new > 0

    def dismissed(self, users: Iterable[str]) -> dict[Both, int]:
        """Return which pairs of these users are not the same, the lower id first, and since when."""
        theirs = (Dismissals.app == self._app) & self._database.is_among(Dismissals.user, users)
        rows = self._database.rows(
            Dismissals.select(Dismissals.user, Dismissals.other_user, Dismissals.at)
            .where(theirs)
            .order_by(Dismissals.at.desc())
        )
        return {(min(user, other), max(user, other)): at for user, other, at in rows}

    def dismissals_of(self, user: str) -> tuple[Dismissal, ...]:
        """Return of whom somebody said that they are not the same as a user, the latest first."""
        return tuple(Dismissal(users, at) for users, at in self.dismissed([user]).items())

    def move(self, user: str, into: str) -> None:
        """Make all that a user is compared by, and all that was dismissed of them, another's."""
        for column in (DuplicateKeys.user, Dismissals.user, Dismissals.other_user):
            self._change(column, column == user, into)

    def give_back(self, user: str, to: str, homes: Sequence[str]) -> None:
        """Make that of it another's which is of these, who are part of that other."""
        homed = {
            DuplicateKeys.user: DuplicateKeys.home,
            Dismissals.user: Dismissals.home,
            Dismissals.other_user: Dismissals.other_home,
        }
        for column, home in homed.items():
            self._change(column, (column == user) & home.in_(homes), to)

    def _change(self, column: Any, condition: Any, user: str) -> None:
        table = column.model
        changed = table.update({column: user}).where((table.app == self._app) & condition)
        self._database.change(changed)

    def bring(self, home: str, user: str) -> None:
        """Make all that is of ``home`` a user's."""
        self._change(DuplicateKeys.user, DuplicateKeys.home == home, user)
        self._change(Dismissals.user, Dismissals.home == home, user)
        self._change(Dismissals.other_user, Dismissals.other_home == home, user)

    def erase(self, users: Sequence[str]) -> None:
        """Forget what was dismissed of these users. By what they are compared goes when all else has gone."""
        for column in (Dismissals.user, Dismissals.other_user):
            self._database.change(
                Dismissals.delete().where((Dismissals.app == self._app) & column.in_(users))
            )


def _batches(all_of_them: Sequence[Any], size: int) -> Iterator[list[Any]]:
    left = iter(all_of_them)
    while some := list(islice(left, size)):
        yield some


def _as_found(rows: Iterable[tuple[Any, ...]]) -> list[Found]:
    return [((one, other), 100 - doubt, tuple(signals.split(" "))) for one, other, doubt, signals in rows]


@cache
def _unless_there(rows: int) -> Prepared:
    def build(app: Any, *values: Any) -> Any:
        each = zip(*[iter(values)] * len(_TRAIT), strict=True)
        new = [dict(zip((DuplicateKeys.app, *_TRAIT), (app, *row), strict=True)) for row in each]
        return DuplicateKeys.insert_many(new).on_conflict_ignore().as_rowcount()

    return Prepared(build, 1 + rows * len(_TRAIT))


@Prepared
def _sharing(app: Any, key: Any, most: Any) -> Any:
    having = DuplicateKeys.select(DuplicateKeys.user)
    return having.where((DuplicateKeys.app == app) & (DuplicateKeys.key == key)).limit(most)


def _living_pairs(app: Any) -> Any:
    one, other = Users.alias("a"), Users.alias("b")
    shown = Duplicates.first, Duplicates.second, Duplicates.doubt, Duplicates.signals
    # While a deploy rolls, a former release erases and merges without a look at pairs.
    return (
        Duplicates.select(*shown)
        .join(one, on=((one.app == Duplicates.app) & (one.id == Duplicates.first) & lives(one)))
        .join(
            other,
            on=((other.app == Duplicates.app) & (other.id == Duplicates.second) & lives(other)),
            src=Duplicates,
        )
        .where(Duplicates.app == app)
    )


@cache
def _page(is_next: bool) -> Prepared:
    def build(app: Any, doubt: Any, one: Any, other: Any, limit: Any) -> Any:
        order = Duplicates.doubt, Duplicates.first, Duplicates.second
        pairs = _living_pairs(app).order_by(*order).limit(limit)
        place = Tuple(Duplicates.doubt, Duplicates.first, Duplicates.second)
        return pairs.where(place > Tuple(doubt, one, other)) if is_next else pairs

    return Prepared(build, 5)


def _of(column: Any) -> Prepared:
    return Prepared(lambda app, user: _living_pairs(app).where(column == user))


_OF_USER = _of(Duplicates.first), _of(Duplicates.second)
