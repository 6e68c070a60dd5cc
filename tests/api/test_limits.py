"""How much: sizes, and what is no HTTP, as a real server meets them."""

import socket
from contextlib import closing, suppress
from http.client import parse_headers
from urllib.parse import quote

import pytest

from service.api.bodies import LARGEST
from service.api.headers import HEADERS
from service.store.migrating import migrate
from tests.support.cases import cases
from tests.support.responses import problem_of
from tests.support.servers import TIMEOUT, Answer, serve, wait_until

CANARY = "C4n4ry"


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


def count_logins(server):
    """Return how many logins are in the log, with all that were answered by now."""
    last = server.get("/healthz").headers["X-Request-Id"]
    wait_until(lambda: last in {line.get("requestId") for line in server.log})
    return len([line for line in server.log if line.get("rule")])


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
    logins = count_logins(server)
    connection.sendall(login(key, b'c8\r\n{"userId": "u-17"', **headers))
    connection.shutdown(socket.SHUT_WR)
    answer = read(answers)
    assert answer is None or answer.status_code == 400
    assert count_logins(server) == logins
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


@pytest.mark.parametrize("before", [b"", HEALTHZ], ids=["at first", "after a request"])
@cases(
    "garbage",
    ("a word", f"{CANARY}\r\n\r\n"),
    ("the first HTTP there was", f"GET /{CANARY}\r\n\r\n"),
    ("an HTTP that there will be", f"GET /{CANARY} HTTP/9.9\r\n\r\n"),
    ("HTTP/2", f"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{CANARY}"),
    ("TLS", f"\x16\x03\x01\x02\x00\x01\x00{CANARY}\r\n\r\n"),
    ("a URL with NUL", f"GET /{CANARY}\0 HTTP/1.1\r\n\r\n"),
    ("a URL that is not escaped", f"GET /{CANARY}ë HTTP/1.1\r\n\r\n"),
    ("a method in small letters", f"{CANARY.lower()} / HTTP/1.1\r\n\r\n"),
    ("line feeds alone", f"GET / HTTP/1.1\nHost: {CANARY}\n\n"),
    ("a header without a colon", f"GET / HTTP/1.1\r\n{CANARY}\r\n\r\n"),
    ("a space in a header's name", f"GET / HTTP/1.1\r\n{CANARY} : x\r\n\r\n"),
    ("a folded header", f"GET / HTTP/1.1\r\nX: {CANARY}\r\n {CANARY}\r\n\r\n"),
    ("a header with NUL", f"GET / HTTP/1.1\r\n{CANARY}: a\0b\r\n\r\n"),
    ("a length that is no number", f"POST / HTTP/1.1\r\nContent-Length: {CANARY}\r\n\r\n"),
    ("a length below zero", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
    ("two lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
    ("a length and chunks", "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("an unknown coding", f"POST / HTTP/1.1\r\nTransfer-Encoding: {CANARY}\r\n\r\n"),
    ("a header of 12 KB", "GET / HTTP/1.1\r\nX: " + CANARY * 2000 + "\r\n\r\n"),
    ("200 headers", "GET / HTTP/1.1\r\n" + f"X: {CANARY}\r\n" * 200 + "\r\n"),
    ("an expectation", f"GET / HTTP/1.1\r\nExpect: {CANARY}\r\n\r\n"),
)
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

    def invalid():
        return [line for line in server.log if line["event"] == "Invalid request"]

    wait_until(invalid)
    assert all("requestId" not in line for line in invalid())
