"""Logins at once: whatever they claim, they end as some order one after the other would."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

import pytest

from tests.support.processes import CREW, Crew, Request, crew_of_clients
from tests.support.rounds import Arena, Round, logins
from tests.support.servers import serve

ROUNDS = 100
# Where fewer show as much, and of what goes through a server besides.
FEWER_ROUNDS = 10

Claim = dict[str, Any]

BY_ID = {"userId": "u-1"}
BY_EMAIL = {"email": "jane@example.org"}
BY_OTHER_EMAIL = {"email": "john@example.org"}
SPELLED = [{"email": f"{local}@Example.org"} for local in ("jane", "Jane", "JANE", "jAnE")]
DEVICE = {"deviceId": "the-only-device-here"}
PEOPLE = [{"userId": f"u-{number}"} for number in range(CREW)]
EMAILS = [{"email": f"jane+{number}@example.org"} for number in range(CREW)]
NAMES = [{"name": f"Jane {number}"} for number in range(CREW)]


@dataclass(frozen=True)
class Scenario:
    """What the logins of a race claim, in turn; which rules decide, and how often, where any order says
    the same; how many users that leaves; and who has logged in before."""

    at_once: list[Claim]
    rules: dict[str, int] | None = None
    users: int | None = None
    before: list[Claim] = field(default_factory=list)

    def prepare(self, arena: Arena) -> Round:
        round = arena.round()
        for claim in self.before:
            round.before(round.login(**claim))
        return round

    def requests(self, round: Round) -> list[Request]:
        return [round.login(**claim) for claim in islice(cycle(self.at_once), CREW)]


SCENARIOS = {
    "first logins with one user ID": Scenario([BY_ID], {"new-user-id": 1, "known-user-id": 31}, 1),
    "first logins with one email in different letter cases": Scenario(
        SPELLED, {"new-email": 1, "known-email": 31}, 1
    ),
    "first logins with both": Scenario(
        [BY_ID | email for email in SPELLED], {"new-user-id": 1, "known-user-id": 31}, 1
    ),
    "by email alone against by ID and that email": Scenario([BY_EMAIL, BY_ID | BY_EMAIL], users=1),
    "different user IDs for one unclaimed email": Scenario(
        [person | BY_EMAIL for person in PEOPLE], {"attach-user-id": 1, "new-user-id": 31}, 32, [BY_EMAIL]
    ),
}

MORE_SCENARIOS = {
    "emails that move against logins by them": Scenario(
        [BY_ID | BY_OTHER_EMAIL, BY_EMAIL, BY_ID | BY_EMAIL, BY_OTHER_EMAIL], before=[BY_ID | BY_EMAIL]
    ),
    "one user with many new emails": Scenario(
        [BY_ID | email for email in EMAILS], {"known-user-id": 32}, 1, [BY_ID]
    ),
    "one user with many new names": Scenario(
        [BY_ID | name for name in NAMES], {"known-user-id": 32}, 1, [BY_ID]
    ),
    "first logins by a shared email": Scenario(
        [BY_EMAIL], {"shared-email": 1, "known-email": 31}, 3, [person | BY_EMAIL for person in PEOPLE[:2]]
    ),
    "attaching against all other logins of the two": Scenario(
        [BY_ID | BY_EMAIL, {"userId": "u-2"} | BY_EMAIL, BY_EMAIL, BY_ID], before=[BY_EMAIL]
    ),
    "first anonymous logins of one device": Scenario([DEVICE], {"anonymous": 32}, 1),
    "different people on one device": Scenario(
        [person | DEVICE for person in PEOPLE], {"new-user-id": 32}, 33, [DEVICE]
    ),
}


def require(arena: Arena, scenario: Scenario, rounds: list[Round], raced: list[Any]) -> None:
    for round, calls in zip(rounds, raced, strict=True):
        arena.judge(round, calls)
        rules = Counter(answer["resolution"]["rule"] for answer in logins(calls))
        assert scenario.rules in (None, rules)
        assert scenario.users in (None, arena.users(round))


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_thirty_two_logins_at_once_are_explained_by_an_order(
    crew: Crew, arena: Arena, scenario: Scenario
) -> None:
    rounds = [scenario.prepare(arena) for _ in range(ROUNDS)]

    raced = crew.race([scenario.requests(round) for round in rounds])

    require(arena, scenario, rounds, raced)


@pytest.mark.parametrize("scenario", MORE_SCENARIOS.values(), ids=MORE_SCENARIOS)
def test_thirty_two_logins_at_once_that_contend_for_more_are_explained_by_an_order(
    crew: Crew, arena: Arena, scenario: Scenario
) -> None:
    rounds = [scenario.prepare(arena) for _ in range(FEWER_ROUNDS)]

    raced = crew.race([scenario.requests(round) for round in rounds])

    require(arena, scenario, rounds, raced)


def test_logins_at_once_over_two_workers_of_a_server_are_explained_by_an_order(
    database_url: str, arena: Arena
) -> None:
    everything = [*SCENARIOS.values(), *MORE_SCENARIOS.values()] * 2
    rounds = [scenario.prepare(arena) for scenario in everything]
    requests = [scenario.requests(round) for scenario, round in zip(everything, rounds, strict=True)]

    with serve(database_url) as server, crew_of_clients(server.port) as crew:
        raced = crew.race(requests)

    for scenario, round, calls in zip(everything, rounds, raced, strict=True):
        require(arena, scenario, [round], [calls])
