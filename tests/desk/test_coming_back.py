"""Who comes back to their device is logged in by one statement, on SQLite after one look. Whatever happens
between the two, the login ends as if all of it had come before."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from service.model.identifiers import digest
from service.store.devices import DeviceStore
from service.store.logins import LoginStore
from service.store.tables import Sessions
from tests.support.marks import wait_until_somebody_waits_for
from tests.support.signing import identity_key, proof_of

DEVICE = "device-of-the-test-0001"
OTHER_DEVICE = "device-of-the-test-0002"
# What stands between a look and a statement; PostgreSQL looks in the statement itself.
between_two_statements = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
while_a_lock_is_waited_for = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
KIM = {"userId": "u-kim", "email": "kim@example.org", "name": "Kim"}


@pytest.fixture
def kim(tenant):
    """Have somebody who was logged in on a device before."""
    return tenant.login(deviceId=DEVICE, **KIM)["user"]["id"]


@pytest.fixture
def meanwhile(monkeypatch):
    """Have something happen once, right after a login has looked who comes back; return the looks."""

    def set_up(happen):
        looks, look = [], LoginStore._rows

        def look_and_wait(*args):
            found = look(*args)
            looks.append(found)
            if len(looks) == 1:
                happen()
            return found

        monkeypatch.setattr(LoginStore, "_rows", look_and_wait)
        return looks

    return set_up


@pytest.fixture
def steps(monkeypatch):
    """Record which devices logins lock; who comes back unchanged locks none."""
    locked, lock = [], DeviceStore.lock
    monkeypatch.setattr(DeviceStore, "lock", lambda *args: (locked.append(args), lock(*args))[1])
    return locked


def test_who_comes_back_is_logged_in_without_a_lock_and_the_session_before_has_ended(tenant, kim, steps):
    before = tenant.session(deviceId=DEVICE, **KIM)

    login = tenant.login(deviceId=DEVICE, **KIM)

    found = login["user"]["id"], login["created"], login["resolution"]["rule"], login["resolution"]["changes"]
    assert (*found, steps) == (kim, False, "known-user-id", [], [])
    assert tenant.call("GET", "/v1/me", before).status_code == 401
    assert tenant.call("GET", "/v1/me", login["session"]["token"]).json["user"]["id"] == kim


def test_a_backend_asks_who_comes_together_with_its_key(tenant, kim, store):
    statements = []
    store.database.peewee.query_hooks.append(lambda event: statements.append(event.sql))

    assert tenant.login(deviceId=DEVICE, **KIM)["user"]["id"] == kim

    begun = [sql for sql in statements if "UPDATE" in sql]
    assert (len(statements), len(begun)) == (2 if store.database.is_sqlite else 1, 1)


@pytest.mark.parametrize(
    "news", [{"email": "kim@example.com"}, {"name": "Kimberley"}, {"deviceId": OTHER_DEVICE}], ids=repr
)
def test_who_brings_news_is_looked_at_closer(tenant, kim, steps, news):
    assert tenant.login(**{"deviceId": DEVICE} | KIM | news)["user"]["id"] == kim
    assert steps != []


def merged_away(tenant, kim):
    lee = tenant.login(userId="u-lee")["user"]["id"]
    tenant.merge(kim, lee)
    return lee


def renamed(tenant, kim):
    return tenant.login(userId="u-kim", name="Kimberley")["user"]["id"]


def written_elsewhere(tenant, kim):
    return tenant.login(userId="u-kim", email="kim@example.com")["user"]["id"]


def joined(tenant, kim):
    tenant.merge(tenant.login(userId="u-lee")["user"]["id"], kim)
    return kim


def erased(tenant, kim):
    assert tenant.call("DELETE", f"/v1/users/{kim}", tenant.sk).status_code == 204


@between_two_statements
@pytest.mark.parametrize("happen", [merged_away, renamed, written_elsewhere, joined, erased])
@pytest.mark.parametrize("by", ["backend", "widget"])
def test_what_happens_to_the_user_meanwhile_is_seen(tenant, kim, meanwhile, steps, by, happen):
    key, who = tenant.sk, KIM
    if by == "widget":
        proof = proof_of(tenant, identity_key(tenant)[1], sub="u-kim", email=KIM["email"], name=KIM["name"])
        key, who = tenant.pk, {"proof": proof}
    became = []
    looks = meanwhile(lambda: (became.append(happen(tenant, kim)), steps.clear()))

    login = tenant.call("POST", "/v1/login", key, {"deviceId": DEVICE} | who).json

    assert (len(looks), steps != []) == (1, True)
    now = tenant.call("GET", f"/v1/users/{login['user']['id']}", tenant.sk).json
    assert {name: now[name] for name in login["user"]} == login["user"]
    assert login["user"]["id"] == (became[0] or now["id"]) != (None if became[0] else kim)
    assert tenant.call("GET", "/v1/me", login["session"]["token"]).json["user"]["id"] == now["id"]


@between_two_statements
def test_an_id_that_goes_back_to_its_owner_meanwhile_leads_there(tenant, kim, meanwhile):
    lee = {"email": "lee@example.org", "name": "Lee"}
    id = tenant.merge(kim, tenant.login(userId="u-lee", **lee)["user"]["id"])
    tenant.login(deviceId=DEVICE, userId="u-kim", **lee)
    meanwhile(lambda: tenant.undo(id))

    assert tenant.login(deviceId=DEVICE, userId="u-kim", **lee)["user"]["id"] == kim


@between_two_statements
def test_a_visitor_of_the_device_meanwhile_is_not_forgotten(tenant, kim, meanwhile):
    tenant.set(anonymousOnLogin="merge")
    threads = []

    def visit():
        tenant.call("POST", "/v1/logout", tenant.sk, {"deviceId": DEVICE})
        threads.append(tenant.begin(tenant.session(deviceId=DEVICE), "Hello"))

    meanwhile(visit)

    login = tenant.login(deviceId=DEVICE, **KIM)

    assert login["resolution"]["changes"] == ["aliases"]
    assert tenant.conversations(login["session"]["token"]) == threads


@between_two_statements
def test_a_logout_meanwhile_comes_before(tenant, kim, meanwhile):
    meanwhile(lambda: tenant.call("POST", "/v1/logout", tenant.sk, {"userId": "u-kim"}))

    login = tenant.login(deviceId=DEVICE, **KIM)

    assert tenant.call("GET", "/v1/me", login["session"]["token"]).json["user"]["id"] == kim


@while_a_lock_is_waited_for
@pytest.mark.parametrize(
    ("change", "is_another"),
    [
        ("UPDATE sessions SET secret = 'another'", True),
        ("UPDATE sessions SET token = 'of a former release'", True),
        ("DELETE FROM sessions", True),
        ("UPDATE sessions SET used_at = used_at + 1", False),
    ],
)
@pytest.mark.parametrize("by", ["backend", "widget"])
def test_another_session_than_was_seen_is_looked_at_closer(
    tenant, kim, steps, database_url, by, change, is_another
):
    key, who = tenant.sk, KIM
    if by == "widget":
        proof = proof_of(tenant, identity_key(tenant)[1], sub="u-kim", email=KIM["email"], name=KIM["name"])
        key, who = tenant.pk, {"proof": proof}
    steps.clear()
    with psycopg.connect(database_url) as connection, ThreadPoolExecutor(1) as thread:
        connection.execute(f"{change} WHERE device = '{digest(DEVICE)}'")
        login = thread.submit(tenant.call, "POST", "/v1/login", key, {"deviceId": DEVICE} | who)
        wait_until_somebody_waits_for(connection)
        connection.commit()

    token = login.result().json["session"]["token"]
    assert (tenant.call("GET", "/v1/me", token).json["user"]["id"], steps != []) == (kim, is_another)


@while_a_lock_is_waited_for
def test_who_comes_back_waits_for_nobody_who_changes_the_user(tenant, kim, steps, database_url):
    steps.clear()
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT 1 FROM users FOR UPDATE")
        connection.execute("SELECT 1 FROM devices FOR UPDATE")
        login = tenant.login(deviceId=DEVICE, **KIM)

    assert (login["user"]["id"], steps) == (kim, [])


def test_a_former_releases_session_is_replaced_by_one_of_this(tenant, kim, store, steps):
    store.database.change(
        Sessions.update(token="its digest", secret=None).where(
            (Sessions.app == tenant.id) & (Sessions.device == digest(DEVICE))
        )
    )
    steps.clear()

    looked_at_closer = [tenant.login(deviceId=DEVICE, **KIM) and len(steps) for _ in range(2)]

    assert looked_at_closer == [1, 1]


def test_a_dead_key_finds_nobody_who_comes_back(tenant, kim):
    dead = tenant.sk[:-4] + ("aaaa" if not tenant.sk.endswith("aaaa") else "bbbb")

    refused = tenant.try_login(key=dead, deviceId=DEVICE, **KIM)

    assert (refused.status_code, refused.json["code"]) == (401, "invalid-credential")


@between_two_statements
def test_an_id_that_another_has_by_then_logs_in_the_other(tenant, kim, meanwhile):
    others = []

    def move_the_id():
        assert tenant.remove_id(kim, "u-kim").status_code == 200
        # Of the version that was seen, too.
        others.append(tenant.known(userId="u-kim"))

    meanwhile(move_the_id)
    login = tenant.login(deviceId=DEVICE, userId="u-kim")

    assert [login["user"]["id"]] == others
    assert tenant.get("/v1/me", login["session"]["token"]).json["user"]["id"] == others[0]
