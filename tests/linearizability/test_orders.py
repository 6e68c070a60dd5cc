"""The search for an order finds one where there is one, and none where there is none."""

from dataclasses import replace

from tests.support.linearizability import order_of
from tests.support.login_model import Device, Person, World
from tests.support.processes import Call, Request

JANE = Person("u-1")
NOBODY = World("keep")
SOMEBODY = NOBODY.with_person("usr_1", JANE)


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


def with_sessions(world: World, *devices: str) -> World:
    for device in devices:
        world = world.with_device(device, Device(token=f"st_{device}", user="usr_1"))
    return world


def test_the_login_that_created_the_user_comes_first() -> None:
    second, first = login("dev_a", created=False), login("dev_b", created=True)

    order = order_of([second, first], NOBODY, with_sessions(SOMEBODY, "dev_a", "dev_b"))

    assert order == [first, second]


def test_no_order_explains_two_logins_that_both_created_a_user() -> None:
    calls = [login("dev_a", created=True), login("dev_b", created=True, user="usr_2")]
    left_behind = with_sessions(SOMEBODY, "dev_a", "dev_b").with_person("usr_2", JANE)

    order = order_of(calls, NOBODY, left_behind)

    assert order is None


def test_no_order_explains_that_nobody_created_a_user() -> None:
    calls = [login("dev_a", created=False), login("dev_b", created=False)]

    order = order_of(calls, NOBODY, with_sessions(SOMEBODY, "dev_a", "dev_b"))

    assert order is None


def test_no_order_explains_a_login_that_ended_before_its_user_was_created() -> None:
    calls = [login("dev_a", created=False, ended=1), login("dev_b", created=True, began=2, ended=3)]

    order = order_of(calls, NOBODY, with_sessions(SOMEBODY, "dev_a", "dev_b"))

    assert order is None


def test_no_order_explains_what_no_call_has_left_behind() -> None:
    left_behind = with_sessions(SOMEBODY.with_person("usr_2", replace(JANE, user_id="u-2")), "dev_a")

    order = order_of([login("dev_a", created=True)], NOBODY, left_behind)

    assert order is None


def test_no_order_explains_an_error() -> None:
    call = replace(login("dev_a", created=True), status=503, body={"code": "contended"})

    order = order_of([call], NOBODY, NOBODY)

    assert order is None
