"""Whatever is merged and undone between logins, messages, aliases and purchases, in the end all is as in
a world in which nobody was ever merged, with whatever was written since as whoever wrote it."""

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from tests.support.merged_and_plain import DEVICES, Twins
from tests.support.tenants import Tenant

# Few of each, so that they meet.
user_ids = st.sampled_from([None, "u-1", "u-2", "u-3", "u-4"])
emails = st.sampled_from([None, None, "a@x.example", "A@x.example", "b@x.example"])
names = st.sampled_from([None, None, "Ann", "Bo"])
accounts = st.sampled_from(["apple-1", "apple-2"])
# Of what a run has made so far, one is taken by a number.
numbers = st.integers(0, 20)
Claim = tuple[str | None, str | None, str | None]
STRANGERS: list[Claim] = [
    (None, None, None),
    (None, None, "Bo"),
    ("u-1", "a@x.example", None),
    ("u-2", None, "Ann"),
    (None, "b@x.example", None),
]


class Run(Twins):
    """Does the same in both worlds, and merges in one."""

    @initialize(
        policy=st.sampled_from(["keep", "merge", "merge-once"]),
        order=st.permutations(STRANGERS),
        merged=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=2),
    )
    def strangers_come(self, policy: str, order: list[Claim], merged: list[tuple[int, int]]) -> None:
        """Have somebody of each kind there from the beginning, who wrote, before some of
        them are merged and since."""
        for number, claim in enumerate(order):
            device = DEVICES[number % len(DEVICES)]
            self._log_in(device, *claim)
            self._begin(device)
        self.world.tenant.set(anonymousOnLogin=policy)
        for pair in merged:
            self.compare_people()
            self._merge(*map(self._person, pair))
        for device, user_id in zip(DEVICES, ("u-1", "u-2"), strict=False):
            self.compare_people()
            self._log_in(device, user_id, None, None)
            self._begin(device)

    # Log in

    @rule(device=st.sampled_from(DEVICES), user_id=user_ids, email=emails, name=names)
    def somebody_logs_in(self, device: str, user_id: str | None, email: str | None, name: str | None) -> None:
        if email and self.is_nobody(self.homes.get(user_id or "")):
            # With an email they are somebody, in this world only.
            email = None
        self._log_in(device, user_id, email, name)

    def _log_in(self, device: str, user_id: str | None, email: str | None, name: str | None) -> None:
        login = self.world.tenant.login(userId=user_id, email=email, name=name, deviceId=device)
        person = self.world.name_of(login["user"]["id"])
        changes = login["resolution"]["changes"]
        if login["created"]:
            home = person = self.next("p")
            self.world.meet(person, login["user"])
            self.plain.make(person, user_id, email, name)
            self.say(person, email=email, name=name)
            self.began_on[person] = device
        else:
            assert person is not None
            home = self._home_of(person, user_id, email)
            if "userId" in changes:
                self.plain.give(home, user_id or "")
            self.say(home, email=email if user_id and "userId" not in changes else None, name=name)
        if user_id is not None:
            self.homes.setdefault(user_id, home)
        assert self.one(home) == person
        self.sessions[device] = login["session"]["token"], home
        self.note_merges(login["user"]["id"])

    def _home_of(self, person: str, user_id: str | None, email: str | None) -> str:
        """Answer under whose ID or email somebody came."""
        if user_id in self.homes:
            return self.homes[user_id]
        return person if email is None else self.said_of(person, email)

    # Who is one with whom

    @rule(whom=numbers, user_id=user_ids, anonymous=numbers)
    def the_backend_adds_an_id(self, whom: int, user_id: str | None, anonymous: int) -> None:
        person = self._person(whom)
        if user_id is None and self.world.anonymous:
            user_id = take(list(self.world.anonymous.values()), anonymous)
        if user_id is None:
            return
        answer = self.world.call("POST", f"users/{self.world.ids[person]}/aliases", {"userId": user_id})

        if answer.status_code == 201:
            self.homes[user_id] = person
            self.plain.give(person, user_id)
        elif answer.status_code == 409:
            assert answer.json["code"] == "alias-taken"
            assert self.one(self.home(user_id)) != self.one(person)
        self.note_merges(self.world.ids[person])
        if answer.status_code < 300:
            assert self.one(self.home(user_id)) == self.one(person)

    @rule(who=numbers, whom=numbers)
    def the_backend_merges(self, who: int, whom: int) -> None:
        self._merge(self._person(who), self._person(whom))

    def _merge(self, one: str, other: str) -> None:
        may_be = one != other and self.one(one) == one and self.one(other) == other
        sent = {"from": self.world.ids[one], "into": self.world.ids[other]}
        answer = self.world.call("POST", "merges", sent)
        if may_be and self.is_nobody(other) and not self.is_nobody(one):
            assert (answer.status_code, answer.json["code"]) == (409, "merge-into-anonymous")
            return

        assert answer.status_code == (201 if may_be else 409), answer.text
        self.note_merges(self.world.ids[other])

    @precondition(lambda self: self.standing)
    @rule(which=numbers)
    def a_merge_is_undone(self, which: int) -> None:
        self.undo(take(self.standing, which))

    @rule(account=accounts, who=numbers, restores=st.booleans())
    def somebody_buys_or_restores(self, account: str, who: int, restores: bool) -> None:
        user_id = take([*self.homes, *self.world.anonymous.values()], who)
        transaction = None if restores else self.next("t")
        answer = self.world.buy(user_id, account, transaction)

        if answer.status_code == 409:
            assert answer.json["code"] == "store-account-taken"
            return
        assert answer.status_code == 200, answer.text
        home = self.claimed.setdefault(account, self.home(user_id))
        assert self.plain.buy(self.plain.buyer(home), account, transaction).status_code == 200
        self.note_merges(answer.json["user"]["id"])
        assert self.one(home) == self.one(self.home(user_id))

    @rule(whom=numbers, field=st.sampled_from(["email", "name"]), email=emails, name=names)
    def the_backend_corrects_a_user(self, whom: int, field: str, email: str | None, name: str | None) -> None:
        person = self.one(self._person(whom))
        value = email if field == "email" else name
        if field == "email" and self.is_nobody(person):
            return
        answer = self.world.call("PATCH", f"users/{self.world.ids[person]}", {field: value})

        assert answer.status_code in (200, 409), answer.text
        if answer.status_code == 200:
            self.say(person, **{field: value}, removes=value is None)

    # Write and read

    @rule(device=st.sampled_from(DEVICES))
    def a_device_begins_a_conversation(self, device: str) -> None:
        if device in self.sessions:
            self._begin(device)

    def _begin(self, device: str) -> None:
        token, home = self.sessions[device]
        thread, body = self.next("c"), self.next("m")
        self.world.begin(thread, body, token)
        self.plain.begin(thread, body, self.plain.token(home))
        self.begun[thread] = home

    @rule(whom=numbers)
    def an_agent_begins_a_conversation(self, whom: int) -> None:
        person = self._person(whom)
        thread, body = self.next("c"), self.next("m")
        self.world.begin(thread, body, user=self.world.ids[person])
        self.plain.begin(thread, body, user=self.plain.ids[person])
        self.begun[thread] = person

    @rule(device=st.sampled_from(DEVICES), which=numbers, reads=st.booleans())
    def a_device_writes_or_reads(self, device: str, which: int, reads: bool) -> None:
        if device not in self.sessions:
            return
        (token, home), body = self.sessions[device], self.next("m")
        theirs = [thread for thread, owner in self.begun.items() if self.one(owner) == self.one(home)]
        thread = take([*theirs, *theirs, *self.begun], which)
        status = self.world.read(thread, token) if reads else self.world.write(thread, body, token)

        owner = self.begun[thread]
        is_theirs = self.one(owner) == self.one(home)
        assert status == (404 if not is_theirs else 204 if reads else 201)
        if owner == home:
            key = self.plain.token(home)
            assert (self.plain.read(thread, key) if reads else self.plain.write(thread, body, key)) == status
        elif is_theirs:
            self.mixed.setdefault(thread, []).extend([] if reads else [(home, body)])

    @rule(which=numbers, reads=st.booleans())
    def an_agent_writes_or_reads(self, which: int, reads: bool) -> None:
        thread, body = take(list(self.begun), which), self.next("m")
        for world in (self.world, self.plain):
            assert (world.read(thread) if reads else world.write(thread, body)) in (201, 204)

    # What always holds

    @invariant()
    def everybody_is_who_they_are_in_the_plain_world(self) -> None:
        self.compare_people()

    def teardown(self) -> None:
        self.compare_things()
        for merge in reversed(self.standing.copy()):
            self.compare_people()
            self.undo(merge)
        self.compare_people()
        self.compare_things()
        self.compare_devices()
        self.compare_views()
        self.check()

    def _person(self, which: int) -> str:
        return take(list(self.world.ids), which)


def take(things: Sequence[Any], which: int) -> Any:
    return things[which % len(things)]


def test_after_all_is_undone_it_is_as_if_nobody_had_been_merged(client, store):
    def tenant() -> Tenant:
        return Tenant.create(client, "ak_" + "a" * 40)

    run(
        lambda: Run(tenant, store),
        settings=settings(
            max_examples=6,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
