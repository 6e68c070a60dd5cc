"""A world with merges beside one without: who is one with whom, and whether the two are the same.

What is written under somebody's ID is theirs in both worlds. So they are the same but for what only one
who is merged can do: to write in another's conversation, which stays, and is told apart.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis.stateful import RuleBasedStateMachine

from service.store import Store
from service.store.checks import CHECKS
from service.store.tables import TABLES, Keys
from tests.support.merging_app import PlainWorld, Shown, World
from tests.support.tenants import Tenant

DEVICES = tuple(f"device-of-ours-{number}" for number in range(3))


@dataclass(frozen=True)
class Standing:
    """A merge that was not undone."""

    id: str
    source: str
    target: str


class Twins(RuleBasedStateMachine):
    """Both worlds. ``homes`` says to whom a user ID was given, ``begun`` whose a conversation is, ``claimed``
    whose a store account is, if nobody is merged; ``mixed`` is what somebody wrote as one with another."""

    def __init__(self, tenant: Callable[[], Tenant], store: Store) -> None:
        super().__init__()
        self.world, self.plain, self.store = World(tenant()), PlainWorld(tenant()), store
        self.homes: dict[str, str] = {}
        self.begun: dict[str, str] = {}
        self.claimed: dict[str, str] = {}
        self.mixed: dict[str, list[tuple[str, str]]] = {}
        # Of a device: the token, and the person under whose ID it was logged in.
        self.sessions: dict[str, tuple[str, str]] = {}
        self.began_on: dict[str, str] = {}
        self.standing: list[Standing] = []
        self.merges: set[str] = set()
        # When an email or a name was last said of a person, and what.
        self.said: dict[tuple[str, str], tuple[int, str | None]] = {}
        self.people: dict[str, Shown] = {}
        self.count = 0

    # Who is who

    def next(self, kind: str) -> str:
        """Name something new."""
        self.count += 1
        return f"{kind}{self.count}"

    def one(self, person: str) -> str:
        """Answer whom a person is part of by now, or themselves."""
        into = next((merge.target for merge in self.standing if merge.source == person), None)
        return self.one(into) if into else person

    def home(self, user_id: str) -> str:
        """Answer to whom a user ID was given."""
        anonymous = {known: person for person, known in self.world.anonymous.items()}
        return anonymous.get(user_id) or self.homes[user_id]

    def is_nobody(self, person: str | None) -> bool:
        """Tell whether somebody is anonymous where nobody is merged."""
        return person is not None and bool(self.plain.people()[self.one(person)]["anonymous"])

    # Merges

    def note_merges(self, id: str) -> None:
        """Learn of the merges that somebody's history tells of, and that their sessions have ended."""
        told = self.world.call("GET", f"users/{id}/history?limit=100").json["data"]
        ids = [entry["after"]["merge"] for entry in told if entry["event"] == "merged"]
        for merge in (one for one in ids if one not in self.merges):
            self.merges.add(merge)
            self._note(self.world.call("GET", f"merges/{merge}").json)

    def _note(self, merge: Shown) -> None:
        source, target = self.world.name_of(merge["from"]), self.world.name_of(merge["into"])
        assert source is not None
        assert target is not None
        assert self.one(source) == source
        self._end_sessions(source)
        self.standing.append(Standing(merge["id"], source, target))

    def _end_sessions(self, person: str) -> None:
        """Require that the sessions of somebody have ended, and nobody else's."""
        for device, (token, home) in list(self.sessions.items()):
            me = self.world.call("GET", "me", key=token)
            if self.one(home) == person:
                assert me.status_code == 401
                del self.sessions[device]
            else:
                assert (me.status_code, me.json["user"]["id"]) == (200, self.world.ids[self.one(home)])

    def undo(self, merge: Standing) -> None:
        """Undo a merge. It may be refused if a later one stands on it, or if the survivor was given what no
        rule lets them have without it; then nothing has changed."""
        stands_on = self._is_stood_on(merge)
        waits, before = bool(self.plain.wanted), self.rows()
        answer = self.world.call("DELETE", f"merges/{merge.id}")

        if answer.status_code == 409:
            assert answer.json["code"] == "undo-conflict"
            assert stands_on or waits, answer.text
            assert self.rows() == before
            return
        assert (answer.status_code, stands_on) == (200, False), answer.text
        self.standing.remove(merge)
        self._end_sessions(merge.source)
        self.plain.settle()
        again = self.world.call("DELETE", f"merges/{merge.id}")
        assert (again.status_code, again.json["code"]) == (409, "already-undone")

    def _is_stood_on(self, merge: Standing) -> bool:
        """Tell whether the target became part of another since; it may have been so before."""
        above, person = [], merge.target
        while self.one(person) != person:
            above.append(next(one for one in self.standing if one.source == person))
            person = above[-1].target
        return any(self.standing.index(one) > self.standing.index(merge) for one in above)

    def rows(self) -> list[list[str]]:
        """Read all that the app owns; when its keys were used is noted whatever they are used for."""
        return [
            sorted(
                map(repr, self.store.database.rows(table.select().where(table.app == self.world.tenant.id)))
            )
            for table in TABLES
            if table is not Keys
        ]

    # Whether they are the same

    def compare_people(self) -> None:
        """Require that everybody has the IDs of all who are one with them, and if nobody is, all that they
        have in the plain world."""
        self.people, plain = self.world.people(), self.plain.people()
        assert self.people.keys() == {self.one(person) for person in plain}
        for person, shown in self.people.items():
            parts = [part for part in plain if self.one(part) == person]
            ids = {id for part in parts for id in (plain[part]["userId"], *plain[part]["aliases"])}
            assert {shown["userId"], *shown["aliases"]} - {None} == ids - {None}
            if not self._is_apart(person):
                assert shown == plain[person]

    def compare_things(self) -> None:
        """Require that conversations and purchases are whose they are in the plain world, or of whom that
        one is part, and that each message was written by whoever wrote it."""
        for person in self.people:
            parts = [part for part in self.plain.ids if self.one(part) == person]
            bought = [self.plain.purchases(part) for part in parts]
            assert self.world.purchases(person) == set().union(*bought)
        threads, plain = self.world.seen(), self.plain.seen()
        assert threads.keys() == plain.keys()
        for thread, told in threads.items():
            assert told["owner"] == self.one(plain[thread]["owner"])
            mixed = self.mixed.get(thread, [])
            assert [line for line in told["messages"] if line not in mixed] == plain[thread]["messages"]
            assert [line for line in told["messages"] if line in mixed] == mixed
            if thread not in self.mixed:
                assert told | {"owner": None} == plain[thread] | {"owner": None}

    def compare_devices(self) -> None:
        """Require that each device has an anonymous user that it had, or none if it has none of them."""
        for device in DEVICES:
            login = self.world.tenant.login(deviceId=device)
            person = self.world.name_of(login["user"]["id"])
            began = [one for one, where in self.began_on.items() if where == device]
            nobodies = [one for one in began if self.people.get(one, {}).get("anonymous")]
            # Where several began, the one that an undo brings back may find another there, who goes then.
            assert person in nobodies or (login["created"] and (not nobodies or len(began) > 1))
            if person is not None and not self._is_apart(person):
                self._compare_views(person, login["session"]["token"])

    def compare_views(self) -> None:
        """Require that each person who stands alone sees the same in both worlds, and nothing of another."""
        for person, shown in self.people.items():
            if not shown["anonymous"] and not self._is_apart(person):
                self._compare_views(person, self.world.token(person))

    def _compare_views(self, person: str, token: str) -> None:
        seen, plain = self.world.seen(token), self.plain.seen(self.plain.token(person))
        for threads in (seen, plain):
            for thread in self.mixed.keys() & threads.keys():
                threads[thread] |= {"unread": None, "status": None}
        assert seen == plain

    def _is_apart(self, person: str) -> bool:
        """Tell whether somebody is another in the plain world: one with somebody here, or not yet as here."""
        is_one = any(merge.target == person for merge in self.standing)
        return is_one or any(waits == person for waits, _ in self.plain.wanted)

    def check(self) -> None:
        """Require what always holds of a store."""
        violated = {asks.__name__: list(asks(self.store.database, self.world.tenant.id)) for asks in CHECKS}
        assert violated == dict.fromkeys(violated, [])

    # What is said of whom

    def say(self, person: str, *, removes: bool = False, **fields: str | None) -> None:
        """Have something said of a person, whoever they are part of; None says nothing, unless it removes."""
        for field, value in fields.items():
            if value is not None:
                self.plain.want(person, **{field: value})
            elif removes:
                self.plain.want_none(person, field)
            if value is not None or removes:
                self.count += 1
                self.said[person, field] = self.count, value

    def said_of(self, person: str, email: str) -> str:
        """Answer of whom an email was said that somebody has: of themselves, if of them too, else the last of
        whom it was."""
        known = [
            (one == person, at, one)
            for (one, field), (at, value) in self.said.items()
            if field == "email" and self.one(one) == person and (value or "").lower() == email.lower()
        ]
        return max(known)[-1]
