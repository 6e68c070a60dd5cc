"""A worker of its own says whether it works, and what it counted, to whoever has the admin key."""

import socket
import struct
from dataclasses import replace

import pytest

from service.work import loop
from service.work.status import status_served
from tests.support.cases import cases
from tests.support.metrics import samples
from tests.support.servers import ADMIN_KEY, Port, free_port


@pytest.fixture
def status(worker, config):
    """Calls a worker's port."""
    with status_served(worker, replace(config, work_port=free_port())) as port:
        yield Port(port)


def test_without_a_port_nobody_listens(worker, config):
    with status_served(worker, config) as port:
        assert port is None


def test_who_works_says_that_all_is_well(status):
    answer = status.get("/healthz")

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_who_is_stuck_says_so(status, monkeypatch):
    monkeypatch.setattr(loop, "STUCK", 0)

    assert status.get("/healthz").status_code == 503


def test_the_operator_sees_what_it_counted(status):
    found = samples(status)

    assert ("usher_webhook_given_up_total",) in found
    assert ("process_resident_memory_bytes",) in found


@cases(
    "headers",
    ("nobody", {}),
    ("another key", {"Authorization": f"Bearer {ADMIN_KEY[:-1]}"}),
    ("another scheme", {"Authorization": f"Basic {ADMIN_KEY}"}),
    ("letters that no key has", {"Authorization": "Bearer \xe4"}),
)
def test_nobody_else_does(status, headers):
    answer = status.get("/metrics", headers=headers)

    assert (answer.status_code, answer.json["code"]) == (401, "invalid-credential")
    assert "WWW-Authenticate" in answer.headers
    assert "usher_" not in answer.text


@cases(
    "method, path, code",
    ("another page", "GET", "/v1/me", 404),
    ("another method", "POST", "/metrics", 501),
    ("a long path", "GET", "/" + "a" * 70_000, 414),
)
def test_what_it_does_not_know_is_refused_as_everywhere(status, method, path, code):
    answer = status.open(path, method=method)

    assert answer.status_code == code
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["status"] == code


def test_who_hangs_up_harms_nobody(status):
    with socket.create_connection(("127.0.0.1", status.port)) as client:
        client.sendall(b"GET /hea")
        # So that what is left is cut off, and not ended.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert status.get("/healthz").status_code == 200
