"""How often and how much: the rate of logins, and sizes as a real server meets them."""

import socket
from contextlib import closing, suppress
from dataclasses import replace
from http.client import parse_headers
from urllib.parse import quote

import pytest
import time_machine
from peewee import SQL, fn

from service.api.bodies import LARGEST
from service.api.context import NAME
from service.api.headers import HEADERS
from service.app import create_app
from service.store.migrating import migrate
from service.store.tables import TABLES, Rates
from tests.support.cases import cases
from tests.support.responses import problem_of
from tests.support.servers import TIMEOUT, Answer, serve
from tests.support.tenants import Tenant

RATE = 3
CANARY = "C4n4ry"


@pytest.fixture
def clock():
    """Stand still ten seconds after a full minute, so that no test sees a minute end by itself."""
    with time_machine.travel("2026-11-21T09:00:10Z", tick=False) as clock:
        yield clock


@pytest.fixture
def limited(config, clock):
    """Make a tenant of an application that lets an address log in three times a minute."""
    opened = []

    def limited(**settings):
        app = create_app(replace(config, login_rate=RATE, **settings))
        opened.append(app)
        return Tenant.create(app.test_client(), config.admin_key)

    yield limited
    for app in opened:
        app.extensions[NAME].store.database.close()


def log_in(tenant, address="192.0.2.1", *, key=None, forwarded=None, **claim):
    """Log in from an address, as the widget unless another key is given."""
    headers = {"Authorization": f"Bearer {key or tenant.pk}"}
    if forwarded is not None:
        headers["X-Forwarded-For"] = forwarded
    return tenant.client.post("/v1/login", json=claim, headers=headers, environ_base={"REMOTE_ADDR": address})


def use_up(tenant, address="192.0.2.1", **how):
    """Log in as often as a minute allows."""
    answers = [log_in(tenant, address, **how) for _ in range(RATE)]
    assert {answer.status_code for answer in answers} == {201}


def test_a_widgets_login_too_many_is_429_and_says_when_to_come_back(limited):
    tenant = limited()
    use_up(tenant)
    response = log_in(tenant)
    assert problem_of(response) == (429, "too-many-requests")
    assert response.content_type == "application/problem+json"
    assert response.headers["Retry-After"] == "50"


def test_logins_that_are_refused_count_as_well(limited):
    tenant = limited()
    refused = [log_in(tenant, userId="u-17") for _ in range(RATE)]
    response = log_in(tenant)
    assert [answer.status_code for answer in refused] == [401] * RATE
    assert response.status_code == 429


def test_a_backend_logs_in_as_often_as_it_likes(limited):
    tenant = limited()
    use_up(tenant)
    answers = [log_in(tenant, key=tenant.sk, userId="u-17") for _ in range(RATE + 1)]
    assert {answer.status_code for answer in answers} <= {200, 201}


def test_a_backends_logins_use_up_nothing(limited):
    tenant = limited()
    for _ in range(RATE + 1):
        log_in(tenant, key=tenant.sk, userId="u-17")
    assert log_in(tenant).status_code == 201


def test_only_logins_are_limited(limited):
    tenant = limited()
    session = tenant.session(userId="u-17")
    use_up(tenant)
    answers = [tenant.call("GET", "/v1/me", session) for _ in range(RATE + 1)]
    assert {answer.status_code for answer in answers} == {200}


def test_another_apps_widget_is_not_limited(limited):
    tenant = limited()
    other = Tenant.create(tenant.client, tenant.admin_key)
    use_up(tenant)
    assert log_in(other).status_code == 201


def test_both_publishable_keys_of_an_app_share_the_limit(limited):
    tenant = limited()
    made = tenant.call("POST", f"/v1/apps/{tenant.id}/keys", tenant.admin_key, {"kind": "publishable"})
    use_up(tenant)
    assert log_in(tenant, key=made.json["key"]).status_code == 429


@cases(
    "first, second, status",
    ("neighbours", "192.0.2.1", "192.0.2.2", 201),
    ("of one IPv6 network", "2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", 429),
    ("of one, otherwise spelled", "2001:db8:0:1::1", "2001:0DB8:0000:0001::2", 429),
    ("of two IPv6 networks", "2001:db8:0:1::1", "2001:db8:0:2::1", 201),
    ("neighbours, written as IPv6", "::ffff:192.0.2.1", "::ffff:192.0.2.2", 201),
    ("one, written in both ways", "192.0.2.1", "::ffff:192.0.2.1", 429),
    ("of one link", "fe80::1%eth0", "fe80::2%eth0", 429),
    ("of a socket without an address", "", "", 429),
    ("that are none", "unknown", "unknown", 429),
)
def test_an_address_has_its_own_limit(limited, first, second, status):
    tenant = limited()
    use_up(tenant, first)
    assert log_in(tenant, second).status_code == status


