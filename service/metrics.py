"""What is counted, and how it is told to Prometheus."""

import os
from functools import cache

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

REQUESTS = Counter("usher_requests_total", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "usher_request_seconds",
    "How long answering took.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
LOGINS = Counter("usher_logins_total", "Logins, by the rule that decided them.", ["rule"])
RACES_LOST = Counter("usher_races_lost_total", "Decisions made anew because another transaction was first.")


def request_answered(method: str, route: str | None, status: int, seconds: float) -> None:
    """Count one request; ``route`` is the URL's pattern, or None where none fitted.

    A word that a client chose never becomes a label: it could fill the memory with new ones.
    """
    counter, histogram = _of(method if method in METHODS else "other", route or "none", status)
    counter.inc()
    histogram.observe(seconds)


def logged_in(rule: str) -> None:
    """Count a login that this rule decided."""
    _decided_by(rule).inc()


@cache
def _decided_by(rule: str) -> Counter:
    return LOGINS.labels(rule)


@cache
def _of(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Find where such requests are counted; to look it up takes longer than to count."""
    return REQUESTS.labels(method, route, str(status)), REQUEST_SECONDS.labels(route)


def exposition() -> tuple[bytes, str]:
    """Return what ``/metrics`` answers, and its content type; with several workers, the sum of them all."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    else:
        registry = REGISTRY
    return generate_latest(registry), CONTENT_TYPE_LATEST
