"""Move people out of one app and into another, each with all that is theirs, whole or not at all.

Whoever is moved keeps ids, times and history. Nobody is told: no event is written, and nothing in the
journal. Rules decide who is added; what is there already is left as it is.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from service.desk.transactions import one_transaction
from service.model.moving import Claim, Person, Prepared, Row
from service.rules import moving as rules
from service.rules.moving import Act, Taken, There
from service.rules.table import Rule
from service.store import AppStore
from service.store.kinds import ANONYMOUS, CONVERSATION, DEVICE, MESSAGE, OF_A_PERSON, USER

# For how long an app may be read, in seconds.
TIMEOUT = 24 * 3600
FORMAT = 1

Line = dict[str, Any]


@dataclass(frozen=True)
class Outgoing:
    """A line to write, and how many users it brings."""

    line: Line
    users: int = 0


def export(store: AppStore, about: Line) -> Iterator[Outgoing]:
    """Return the lines of all that is moved of an app, as of one moment; the first says ``about`` the app
    what its calls say."""
    with store.database.snapshot(TIMEOUT):
        yield Outgoing({"kind": "app", "format": FORMAT} | about)
        lines = 1
        for outgoing in _lines(store):
            lines += 1
            yield outgoing
        yield Outgoing({"kind": "end", "lines": lines + 1})


def _lines(store: AppStore) -> Iterator[Outgoing]:
    for row in store.moving.devices():
        yield Outgoing(DEVICE.line(row))
    for people in store.moving.people():
        for person, messages in store.moving.with_messages(people):
            yield from _lines_of(person, messages)


def _lines_of(person: Person, messages: Iterable[Row]) -> Iterator[Outgoing]:
    place = CONVERSATION.columns.index("messages")
    written = sum(row[place] for row in person.rows[CONVERSATION.name])
    lines = sum(map(len, person.rows.values())) + len(person.anonymous) + written
    yield Outgoing({"kind": "person", "lines": lines}, len(person.users))
    for kind in OF_A_PERSON:
        for row in messages if kind is MESSAGE else person.rows[kind.name]:
            yield Outgoing(kind.line(row))
    for device, user in person.anonymous:
        yield Outgoing({"kind": ANONYMOUS, "device": device, "user": user})


@one_transaction
def take_in_devices(store: AppStore, rows: Sequence[Row], *, dry_run: bool) -> int:
    """Add devices; return how many were not there. One that is there is left as it is."""
    digest = DEVICE.columns.index("digest")
    known = store.moving.known_devices(row[digest] for row in rows)
    new = {row[digest]: row for row in rows if row[digest] not in known}
    if not dry_run:
        store.moving.add_devices([*new.values()])
    return len(new)


@one_transaction
def take_in(store: AppStore, people: Sequence[Prepared], *, dry_run: bool) -> list[Rule[Act]]:
    """Add people, as far as the rules say so, and return the rule of each. With ``dry_run`` nothing
    changes."""
    if not dry_run:
        store.moving.lock(people)
    there = [*_there(store, people)]
    claims = {claim: {one for each in people for one in each.claims[claim]} for claim in Claim}
    taken, decided, added = store.moving.taken(claims), [], []
    for person, who in zip(people, there, strict=True):
        rule = rules.MOVING.decide(who, _taken(person, taken))
        decided.append(rule)
        if rule.then is Act.ADD:
            added.append(person)
            for claim in Claim:
                taken[claim] |= person.claims[claim]
    if not dry_run:
        store.moving.put(added)
    return decided


def _there(store: AppStore, people: Sequence[Prepared]) -> Iterator[There]:
    """Return of each person who of them is in the app."""
    known = store.moving.there(id for one in people for id in one.person.users)
    some = [one for one in people if known.keys() & set(one.person.users)]
    found = store.moving.read([one.person.users for one in some])
    same = {
        id(one)
        for one, (there, messages) in zip(some, store.moving.with_messages(found), strict=True)
        if _is_same(one.person, there, messages)
    }
    for one in people:
        if known.keys().isdisjoint(one.person.users):
            yield There.NOBODY
        elif id(one) in same:
            yield There.ALL_THE_SAME
        else:
            erased = {user for user in one.person.users if known.get(user)}
            yield There.OTHERWISE if erased <= _erased(one.person) else There.ERASED


def _erased(person: Person) -> set[str]:
    id, erased_at = map(USER.columns.index, ("id", "erased_at"))
    return {row[id] for row in person.rows[USER.name] if row[erased_at] is not None}


def _is_same(person: Person, there: Person, messages: Iterable[Row]) -> bool:
    def rows(kind: str, found: Iterable[Row]) -> bool:
        listed = [*found]
        return len(listed) == len(person.rows[kind]) and set(listed) == set(person.rows[kind])

    return set(person.anonymous) == set(there.anonymous) and all(
        rows(kind.name, messages if kind is MESSAGE else there.rows[kind.name]) for kind in OF_A_PERSON
    )


def _taken(person: Prepared, taken: dict[Claim, set[Any]]) -> Taken:
    for claim in Claim:
        if not person.claims[claim].isdisjoint(taken[claim]):
            return Taken[claim.name]
    return Taken.NOTHING
