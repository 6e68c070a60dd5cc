"""For those who run it: alive, ready, and what is counted."""

import os
from urllib.parse import urlsplit

import psycopg
import pytest

from service.model.errors import OldSchema
from service.store.migrating import migrate
from tests.conftest import engine_of
from tests.support.metrics import samples


class LateStore:
    """A store that is away until it is made, and then has no tables."""

    def __init__(self, engine, databases, tmp_path):
        self._directory = tmp_path / "late"
        self.is_there = False
        if engine == "sqlite":
            self.url = f"sqlite:///{self._directory}/usher.sqlite"
        else:
            self.url = databases.fresh("postgresql")
            self._run("DROP DATABASE")

    def make(self):
        if self.url.startswith("sqlite:"):
            self._directory.mkdir()
        else:
            self._run("CREATE DATABASE")
        self.is_there = True

    def _run(self, command):
        with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as connection:
            connection.execute(f"{command} {urlsplit(self.url).path[1:]}")


@pytest.fixture
def late_store(config, databases, tmp_path):
    engine = engine_of(config.database_url)
    store = LateStore(engine, databases, tmp_path)
    yield store
    # Whoever made the database drops it in the end, so it has to be there.
    if not store.is_there:
        store.make()


def test_healthz_and_readyz_say_that_all_is_well(client):
    answers = [client.get(path) for path in ("/healthz", "/readyz")]
    assert [(answer.status_code, answer.json) for answer in answers] == [(200, {"status": "ok"})] * 2


def test_without_its_store_the_process_is_alive_and_not_ready(start, late_store):
    client = start(database_url=late_store.url).test_client()
    answers = {path: client.get(path) for path in ("/healthz", "/readyz", "/v1/me")}
    assert [answer.status_code for answer in answers.values()] == [200, 503, 503]
    assert answers["/readyz"].json["code"] == "store-unavailable"


def test_a_store_that_comes_without_its_schema_is_not_ready_and_nothing_is_served_from_it(start, late_store):
    client = start(database_url=late_store.url).test_client()
    late_store.make()
    answers = {path: client.get(path) for path in ("/healthz", "/readyz", "/v1/me")}
    assert answers["/healthz"].status_code == 200
    for path in ("/readyz", "/v1/me"):
        assert (answers[path].status_code, answers[path].json["code"]) == (503, "not-ready")
        assert answers[path].headers["Retry-After"]


def test_a_store_that_is_migrated_meanwhile_is_served_without_a_restart(start, late_store):
    client = start(database_url=late_store.url).test_client()
    late_store.make()
    client.get("/readyz")
    migrate(late_store.url)
    answers = {path: client.get(path).status_code for path in ("/readyz", "/v1/me")}
    assert answers == {"/readyz": 200, "/v1/me": 401}


def test_a_server_does_not_start_on_a_store_without_its_schema(start, late_store):
    late_store.make()
    with pytest.raises(OldSchema, match="python -m service migrate"):
        start(database_url=late_store.url)


def test_metrics_count_logins_by_the_rule_that_decided(client, tenant):
    def logins():
        counted = samples(client)
        return {
            rule: counted.get(("usher_logins_total", ("rule", rule)), 0)
            for rule in ("new-user-id", "known-user-id", "new-email", "anonymous")
        }

    before = logins()
    for claim in ({"userId": "u-17"}, {"userId": "u-17"}, {"userId": "u-17"}, {"email": "jane@example.org"}):
        tenant.login(**claim)
    tenant.try_login(userId="null")
    tenant.try_login(key=tenant.pk, userId="u-17")

    after = logins()

    assert {rule: after[rule] - before[rule] for rule in after} == {
        "new-user-id": 1, "known-user-id": 2, "new-email": 1, "anonymous": 0,
    }  # fmt: skip


def test_metrics_count_requests_by_route_and_never_by_url(client, tenant):
    asked = (
        "usher_requests_total",
        ("method", "GET"),
        ("route", "/v1/conversations/<id>"),
        ("status", "404"),
    )
    before = samples(client).get(asked, 0)
    for number in range(3):
        tenant.get(f"/v1/conversations/u-{number}?user=u-{number}")
        tenant.get(f"/v1/nothing-{number}")
    after = samples(client)

    assert after[asked] - before == 3
    assert not any("u-1" in str(name) or "nothing" in str(name) for name in after)


def test_with_its_store_away_a_server_tells_what_it_counted_all_the_same(start, late_store):
    found = {name for name, *_ in samples(start(database_url=late_store.url).test_client())}

    assert "usher_races_lost_total" in found
    assert "usher_webhooks" not in found


def test_metrics_are_text_of_prometheus(client, tenant):
    response = tenant.get("/metrics", tenant.admin_key)
    assert response.content_type.startswith("text/plain; version=")
    assert "# TYPE usher_logins_total counter" in response.text


def test_what_is_told_is_never_kept_by_a_cache(client, tenant):
    answers = [client.get("/healthz"), client.get("/openapi.json"), tenant.get("/metrics", tenant.admin_key)]
    assert {answer.headers["Cache-Control"] for answer in (*answers, tenant.try_login())} == {"no-store"}
