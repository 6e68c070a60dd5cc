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
            "emails": [],
            "attributes": {},
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


def seen_meanwhile(*, login_ended: float) -> list[Call]:
    """A name is changed, the session that was there sees it, and a login shows the one before."""
    before = login("dev_a", created=True, began=-2, ended=-1)
    again = login("dev_a", created=False, ended=login_ended)
    again = replace(again, body=again.body | {"session": {"token": "st_again", "verified": True}})
    named = {**again.body["user"], "name": "Jane", "verified": True}
    change = Call(Request("PATCH", "/v1/users/usr_1", "sk_1", {"name": "Jane"}), 1, 2, 200, named)
    me = Request("GET", "/v1/me", "st_dev_a")
    return [before, again, change, Call(me, 3, 4, 200, {"user": named, "session": {"verified": True}})]


def test_a_login_shows_somebody_as_they_were_when_it_began() -> None:
    assert order(*seen_meanwhile(login_ended=5)) is not None


def test_a_login_that_had_ended_leaves_no_other_session() -> None:
    assert order(*seen_meanwhile(login_ended=2)) is None
