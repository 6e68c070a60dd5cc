"""Anonymous users who become somebody while they write: nothing that was answered is lost or left behind."""

from collections.abc import Sequence
from typing import Any

import pytest

from service.store import Store
from service.store.tables import Conversations
from tests.support.processes import Call, Crew, Request
from tests.support.rounds import Arena, Round, logins

ROUNDS = 15
DEVICE = "the-only-device-here"
DEVICES = [DEVICE, "another-device-here"]


class EndUser:
    """An anonymous user on a device, who has begun a conversation."""

    def __init__(self, round: Round, device: str) -> None:
        body = round.before(round.login(deviceId=device))
        self.id: str = body["user"]["id"]
        self.token: str = body["session"]["token"]
        self.conversation = round.tenant.begin(self.token, "Before")
        self.round = round

    def writes(self) -> list[Request]:
        """Describe what comes from both sides meanwhile."""
        begin, write = "/v1/conversations", f"/v1/conversations/{self.conversation}/messages"
        return [
            Request("POST", begin, self.token, {"message": "Begun by the user"}),
            Request("POST", begin, self.round.tenant.sk, {"user": self.id, "message": "Begun by an agent"}),
            Request("POST", write, self.token, {"body": "Written by the user"}),
            Request("POST", write, self.token, {"body": "Written by the user again"}),
            Request("POST", write, self.round.tenant.sk, {"body": "Written by an agent"}),
        ]


def login_calls(calls: Sequence[Call]) -> list[Call]:
    return [call for call in calls if call.request.path == "/v1/login"]


def texts(calls: Sequence[Call]) -> list[str]:
    """Answer the messages that were acknowledged."""
    sent = [call.request.json for call in calls if call.status == 201]
    return sorted(text for members in sent if (text := members.get("message") or members.get("body")))


def messages(round: Round, key: str, user: str | None = None) -> list[str]:
    """Answer the messages of all conversations that a credential sees."""
    read = round.tenant.call
    listed = read("GET", "/v1/conversations?limit=100" + (f"&user={user}" if user else ""), key).json["data"]
    pages = [read("GET", f"/v1/conversations/{found['id']}/messages", key).json["data"] for found in listed]
    return sorted(message["body"] for page in pages for message in page)


def owners(store: Store, round: Round) -> set[str]:
    rows = store.database.rows(
        Conversations.select(Conversations.user).where(Conversations.app == round.tenant.id)
    )
    return {user for (user,) in rows}


def require_no_error(calls: Sequence[Call]) -> None:
    # The user's own session may have ended meanwhile, and its conversation be another's.
    assert {call.status for call in calls} <= {200, 201, 401, 404}
    by_agents = [call for call in calls if (call.request.json or {}).get("deviceId") is None]
    by_agents = [call for call in by_agents if call.request.credential.startswith("sk_")]
    assert {call.status for call in by_agents} == {201}


@pytest.mark.parametrize("policy", ["merge", "merge-once"])
def test_what_an_anonymous_user_writes_while_becoming_somebody_is_that_users(
    crew: Crew, arena: Arena, store: Store, policy: str
) -> None:
    rounds = [arena.round(policy) for _ in range(ROUNDS)]
    visitors = [EndUser(round, DEVICE) for round in rounds]

    raced = crew.race(
        [
            [round.login(deviceId=DEVICE, userId="u-1"), *visitor.writes()]
            for round, visitor in zip(rounds, visitors, strict=True)
        ]
    )

    for round, calls in zip(rounds, raced, strict=True):
        require_no_error(calls)
        arena.judge(round, login_calls(calls))
        (login,) = logins(calls)
        assert owners(store, round) == {login["user"]["id"]}
        assert messages(round, login["session"]["token"]) == sorted(["Before", *texts(calls)])


def test_what_an_anonymous_user_writes_while_being_cleared_is_seen_by_agents_only(
    crew: Crew, arena: Arena, store: Store
) -> None:
    rounds = [arena.round("clear") for _ in range(ROUNDS)]
    visitors = [EndUser(round, DEVICE) for round in rounds]

    raced = crew.race(
        [
            [round.login(deviceId=DEVICE, userId="u-1"), *visitor.writes()]
            for round, visitor in zip(rounds, visitors, strict=True)
        ]
    )

    for round, visitor, calls in zip(rounds, visitors, raced, strict=True):
        require_no_error(calls)
        arena.judge(round, login_calls(calls))
        (login,) = logins(calls)
        assert owners(store, round) == {visitor.id}
        assert messages(round, round.tenant.sk, visitor.id) == sorted(["Before", *texts(calls)])
        assert messages(round, login["session"]["token"]) == []
        anonymous = round.tenant.login(deviceId=DEVICE)
        assert messages(round, anonymous["session"]["token"]) == []


@pytest.mark.parametrize("before", [[], [{"userId": "u-1"}]], ids=["a new user", "a known user"])
@pytest.mark.parametrize(("policy", "absorbed"), [("merge", 2), ("merge-once", 1)])
def test_two_devices_that_become_one_user_at_once_each_keep_or_move_all_they_have(
    crew: Crew, arena: Arena, store: Store, policy: str, absorbed: int, before: list[dict[str, Any]]
) -> None:
    rounds = [arena.round(policy) for _ in range(ROUNDS)]
    for round in rounds:
        for claim in before:
            round.before(round.login(**claim))
    visitors = [[EndUser(round, device) for device in DEVICES] for round in rounds]

    raced = crew.race(
        [
            [
                *(round.login(deviceId=device, userId="u-1") for device in DEVICES),
                *(request for visitor in both for request in visitor.writes()),
            ]
            for round, both in zip(rounds, visitors, strict=True)
        ]
    )

    for round, both, calls in zip(rounds, visitors, raced, strict=True):
        require_no_error(calls)
        arena.judge(round, login_calls(calls))
        user = max(logins(calls), key=lambda answer: len(answer["user"]["aliases"]))["user"]
        kept = owners(store, round) - {user["id"]}
        assert len(user["aliases"]) == absorbed
        assert len(kept) == 2 - absorbed
        assert kept <= {visitor.id for visitor in both}
        everything = [text for id in (user["id"], *kept) for text in messages(round, round.tenant.sk, id)]
        assert sorted(everything) == sorted(["Before", "Before", *texts(calls)])
