"""Whoever is slow, dead or mad delays nobody else's events, and takes no memory to speak of."""

import time
from contextlib import ExitStack

import psutil
import pytest
from standardwebhooks import Webhook as Checker

from service.store.migrating import migrate
from service.work import sending
from service.work.sending import send
from tests.conftest import engine_of
from tests.support.following import all_told
from tests.support.receivers import BAD, bad_receiver, black_hole, dead_receiver, receiver
from tests.support.servers import ADMIN_KEY, wait_until, working
from tests.support.tenants import Tenant

# Of each kind of bad receiver, and how many events there are.
EACH, EVENTS = 5, 6
# In seconds: whoever waited for one that hangs would wait for longer, however fast the machine is.
LATE = sending.TIMEOUT - 1
# How much more memory may be taken, in bytes; of what is sent it would be a hundred times as much.
ROOM = 64 * 2**20


@pytest.fixture
def url(config, databases):
    url = databases.fresh(engine_of(config.database_url))
    migrate(url)
    return url


class Shop:
    """An app whose events are delivered to many, and when each arrived at a good one."""

    def __init__(self, client):
        self.tenant = Tenant.create(client, ADMIN_KEY)
        self.jane = self.tenant.known(userId="jane")
        self.told, self.came, self.secrets = {}, {}, []
        all_told(self.tenant)

    def hook(self, url):
        body = {"url": url, "types": ["user.updated"]}
        made = self.tenant.call("POST", "/v1/webhooks", self.tenant.sk, body)
        assert made.status_code == 201, made.text
        self.secrets.append(made.json["secret"]["secret"])

    def change(self, name):
        self.tenant.change(self.jane, name=name)
        # What others do meanwhile may keep it from being told.
        all_told(self.tenant)
        self.told[name] = time.monotonic()

    def take(self, request):
        """Note when an event came, which is signed as it should be."""
        event = Checker(self.secrets[-1]).verify(request.body, request.headers)
        self.came.setdefault(event["data"]["user"]["name"], time.monotonic())
        return 204

    def delays(self):
        return [self.came[name] - told for name, told in self.told.items()]


def test_fifty_who_hang_die_or_go_mad_delay_nobody_elses_events(url, start):
    client = start(database_url=url).test_client()
    beside, alone = Shop(client), Shop(client)
    with working(url) as worker, ExitStack() as stack:
        bad = [stack.enter_context(bad_receiver(serve)) for serve in BAD.values() for _ in range(EACH)]
        others = [stack.enter_context(kind()) for kind in (dead_receiver, black_hole) for _ in range(EACH)]
        for one in (*bad, *others):
            beside.hook(one.url)
        for shop in (beside, alone):
            shop.hook(stack.enter_context(receiver(shop.take)).url)
        before = psutil.Process(worker.pid).memory_info().rss

        for number in range(EVENTS):
            for shop in (beside, alone):
                shop.change(f"Jane {number}")
            time.sleep(0.5)
        wait_until(lambda: all(len(shop.came) == EVENTS for shop in (beside, alone)))
        wait_until(lambda: all(one.came for one in bad))
        grown = psutil.Process(worker.pid).memory_info().rss - before

    assert max(beside.delays() + alone.delays()) < LATE
    assert grown < ROOM


@pytest.mark.parametrize("kind", BAD)
def test_whatever_is_answered_an_attempt_ends_in_time_and_keeps_little(kind, monkeypatch):
    monkeypatch.setattr(sending, "TIMEOUT", 1.0)
    begun = time.monotonic()
    with bad_receiver(BAD[kind]) as found:
        attempt = send(found.url, b"{}", {}, loopback=True)

    assert time.monotonic() - begun < LATE
    assert not attempt.succeeded
    assert found.came == 1
    assert len(attempt.answer or "") <= sending.KEPT


@pytest.mark.parametrize("headers", ["endless headers", "an endless header"])
def test_who_has_no_end_of_headers_is_not_heard_out(headers):
    with bad_receiver(BAD[headers]) as found:
        assert send(found.url, b"{}", {}, loopback=True).error == sending.NOT_HTTP


def test_of_a_gigabyte_no_more_is_read_than_is_kept():
    with bad_receiver(BAD["a gigabyte"]) as found:
        attempt = send(found.url, b"{}", {}, loopback=True)

    assert (attempt.status, attempt.answer) == (500, "X" * sending.KEPT)
