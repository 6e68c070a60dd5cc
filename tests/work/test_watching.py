"""Whoever runs Usher sees how webhooks do: any server tells it of the store, and whoever works of itself."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from service.api.context import NAME
from service.desk.delivering import SCHEDULE
from service.model.webhooks import Attempt
from service.store.migrating import migrate
from service.work import delivering, sending
from service.work.delivering import UNSIGNED
from service.work.loop import Worker
from tests.conftest import engine_of
from tests.support.cases import cases
from tests.support.following import all_told
from tests.support.metrics import samples
from tests.support.receivers import receiver
from tests.support.servers import ADMIN_KEY, SECRET_KEY
from tests.support.tenants import Tenant

AT = datetime(2030, 1, 1, tzinfo=UTC)


class Shop:
    """An app in a store of its own, and who works there, when told to."""

    def __init__(self, app):
        self.client = app.test_client()
        self.tenant = Tenant.create(self.client, ADMIN_KEY)
        self.worker = Worker(app.extensions[NAME].store, SECRET_KEY, loopback=True)
        self.jane = self.tenant.known(userId="jane")

    def hook(self, url):
        all_told(self.tenant)
        body = {"url": url, "types": ["user.updated"]}
        made = self.tenant.call("POST", "/v1/webhooks", self.tenant.sk, body)
        return made.json["webhook"]["id"]

    def change(self):
        self.tenant.change(self.jane, name=f"Jane {datetime.now(UTC)}")
        all_told(self.tenant)

    def work(self):
        while self.worker.turn():
            self.worker.join()

    def look(self):
        """Return the webhooks by state, the age of the oldest event that was not delivered, and of the oldest
        that was not tried."""
        found = samples(self.client)
        states = ("answering", "failing", "off", "given-up")
        return (
            {state: found["usher_webhooks", ("state", state)] for state in states},
            found[("usher_webhook_oldest_seconds",)],
            found[("usher_webhook_untried_seconds",)],
        )


@pytest.fixture
def shop(config, databases, start, time_machine):
    time_machine.move_to(AT, tick=False)
    url = databases.fresh(engine_of(config.database_url))
    migrate(url)
    return Shop(start(database_url=url))


def states(**more):
    return {"answering": 0, "failing": 0, "off": 0, "given-up": 0} | more


def counted(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0


def test_where_there_is_nothing_nothing_is_old(shop):
    assert shop.look() == (states(), 0, 0)


def test_what_nobody_has_tried_to_deliver_grows_old_while_nobody_works(shop, received, time_machine):
    shop.hook(received.url)
    shop.change()
    time_machine.shift(timedelta(minutes=1))
    assert shop.look() == (states(answering=1), 60, 60)

    shop.work()

    assert shop.look() == (states(answering=1), 0, 0)


def test_what_is_not_taken_is_old_and_yet_was_tried(shop, received, time_machine):
    received.answer = lambda _: 500
    shop.hook(received.url)
    shop.change()
    shop.work()
    time_machine.shift(timedelta(minutes=1))

    assert shop.look() == (states(failing=1), 60, 0)


def test_what_comes_while_one_that_fails_rests_is_its_own_matter(shop, received, time_machine):
    received.answer = lambda _: 500
    shop.hook(received.url)
    shop.change()
    shop.work()
    time_machine.shift(timedelta(seconds=1))
    shop.change()
    time_machine.shift(timedelta(seconds=1))

    assert shop.look() == (states(failing=1), 2, 0)


def test_of_those_who_are_switched_off_nothing_is_awaited(shop, received, time_machine):
    received.answer = lambda _: 500
    by_request, failing = shop.hook(received.url), shop.hook(received.url)
    off = counted("usher_webhooks_switched_off_total")
    shop.change()
    shop.work()
    shop.tenant.call("PATCH", f"/v1/webhooks/{by_request}", shop.tenant.sk, {"enabled": False})
    time_machine.shift(timedelta(days=6))
    shop.work()

    assert shop.look() == (states(off=1, **{"given-up": 1}), 0, 0)
    assert counted("usher_webhooks_switched_off_total") == off + 1
    assert shop.tenant.get(f"/v1/webhooks/{failing}").json["disabled"] == "failing"


def test_what_is_given_up_is_counted(shop, time_machine):
    before = counted("usher_webhook_given_up_total")
    with receiver(lambda _: 500) as found:
        shop.hook(found.url)
        shop.change()
        for wait in (0, *SCHEDULE):
            time_machine.shift(timedelta(milliseconds=wait))
            shop.work()

    assert len(found.requests) == len(SCHEDULE) + 1
    assert counted("usher_webhook_given_up_total") == before + 1
    # What is not for it is passed over when it has had its rest.
    time_machine.shift(timedelta(minutes=10))
    shop.work()
    assert shop.look()[1:] == (0, 0)


@cases(
    "attempt, outcome",
    ("taken", {"status": 204}, "delivered"),
    ("an error", {"status": 500}, "refused"),
    ("a redirect", {"status": 302}, "refused"),
    ("silence", {"error": sending.TIMED_OUT}, "timeout"),
    ("no such name", {"error": sending.NOT_FOUND}, "no-address"),
    ("our own network", {"error": sending.FORBIDDEN}, "forbidden-address"),
    ("nobody there", {"error": sending.UNREACHABLE}, "unreachable"),
    ("a bad certificate", {"error": sending.NOT_TRUSTED}, "not-trusted"),
    ("no HTTP", {"error": sending.NOT_HTTP}, "not-http"),
    ("no secret", {"error": UNSIGNED}, "unsigned"),
)
def test_each_attempt_is_counted_by_what_came_of_it(shop, received, monkeypatch, attempt, outcome):
    shop.hook(received.url)
    shop.change()
    before = counted("usher_webhook_attempts_total", outcome=outcome)
    monkeypatch.setattr(delivering, "send", lambda *_, **__: Attempt(1, 1, **attempt))

    shop.worker.turn()
    shop.worker.join()

    assert counted("usher_webhook_attempts_total", outcome=outcome) == before + 1
