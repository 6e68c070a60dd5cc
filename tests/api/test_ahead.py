"""What a session asks together with whose it is: in one round trip, and nothing that it may not."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
import time_machine

from service.times import now
from tests.support.marks import wait_until_somebody_waits_for

NOT_OURS = "https://elsewhere.example"
CALLS = pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/me", None),
        ("GET", "/v1/conversations", None),
        ("POST", "/v1/conversations/{id}/messages", {"body": "Second"}),
    ],
)


@pytest.fixture
def statements(store):
    """Record the statements of the store, of which each is a round trip but for those that go with it."""
    sent = []
    store.database.peewee.query_hooks.append(lambda event: sent.append(event.sql))
    yield sent
    store.database.peewee.query_hooks.pop()


@pytest.fixture
def id(tenant, jane):
    return tenant.begin(jane, "First")


def written(tenant, id):
    return [message["body"] for message in tenant.messages(id, tenant.sk)]


def later(**time):
    return time_machine.travel(now() / 1000 + timedelta(**time).total_seconds())


@CALLS
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_it_is_one_round_trip(tenant, jane, id, statements, method, path, body):
    assert tenant.call(method, path.format(id=id), jane, body).status_code in (200, 201)
    assert len(statements) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@CALLS
def test_on_a_connection_that_has_died_meanwhile_it_is_asked_again(
    tenant, jane, id, database_url, method, path, body
):
    with psycopg.connect(database_url, autocommit=True) as operator:
        operator.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )

    assert tenant.call(method, path.format(id=id), jane, body).status_code in (200, 201)
    assert written(tenant, id) == ["First", *(body or {}).values()]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("path", "table"), [("/v1/me", "purchases"), ("/v1/conversations", "conversations")])
def test_who_is_logged_out_meanwhile_is_not_told_that_there_is_nothing(
    tenant, jane, id, database_url, path, table
):
    # From now on it is prepared.
    tenant.call("GET", path, jane)
    with psycopg.connect(database_url) as other, ThreadPoolExecutor(1) as thread:
        other.execute(f"LOCK {table} IN ACCESS EXCLUSIVE MODE")
        asked = thread.submit(tenant.call, "GET", path, jane)
        wait_until_somebody_waits_for(other)
        other.execute("DELETE FROM sessions WHERE app = %s", (tenant.id,))
        other.commit()

        assert asked.result().status_code == 401


def test_a_message_is_told_as_it_is_kept(tenant, jane, id):
    told = tenant.write(id, jane, "Second")

    assert tenant.messages(id, jane)[-1] == told


@pytest.mark.parametrize("settings", [{}, {"conversationScope": "device"}], ids=["user", "device"])
def test_what_was_begun_on_another_device_is_seen_as_the_app_has_it(tenant, id, settings):
    tenant.set(**settings)
    elsewhere = tenant.session(userId="jane")
    is_seen = not settings

    listed = tenant.conversations(elsewhere)
    status = tenant.call(
        "POST", f"/v1/conversations/{id}/messages", elsewhere, {"body": "Second"}
    ).status_code

    assert (listed, status) == (([id], 201) if is_seen else ([], 404))
    assert written(tenant, id) == ["First", "Second"][: 1 + is_seen]


def test_an_old_session_writes_as_long_as_it_lasts(tenant, jane, id):
    with later(days=2):
        tenant.write(id, jane, "Second")

    assert written(tenant, id) == ["First", "Second"]


@pytest.mark.parametrize("settings", [{"idleDays": 1}, {"sessionDays": 1}])
def test_a_session_that_has_ended_writes_nothing(tenant, jane, id, settings):
    tenant.set(**settings)

    with later(days=1, seconds=1):
        refused = tenant.call("POST", f"/v1/conversations/{id}/messages", jane, {"body": "Second"})

    assert (refused.status_code, written(tenant, id)) == (401, ["First"])


def test_who_was_logged_out_writes_nothing(tenant, jane, id):
    tenant.call("POST", "/v1/logout", jane)

    refused = tenant.call("POST", f"/v1/conversations/{id}/messages", jane, {"body": "Second"})

    assert (refused.status_code, written(tenant, id)) == (401, ["First"])


def test_a_page_that_the_app_does_not_name_writes_nothing(tenant, jane, id):
    path, body = f"/v1/conversations/{id}/messages", {"body": "Second"}

    assert tenant.call("POST", path, jane, body, Origin=NOT_OURS).status_code == 403
    assert written(tenant, id) == ["First"]

    tenant.set(origins=[NOT_OURS])
    assert tenant.call("POST", path, jane, body, Origin=NOT_OURS).status_code == 201
    assert written(tenant, id) == ["First", "Second"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/conversations/{id}/messages", {"body": ""}, 422),
        ("/v1/conversations/{id}/messages", {"body": "Hello", "agentName": "Ada"}, 422),
        ("/v1/conversations/nothing/messages", {"body": "Hello"}, 404),
    ],
)
def test_what_is_wrong_is_told_to_who_may_call_and_to_nobody_else(tenant, jane, id, path, body, status):
    dead = f"{jane[:-4]}aaaa"

    refused = [tenant.call("POST", path.format(id=id), key, body).status_code for key in (jane, dead)]

    assert (refused, written(tenant, id)) == ([status, 401], ["First"])


@pytest.mark.parametrize(
    ("query", "status"), [("limit=0", 422), ("cursor=x", 422), ("cursor=%ff", 400), ("user=usr_1", 422)]
)
def test_a_list_that_is_asked_for_wrongly_is_refused_to_who_may_call(tenant, jane, query, status):
    refused = [tenant.call("GET", f"/v1/conversations?{query}", key) for key in (jane, f"{jane[:-4]}aaaa")]

    assert [answer.status_code for answer in refused] == [status, 401]


def test_a_claim_that_nobody_proved_sees_and_writes_what_its_own_device_began(tenant):
    tenant.set(identityVerification="off")
    logins = [tenant.try_login(key=tenant.pk, userId="u-claimed") for _ in range(2)]
    mine, other = (login.json["session"]["token"] for login in logins)
    id = tenant.begin(mine)

    tenant.write(id, mine, "Second")
    refused = tenant.call("POST", f"/v1/conversations/{id}/messages", other, {"body": "Third"})

    assert (refused.status_code, written(tenant, id)) == (404, ["Hello", "Second"])
    assert [tenant.conversations(token) for token in (mine, other)] == [[id], []]