@cases(
    "hops, forwarded, status",
    ("the same", 1, "192.0.2.1", 429),
    ("another", 1, "192.0.2.2", 201),
    ("the same, behind one that was made up", 1, "192.0.2.2, 192.0.2.1", 429),
    ("another, behind one that was made up", 1, "192.0.2.1, 192.0.2.2", 201),
    ("the same, two routers away", 2, "192.0.2.9, 192.0.2.1, 10.0.0.2", 429),
    ("another, two routers away", 2, "192.0.2.1, 192.0.2.2, 10.0.0.2", 201),
)
def test_behind_routers_an_address_is_what_they_have_seen(limited, hops, forwarded, status):
    tenant = limited(trusted_hops=hops)
    use_up(tenant, "10.0.0.1", forwarded="192.0.2.1" + ", 10.0.0.2" * (hops - 1))
    assert log_in(tenant, "10.0.0.1", forwarded=forwarded).status_code == status


def test_without_routers_nobody_is_believed_about_their_address(limited):
    tenant = limited()
    for number in range(RATE):
        log_in(tenant, forwarded=f"192.0.2.{number + 10}")
    assert log_in(tenant, forwarded="192.0.2.99").status_code == 429


def test_a_router_that_says_nothing_is_an_address_itself(limited):
    tenant = limited(trusted_hops=1)
    use_up(tenant, "10.0.0.1")
    assert log_in(tenant, "10.0.0.1").status_code == 429


@pytest.mark.parametrize(("seconds", "status"), [(49, 429), (50, 201)])
def test_the_limit_is_one_for_each_minute(limited, clock, seconds, status):
    tenant = limited()
    use_up(tenant)
    log_in(tenant)
    clock.shift(seconds)
    assert log_in(tenant).status_code == status


def test_the_next_minute_allows_as_many_again(limited, clock):
    tenant = limited()
    use_up(tenant)
    clock.shift(60)
    use_up(tenant)
    assert log_in(tenant).status_code == 429


def test_when_to_come_back_is_never_now(limited, clock):
    tenant = limited()
    use_up(tenant)
    clock.shift(49.999)
    response = log_in(tenant)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "1")


def test_0_is_no_limit(tenant):
    answers = [log_in(tenant) for _ in range(RATE + 1)]
    assert {answer.status_code for answer in answers} == {201}


def test_a_login_that_is_limited_changes_nothing_but_the_count(limited, store):
    tenant = limited()
    login = log_in(tenant).json
    use_up(tenant, "192.0.2.2")
    tables = [table for table in TABLES if table is not Rates]

    def rows():
        return [
            store.database.row(table.select(fn.COUNT(SQL("*"))).where(table.app == tenant.id))[0]
            for table in tables
        ]

    before = rows()

    assert log_in(tenant, "192.0.2.2", deviceId=login["deviceId"]).status_code == 429
    assert rows() == before
    me = tenant.call("GET", "/v1/me", login["session"]["token"]).json["user"]
    assert me == login["user"] | {"purchases": []}


def test_the_store_holds_nobodys_address(limited, store):
    tenant = limited()
    log_in(tenant, "192.0.2.77")
    rows = store.database.rows(Rates.select(Rates.address).where(Rates.app == tenant.id))
    assert len(rows) == 2, "one for the address, one for the app"
    assert not any("192.0.2.77" in address for (address,) in rows)


# --- over a real server ---
@pytest.fixture(scope="module")
def server(databases):
    """One worker, so that whatever harms it is felt; sizes are the same on both engines."""
    url = databases.fresh("sqlite")
    migrate(url)
    with serve(url, workers=1) as server:
        yield server


@pytest.fixture(scope="module")
def key(server):
    """A secret key of an app there."""
    return server.tenant().sk


@pytest.fixture
def wire(server):
    """A connection to the server, and what comes back on it."""
    with (
        closing(socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT)) as connection,
        connection.makefile("rb") as answers,
    ):
        yield connection, answers


def read(answers):
    """Read one answer; None if the connection is at its end."""
    try:
        line = answers.readline()
    except ConnectionResetError:
        return None
    if not line:
        return None
    headers = parse_headers(answers)
    return Answer(int(line.split()[1]), headers, answers.read(int(headers["Content-Length"] or 0)))


def login(key, body=b"", **headers):
    """Write a login as it goes over the wire."""
    sent = {"Host": "usher.example", "Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = ["POST /v1/login HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def in_chunks(body, size=4096):
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])


HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: usher.example\r\n\r\n"


def require_healthy(server):
    """Assert that the server goes on serving, and that nothing unforeseen came up in it."""
    assert server.get("/healthz").status_code == 200
    assert "unforeseen" not in {line["event"] for line in server.log}
    assert server.stderr == []


@pytest.mark.parametrize("size", [LARGEST + 1, 2 * LARGEST, 64 * LARGEST])
def test_a_chunked_body_that_is_too_large_harms_nobody(server, key, wire, size):
    connection, answers = wire
    body = b'{"name": "%b"}' % (b"a" * size)

    with suppress(ConnectionError):
        connection.sendall(login(key, in_chunks(body), Transfer_Encoding="chunked"))
    answer = read(answers)

    # Who goes on sending regardless may be hung up on before the answer is read.
    assert answer is not None or size > 2 * LARGEST
    if answer is not None:
        assert problem_of(answer) == (413, "too-large")
    require_healthy(server)


def test_a_connection_is_used_again_or_closed_after_413(server, key, wire):
    connection, answers = wire
    connection.sendall(login(key, in_chunks(b"[" * (LARGEST + 1)), Transfer_Encoding="chunked"))
    refused = read(answers)

    with suppress(ConnectionError):
        connection.sendall(HEALTHZ)
    answer = read(answers)

    assert refused.status_code == 413
    assert answer is None or (answer.status_code, answer.json) == (200, {"status": "ok"})
    require_healthy(server)


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(server, key, wire):
    connection, answers = wire
    connection.sendall(login(key, Content_Length=10**9))
    assert problem_of(read(answers)) == (413, "too-large")


@pytest.mark.parametrize("size", [64, LARGEST])
def test_a_client_that_asks_first_is_told_to_send(key, wire, size):
    connection, answers = wire
    body = b'{"name": "%b"}' % (b"a" * (size - len('{"name": ""}')))
    connection.sendall(login(key, Expect="100-continue", Content_Length=len(body)))
    told = read(answers)
    connection.sendall(body)
    assert (told.status_code, read(answers).status_code) == (100, 201)


@cases(
    "body",
    ("a size that is no number", b"zz\r\n{}\r\n0\r\n\r\n"),
    ("a size below zero", b"-2\r\n{}\r\n0\r\n\r\n"),
    ("more than it says", b"2\r\n{}{}\r\n0\r\n\r\n"),
    ("no size", b"\r\n\r\n"),
    ("an endless size", b"2 ;" + b"x" * 9000),
    ("a broken trailer", b"2\r\n{}\r\n0\r\nX: a\nb\r\n\r\n"),
)
def test_chunks_that_are_none_are_400(server, key, wire, body):
    connection, answers = wire
    connection.sendall(login(key, body, Transfer_Encoding="chunked"))
    assert problem_of(read(answers)) == (400, "bad-request")
    require_healthy(server)


@cases(
    "headers", ("in chunks", {"Transfer_Encoding": "chunked"}), ("with its length", {"Content_Length": 200})
)
def test_a_body_that_breaks_off_is_no_login(server, key, wire, headers):
    connection, answers = wire
    logins = len([line for line in server.log if line.get("rule")])

    connection.sendall(login(key, b'c8\r\n{"userId": "u-17"', **headers))
    connection.shutdown(socket.SHUT_WR)
    answer = read(answers)

    assert answer is None or answer.status_code == 400
    assert len([line for line in server.log if line.get("rule")]) == logins
    require_healthy(server)


def test_a_url_of_16_kib_is_read_and_a_longer_one_is_414(server):
    answers = [server.get("/healthz?".ljust(length, "a")) for length in (16_384, 16_385, 200_000)]
    assert [answer.status_code for answer in answers] == [200, 414, 414]
    for answer in answers[1:]:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json["code"] == "url-too-long"


def test_a_url_is_measured_before_its_credential(server):
    assert server.get("/v1/conversations/" + "a" * 16_384).status_code == 414


def test_a_url_with_750_letters_of_four_bytes_each_is_not_too_long(server, key):
    assert server.call("GET", f"/v1/conversations?user={quote('🦊' * 750)}", key).status_code == 404


