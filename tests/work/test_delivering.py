"""Events arrive at webhooks: at least once, signed, in order, and again where they were not taken."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as Checker
from standardwebhooks import WebhookVerificationError

from service.desk import delivering
from service.desk.delivering import SCHEDULE
from service.desk.erasing import tidy
from service.model.errors import StoreUnavailable
from service.model.identifiers import new_id
from service.store.apps import AllApps
from service.store.tables import Webhooks
from service.work import loop, sending
from service.work.loop import Worker
from tests.support.following import all_told, told
from tests.support.receivers import receiver
from tests.support.servers import SECRET_KEY, TIMEOUT, wait_until

TYPES = ["message.created", "user.updated"]


@pytest.fixture(autouse=True)
def _one_app_only(tenant, monkeypatch):
    """Leave alone what other tests have left behind."""
    monkeypatch.setattr(AllApps, "with_webhooks", lambda _: (tenant.id,))


@pytest.fixture
def jane(tenant):
    return tenant.known(userId="jane")


@pytest.fixture
def thread(tenant, jane):
    return tenant.begin(tenant.sk, user=jane)


def hook(tenant, url, types=TYPES):
    """Have events delivered from now on; return the webhook and its secret."""
    all_told(tenant)
    made = tenant.call("POST", "/v1/webhooks", tenant.sk, {"url": url, "types": types})
    assert made.status_code == 201, made.text
    return made.json["webhook"]["id"], made.json["secret"]["secret"]


def change(tenant, id, name):
    assert tenant.change(id, name=name).status_code == 200


def names(found):
    return [json.loads(request.body)["data"]["user"]["name"] for request in found.requests]


def deliveries(tenant, id, **query):
    return tenant.get(f"/v1/webhooks/{id}/deliveries", **query).json["data"]


def show(tenant, id):
    return tenant.get(f"/v1/webhooks/{id}").json


def test_what_is_delivered_is_what_the_list_tells_and_is_signed(tenant, thread, received, work):
    id, secret = hook(tenant, received.url)
    tenant.write(thread, body="Hello")
    work()

    [request] = received.requests
    [event] = told(tenant, types="message.created")[0][-1:]
    assert Checker(secret).verify(request.body, request.headers) == event
    assert request.headers["webhook-id"] == event["id"]
    assert request.headers["content-type"] == "application/json"
    [delivery] = deliveries(tenant, id)
    assert (delivery["event"], delivery["state"], delivery["nextAttemptAt"]) == (
        event["id"],
        "delivered",
        None,
    )
    [attempt] = delivery["attempts"]
    assert (attempt["status"], attempt["answer"], attempt["error"]) == (204, "", None)


def test_what_was_before_a_webhook_and_what_it_is_not_for_is_not_delivered(tenant, jane, received, work):
    change(tenant, jane, "Before")
    hook(tenant, received.url)
    tenant.known(userId="mary")
    change(tenant, jane, "After")
    work()

    assert names(received) == ["After"]


def test_a_webhook_for_all_types_is_told_all(tenant, jane, received, work):
    hook(tenant, received.url, None)
    _, before = all_told(tenant)
    change(tenant, jane, "Jane")
    work()

    assert received.ids[-2:-1] == [event["id"] for event in told(tenant, before)[0]][:1]


def test_while_a_secret_is_changed_for_another_each_of_the_two_shows_it(tenant, jane, received, work):
    id, first = hook(tenant, received.url)
    second = tenant.call("POST", f"/v1/webhooks/{id}/secrets", tenant.sk).json["secret"]
    change(tenant, jane, "Jane")
    work()

    [request] = received.requests
    for secret in (first, second):
        assert Checker(secret).verify(request.body, request.headers)


def test_they_come_in_their_order(tenant, jane, received, work):
    hook(tenant, received.url)
    expected = [f"Jane {number}" for number in range(12)]
    for name in expected:
        change(tenant, jane, name)
    work()

    assert names(received) == expected


def test_each_app_is_told_its_own_alone(tenant, other_tenant, jane, received, work, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(AllApps, "with_webhooks", lambda _: (tenant.id, other_tenant.id))
    with receiver() as other:
        hook(tenant, received.url)
        hook(other_tenant, other.url)
        change(tenant, jane, "Jane")
        work()

    assert len(received.requests) == 1
    assert other.requests == []


# --- what is not taken -------------------------------------------------------------------------------


def test_what_is_not_taken_is_tried_again_by_the_schedule_and_then_given_up(
    tenant, jane, received, work, time_machine
):
    at = datetime(2030, 1, 1, tzinfo=UTC)
    time_machine.move_to(at, tick=False)
    received.answer = lambda _: (500, b"no")
    id, _ = hook(tenant, received.url)
    change(tenant, jane, "Jane")
    work()

    for wait in SCHEDULE:
        [delivery] = deliveries(tenant, id)
        due = datetime.fromisoformat(delivery["nextAttemptAt"])
        assert due == at + timedelta(milliseconds=wait)
        time_machine.move_to(due - timedelta(milliseconds=1), tick=False)
        work()
        assert len(deliveries(tenant, id)[0]["attempts"]) == len(delivery["attempts"])
        at = due
        time_machine.move_to(at, tick=False)
        work()

    [delivery] = deliveries(tenant, id)
    assert (delivery["state"], delivery["nextAttemptAt"]) == ("given-up", None)
    assert [(one["status"], one["answer"]) for one in delivery["attempts"]] == [(500, "no")] * 10
    assert len(set(received.ids)) == 1
    time_machine.move_to(at + timedelta(days=1), tick=False)
    work()
    assert len(received.requests) == 10


def test_one_that_is_never_taken_holds_up_the_others_for_moments(tenant, jane, received, work, time_machine):
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
    received.answer = lambda request: 500 if b'"Bad"' in request.body else 200
    hook(tenant, received.url)
    for name in ("Good", "Bad", "Better", "Best"):
        change(tenant, jane, name)
    work()
    assert names(received) == ["Good", "Bad"]

    time_machine.shift(timedelta(seconds=6))
    work()
    assert names(received) == ["Good", "Bad", "Bad"]
    time_machine.shift(timedelta(seconds=11))
    work()

    assert names(received) == ["Good", "Bad", "Bad", "Better", "Best"]


def test_what_comes_while_nobody_answers_is_told_in_order_when_they_do(
    tenant, jane, received, work, time_machine
):
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
    received.answer = lambda _: 503
    id, _ = hook(tenant, received.url)
    for number in range(6):
        change(tenant, jane, f"Jane {number}")
    for _ in range(3):
        work()
        time_machine.shift(timedelta(seconds=30))
    tried = len(received.requests)
    assert tried < 6
    assert show(tenant, id)["failingSince"] == "2030-01-01T00:00:00.000Z"

    received.answer = lambda _: 200
    for _ in range(3):
        time_machine.shift(timedelta(minutes=30))
        work()

    taken = names(received)[tried:]
    assert set(taken) == {f"Jane {number}" for number in range(6)}
    fresh = [name for name in taken if name not in names(received)[:tried]]
    assert fresh == sorted(fresh)
    assert show(tenant, id)["failingSince"] is None


def test_who_fails_for_five_days_is_switched_off_says_so_and_can_be_switched_on(
    tenant, jane, received, work, time_machine
):
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
    received.answer = lambda _: 500
    id, _ = hook(tenant, received.url)
    change(tenant, jane, "First")
    work()
    time_machine.shift(timedelta(days=4, hours=23))
    work()
    assert show(tenant, id)["enabled"] is True

    time_machine.shift(timedelta(hours=2))
    change(tenant, jane, "Second")
    work()
    off = show(tenant, id)
    assert (off["enabled"], off["disabled"]) == (False, "failing")
    tried = len(received.requests)
    time_machine.shift(timedelta(days=1))
    change(tenant, jane, "Third")
    work()
    assert len(received.requests) == tried

    received.answer = lambda _: 200
    tenant.call("PATCH", f"/v1/webhooks/{id}", tenant.sk, {"enabled": True})
    work()
    assert names(received)[-1] == "Third"
    assert (show(tenant, id)["enabled"], show(tenant, id)["disabled"]) == (True, None)


def test_what_is_not_kept_any_more_is_given_up(tenant, jane, received, work, time_machine, store):
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
    received.answer = lambda _: 500
    id, _ = hook(tenant, received.url)
    change(tenant, jane, "Jane")
    work()
    time_machine.shift(timedelta(days=1))
    tenant.known(userId="mary")
    assert store.of(tenant.id).feed.forget_before(2**60) > 0
    work()

    [delivery] = deliveries(tenant, id)
    assert delivery["state"] == "given-up"
    assert len(received.requests) == 1


def test_what_is_not_kept_while_new_ones_rest_is_given_up_at_once(
    tenant, jane, received, work, store, time_machine
):
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
    received.answer = lambda _: 500
    id, _ = hook(tenant, received.url)
    change(tenant, jane, "Jane")
    work()
    with store.transaction():
        store.of(tenant.id).webhooks.deliver(id, new_id("evt"), "user.updated", 1, jane, 1)
    work()

    assert [one["state"] for one in deliveries(tenant, id)] == ["given-up", "pending"]
    assert len(received.requests) == 1


def test_without_a_secret_that_can_be_read_nothing_is_sent(tenant, jane, received, store):
    id, _ = hook(tenant, received.url)
    change(tenant, jane, "Jane")
    all_told(tenant)
    other = Worker(store, "another" * 8, loopback=True)
    other.turn()
    other.join()

    assert received.requests == []
    assert "SECRET_KEY" in deliveries(tenant, id)[0]["attempts"][0]["error"]


# --- several who work --------------------------------------------------------------------------------


def test_several_deliver_each_event_once_and_in_order(tenant, jane, received, store):
    hook(tenant, received.url)
    expected = [f"Jane {number}" for number in range(20)]
    for name in expected:
        change(tenant, jane, name)
    all_told(tenant)
    workers = [Worker(store, SECRET_KEY, loopback=True) for _ in range(3)]
    running = [threading.Thread(target=worker.run) for worker in workers]
    for thread in running:
        thread.start()
    wait_until(lambda: len(received.requests) >= len(expected))
    for worker in workers:
        worker.stopped.set()
    for thread in running:
        thread.join()

    assert names(received) == expected


def test_what_somebody_was_killed_over_is_delivered_by_another_when_the_lease_is_over(
    tenant, jane, received, work, time_machine, store
):
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
    hook(tenant, received.url)
    change(tenant, jane, "Jane")
    all_told(tenant)
    killed = delivering.lease(store.of(tenant.id), quick=False)
    killed, job = delivering.next_job(store.of(tenant.id), killed)
    assert job is not None
    work()
    assert received.requests == []

    time_machine.shift(timedelta(seconds=61))
    work()

    assert names(received) == ["Jane"]
    late = delivering.Attempt(1, 1, 200)
    assert delivering.note(store.of(tenant.id), killed, job, late) is None


def test_where_nothing_is_to_be_delivered_nothing_is_leased(tenant, received, store):
    hook(tenant, received.url)

    assert delivering.lease(store.of(tenant.id), quick=False) is None


def test_a_dead_webhook_delays_nobody_elses_events(tenant, other_tenant, jane, received, store, monkeypatch):
    """Many hang, as many as may; still one that answers is told at once."""
    monkeypatch.setattr(AllApps, "with_webhooks", lambda _: (tenant.id, other_tenant.id))
    monkeypatch.setattr(loop, "MAX_AT_ONCE", 6)
    monkeypatch.setattr(loop, "MAX_SLOW", 3)
    monkeypatch.setattr(sending, "TIMEOUT", 2 * TIMEOUT)
    go_on = threading.Event()
    with receiver(lambda _: go_on.wait(2 * TIMEOUT) and 200) as dead:
        for _ in range(8):
            hook(other_tenant, dead.url)
        # They took their time before.
        with store.transaction():
            slow = Webhooks.update(milliseconds=5000).where(Webhooks.app == other_tenant.id)
            store.database.change(slow)
        change(other_tenant, other_tenant.known(userId="mary"), "Mary")
        all_told(other_tenant)
        worker = Worker(store, SECRET_KEY, loopback=True)
        running = threading.Thread(target=worker.run)
        running.start()
        wait_until(lambda: len(dead.requests) >= 3)
        hook(tenant, received.url)
        change(tenant, jane, "Jane")
        all_told(tenant)
        wait_until(lambda: received.requests)
        found, waiting = names(received), len(dead.requests)
        go_on.set()
        worker.stopped.set()
        running.join()

    assert found == ["Jane"]
    assert waiting == 3


def test_who_hangs_for_the_first_time_leaves_its_place_to_others(
    tenant, other_tenant, jane, received, store, monkeypatch
):
    """More than may be delivered to at once, and all of them answered until now."""
    monkeypatch.setattr(AllApps, "with_webhooks", lambda _: (other_tenant.id, tenant.id))
    monkeypatch.setattr(loop, "MAX_QUICK", 3)
    monkeypatch.setattr(sending, "TIMEOUT", 2 * TIMEOUT)
    go_on = threading.Event()
    with receiver(lambda _: go_on.wait(2 * TIMEOUT) and 200) as dead:
        for _ in range(8):
            hook(other_tenant, dead.url)
        change(other_tenant, other_tenant.known(userId="mary"), "Mary")
        hook(tenant, received.url)
        change(tenant, jane, "Jane")
        for one in (tenant, other_tenant):
            all_told(one)
        worker = Worker(store, SECRET_KEY, loopback=True)
        running = threading.Thread(target=worker.run)
        running.start()
        wait_until(lambda: received.requests and len(dead.requests) == 8)
        go_on.set()
        worker.stopped.set()
        running.join()

    assert names(received) == ["Jane"]


@pytest.mark.parametrize("change_it", ["a byte", "the time", "the secret"])
def test_the_library_refuses_what_is_not_as_it_was_signed(tenant, jane, received, work, change_it):
    id, secret = hook(tenant, received.url)
    other = tenant.call("POST", f"/v1/webhooks/{id}/secrets", tenant.sk).json
    tenant.call("DELETE", f"/v1/webhooks/{id}/secrets/{other['id']}", tenant.sk)
    change(tenant, jane, "Jane")
    work()
    [request] = received.requests
    body, headers = request.body, dict(request.headers)
    assert Checker(secret).verify(body, headers)

    if change_it == "a byte":
        body = body.replace(b"Jane", b"Jana", 1)
    elif change_it == "the time":
        headers["webhook-timestamp"] = str(int(headers["webhook-timestamp"]) - 10 * 60)
    else:
        secret = other["secret"]

    with pytest.raises(WebhookVerificationError):
        Checker(secret).verify(body, headers)


def test_the_library_refuses_what_was_signed_long_ago(tenant, jane, received, work, time_machine):
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
    _, secret = hook(tenant, received.url)
    change(tenant, jane, "Jane")
    work()
    [request] = received.requests
    time_machine.shift(timedelta(minutes=6))

    with pytest.raises(WebhookVerificationError):
        Checker(secret).verify(request.body, request.headers)


# --- tests, and once more ----------------------------------------------------------------------------


def test_a_test_is_delivered_and_is_no_event(tenant, received, work):
    id, secret = hook(tenant, received.url)
    sent = tenant.call("POST", f"/v1/webhooks/{id}/test", tenant.sk)
    assert (sent.status_code, sent.json["state"], sent.json["type"]) == (201, "pending", "webhook.test")
    work()

    [request] = received.requests
    body = Checker(secret).verify(request.body, request.headers)
    assert body == {
        "id": sent.json["event"],
        "type": "webhook.test",
        "at": body["at"],
        "app": tenant.id,
        "data": {},
    }
    assert deliveries(tenant, id)[0]["state"] == "delivered"
    assert sent.json["event"] not in [event["id"] for event in told(tenant)[0]]


def test_an_event_is_sent_again_with_the_same_id(tenant, jane, received, work):
    id, _ = hook(tenant, received.url)
    change(tenant, jane, "Jane")
    work()
    again = tenant.call("POST", f"/v1/webhooks/{id}/deliveries/{received.ids[0]}", tenant.sk)
    assert (again.status_code, again.json["state"]) == (200, "pending")
    work()

    assert received.ids == received.ids[:1] * 2
    assert [len(one["attempts"]) for one in deliveries(tenant, id)] == [2]


# --- whatever happens --------------------------------------------------------------------------------


def test_who_is_switched_off_or_deleted_is_told_nothing_more(tenant, jane, received, work):
    id, _ = hook(tenant, received.url)

    def stop(_):
        tenant.call("PATCH", f"/v1/webhooks/{id}", tenant.sk, {"enabled": False})
        return 200

    received.answer = stop
    change(tenant, jane, "First")
    change(tenant, jane, "Second")
    work()
    assert names(received) == ["First"]

    received.answer = lambda _: tenant.call("DELETE", f"/v1/webhooks/{id}", tenant.sk).status_code
    tenant.call("PATCH", f"/v1/webhooks/{id}", tenant.sk, {"enabled": True})
    change(tenant, jane, "Third")
    work()

    assert names(received) == ["First", "Second"]
    assert tenant.get(f"/v1/webhooks/{id}").status_code == 404


def test_after_so_many_it_is_anothers_turn(tenant, jane, received, worker, monkeypatch):
    monkeypatch.setattr("service.work.delivering.MAX_IN_A_ROW", 2)
    hook(tenant, received.url)
    for number in range(3):
        change(tenant, jane, f"Jane {number}")
    all_told(tenant)

    worker.turn()
    worker.join()
    assert len(received.requests) == 2
    worker.turn()
    worker.join()

    assert len(received.requests) == 3


def test_whoever_has_no_thread_left_begins_nothing(tenant, jane, received, store, monkeypatch):
    monkeypatch.setattr(loop, "MAX_AT_ONCE", 0)
    hook(tenant, received.url)
    change(tenant, jane, "Jane")
    all_told(tenant)

    assert Worker(store, SECRET_KEY, loopback=True).turn() is False


def test_what_became_of_events_is_forgotten_with_them(tenant, jane, received, work, store, time_machine):
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC), tick=False)
    id, _ = hook(tenant, received.url)
    change(tenant, jane, "Jane")
    work()
    time_machine.shift(timedelta(days=31))
    change(tenant, jane, "Jane D")
    work()

    app = store.apps.with_id(tenant.id)
    tidy(store.of(tenant.id), app, idle_days=999, empty_days=999, cleared_days=999, event_days=30)

    assert [one["event"] for one in deliveries(tenant, id)] == received.ids[1:]


def test_when_the_store_is_away_it_goes_on_later(tenant, worker, monkeypatch):
    calls = []

    def away(_):
        calls.append(1)
        if len(calls) > 1:
            worker.stopped.set()
        raise StoreUnavailable

    monkeypatch.setattr(loop, "PAUSE", 0.01)
    monkeypatch.setattr(AllApps, "with_webhooks", away)

    worker.run()

    assert len(calls) == 2


def test_when_the_store_goes_away_meanwhile_the_next_one_has_the_lease_in_time(
    tenant, jane, received, worker, monkeypatch
):
    hook(tenant, received.url)
    change(tenant, jane, "Jane")
    all_told(tenant)

    def away(*_):
        raise StoreUnavailable

    with monkeypatch.context() as patched:
        patched.setattr("service.work.delivering.note", away)
        assert worker.turn()
        worker.join()

    assert worker.turn() is False


def test_of_what_was_answered_about_who_is_erased_nothing_is_kept(tenant, jane, received, work):
    received.answer = lambda _: (200, b"hello jane")
    id, _ = hook(tenant, received.url)
    change(tenant, jane, "Jane")
    work()
    tenant.erase(jane)

    [delivery] = deliveries(tenant, id)
    assert [one["answer"] for one in delivery["attempts"]] == [None]


def test_who_is_asked_to_stop_makes_no_further_attempt(tenant, jane, received, worker):
    hook(tenant, received.url)
    change(tenant, jane, "First")
    change(tenant, jane, "Second")
    all_told(tenant)
    received.answer = lambda _: worker.stopped.set() or 200

    worker.turn()
    worker.join()
    assert names(received) == ["First"]

    worker.stopped.clear()
    worker.turn()
    worker.join()
    assert names(received) == ["First", "Second"]
