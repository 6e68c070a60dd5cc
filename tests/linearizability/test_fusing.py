"""Merges, aliases and RevenueCat's logins at once: one outcome, and never a circle."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import cycle, islice

import pytest

from service.store import Store
from service.store.checks import CHECKS
from tests.support.processes import Call, Crew, Request
from tests.support.rounds import Arena, Round

ROUNDS = 25
MANY = 20
ANONYMOUS = "$RCAnonymousID:" + "a" * 32

Require = Callable[[Round], None]


def known(round: Round, **claim: str) -> str:
    """Log somebody in, and answer our id of them."""
    id: str = round.tenant.login(**claim)["user"]["id"]
    return id


def merge(round: Round, source: str, target: str) -> Request:
    return round.request("/v1/merges", **{"from": source, "into": target})


def alias(round: Round, user: str, user_id: str) -> Request:
    return round.request(f"/v1/users/{user}/aliases", userId=user_id)


def statuses(calls: Sequence[Call], path: str) -> Counter[int]:
    return Counter(call.status for call in calls if call.request.path.startswith(path))


def leads_to(round: Round, user_id: str) -> str:
    """Answer whom a user ID leads to, who is one user."""
    (user,) = round.tenant.call("GET", f"/v1/users?userId={user_id}", round.tenant.sk).json["data"]
    id: str = user["id"]
    return id


@pytest.fixture
def require_sound(store: Store) -> Require:
    """Require that every invariant holds for a round's app."""

    def require(round: Round) -> None:
        app = round.tenant.id
        assert [found for question in CHECKS for found in question(store.database, app)] == []

    return require


@pytest.mark.parametrize("times", [1, 5], ids=["once", "five times"])
def test_of_two_merges_that_cross_one_happens(
    crew: Crew, arena: Arena, require_sound: Require, times: int
) -> None:
    rounds = [arena.round() for _ in range(ROUNDS)]
    people = [(known(round, userId="u-1"), known(round, userId="u-2")) for round in rounds]

    raced = crew.race(
        [
            [merge(round, a, b), merge(round, b, a)] * times
            for round, (a, b) in zip(rounds, people, strict=True)
        ]
    )

    for round, calls in zip(rounds, raced, strict=True):
        assert statuses(calls, "/v1/merges") == {201: 1, 409: 2 * times - 1}
        (made,) = [call.body for call in calls if call.status == 201]
        assert {leads_to(round, "u-1"), leads_to(round, "u-2")} == {made["into"]}
        require_sound(round)


def test_three_merges_that_would_be_a_circle_are_none(
    crew: Crew, arena: Arena, require_sound: Require
) -> None:
    rounds = [arena.round() for _ in range(ROUNDS)]
    people = [[known(round, userId=f"u-{number}") for number in range(3)] for round in rounds]

    raced = crew.race(
        [
            [merge(round, a, b) for a, b in zip(three, islice(cycle(three), 1, None), strict=False)]
            for round, three in zip(rounds, people, strict=True)
        ]
    )

    for round, calls in zip(rounds, raced, strict=True):
        made = statuses(calls, "/v1/merges")
        assert set(made) <= {201, 409}
        assert 1 <= made[201] <= 2
        assert len({leads_to(round, f"u-{number}") for number in range(3)}) == 3 - made[201]
        require_sound(round)


def test_who_logs_in_while_being_merged_is_the_survivor(
    crew: Crew, arena: Arena, require_sound: Require
) -> None:
    rounds = [arena.round() for _ in range(ROUNDS)]
    people = [
        (known(round, userId="u-1", email="jane@example.org"), known(round, userId="u-2")) for round in rounds
    ]

    raced = crew.race(
        [
            [
                merge(round, a, b),
                *(round.login(userId="u-1") for _ in range(2)),
                round.login(userId="u-1", email="john@example.org"),
                round.login(email="jane@example.org"),
                *(round.login(userId="u-2", name="Jane") for _ in range(2)),
            ]
            for round, (a, b) in zip(rounds, people, strict=True)
        ]
    )

    for round, calls, (_, b) in zip(rounds, raced, people, strict=True):
        assert statuses(calls, "/v1/merges") == {201: 1}
        assert set(statuses(calls, "/v1/login")) <= {200, 201}
        assert leads_to(round, "u-1") == leads_to(round, "u-2") == b
        for call in calls:
            if "userId" in call.request.json:
                me = round.tenant.call("GET", "/v1/me", call.body["session"]["token"])
                # A merge ends the sessions of whoever became part of another.
                assert me.status_code == 401 or me.json["user"]["id"] == b
        require_sound(round)


