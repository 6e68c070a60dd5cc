"""What operators are told, and what is refused."""

import socket
import time
from contextlib import closing

from service.live import server
from tests.support.cases import cases
from tests.support.engines import one_engine
from tests.support.live import live, live_in_thread
from tests.support.servers import ADMIN_KEY, TIMEOUT, wait_until


def metric(streams, name):
    shown = streams.call("GET", "/metrics", ADMIN_KEY)
    assert shown.status_code == 200
    return next(float(line.split()[1]) for line in shown.text.splitlines() if line.startswith(f"{name} "))


def test_it_tells_that_it_is_alive_and_ready(streams):
    for path in ("/healthz", "/readyz"):
        shown = streams.get(path)
        assert (shown.status_code, shown.json) == (200, {"status": "ok"})
        assert streams.open(path, method="HEAD").data == b""


def test_it_counts_streams_and_what_they_tell_and_says_how_late_that_is(streams, agent, tenant):
    before = metric(streams, "usher_stream_news_total")
    # Those of the test before may end just now.
    wait_until(lambda: metric(streams, "usher_streams_open") == 1)

    agent.wait_told(tenant.begin(tenant.session(userId="jane")))

    assert metric(streams, "usher_stream_news_total") == before + 1
    wait_until(lambda: metric(streams, "usher_stream_lag_seconds") < TIMEOUT)
    agent.close()
    wait_until(lambda: metric(streams, "usher_streams_open") == 0)


@cases(
    "method, path, key, status, code",
    ("no credential", "GET", "/v1/stream", "", 401, "invalid-credential"),
    ("a malformed one", "GET", "/v1/stream", "st_1", 401, "invalid-credential"),
    ("the operator's", "GET", "/v1/stream", ADMIN_KEY, 403, "not-allowed"),
    ("another path", "GET", "/v1/streams", ADMIN_KEY, 404, "not-found"),
    ("another method", "POST", "/v1/stream", ADMIN_KEY, 405, "method-not-allowed"),
    ("no preflight of a page's", "OPTIONS", "/v1/stream", ADMIN_KEY, 405, "method-not-allowed"),
    ("numbers without a credential", "GET", "/metrics", "", 401, "invalid-credential"),
)
def test_what_is_refused_is_a_problem(streams, method, path, key, status, code):
    refused = streams.call(method, path, key)

    assert (refused.status_code, refused.json["code"], refused.json["status"]) == (status, code, status)
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["X-Request-Id"] == refused.json["requestId"]
    assert refused.headers["Allow"] == ("GET" if status == 405 else None)


def test_other_credentials_may_do_less(streams, tenant):
    assert streams.call("GET", "/v1/stream", tenant.pk).status_code == 403
    assert streams.call("GET", "/metrics", tenant.sk).status_code == 403
    basic = streams.get("/v1/stream", headers={"Authorization": f"Basic {tenant.sk}"})
    assert basic.status_code == 401


def test_a_stream_is_kept_by_nobody_on_the_way(agent):
    headers = agent.headers

    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["X-Content-Type-Options"] == "nosniff"
    wait_until(lambda: agent.comments)


def test_each_stream_has_a_line_when_it_begins_and_when_it_ends(streams, tenant):
    follower = streams.follow(tenant.sk)
    follower.close()

    def lines():
        return [line for line in streams.log if line.get("requestId") == follower.headers["X-Request-Id"]]

    wait_until(lambda: len(lines()) == 2)
    begun, ended = lines()
    assert begun | {"timestamp": "", "milliseconds": 0} == {
        "timestamp": "", "level": "info", "event": "answered", "requestId": begun["requestId"],
        "method": "GET", "route": "/v1/stream", "status": 200, "milliseconds": 0, "caller": "backend",
        "app": tenant.id,
    }  # fmt: skip
    assert (ended["event"], ended["reason"], ended["told"]) == ("ended", "hung-up", 0)


# --- limits --------------------------------------------------------------------------------------


def test_no_more_streams_are_open_than_may_be(database_url, tenant):
    with live(database_url, LIVE_STREAMS="2") as streams:
        first, _ = (streams.follow(tenant.sk) for _ in range(2))
        refused = streams.try_follow(tenant.sk)
        assert (refused.status, refused.body["code"]) == (503, "too-many-streams")
        assert int(refused.headers["Retry-After"]) > 0
        assert metric(streams, "usher_streams_refused_total") == 1

        first.close()
        wait_until(lambda: streams.try_follow(tenant.sk).status == 200)


def test_one_session_has_only_so_many(streams, tenant):
    token = tenant.session(userId="jane")
    for _ in range(20):
        streams.follow(token)

    refused = streams.try_follow(token)

    assert (refused.status, refused.body["code"], refused.headers["Retry-After"]) == (
        429,
        "too-many-requests",
        "30",
    )


def raw(streams, *parts, pause=0.0):
    """Send bytes, and return what is answered until the connection is closed."""
    with closing(socket.create_connection(("127.0.0.1", streams.port), timeout=TIMEOUT)) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        answer = b""
        while some := connection.recv(65536):
            answer += some
        return answer


@cases(
    "sent, status",
    ("a body", b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", b"413"),
    ("a body in parts", b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"413"),
    ("no HTTP", b"HELO\r\n\r\n", b"400"),
    ("a head without an end", b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000, b"400"),
)
def test_what_is_no_head_alone_is_refused_and_the_connection_closed(streams, sent, status):
    answer = raw(streams, sent)

    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"application/problem+json" in answer


@one_engine
def test_whoever_sends_a_head_slowly_is_hung_up_on(config, monkeypatch):
    monkeypatch.setattr(server, "PATIENCE", 1.0)
    with (
        live_in_thread(config) as port,
        closing(socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)) as connection,
    ):
        silent = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        began = time.monotonic()
        try:
            for byte in b"GET /v1/stream HTTP/1.1\r\nHost: example.org\r\n" * 10:
                connection.sendall(bytes([byte]))
                time.sleep(0.1)
                assert time.monotonic() - began < TIMEOUT
        except OSError:
            pass
        with closing(silent):
            assert silent.recv(1) == b""
