"""What deploy/ watches is what there is, and each alert fires when it should."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from tests.support.metrics import METRICS
from tests.support.pages import HERE, Page, plain, table

DEPLOY = HERE / "deploy"
OPERATING = Page("docs/operating.md")
ALERTS = yaml.safe_load((DEPLOY / "alerts.yml").read_text())
TESTS = yaml.safe_load((DEPLOY / "alerts.test.yml").read_text())
PANELS = json.loads((DEPLOY / "grafana.json").read_text())["panels"]
SCRAPED = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]

RULES = {rule["alert"]: rule for group in ALERTS["groups"] for rule in group["rules"]}
QUERIES = {rule["alert"]: rule["expr"] for rule in RULES.values()} | {
    f"{panel['title']} {target['refId']}": target["expr"]
    for panel in PANELS
    for target in panel.get("targets", ())
}
# Prometheus' client counts these of each process.
OF_ANY_PROCESS = {"process_resident_memory_bytes", "up"}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_every_metric_that_is_asked_for_is_there(query):
    named = {re.sub("_(bucket|sum|count)$", "", name) for name in re.findall(r"\busher_\w+", query)}

    assert named <= METRICS
    assert named or any(name in query for name in OF_ANY_PROCESS)


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_every_job_that_is_asked_for_is_scraped(query):
    named = re.findall(r'job="([^"]+)"', query)

    assert set(named) <= {job["job_name"] for job in SCRAPED}


def test_no_two_panels_are_the_same_or_in_the_same_place():
    for name in ("id", "gridPos"):
        found = [json.dumps(panel[name]) for panel in PANELS]
        assert len(set(found)) == len(found)


def test_every_alert_says_what_it_means_and_what_to_do_and_is_documented():
    documented = {plain(name) for name, *_ in table(OPERATING.section("## Alerts"), "Alert")}

    assert documented == set(RULES)
    for rule in RULES.values():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "runbook"}


def test_of_every_alert_there_is_a_time_when_it_fires_and_one_when_it_does_not():
    looked = [test for group in TESTS["tests"] for test in group["promql_expr_test"]]
    found = {(re.search('"(.*?)"', one["expr"])[1], one["exp_samples"][0]["value"]) for one in looked}

    assert found == {(name, fires) for name in RULES for fires in (0, 1)}


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed: apt-get install prometheus"
)
@pytest.mark.parametrize(
    "words", ["check rules alerts.yml", "test rules alerts.test.yml", "check config prometheus.yml"]
)
def test_prometheus_takes_it(words, tmp_path):
    here = shutil.copytree(DEPLOY, tmp_path / "deploy")
    (here / "admin_key").write_text("ak_")

    found = subprocess.run(
        ["promtool", *words.split()], cwd=here, capture_output=True, text=True, check=False
    )

    assert found.returncode == 0, found.stdout + found.stderr
