"""Each stream takes a bounded place, whatever its client does."""

import asyncio
import json
import socket
from contextlib import ExitStack, closing, suppress

import pytest

from service.live import app, server, streams, telling
from service.live.streams import Over, Stream, Streams
from service.metrics import STREAMS_OPEN
from service.model.errors import TooManyStreams
from service.model.streams import KeyListener, News
from tests.support.engines import one_engine
from tests.support.live import Follower, live_in_thread
from tests.support.servers import TIMEOUT, wait_until

KEY = KeyListener("digest")


def in_loop(test):
    """Run a test in an event loop."""

    def run():
        asyncio.run(test())

    run.__name__ = test.__name__
    return run


def opened():
    return STREAMS_OPEN.collect()[0].samples[0].value


@one_engine
def test_a_heartbeat_says_that_the_stream_is_there(config, tenant, monkeypatch):
    monkeypatch.setattr(streams, "HEARTBEAT", 0.05)
    with live_in_thread(config) as port, closing(Follower(port, tenant.sk)) as follower:
        wait_until(lambda: follower.comments > 3)


@one_engine
def test_whoever_never_reads_is_hung_up_on(config, tenant, monkeypatch):
    monkeypatch.setattr(streams, "HEARTBEAT", 0.0)
    monkeypatch.setattr(app, "COMMENT", b":" + b"x" * 8000 + b"\n\n")
    monkeypatch.setattr(app, "SENT_WITHIN", 0.5)
    before = opened()
    with live_in_thread(config) as port, closing(socket.socket()) as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.connect(("127.0.0.1", port))
        head = f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.sk}\r\n\r\n"
        idle.settimeout(TIMEOUT)
        idle.sendall(head.encode())
        # It has begun.
        assert idle.recv(12) == b"HTTP/1.1 200"

        wait_until(lambda: opened() == before)

        with suppress(ConnectionResetError):
            while idle.recv(65536):
                pass


@one_engine
def test_whoever_sends_no_head_is_hung_up_on(config, monkeypatch):
    monkeypatch.setattr(server, "PATIENCE", 0.1)
    with live_in_thread(config) as port, closing(socket.create_connection(("127.0.0.1", port))) as silent:
        silent.settimeout(TIMEOUT)
        assert silent.recv(1) == b""


@one_engine
def test_a_stream_outlasts_the_time_for_its_head(config, tenant, monkeypatch):
    def wait(connection):
        waited.append(connection)

    hang_up, waited = server.Protocol._hang_up, []
    monkeypatch.setattr(server, "PATIENCE", 0.1)
    monkeypatch.setattr(server.Protocol, "_hang_up", wait)
    with live_in_thread(config) as port, closing(Follower(port, tenant.sk)) as follower:
        # The time is over when the head is there, however long that takes.
        wait_until(lambda: waited)
        waited[0].loop.call_soon_threadsafe(hang_up, waited[0])
        follower.wait_told(tenant.begin(tenant.session(userId="jane")))


@one_engine
def test_a_dead_key_is_noticed_when_nothing_happens(config, tenant, monkeypatch):
    monkeypatch.setattr(telling, "CHECKED_EVERY", 0.1)
    made = tenant.call("POST", f"/v1/apps/{tenant.id}/keys", tenant.admin_key, {"kind": "secret"}).json
    with live_in_thread(config) as port, ExitStack() as stack:
        follower, other = (
            stack.enter_context(closing(Follower(port, key))) for key in (made["key"], tenant.sk)
        )
        tenant.call("DELETE", f"/v1/apps/{tenant.id}/keys/{made['id']}", tenant.admin_key)
        follower.wait_over()
        assert not other.over.is_set()


@in_loop
async def test_who_is_far_behind_reads_all_anew():
    stream = Stream("app_1", KEY)
    for number in range(streams.MAX_PENDING):
        stream.tell([f"cnv_{number}", "cnv_0"])
    assert stream.over is None

    stream.tell(["cnv_new"])

    assert stream.over is Over.BEHIND
    assert await stream.news() == ()


@in_loop
async def test_one_conversation_is_told_once_however_often_it_changed():
    stream = Stream("app_1", KEY)
    for _ in range(3):
        stream.tell(["cnv_1", "cnv_2"])

    assert await stream.news() == ("cnv_1", "cnv_2")
    assert stream.told == 2


@in_loop
async def test_what_was_there_before_is_not_told_to_who_joins_later():
    all_of_them = Streams(2)
    with all_of_them.opened("app_1", KEY) as early, all_of_them.opened("app_1", KEY) as late:
        early.join()
        all_of_them.tell("app_1", News({KEY: ("cnv_1",)}, frozenset(), frozenset()))
        all_of_them.tell("app_2", News({KEY: ("cnv_2",)}, frozenset({KEY}), frozenset({KEY})))
        late.join()
        assert (await early.news(), await late.news()) == (("cnv_1",), ())
        assert all_of_them.apps() == ["app_1"]
    assert all_of_them.apps() == []


@in_loop
async def test_when_all_ends_nobody_is_let_in():
    all_of_them = Streams(2)
    with all_of_them.place(), all_of_them.opened("app_1", KEY) as stream:
        all_of_them.close()
        assert stream.over is Over.SHUTDOWN
        with all_of_them.opened("app_1", KEY) as late:
            assert late.over is Over.SHUTDOWN
        with pytest.raises(TooManyStreams), all_of_them.place():
            pass


@in_loop
async def test_a_fault_of_ours_is_answered_and_logged():
    class Broken:
        def operate(self, _):
            raise ZeroDivisionError

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"method": "GET", "path": "/metrics", "headers": [], "state": {}}
    await app.Live(Broken(), Streams(1), None, "")(scope, None, send)

    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"])["code"] == "internal-error"
