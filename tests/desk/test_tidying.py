"""Tidy: whom nobody will ask about is forgotten when the time has come, and not a moment before."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from service.desk import emptying, erasing
from service.desk.erasing import Tidied, tidy
from service.model.identifiers import digest
from service.store import Store, forgetting
from service.store.checks import CHECKS
from service.store.database import Database
from service.store.tables import (
    Devices,
    FormerKeys,
    History,
    IdempotencyKeys,
    Messages,
    Rates,
    Sessions,
    UserIds,
    Users,
)
from service.times import MINUTE, now
from tests.support.marks import LONG
from tests.support.rows import add_former_key
from tests.support.tenants import Tenant

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)
IDLE, CLEARED = timedelta(days=10), timedelta(days=3)
NOTHING = Tidied(users=0, tombstones=0, sessions=0, keys=0, rates=0, events=0)
ACCOUNT = {"store": "app_store", "account": "apple-1"}


@pytest.fixture(autouse=True)
def clock(time_machine):
    """Stands at noon, and moves when told to."""
    time_machine.move_to(NOON, tick=False)
    return time_machine


@pytest.fixture
def tidied(store: Store, tenant: Tenant) -> Callable[[], Tidied]:
    """Tidy the app, in which those go who were idle for ten days, or cleared for three."""
    days = {"idle_days": IDLE.days, "empty_days": IDLE.days, "cleared_days": CLEARED.days}
    return lambda: tidy(store.of(tenant.id), store.apps.with_id(tenant.id), **days, event_days=30)


def visit(tenant: Tenant) -> tuple[str, str, str]:
    """Log nobody in; return the user, the device ID and the token."""
    login = tenant.login()
    return login["user"]["id"], login["deviceId"], login["session"]["token"]


def is_there(tenant: Tenant, id: str) -> bool:
    return tenant.call("GET", f"/v1/users/{id}", tenant.sk).status_code == 200


def rows(store: Store, table, tenant: Tenant) -> int:
    return len(store.database.rows(table.select(table.app).where(table.app == tenant.id)))


# --- who was idle ------------------------------------------------------------------------------------

moments = pytest.mark.parametrize(
    ("more", "gone"), [(timedelta(), False), (MOMENT, True)], ids=["at the limit", "a moment later"]
)


DEEDS = {
    "comes": lambda tenant, id, device, token: id,
    "writes": lambda tenant, id, device, token: tenant.begin(token),
    "is written to": lambda tenant, id, device, token: tenant.begin(tenant.sk, user=id),
    "looks": lambda tenant, id, device, token: tenant.call("GET", "/v1/me", token).status_code == 200,
    "comes back": lambda tenant, id, device, token: tenant.login(deviceId=device)["user"]["id"] == id,
    # Somebody logs in on the device, where the anonymous user is kept.
    "makes way": lambda tenant, id, device, token: tenant.login(deviceId=device, userId="u-1"),
}


@moments
@pytest.mark.parametrize("does", DEEDS.values(), ids=DEEDS)
def test_an_anonymous_user_is_idle_from_when_something_was_done_last(tenant, clock, tidied, does, more, gone):
    one, last = visit(tenant), NOON
    if does is not DEEDS["comes"]:
        last += timedelta(days=5)
        clock.move_to(last, tick=False)
    assert does(tenant, *one)
    clock.move_to(last + IDLE + more, tick=False)

    assert (tidied().users, is_there(tenant, one[0])) == (int(gone), not gone)


def test_an_anonymous_user_who_bought_something_stays(tenant, clock, tidied):
    visitor = tenant.login()["user"]
    bought = {"storeAccount": ACCOUNT, "product": "pro", "transaction": "t-1", "userId": visitor["userId"]}
    tenant.call("POST", "/v1/purchases", tenant.sk, bought)
    clock.move_to(NOON + timedelta(days=400), tick=False)

    assert tidied().users == 0

    purchases = tenant.call("GET", f"/v1/users/{visitor['id']}", tenant.sk).json["purchases"]
    assert [purchase["product"] for purchase in purchases] == ["pro"]


def test_who_wakes_while_others_are_being_forgotten_stays(store, tenant, clock, tidied, database_url):
    id, device, _ = visit(tenant)
    clock.move_to(NOON + IDLE + MOMENT, tick=False)
    other = Store(Database(database_url, LONG))

    with ThreadPoolExecutor(1) as thread:
        with other.transaction():
            other.of(tenant.id).devices.lock(digest(device))
            tidying = thread.submit(tidied)
            # So long it waits for the device.
            time.sleep(0.3)
            used = Sessions.update(used_at=now()).where(Sessions.app == tenant.id)
            other.database.change(used)
        done = tidying.result()

    other.database.close()
    assert (done.users, is_there(tenant, id)) == (0, True)


def write(tenant: Tenant, token: str, times: int) -> None:
    """Begin a conversation, and write so many messages more."""
    conversation = tenant.begin(token)
    for _ in range(times):
        tenant.write(conversation, token)


class Stopped(Exception):
    """Whoever tidies is asked to stop."""


def test_who_is_idle_and_wrote_much_goes_a_piece_at_a_time_and_wakes_no_more(
    store, tenant, clock, monkeypatch
):
    monkeypatch.setattr(emptying, "PIECE", 2)
    id, device, token = visit(tenant)
    write(tenant, token, 6)
    clock.move_to(NOON + IDLE + MOMENT, tick=False)
    own, days = store.of(tenant.id), {"idle_days": IDLE.days, "empty_days": IDLE.days, "event_days": 30}
    # At the third it has been cleared, and a piece of it is gone.
    rests = iter(range(4))

    def rest():
        if next(rests, None) is None:
            raise Stopped

    with pytest.raises(Stopped):
        tidy(own, store.apps.with_id(tenant.id), **days, cleared_days=CLEARED.days, rest=rest)

    left = rows(store, Messages, tenant)
    assert 0 < left < 7
    assert tenant.call("GET", "/v1/me", token).status_code == 401
    assert tenant.login(deviceId=device)["user"]["id"] != id

    assert tidy(own, store.apps.with_id(tenant.id), **days, cleared_days=CLEARED.days).users == 1
    assert (rows(store, Messages, tenant), is_there(tenant, id)) == (0, False)


def test_who_was_cleared_and_wrote_much_goes_a_piece_at_a_time(store, tenant, clock, tidied, monkeypatch):
    monkeypatch.setattr(emptying, "PIECE", 2)
    tenant.set(anonymousOnLogin="clear")
    id, device, token = visit(tenant)
    write(tenant, token, 3)
    tenant.login(deviceId=device, userId="u-1")
    clock.move_to(NOON + CLEARED + MOMENT, tick=False)

    assert tidied().users == 1
    assert (rows(store, Messages, tenant), is_there(tenant, id)) == (0, False)


def test_who_wakes_before_a_piece_of_it_is_gone_stays_whole(store, tenant, clock, tidied, monkeypatch):
    _, _, token = visit(tenant)
    write(tenant, token, 3)
    clock.move_to(NOON + IDLE + MOMENT, tick=False)

    def wake(*_):
        store.database.change(Sessions.update(used_at=now()).where(Sessions.app == tenant.id))
        return True

    monkeypatch.setattr(erasing, "is_much", wake)

    assert tidied().users == 0
    assert rows(store, Messages, tenant) == 4


def test_who_is_erased_by_somebody_else_meanwhile_is_gone(store, tenant, clock, tidied, monkeypatch):
    monkeypatch.setattr(emptying, "PIECE", 2)
    id, _, token = visit(tenant)
    write(tenant, token, 3)
    clock.move_to(NOON + IDLE + MOMENT, tick=False)
    monkeypatch.setattr(erasing, "empty", lambda *how: (tenant.erase(id), emptying.empty(*how)))

    assert tidied().users == 0
    assert not is_there(tenant, id)


def test_all_go_also_where_they_are_more_than_a_page(store, tenant, clock, tidied, monkeypatch):
    monkeypatch.setattr(forgetting, "PAGE", 2)
    tenant.session(userId="u-1")
    _, _, token = visit(tenant)
    tenant.call("POST", "/v1/conversations", token, {"message": "Hello"}, Idempotency_Key="key-1")
    for number in range(4):
        visit(tenant)
        store.of(tenant.id).rates.count("login", f"address-{number}", 1)
    clock.move_to(NOON + timedelta(days=1000), tick=False)

    done = tidied()

    assert (done.users, done.sessions, done.rates, tidied()) == (5, 1, 4, NOTHING)


# --- of whom there is nothing -----------------------------------------------------------------------


@pytest.fixture
def tidied_of_empty(store: Store, tenant: Tenant) -> Callable[[], Tidied]:
    """Tidy the app, in which those go who were idle for a hundred days, ten if there is nothing."""
    days = {"idle_days": 100, "empty_days": IDLE.days, "cleared_days": 100, "event_days": 30}
    return lambda: tidy(store.of(tenant.id), store.apps.with_id(tenant.id), **days)


@moments
def test_of_whom_there_is_nothing_goes_earlier(tenant, clock, tidied_of_empty, more, gone):
    id, *_ = visit(tenant)
    clock.move_to(NOON + IDLE + more, tick=False)

    assert (tidied_of_empty().users, is_there(tenant, id)) == (int(gone), not gone)


def buys(tenant, id, device, token):
    [user] = [tenant.user(id)]
    bought = {"storeAccount": ACCOUNT, "product": "pro", "transaction": "t-1", "userId": user["userId"]}
    return tenant.call("POST", "/v1/purchases", tenant.sk, bought)


def takes_somebody_in(tenant, id, device, token):
    other, *_ = visit(tenant)
    return tenant.call("POST", "/v1/merges", tenant.sk, {"from": other, "into": id})


SOMETHING = {
    "writes": DEEDS["writes"],
    "is written to": DEEDS["is written to"],
    "leaves a contact": lambda tenant, id, device, token: tenant.call(
        "PUT", "/v1/me/contact", token, {"phone": "+491701234567"}
    ),
    "has a name": lambda tenant, id, device, token: tenant.call(
        "PATCH", f"/v1/users/{id}", tenant.sk, {"name": "Jane"}
    ),
    "has an attribute": lambda tenant, id, device, token: tenant.call(
        "PATCH", f"/v1/users/{id}", tenant.sk, {"attributes": {"plan": "pro"}}
    ),
    "bought something": buys,
    "took somebody in": takes_somebody_in,
}


@pytest.mark.parametrize("does", SOMETHING.values(), ids=SOMETHING)
def test_of_whom_there_is_something_stays_for_as_long_as_others(tenant, clock, tidied_of_empty, does):
    one = visit(tenant)
    done = does(tenant, *one)
    assert isinstance(done, str) or done.status_code < 300, done.text
    clock.move_to(NOON + timedelta(days=99), tick=False)

    assert (tidied_of_empty().users, is_there(tenant, one[0])) == (0, True)


def test_an_anonymous_user_of_a_client_of_revenuecats_stays_for_as_long_as_others(
    tenant, clock, tidied_of_empty
):
    tenant.set(revenuecat="on")
    id = "$RCAnonymousID:" + "0" * 32
    assert tenant.call("GET", f"/v1/subscribers/{id}", tenant.pk).status_code == 201
    clock.move_to(NOON + timedelta(days=99), tick=False)
    assert tidied_of_empty().users == 0

    clock.move_to(NOON + timedelta(days=101), tick=False)

    assert tidied_of_empty().users == 1


@pytest.mark.parametrize(("days", "gone"), [(19, False), (21, True)])
def test_whose_session_holds_stays(tenant, clock, tidied_of_empty, days, gone):
    tenant.set(idleDays=20, sessionDays=365)
    _, _, token = visit(tenant)
    clock.move_to(NOON + timedelta(days=days), tick=False)

    assert tidied_of_empty().users == int(gone)
    assert tenant.call("GET", "/v1/me", token).status_code == (401 if gone else 200)


# --- what is left of them ----------------------------------------------------------------------------


def test_once_no_event_tells_of_whom_was_idle_nothing_is_left(store, tenant, clock, tidied):
    id, *_ = visit(tenant)
    clock.move_to(NOON + IDLE + MOMENT, tick=False)
    tidied()
    clock.move_to(NOON + IDLE + timedelta(days=30), tick=False)
    assert (tidied().tombstones, len(store.of(tenant.id).history.page([id], "", 10))) == (0, 2)

    clock.move_to(NOON + IDLE + timedelta(days=30) + 2 * MOMENT, tick=False)

    assert (tidied().tombstones, [rows(store, table, tenant) for table in (Users, UserIds, History)]) == (
        1,
        [0, 0, 0],
    )


def erased(tenant, store):
    id, *_ = visit(tenant)
    assert tenant.call("DELETE", f"/v1/users/{id}", tenant.sk).status_code == 204
    return id


def named_by_a_merge(tenant, store):
    id, *_ = visit(tenant)
    takes_somebody_in(tenant, id, None, None)
    return id


@pytest.mark.parametrize("somebody", [erased, named_by_a_merge])
def test_a_tombstone_stays_of_whom_somebody_erased_and_whom_a_merge_names(
    store, tenant, clock, tidied, somebody
):
    id = somebody(tenant, store)
    clock.move_to(NOON + timedelta(days=20), tick=False)
    tidied()
    clock.move_to(NOON + timedelta(days=100), tick=False)

    assert (tidied().tombstones, is_there(tenant, id), rows(store, Users, tenant) > 0) == (0, False, True)


def test_with_whom_was_idle_goes_the_device(store, tenant, clock, tidied):
    _, device, _ = visit(tenant)
    clock.move_to(NOON + IDLE + MOMENT, tick=False)

    tidied()

    assert rows(store, Devices, tenant) == 0
    refused = tenant.try_login(key=tenant.pk, deviceId=device)
    assert (refused.status_code, refused.json["errors"][0]["code"]) == (422, "unknown-device")


def test_with_the_last_session_goes_the_device(store, tenant, clock, tidied):
    tenant.session(userId="u-1")
    clock.move_to(NOON + timedelta(days=30) + MOMENT, tick=False)

    assert (tidied().sessions, rows(store, Devices, tenant)) == (1, 0)


def is_set_to_clear(tenant, device):
    return tenant.call("POST", "/v1/clearAnonymousUser", tenant.sk, {"deviceId": device})


def may_not_share(tenant, device):
    return tenant.call(
        "POST", "/v1/allowSharingStoreAccount", tenant.sk, {"deviceId": device, "allow": False}
    )


@pytest.mark.parametrize("what", [is_set_to_clear, may_not_share])
def test_a_device_stays_of_which_something_was_set(store, tenant, clock, tidied, what):
    _, device, _ = visit(tenant)
    assert what(tenant, device).status_code == 200
    clock.move_to(NOON + IDLE + MOMENT, tick=False)

    assert (tidied().users, rows(store, Devices, tenant)) == (1, 1)


def test_a_device_stays_where_a_conversation_began(store, tenant, clock, tidied):
    tenant.begin(tenant.session(userId="u-1"))
    clock.move_to(NOON + timedelta(days=100), tick=False)

    assert (tidied().sessions, rows(store, Devices, tenant)) == (1, 1)


def test_a_device_stays_where_somebody_was_before(store, tenant, clock, tidied):
    tenant.begin(tenant.session(userId="u-1", deviceId="d" * 20))
    clock.shift(MOMENT)
    tenant.session(userId="u-2", deviceId="d" * 20)
    clock.shift(timedelta(days=100))

    assert (tidied().sessions, rows(store, Devices, tenant)) == (1, 1)


def test_with_an_anonymous_user_who_wrote_goes_the_device(store, tenant, clock, tidied):
    _, _, token = visit(tenant)
    tenant.begin(token)
    clock.move_to(NOON + IDLE + MOMENT, tick=False)

    assert (tidied().users, rows(store, Devices, tenant)) == (1, 0)


# --- who was cleared ---------------------------------------------------------------------------------


@moments
def test_who_was_cleared_goes_some_days_after_whatever_agents_write(tenant, clock, tidied, more, gone):
    id, device, token = visit(tenant)
    conversation = tenant.begin(token)
    tenant.set(anonymousOnLogin="clear")
    tenant.login(deviceId=device, userId="u-1")
    clock.move_to(NOON + CLEARED + more, tick=False)
    tenant.call("POST", f"/v1/conversations/{conversation}/messages", tenant.sk, {"body": "Still there?"})

    done = tidied()

    listed = tenant.conversations(tenant.sk)
    assert (done.users, is_there(tenant, id), listed) == (
        (1, False, []) if gone else (0, True, [conversation])
    )


# --- who stays ---------------------------------------------------------------------------------------


def known(tenant):
    return tenant.login(userId="u-1")["user"]["id"]


def unclaimed(tenant):
    return tenant.login(email="jane@example.org")["user"]["id"]


def unproven(tenant):
    tenant.set(identityVerification="off")
    tenant.try_login(key=tenant.pk, userId="u-1")
    [user] = tenant.call("GET", "/v1/users?userId=u-1", tenant.sk).json["data"]
    return user["id"]


def no_longer_anonymous(tenant):
    id, *_ = visit(tenant)
    made = tenant.call("POST", f"/v1/users/{id}/aliases", tenant.sk, {"userId": "u-1"})
    assert made.status_code == 201, made.text
    return id


def part_of_somebody(tenant):
    tenant.set(anonymousOnLogin="merge")
    id, device, token = visit(tenant)
    tenant.begin(token)
    tenant.login(deviceId=device, userId="u-1")
    return id


@pytest.mark.parametrize("somebody", [known, unclaimed, unproven, no_longer_anonymous, part_of_somebody])
def test_nobody_goes_who_is_or_says_to_be_somebody(tenant, clock, tidied, somebody):
    id = somebody(tenant)
    conversation = tenant.begin(tenant.sk, user=id)
    clock.move_to(NOON + timedelta(days=1000), tick=False)

    assert (tidied().users, is_there(tenant, id)) == (0, True)
    assert conversation in tenant.conversations(tenant.sk)


def test_nothing_of_another_app_goes(store, tenant, other_tenant, clock, tidied):
    id, _, token = visit(other_tenant)
    other_tenant.call("POST", "/v1/conversations", token, {"message": "Hello"}, Idempotency_Key="key-1")
    store.of(other_tenant.id).rates.count("login", "address", 1)
    clock.move_to(NOON + timedelta(days=1000), tick=False)

    assert tidied() == NOTHING

    left = [rows(store, table, other_tenant) for table in (Sessions, Devices, IdempotencyKeys, Rates)]
    assert (is_there(other_tenant, id), left) == (True, [1, 1, 1, 1])


# --- what is left ------------------------------------------------------------------------------------


def test_the_second_time_there_is_nothing_to_do(store, tenant, clock, tidied):
    _, _, token = visit(tenant)
    tenant.call("POST", "/v1/conversations", token, {"message": "Hello"}, Idempotency_Key="key-1")
    tenant.session(userId="u-1")
    store.of(tenant.id).rates.count("login", "address", 1)
    clock.move_to(NOON + timedelta(days=1000), tick=False)

    first, second = tidied(), tidied()

    # With the user went its session and its key.
    assert (first, second) == (Tidied(users=1, tombstones=0, sessions=1, keys=0, rates=1, events=4), NOTHING)


def test_who_went_is_a_tombstone_and_the_device_begins_anew(store, tenant, clock, tidied):
    id, device, _ = visit(tenant)
    clock.move_to(NOON + IDLE + MOMENT, tick=False)

    tidied()

    [*_, last] = store.of(tenant.id).history.page([id], "", 10)
    assert (last.event, last.actor.by) == ("erased", "retention")
    assert [violated for question in CHECKS for violated in question(store.of(tenant.id))] == []
    again = tenant.login(deviceId=device)
    assert (again["created"], again["user"]["id"] != id) == (True, True)


# --- sessions, idempotency keys, rates ---------------------------------------------------------------


@moments
@pytest.mark.parametrize("used", [timedelta(), timedelta(days=25)], ids=["old", "used late"])
def test_a_session_goes_when_it_is_over_and_was_not_used_for_long(tenant, clock, tidied, used, more, gone):
    tenant.set(sessionDays=30, idleDays=365)
    token = tenant.session(userId="u-1")
    clock.move_to(NOON + used, tick=False)
    assert tenant.call("GET", "/v1/me", token).status_code == 200
    clock.move_to(NOON + max(timedelta(days=30), used + IDLE) + more, tick=False)

    assert tidied().sessions == int(gone)


@moments
def test_an_idempotency_key_goes_after_two_days(store, tenant, clock, tidied, more, gone):
    token = tenant.session(userId="u-1")
    tenant.call("POST", "/v1/conversations", token, {"message": "Hello"}, Idempotency_Key="key-1")
    clock.move_to(NOON + timedelta(days=2) + more, tick=False)

    assert (tidied().keys, rows(store, IdempotencyKeys, tenant)) == (int(gone), int(not gone))


@moments
def test_so_does_one_that_the_former_release_remembers(store, tenant, clock, tidied, more, gone):
    id = tenant.known(userId="u-1")
    add_former_key(store, tenant.id, id, now())
    clock.move_to(NOON + timedelta(days=2) + more, tick=False)

    assert (tidied().keys, rows(store, FormerKeys, tenant)) == (int(gone), int(not gone))


def test_the_rates_of_this_minute_and_the_last_stay(store, tenant, tidied):
    minutes = [now() // MINUTE - ago for ago in range(4)]
    for minute in minutes:
        store.of(tenant.id).rates.count("login", f"address-{minute}", minute)

    assert tidied().rates == 2

    left = [store.of(tenant.id).rates.current("login", f"address-{minute}", minute) for minute in minutes]
    assert left == [1, 1, 0, 0]