GARBAGE = [
    pytest.param(f"{CANARY}\r\n\r\n", id="a word"),
    pytest.param(f"GET /{CANARY}\r\n\r\n", id="the first HTTP there was"),
    pytest.param(f"GET /{CANARY} HTTP/9.9\r\n\r\n", id="an HTTP that there will be"),
    pytest.param(f"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{CANARY}", id="HTTP/2"),
    pytest.param(f"\x16\x03\x01\x02\x00\x01\x00{CANARY}\r\n\r\n", id="TLS"),
    pytest.param(f"GET /{CANARY}\0 HTTP/1.1\r\n\r\n", id="a URL with NUL"),
    pytest.param(f"GET /{CANARY}ë HTTP/1.1\r\n\r\n", id="a URL that is not escaped"),
    pytest.param(f"{CANARY.lower()} / HTTP/1.1\r\n\r\n", id="a method in small letters"),
    pytest.param(f"GET / HTTP/1.1\nHost: {CANARY}\n\n", id="line feeds alone"),
    pytest.param(f"GET / HTTP/1.1\r\n{CANARY}\r\n\r\n", id="a header without a colon"),
    pytest.param(f"GET / HTTP/1.1\r\n{CANARY} : x\r\n\r\n", id="a space in a header's name"),
    pytest.param(f"GET / HTTP/1.1\r\nX: {CANARY}\r\n {CANARY}\r\n\r\n", id="a folded header"),
    pytest.param(f"GET / HTTP/1.1\r\n{CANARY}: a\0b\r\n\r\n", id="a header with NUL"),
    pytest.param(f"POST / HTTP/1.1\r\nContent-Length: {CANARY}\r\n\r\n", id="a length that is no number"),
    pytest.param("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", id="a length below zero"),
    pytest.param("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", id="two lengths"),
    pytest.param(
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", id="a length and chunks"
    ),
    pytest.param(f"POST / HTTP/1.1\r\nTransfer-Encoding: {CANARY}\r\n\r\n", id="an unknown coding"),
    pytest.param("GET / HTTP/1.1\r\nX: " + CANARY * 2000 + "\r\n\r\n", id="a header of 12 KB"),
    pytest.param("GET / HTTP/1.1\r\n" + f"X: {CANARY}\r\n" * 200 + "\r\n", id="200 headers"),
    pytest.param(f"GET / HTTP/1.1\r\nExpect: {CANARY}\r\n\r\n", id="an expectation"),
]


@pytest.mark.parametrize("before", [b"", HEALTHZ], ids=["at first", "after a request"])
@pytest.mark.parametrize("garbage", GARBAGE)
def test_what_is_no_http_is_refused_as_a_problem_without_a_word_of_it(server, wire, before, garbage):
    connection, answers = wire

    connection.sendall(before + garbage.encode())
    first = read(answers) if before else None
    answer = read(answers)

    assert first is None or first.status_code == 200
    assert 400 <= answer.status_code < 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(answer.json) == {"type", "title", "status", "code", "requestId"}
    assert answer.headers["X-Request-Id"] == answer.json["requestId"]
    assert {name: answer.headers[name] for name, _ in HEADERS} == dict(HEADERS)
    assert read(answers) is None
    require_healthy(server)
    assert CANARY.lower() not in (answer.text + str(answer.headers) + "".join(server.stdout)).lower()


def test_what_follows_a_body_is_the_next_request_and_no_part_of_it(server, key, wire):
    connection, answers = wire
    connection.sendall(login(key, b'{"userId": "u-17"}', Content_Length=18) + HEALTHZ + b"{}\r\n\r\n")
    assert [read(answers).status_code for _ in range(3)] == [201, 200, 400]
    assert read(answers) is None
    require_healthy(server)


@pytest.fixture
def dial(server):
    """Open as many connections as a test likes, and send something on each."""
    opened = []

    def dial(sent):
        opened.append(socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT))
        opened[-1].sendall(sent)
        return opened[-1]

    yield dial
    for connection in opened:
        connection.close()


@cases(
    "sent",
    ("after nonsense", b"nonsense\r\n\r\n"),
    ("after a request that was its last", HEALTHZ.replace(b"1.1", b"1.0")),
)
def test_who_does_not_hang_up_keeps_nobody_waiting(server, dial, sent):
    # Each would hold up the whole worker for two seconds, one after the other.
    for _ in range(40):
        dial(sent).recv(1)
    assert server.get("/healthz").status_code == 200


def test_who_falls_silent_in_the_middle_of_a_request_lets_go_of_its_thread(server, key, dial):
    for _ in range(4):
        dial(HEALTHZ[:-20])
        dial(login(key, b'{"userId": ', Content_Length=100))
    assert server.get("/healthz").status_code == 200


def test_the_log_of_what_is_no_http_names_no_request(server, wire):
    connection, answers = wire
    connection.sendall(HEALTHZ + b"nonsense\r\n\r\n")
    read(answers), read(answers), read(answers)
    invalid = [line for line in server.log if line["event"] == "Invalid request"]
    assert invalid
    assert all("requestId" not in line for line in invalid)