def test_an_id_that_logs_in_and_becomes_an_alias_at_once_is_one_persons(
    crew: Crew, arena: Arena, require_sound: Require
) -> None:
    rounds = [arena.round() for _ in range(ROUNDS)]
    people = [known(round, userId="u-1") for round in rounds]

    raced = crew.race(
        [
            [alias(round, user, "u-9"), *(round.login(userId="u-9") for _ in range(4))]
            for round, user in zip(rounds, people, strict=True)
        ]
    )

    for round, calls, user in zip(rounds, raced, people, strict=True):
        (added,) = statuses(calls, "/v1/users/")
        logged_in = statuses(calls, "/v1/login")
        if leads_to(round, "u-9") == user:
            assert (added < 300, logged_in) == (True, {200: 4})
        else:
            assert (added, logged_in) == (409, {201: 1, 200: 3})
        require_sound(round)


def test_an_alias_that_two_want_is_ones(crew: Crew, arena: Arena, require_sound: Require) -> None:
    rounds = [arena.round() for _ in range(ROUNDS)]
    people = [(known(round, userId="u-1"), known(round, userId="u-2")) for round in rounds]

    raced = crew.race(
        [[alias(round, user, "u-9") for user in both] for round, both in zip(rounds, people, strict=True)]
    )

    for round, calls, both in zip(rounds, raced, people, strict=True):
        assert sorted(call.status < 300 for call in calls) == [False, True]
        assert max(call.status for call in calls) == 409
        assert leads_to(round, "u-9") in both
        require_sound(round)


def test_of_twenty_simultaneous_identifies_one_creates(
    crew: Crew, arena: Arena, require_sound: Require
) -> None:
    rounds = [arena.round() for _ in range(ROUNDS)]
    for round in rounds:
        round.tenant.set(revenuecat="on")
    pair = {"app_user_id": ANONYMOUS, "new_app_user_id": "u-1"}

    raced = crew.race(
        [
            [round.request("/v1/subscribers/identify", f"rcb_{round.tenant.pk}", **pair)] * MANY
            for round in rounds
        ]
    )

    for round, calls in zip(rounds, raced, strict=True):
        assert statuses(calls, "/v1/subscribers") == {201: 1, 200: MANY - 1}
        assert {call.body["subscriber"]["original_app_user_id"] for call in calls} == {ANONYMOUS}
        assert leads_to(round, "u-1") == leads_to(round, ANONYMOUS)
        require_sound(round)


def test_of_simultaneous_identifies_by_anybody_and_by_the_backend_one_creates_in_each_world(
    crew: Crew, arena: Arena, require_sound: Require
) -> None:
    rounds = [arena.round() for _ in range(ROUNDS)]
    for round in rounds:
        round.tenant.set(revenuecat="on")
    pair = {"app_user_id": ANONYMOUS, "new_app_user_id": "u-1"}

    raced = crew.race(
        [
            [
                round.request("/v1/subscribers/identify", key, **pair)
                for key in (round.tenant.pk, round.tenant.sk)
                for _ in range(4)
            ]
            for round in rounds
        ]
    )

    for round, calls in zip(rounds, raced, strict=True):
        for key in (round.tenant.pk, round.tenant.sk):
            theirs = [call for call in calls if call.request.credential == key]
            assert statuses(theirs, "/v1/subscribers") == {201: 1, 200: 3}
        ids = {"u-1": [], ANONYMOUS: []}
        for user_id, found in ids.items():
            path = f"/v1/users?userId={user_id}"
            users = round.tenant.call("GET", path, round.tenant.sk).json["data"]
            found.extend((user["verified"], user["id"]) for user in users)
        assert ids["u-1"] == ids[ANONYMOUS]
        assert sorted(verified for verified, _ in ids["u-1"]) == [False, True]
        require_sound(round)
