"""What is counted, and how it is told to Prometheus."""

import os
from collections.abc import Collection, Iterator, Sequence
from functools import cache

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from service.model.search import SearchState
from service.model.webhooks import WebhookHealth, WebhookState

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

REQUESTS = Counter("usher_requests_total", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "usher_request_seconds",
    "How long answering took.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
REFUSED = Counter("usher_requests_refused_total", "Requests refused as there were too many.", ["reason"])
LOGINS = Counter("usher_logins_total", "Logins, by the rule that decided them.", ["rule"])
RACES_LOST = Counter("usher_races_lost_total", "Decisions made anew because another transaction was first.")
ATTEMPTS = Counter("usher_webhook_attempts_total", "Attempts to deliver events, by outcome.", ["outcome"])
GIVEN_UP = Counter("usher_webhook_given_up_total", "Deliveries that are tried no more.")
SWITCHED_OFF = Counter(
    "usher_webhooks_switched_off_total", "Webhooks switched off, as all attempts failed for days."
)
STREAMS_OPEN = Gauge("usher_streams_open", "Streams that are open.", multiprocess_mode="livesum")
STREAMS_REFUSED = Counter("usher_streams_refused_total", "Streams refused as there were too many.")
STREAM_NEWS = Counter("usher_stream_news_total", "How often a stream told that a conversation has news.")
STREAM_LAG = Gauge(
    "usher_stream_lag_seconds",
    "How long ago what streams have told by now was read.",
    multiprocess_mode="max",
)


def request_answered(method: str, route: str | None, status: int, seconds: float) -> None:
    """Count one request; ``route`` is the URL's pattern, or None where none fitted.

    A word that a client chose never becomes a label: it could fill the memory with new ones.
    """
    counter, histogram = _of(method if method in METHODS else "other", route or "none", status)
    counter.inc()
    histogram.observe(seconds)


def request_refused(reason: str) -> None:
    """Count a request that was refused as there were too many."""
    _refused_for(reason).inc()


@cache
def _refused_for(reason: str) -> Counter:
    return REFUSED.labels(reason)


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


def exposition(*of_all: Collector) -> tuple[bytes, str]:
    """Return what ``/metrics`` answers, and its content type: what was counted, with several workers the sum
    of them all, and what is known of all apps at this time."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    else:
        registry = REGISTRY
    found = CollectorRegistry()
    for one in of_all:
        found.register(one)
    return generate_latest(registry) + generate_latest(found), CONTENT_TYPE_LATEST


class Webhooks(Collector):
    """How the webhooks of all apps do at a time, as the store tells any process alike."""

    def __init__(self, health: Sequence[WebhookHealth] = (), at: int = 0) -> None:
        self._health = health
        self._at = at

    def collect(self) -> Iterator[Metric]:
        """Tell it to prometheus_client."""
        webhooks = GaugeMetricFamily("usher_webhooks", "Webhooks, by how they do.", labels=["state"])
        for state in WebhookState:
            webhooks.add_metric([state], sum(one.count for one in self._health if one.state is state))
        yield webhooks
        pending = [one.pending for one in self._health]
        yield GaugeMetricFamily(
            "usher_webhook_oldest_seconds",
            "How long ago the oldest event was that is to be delivered somewhere and has not been.",
            _age(self._at, *pending, *(one.untried for one in self._health)),
        )
        yield GaugeMetricFamily(
            "usher_webhook_untried_seconds",
            "How long ago the oldest event was that a webhook which answers has not been tried with.",
            _age(self._at, *(one.untried for one in self._health if one.state is WebhookState.ANSWERING)),
        )


class Searches(Collector):
    """How far the indexes of all apps go at a time, as the store tells any process alike."""

    def __init__(self, states: Sequence[SearchState] = (), at: int = 0) -> None:
        self._states = states
        self._at = at

    def collect(self) -> Iterator[Metric]:
        """Tell it to prometheus_client."""
        yield GaugeMetricFamily(
            "usher_search_behind_seconds",
            "How long ago the oldest event was that the index of a search has not followed.",
            _age(self._at, *(one.oldest for one in self._states)),
        )
        yield GaugeMetricFamily(
            "usher_search_unfinished",
            "Apps whose index does not hold yet all that was there when it was begun.",
            sum(not one.is_whole for one in self._states),
        )


class Duplicates(Collector):
    """How far whoever was added to any app is compared with others at a time, as the store tells any process
    alike."""

    def __init__(self, oldest: Collection[int] = (), at: int = 0) -> None:
        self._oldest = oldest
        self._at = at

    def collect(self) -> Iterator[Metric]:
        """Tell it to prometheus_client."""
        yield GaugeMetricFamily(
            "usher_duplicates_behind_seconds",
            "How long ago the oldest event was that was not followed to compare who was added.",
            _age(self._at, *self._oldest),
        )


def _age(at: int, *times: int | None) -> float:
    return max((at - one for one in times if one is not None and one < at), default=0) / 1000
