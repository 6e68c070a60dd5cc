"""What is seen of a request without parsing it, and what it is refused with."""

import json
from types import SimpleNamespace

import pytest

from service import admission
from service.admission import OPERATOR, STRANGERS, Kind, Known
from service.server import refusing
from service.server.refusing import CHECKS_LINE, Refusal, Refusals

APP, OTHER = "a" * 32, "b" * 32
KEY = f"Bearer sk_{APP}_secret"


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Nobody but one backend, one agent at the console and the operator is known."""
    known = Known()
    known.add(KEY, f"app_{APP}")
    known.add("usher_console=si_1", f"app_{APP}")
    known.add("Bearer ak_1", "")
    monkeypatch.setattr(admission, "known", known)
    return known


def request(*lines, method="GET", path="/v1/me", version="1.1"):
    return "\r\n".join([f"{method} {path} HTTP/{version}", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("received", "line"),
    [
        pytest.param(request(f"Authorization: {KEY}"), f"app_{APP}", id="who was served"),
        pytest.param(request(f"AUTHORIZATION:\t{KEY} \t"), f"app_{APP}", id="however it is written"),
        pytest.param(request("Cookie: usher_console=si_1", path="/console"), f"app_{APP}", id="an agent"),
        pytest.param(request("Cookie: usher_console=si_1"), STRANGERS, id="a cookie elsewhere"),
        pytest.param(request("Cookie: x", f"Authorization: {KEY}"), f"app_{APP}", id="a page with a cookie"),
        pytest.param(request(f"Authorization: {KEY}", path="/console"), STRANGERS, id="a key at the console"),
        pytest.param(request("Authorization: Bearer ak_1"), OPERATOR, id="the operator"),
        pytest.param(
            request(f"Authorization: Bearer st_{APP}_made-up"), f"{STRANGERS}app_{APP}", id="made up"
        ),
        pytest.param(request(f"Authorization: Bearer st_{OTHER}_x"), STRANGERS, id="an app made up"),
        pytest.param(request(), STRANGERS, id="nobody"),
        pytest.param(request()[:-2] + f"Authorization: {KEY}".encode(), f"app_{APP}", id="so far"),
        pytest.param(request() + f"\r\nAuthorization: {KEY}\r\n".encode(), STRANGERS, id="in a body"),
        pytest.param(b"nonsense", STRANGERS, id="no request"),
        pytest.param(request(path="/healthz"), CHECKS_LINE, id="whether it is alive"),
        pytest.param(request(path="/metrics?x"), CHECKS_LINE, id="numbers"),
    ],
)
def test_a_request_waits_with(received, line):
    assert refusing.read(received)[0] == line


@pytest.mark.parametrize(
    ("received", "kind"),
    [
        pytest.param(request(path="/v1/login", method="POST"), Kind.LOGIN, id="a login"),
        pytest.param(request(path="/v1/login"), Kind.CALL, id="another method"),
        pytest.param(request(path="/v1/logins", method="POST"), Kind.CALL, id="another path"),
        pytest.param(request(path="/readyz"), Kind.ADMITTED, id="whether it is ready"),
    ],
)
def test_a_request_is_of_a_kind(received, kind):
    assert refusing.read(received)[1] is kind


def test_whose_credential_is_refused_is_unknown_again(known):
    known.remove(KEY)
    known.remove("Bearer never seen")

    assert refusing.read(request(f"Authorization: {KEY}"))[0] == f"{STRANGERS}app_{APP}"


def test_those_who_were_seen_last_are_remembered(known, monkeypatch):
    monkeypatch.setattr(admission, "MAX_KNOWN", 4)
    for number in range(5):
        known.add(KEY, f"app_{APP}")
        known.add(f"Bearer {number}", f"app_{APP}")

    assert known.line_of(KEY) == f"app_{APP}"
    assert known.line_of("Bearer 0") == STRANGERS


@pytest.mark.parametrize(
    ("received", "closes"),
    [
        pytest.param(request(), False, id="most"),
        pytest.param(request("Connection: keep-alive"), False, id="who says so"),
        pytest.param(request("connection: Close"), True, id="who wants no other answer"),
        pytest.param(request(version="1.0"), True, id="of old"),
        pytest.param(request(method="HEAD"), True, id="who gets no body"),
        pytest.param(b"nonsense", True, id="no request"),
    ],
)
def test_a_refusal_is_the_last_answer_on_a_connection_for(received, closes):
    assert Refusal(received).closes is closes


def answer(received, *, keeps=False):
    head, _, body = Refusal(received).answer(keeps=keeps).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    assert lines[0] == "HTTP/1.1 503 Service Unavailable"
    assert int(headers["Content-Length"]) == len(body)
    return headers, json.loads(body)


def test_a_refusal_is_a_problem_with_an_id_of_its_own():
    headers, body = answer(request())

    assert headers["Content-Type"] == "application/problem+json"
    assert headers["X-Request-Id"] == body["requestId"]
    assert body["code"] == "overloaded"
    assert answer(request())[1]["requestId"] != body["requestId"]


@pytest.mark.parametrize("path", ["/v1/subscribers/x/offerings", "/v1/receipts"])
def test_revenuecats_clients_are_refused_in_its_shape(path):
    headers, body = answer(request(path=path))

    assert headers["Content-Type"] == "application/json"
    assert body == {"code": 7101, "message": "The service is not available; try again."}


def test_not_all_are_told_to_come_back_at_the_same_time():
    waits = {int(answer(request())[0]["Retry-After"]) for _ in range(200)}

    assert waits == {2, 3, 4, 5, 6}


def test_a_page_may_read_that_it_is_refused_and_no_header_is_made_up():
    headers, _ = answer(request("Origin: https://shop.example.org"))
    none, _ = answer(request("Origin: https://x y"))

    assert headers["Access-Control-Allow-Origin"] == "https://shop.example.org"
    assert headers["Access-Control-Expose-Headers"] == "Retry-After, X-Request-Id"
    assert "Access-Control-Allow-Origin" not in none


def test_a_connection_is_kept_or_not():
    assert answer(request(), keeps=True)[0]["Connection"] == "keep-alive"
    assert answer(request())[0]["Connection"] == "close"


def test_refusals_are_counted_by_reason_and_told_by_app_now_and_then(monkeypatch):
    counted, told, refusals = [], [], Refusals()
    monkeypatch.setattr(admission, "count", counted.append)
    monkeypatch.setattr(
        refusing, "get_logger", lambda: SimpleNamespace(warning=lambda event, **said: told.append(said))
    )
    for received in (request(f"Authorization: {KEY}"), request(), request(f"Authorization: st_{APP}_x")):
        refusals.add(*refusing.read(received))
    refusals.tell()
    refusals.add(*refusing.read(request()))
    refusals.tell()

    assert counted == ["call", "unknown", "unknown", "unknown"]
    assert told == [
        {"app": f"app_{APP}", "known": True, "refused": 1},
        {"app": None, "known": False, "refused": 1},
        {"app": f"app_{APP}", "known": False, "refused": 1},
    ]


def test_outside_of_a_server_nothing_is_counted():
    admission._count_nothing("call")
