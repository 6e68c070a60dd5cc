"""Erase: who asks to be forgotten is, everywhere, also by whoever writes or logs in at that moment."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit

import psycopg
import pytest

from service.store.migrating import migrate
from tests.support.cases import cases
from tests.support.logbook import on_standard_output
from tests.support.servers import ADMIN_KEY
from tests.support.signing import hmac_key, hmac_of, identity_key, proof_of
from tests.support.tenants import Tenant


@pytest.fixture
def canary() -> str:
    """Part of everything that is personal in a test, and of nothing else in any."""
    return f"zq{token_hex(8)}"


def email_of(canary: str) -> str:
    return f"{canary}@example.org"


@dataclass(frozen=True)
class Life:
    """A user with something in every field, and what leads or once led to them."""

    id: str
    parts: tuple[str, ...]
    tokens: tuple[str, ...]
    conversations: tuple[str, ...]


def live(tenant: Tenant, canary: str) -> Life:
    """Have somebody do all that leaves something of them."""
    tenant.set(anonymousOnLogin="merge")
    device = f"{canary}-device-1"
    said = {f"{canary}-page": f"/{canary}"}
    visit = tenant.login(deviceId=device, name=f"{canary} the first", attributes=said)
    leave_contact(tenant, visit["session"]["token"], canary)
    first = tenant.begin(visit["session"]["token"], f"{canary} before", subject=f"About {canary}")
    _, secret = identity_key(tenant)
    tenant.login(email=f"old-{canary}@example.org", name=f"{canary} of old")
    claim = {"userId": canary.upper(), "email": f"old-{canary}@example.org", "deviceId": device}
    login = tenant.login(**claim, proof=hmac_of(canary.upper(), hmac_key(tenant)[1]))
    id, token = login["user"]["id"], login["session"]["token"]
    said = {f"{canary}-plan": f"{canary} gold", "gone": f"{canary} was"}
    changes = {"email": email_of(canary), "name": f"{canary} of now", "attributes": said}
    tenant.change(id, **changes)
    tenant.change(id, attributes={"gone": None})
    said = {f"{canary}-color": f"{canary} blue"}
    proof = proof_of(tenant, secret, sub=canary.upper(), name=f"{canary} of today", attributes=said)
    other = tenant.try_login(key=tenant.pk, proof=proof).json["session"]["token"]
    second = tenant.call(
        "POST", "/v1/conversations", token, {"message": f"{canary} asks"}, Idempotency_Key=f"{canary}-key"
    ).json["id"]
    for key, more in ((token, {}), (tenant.sk, {"agentName": f"{canary} answers"})):
        body = {"body": f"{canary} writes", **more}
        path = f"/v1/conversations/{second}/messages"
        tenant.call("POST", path, key, body, Idempotency_Key=f"{canary}-key-2")
    third = tenant.begin(tenant.sk, f"To {canary}", user=id, agentName=f"{canary}'s agent")
    return Life(id, (visit["user"]["id"],), (visit["session"]["token"], token, other), (first, second, third))


def claim_unproven(tenant: Tenant, canary: str) -> Life:
    """Have somebody who proves nothing do the same."""
    tenant.set(identityVerification="off", anonymousOnLogin="merge")
    visit = tenant.login(deviceId=f"{canary}-device-2", name=f"{canary} the first")
    claim = {"userId": canary.upper(), "email": email_of(canary), "name": f"{canary} says"}
    login = tenant.try_login(key=tenant.pk, deviceId=visit["deviceId"], **claim).json
    token = login["session"]["token"]
    leave_contact(tenant, token, canary)
    begun = tenant.begin(token, f"{canary} writes", subject=canary)
    found = tenant.get(f"/v1/users?userId={canary.upper()}").json["data"]
    [id] = [user["id"] for user in found if not user["verified"]]
    return Life(id, (visit["user"]["id"],), (visit["session"]["token"], token), (begun,))


def leave_contact(tenant: Tenant, token: str, canary: str) -> None:
    contact = {"email": f"{canary}@example.org", "name": f"{canary} at work", "phone": "112"}
    assert tenant.call("PUT", "/v1/me/contact", token, contact).status_code == 200


lives = pytest.mark.parametrize("life", [live, claim_unproven], ids=["verified", "unverified"])


def dump(url: str) -> str:
    """Read every column of every table of a database, whoever made it, as text."""
    if url.startswith("sqlite:"):
        path = urlsplit(url).path[1:]
        listing = "SELECT name FROM sqlite_master WHERE type = 'table'"
        connection = sqlite3.connect(path)
    else:
        listing = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        connection = psycopg.connect(url)
    with closing(connection):
        tables = [table for (table,) in connection.execute(listing).fetchall()]
        rows = [connection.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables]  # noqa: S608
    assert len(tables) > 10
    return repr(rows)


def traces(text: str, canary: str) -> list[str]:
    """Return what stands around each canary."""
    parts = text.lower().split(canary)
    return [f"{before[-60:]}[…]{after[:60]}" for before, after in zip(parts, parts[1:], strict=False)]


@lives
def test_nothing_of_an_erased_user_is_left_anywhere(tenant, database_url, capsys, canary, life):
    with on_standard_output():
        lived = life(tenant, canary)
        assert len(traces(dump(database_url), canary)) > 10

        assert tenant.erase(lived.id).status_code == 204

    parts = [f"{id}{what}" for id in (lived.id, *lived.parts) for what in ("", "/history", "/export")]
    gone = [tenant.get(f"/v1/users/{part}") for part in parts]
    asked = (f"users?q={canary}", f"users?userId={canary.upper()}", f"users?email={email_of(canary)}")
    found = [tenant.get(f"/v1/{path}").json for path in (*asked, "conversations")]
    metrics = tenant.get("/metrics", tenant.admin_key)
    assert traces(dump(database_url), canary) == []
    assert {answer.status_code for answer in gone} == {404}
    assert traces("".join(answer.text for answer in gone), canary) == []
    assert [answer["data"] for answer in found] == [[]] * 4
    assert (metrics.status_code, traces(metrics.text, canary)) == (200, [])
    written = capsys.readouterr().out
    assert len(written.splitlines()) > 5
    assert traces(written, canary) == []
    assert [token for token in lived.tokens if token in written] == []


def test_what_a_user_wrote_while_they_were_one_with_another_is_gone_as_well(tenant, canary):
    mary, carol = (tenant.known(userId=user_id) for user_id in ("u-1", "u-7"))
    conversation = tenant.begin(tenant.session(userId="u-1"), "Mary's own")
    merge = tenant.call("POST", "/v1/merges", tenant.sk, {"from": carol, "into": mary}).json
    messages = f"/v1/conversations/{conversation}/messages"
    tenant.call("POST", messages, tenant.session(userId="u-7"), {"body": canary})
    tenant.call("DELETE", f"/v1/merges/{merge['id']}", tenant.sk)
    assert tenant.erase(carol).status_code == 204
    assert [message["body"] for message in tenant.get(messages).json["data"]] == ["Mary's own", None]


def test_not_even_the_file_of_sqlite_holds_what_was_erased(databases, start, canary):
    url = databases.fresh("sqlite")
    migrate(url)
    tenant = Tenant.create(start(database_url=url).test_client(), ADMIN_KEY)
    lived = live(tenant, canary)
    path = urlsplit(url).path[1:]
    tenant.erase(lived.id)

    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        files = Path(path).read_bytes() + Path(f"{path}-wal").read_bytes()
    assert lived.id.encode() in files
    assert canary.encode() not in files.lower()


@lives
def test_a_tombstone_stays_without_anything_personal(tenant, store, canary, life):
    lived = life(tenant, canary)
    tenant.erase(lived.id)
    for id in (lived.id, *lived.parts):
        entries = store.of(tenant.id).history.page([id], "", 100)
        assert [entry.event for entry in entries][-1] == "erased"
        assert {(entry.before, entry.after) for entry in entries} == {(None, None)}
        assert store.of(tenant.id).users.with_id(id) is None


@lives
def test_everything_that_led_to_an_erased_user_is_dead(tenant, canary, life):
    lived = life(tenant, canary)

    tenant.erase(lived.id)

    for token in lived.tokens:
        for path in ("me", "conversations", f"conversations/{lived.conversations[0]}"):
            assert tenant.get(f"/v1/{path}", token).status_code == 401
    for id in lived.conversations:
        for path in ("", "/messages"):
            assert tenant.get(f"/v1/conversations/{id}{path}").status_code == 404
        written = tenant.call("POST", f"/v1/conversations/{id}/messages", tenant.sk, {"body": "x"})
        assert written.status_code == 404
    for id in (lived.id, *lived.parts):
        assert tenant.get(f"/v1/users/{id}").status_code == 404
        assert tenant.change(id, name="Jane").status_code == 404
        assert tenant.get(f"/v1/conversations?user={id}").status_code == 404
        begun = tenant.call("POST", "/v1/conversations", tenant.sk, {"user": id, "message": "x"})
        assert begun.status_code == 404
        assert tenant.call("POST", "/v1/logout", tenant.sk, {"user": id}).status_code == 204


@cases(
    "claim, rule",
    ("user ID", {"userId": "u-17"}, "new-user-id"),
    ("email", {"email": "jane@example.org"}, "new-email"),
    ("email of another", {"userId": "u-18", "email": "Jane@example.org"}, "new-user-id"),
)
def test_the_user_id_and_the_email_are_free_at_once(tenant, claim, rule):
    login = tenant.login(userId="u-17", email="jane@example.org")
    tenant.begin(login["session"]["token"])
    tenant.erase(login["user"]["id"])
    again = tenant.login(**claim, deviceId=login["deviceId"])
    assert (again["created"], again["resolution"]["rule"]) == (True, rule)
    assert again["user"]["id"] != login["user"]["id"]
    assert tenant.conversations(again["session"]["token"]) == []


def test_an_idempotency_key_of_an_erased_user_is_free(tenant):
    login = tenant.login(userId="u-17")
    sent = {"message": "Hello"}
    tenant.call("POST", "/v1/conversations", login["session"]["token"], sent, Idempotency_Key="key-1")
    tenant.erase(login["user"]["id"])
    again = tenant.call(
        "POST", "/v1/conversations", tenant.session(userId="u-17"), sent, Idempotency_Key="key-1"
    )
    assert again.status_code == 201


@lives
def test_nobody_else_is_touched(tenant, other_tenant, canary, life):
    others = []
    for where, claim in (
        (tenant, {"userId": "u-18", "email": email_of(canary), "name": "Jane"}),
        (tenant, {"email": "joan@example.org"}),
        (tenant, {}),
        (other_tenant, {"userId": canary.upper(), "email": email_of(canary)}),
    ):
        login = where.login(**claim)
        token = login["session"]["token"]
        where.begin(token, "Hello")
        others.append((where, login["user"]["id"], token))

    def look():
        return [
            (
                where.get(f"/v1/users/{id}/export").json,
                where.get(f"/v1/users/{id}/history").json,
                where.conversations(token),
                where.get("/v1/me", token).json["user"],
            )
            for where, id, token in others
        ]

    before = look()
    lived = life(tenant, canary)

    tenant.erase(lived.id)

    assert look() == before


@pytest.mark.parametrize("round", range(4))
def test_nothing_of_a_user_survives_who_logs_in_and_writes_while_erased(tenant, store, canary, round):
    login = tenant.login(userId=canary, email=f"{canary}@example.org")
    id, token, device = login["user"]["id"], login["session"]["token"], login["deviceId"]
    thread = tenant.begin(token, f"{canary} asks")

    def write(own, body, **more):
        path = f"/v1/conversations/{thread}/messages"
        return own.call("POST", path, token, {"body": f"{canary} {body}"}, **more)

    answers = tenant.at_once(
        lambda own: own.erase(id),
        lambda own: write(own, "one"),
        lambda own: write(own, "two", Idempotency_Key=f"{canary}-key"),
        lambda own: own.call("POST", "/v1/conversations", token, {"message": f"{canary} begins"}),
        lambda own: own.call("POST", "/v1/conversations", own.sk, {"message": canary, "user": id}),
        lambda own: own.try_login(userId=canary, deviceId=device, name=f"{canary} x"),
        lambda own: own.change(id, name=f"{canary} y"),
    )

    statuses = [answer.status_code for answer in answers]
    assert statuses[0] == 204
    assert set(statuses[1:5]) <= {201, 401, 404}
    assert statuses[5] in (200, 201)
    assert statuses[6] in (200, 404)
    assert tenant.get(f"/v1/users/{id}").status_code == 404
    assert tenant.get(f"/v1/conversations/{thread}").status_code == 404
    assert tenant.get("/v1/me", token).status_code == 401
    assert tenant.get("/v1/conversations").json["data"] == []
    # Who came after is somebody new, and who came before is gone with their session.
    came_after = statuses[5] == 201
    me = tenant.get("/v1/me", answers[5].json["session"]["token"])
    assert me.status_code == (200 if came_after else 401)
    assert [user["id"] for user in tenant.find()] == ([answers[5].json["user"]["id"]] if came_after else [])
    entries = store.of(tenant.id).history.page([id], "", 100)
    assert {(entry.before, entry.after) for entry in entries} == {(None, None)}


@pytest.mark.parametrize("round", range(3))
@pytest.mark.parametrize("policy", ["keep", "merge", "clear"])
def test_nothing_of_an_anonymous_user_survives_who_is_back_while_erased(tenant, canary, policy, round):
    tenant.set(anonymousOnLogin=policy)
    visit = tenant.login(name=canary)
    id, token, device = visit["user"]["id"], visit["session"]["token"], visit["deviceId"]
    thread = tenant.begin(token, f"{canary} asks")

    answers = tenant.at_once(
        lambda own: own.erase(id),
        lambda own: own.try_login(deviceId=device),
        lambda own: own.try_login(userId="u-17", deviceId=device),
        lambda own: own.try_login(deviceId=device, key=own.pk),
        lambda own: own.call("POST", "/v1/conversations", token, {"message": canary}),
    )

    statuses = [answer.status_code for answer in answers]
    assert statuses[0] == 204
    assert set(statuses[1:4]) <= {200, 201}
    assert statuses[4] in (201, 401)
    assert tenant.get(f"/v1/users/{id}").status_code == 404
    assert tenant.get(f"/v1/conversations/{thread}").status_code == 404
    assert tenant.get("/v1/conversations").json["data"] == []
    device_now = tenant.login(deviceId=device)
    assert device_now["user"]["id"] != id
    assert device_now["user"]["name"] is None


def test_of_two_who_erase_at_once_one_finds_nobody(tenant):
    id = tenant.known(userId="u-17")
    answers = tenant.at_once(*[lambda own: own.erase(id)] * 4)
    assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404]
