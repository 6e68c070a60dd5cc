"""What /metrics tells, by one process or by several."""

import os
import subprocess
import sys

import pytest
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY

from service.metrics import LOGINS, RACES_LOST, exposition, request_answered


def requests_answered(method, route, status):
    labels = {"method": method, "route": route, "status": status}
    return REGISTRY.get_sample_value("usher_requests_total", labels) or 0


@pytest.mark.parametrize(
    ("method", "route", "labels"),
    [
        pytest.param("POST", "/v1/login", ("POST", "/v1/login", "201"), id="as it is"),
        pytest.param("GET", None, ("GET", "none", "201"), id="without a route"),
        pytest.param("BREW", "/v1/login", ("other", "/v1/login", "201"), id="by an unknown method"),
    ],
)
def test_a_request_is_counted_under_words_that_no_client_chooses(method, route, labels):
    before = requests_answered(*labels)

    request_answered(method, route, 201, 0.002)

    assert requests_answered(*labels) == before + 1


def test_one_process_tells_its_own_counts_in_the_format_of_prometheus(monkeypatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    LOGINS.labels("known-user-id").inc()
    RACES_LOST.inc()
    request_answered("GET", "/timed", 200, 0.002)

    body, content_type = exposition()

    assert content_type == CONTENT_TYPE_LATEST
    assert b'usher_logins_total{rule="known-user-id"} ' in body
    assert b"usher_races_lost_total " in body
    assert b'usher_request_seconds_bucket{le="0.001",route="/timed"} 0.0\n' in body
    assert b'usher_request_seconds_bucket{le="0.0025",route="/timed"} 1.0\n' in body


def test_any_of_several_workers_tells_the_sum_of_them_all(monkeypatch, tmp_path):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    worker = "from service.metrics import LOGINS; LOGINS.labels('anonymous').inc()"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", worker], check=True, env=dict(os.environ))

    body, _ = exposition()

    assert b'usher_logins_total{rule="anonymous"} 2.0' in body
