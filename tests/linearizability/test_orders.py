"""The search for an order finds one where there is one, and none where there is none."""

from dataclasses import replace

import pytest

from tests.support.identity import Identity
from tests.support.linearizability import order_of
from tests.support.processes import Call, Request


def login(device: str, *, created: bool, user: str = "usr_1", began: float = 0, ended: float = 1) -> Call:
    body = {
        "user": {
            "id": user,
            "userId": "u-1",
            "email": None,
            "name": None,
            "anonymous": False,
            "aliases": [],
            "createdAt": "2026-11-21T09:00:00.000Z",
        },
        "session": {"token": f"st_{device}", "verified": True},
        "deviceId": device,
        "created": created,
        "resolution": {"rule": "new-user-id" if created else "known-user-id", "changes": []},
    }
    request = Request("POST", "/v1/login", "sk_1", {"userId": "u-1"})
    return Call(request, began, ended, 201 if created else 200, body)


def order(*calls: Call, left_behind: str = "usr_1") -> list[Call] | None:
    return order_of(calls, Identity(), lambda model: list(model.users) == [left_behind])


def test_the_login_that_created_the_user_comes_first() -> None:
    second, first = login("dev_a", created=False), login("dev_b", created=True)

    assert order(second, first) == [first, second]


FIRST = login("dev_a", created=True)
UNEXPLAINED = {
    "two logins that both created a user": [FIRST, login("dev_b", created=True, user="usr_2")],
    "that nobody created a user": [login("dev_a", created=False), login("dev_b", created=False)],
    "a login that ended before its user was created": [
        login("dev_a", created=False, ended=1),
        login("dev_b", created=True, began=2, ended=3),
    ],
    "an error": [replace(FIRST, status=503, body={"code": "contended"})],
}


@pytest.mark.parametrize("calls", UNEXPLAINED.values(), ids=UNEXPLAINED)
def test_no_order_explains(calls: list[Call]) -> None:
    assert order(*calls) is None


def test_no_order_explains_what_no_call_has_left_behind() -> None:
    assert order(FIRST, left_behind="usr_2") is None
