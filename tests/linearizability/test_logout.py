"""Login against logout on one device: some order explains them, and what was logged out is dead."""

from collections.abc import Callable

import pytest

from tests.support.processes import Crew, Request
from tests.support.rounds import Arena, Round, logins

ROUNDS = 100
# Where twenty show as much.
FEWER_ROUNDS = 20

DEVICE = "the-only-device-here"
BY_ID = {"userId": "u-1"}
ANONYMOUSLY: dict[str, str] = {}

Logout = Callable[[Round], Request]

LOGOUTS: dict[str, Logout] = {
    "by token": lambda round: round.request("/v1/logout", token_of(round)),
    "by device": lambda round: round.request("/v1/logout", deviceId=DEVICE),
    "by user": lambda round: round.request("/v1/logout", **BY_ID),
}


def token_of(round: Round) -> str:
    """Answer the last token that was given before the race."""
    token: str = round.calls[-1].body["session"]["token"]
    return token


def lives(round: Round, token: str) -> bool:
    return round.tenant.call("GET", "/v1/me", token).status_code == 200


@pytest.mark.parametrize("log_out", LOGOUTS.values(), ids=LOGOUTS)
@pytest.mark.parametrize(
    ("claim", "times"),
    [({"userId": "u-2"}, ROUNDS), (ANONYMOUSLY, FEWER_ROUNDS)],
    ids=["somebody else", "nobody"],
)
def test_a_device_that_is_logged_in_and_out_at_once_has_one_session_at_most(
    crew: Crew, arena: Arena, log_out: Logout, claim: dict[str, str], times: int
) -> None:
    rounds = [arena.round() for _ in range(times)]
    for round in rounds:
        round.before(round.login(deviceId=DEVICE, **BY_ID))

    raced = crew.race([[round.login(deviceId=DEVICE, **claim), log_out(round)] * 2 for round in rounds])

    for round, calls in zip(rounds, raced, strict=True):
        arena.judge(round, calls)
        assert not lives(round, token_of(round))
        assert sum(lives(round, answer["session"]["token"]) for answer in logins(calls)) <= 1


@pytest.mark.parametrize("log_out", LOGOUTS.values(), ids=LOGOUTS)
def test_an_anonymous_user_meets_whoever_logs_in_by_who_was_logged_in_at_that_moment(
    crew: Crew, arena: Arena, log_out: Logout
) -> None:
    rounds = [arena.round("merge-once") for _ in range(FEWER_ROUNDS)]
    for round in rounds:
        # The first anonymous user becomes u-1's, so the second stays beside u-1 on the device.
        for device in ("another-device-here", DEVICE):
            round.before(round.login(deviceId=device))
            round.before(round.login(deviceId=device, **BY_ID))

    raced = crew.race([[round.login(deviceId=DEVICE, userId="u-2"), log_out(round)] for round in rounds])

    for round, calls in zip(rounds, raced, strict=True):
        arena.judge(round, calls)
