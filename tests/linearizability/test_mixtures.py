"""Whatever few calls a few people make at once, on two devices that they share, some order explains it."""

# ruff: noqa: S311 - chance chooses what is tried, and hides nothing
import random

import pytest

from tests.support.processes import Crew, Request
from tests.support.rounds import Arena, Round, logins

ROUNDS = 40
DEVICES = ["one-of-two-devices", "two-of-two-devices"]


@pytest.mark.parametrize("policy", ["keep", "clear", "merge", "merge-once"])
def test_any_few_calls_at_once_are_explained_by_an_order(crew: Crew, arena: Arena, policy: str) -> None:
    rounds = [arena.round(policy) for _ in range(ROUNDS)]
    requests = [few_calls(round) for round in rounds]

    raced = crew.race(requests)

    for round, calls in zip(rounds, raced, strict=True):
        arena.judge(round, calls)


def few_calls(round: Round) -> list[Request]:
    """Choose who comes before, and five calls that come at once, of people who share what they can."""
    for _ in range(random.randint(0, 4)):
        round.before(any_login(round))
    return [random.choices([any_login, any_other_call], [4, 1])[0](round) for _ in range(5)]


def any_login(round: Round) -> Request:
    claim = {
        "userId": random.choice([None, None, "u-1", "u-2"]),
        "email": random.choice([None, "jane@example.org", "Jane@example.org", "john@example.org"]),
        "name": random.choice([None, None, "Jane"]),
        "deviceId": random.choice([None, *DEVICES]),
    }
    given = {name: value for name, value in claim.items() if value is not None}
    # A name alone would be an anonymous user's, and what becomes of it in a merge is not said here.
    return (
        round.login(**given)
        if {"userId", "email"} & set(given)
        else round.login(deviceId=random.choice(DEVICES))
    )


def any_other_call(round: Round) -> Request:
    token = random.choice([body["session"]["token"] for body in logins(round.calls)] or [None])
    device = random.choice(DEVICES)
    calls = [
        round.request("/v1/logout", deviceId=device),
        round.request("/v1/logout", userId=random.choice(["u-1", "u-2"])),
        round.request("/v1/clearAnonymousUser", deviceId=device, clear=random.choice([True, False])),
    ]
    if token is not None:
        calls += [round.request("/v1/logout", token), round.request("/v1/me", token)]
    return random.choice(calls)
