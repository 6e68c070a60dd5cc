"""What /metrics tells, by the names under which Prometheus has it."""

from collections.abc import Iterator
from typing import Any

from flask.testing import FlaskClient
from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from service import metrics
from tests.support.servers import ADMIN_KEY


def _names() -> Iterator[str]:
    of_all = metrics.Webhooks(), metrics.Searches(), metrics.Duplicates()
    for kind in [*vars(metrics).values(), *of_all]:
        if isinstance(kind, MetricWrapperBase) or kind in of_all:
            for metric in kind.collect():
                yield f"{metric.name}_total" if isinstance(kind, Counter) else metric.name


# All that are Usher's own.
METRICS = frozenset(_names())


def samples(client: FlaskClient | Any, path: str = "/metrics") -> dict[tuple[Any, ...], float]:
    """Ask for the metrics, and return them by name and labels."""
    response = client.open(path, headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    assert response.status_code == 200, response.text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
