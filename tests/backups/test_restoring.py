"""A restore brings back nobody and nothing that was revoked since the backup, and all else of it."""

import gzip
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from service.desk import erasing
from service.model.callers import Actor
from service.store.tables import Events, Webhooks
from tests.console.conftest import Agent
from tests.support.cases import cases
from tests.support.following import all_told
from tests.support.rows import rows_of
from tests.support.servers import ADMIN_KEY, command, serve
from tests.support.signing import identity_key, proof_of
from tests.support.tenants import Tenant

HOOK = {"url": "https://shop.example.org/usher"}


def status(tenant, path, key=None):
    return tenant.get(path, key).status_code


def new_key(tenant, kind="secret", **headers):
    return tenant.call("POST", f"/v1/apps/{tenant.id}/keys", ADMIN_KEY, {"kind": kind}, **headers).json


def delete(tenant, path):
    deleted = tenant.call("DELETE", path, ADMIN_KEY if "/apps/" in path else tenant.sk)
    assert deleted.status_code in (200, 204), deleted.text


def test_what_was_revoked_since_stays_so_and_all_else_of_the_backup_is_there(shop, tenant):
    jane, joe = tenant.login(userId="u-1", email="jane@example.org"), tenant.login(userId="u-2")
    thread = tenant.begin(joe["session"]["token"], "Where is it?")
    tenant.begin(jane["session"]["token"], "It is secret.")
    secret, (identity, proves) = new_key(tenant), identity_key(tenant)
    gone = Tenant.create(tenant.client, ADMIN_KEY)
    gone.known(userId="u-1")
    shop.back_up()
    tenant.erase(jane["user"]["id"])
    for key in (secret["id"], identity):
        delete(tenant, f"/v1/apps/{tenant.id}/keys/{key}")
    delete(tenant, f"/v1/apps/{gone.id}")
    tenant.begin(joe["session"]["token"], "Written later.")
    tenant.known(userId="u-later")

    said = shop.restore()

    assert "4 times something was revoked again" in said
    assert [status(tenant, "/v1/me", one["session"]["token"]) for one in (jane, joe)] == [401, 401]
    assert status(tenant, f"/v1/users/{jane['user']['id']}") == 404
    assert tenant.find(userId="u-1") == tenant.find(userId="u-later") == []
    assert (status(tenant, "/v1/users", secret["key"]), status(gone, "/v1/users")) == (401, 401)
    proof = proof_of(tenant, proves, sub="u-2")
    assert tenant.try_login(key=tenant.pk, proof=proof).json["code"] == "proof-invalid"
    assert tenant.conversations(tenant.sk) == [thread]
    assert tenant.known(userId="u-2") == joe["user"]["id"]
    assert "It is secret" not in repr(rows_of(shop.store, tenant.id))


def test_whoever_was_cleared_since_is_seen_by_agents_alone(shop, tenant):
    visit = tenant.login()
    thread = tenant.begin(visit["session"]["token"])
    shop.back_up()
    tenant.call("POST", "/v1/clearAnonymousUser", tenant.sk, {"deviceId": visit["deviceId"], "clear": True})
    tenant.login(userId="u-1", deviceId=visit["deviceId"])

    shop.restore()
    again = tenant.login(deviceId=visit["deviceId"])

    assert again["user"]["id"] != visit["user"]["id"]
    assert tenant.conversations(again["session"]["token"]) == []
    assert tenant.conversations(tenant.sk) == [thread]
    # And once more it is there to find.
    assert "0 times something was revoked again" in shop.run("restore")[1]


def test_whose_merge_was_undone_since_stand_apart(shop, tenant):
    jane, joe = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    merge = tenant.merge(joe, jane)
    shop.back_up()
    tenant.undo(merge)
    tenant.erase(joe)

    shop.restore()

    assert tenant.user(jane)["aliases"] == []
    assert status(tenant, f"/v1/users/{joe}") == 404


def test_whose_user_id_was_taken_away_since_is_not_found_by_it(shop, tenant):
    part, jane = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    tenant.alias(jane, "u-3")
    shop.back_up()
    tenant.merge(part, jane)
    assert [tenant.remove_id(jane, user_id).status_code for user_id in ("u-3", "u-1")] == [200, 200]
    joe = tenant.known(userId="u-3")

    # Who is known by nothing else is left to a person.
    said = shop.restore(code=1)

    assert tenant.user(jane)["userId"] == "u-2"
    assert tenant.known(userId="u-3") not in (jane, joe)
    assert f"left to do: user-id.removed: {part} in {tenant.id}" in said


def test_whose_email_was_given_up_since_is_not_found_by_it(shop, tenant):
    login, patch, again = (tenant.known(userId=f"u-{n}", email=f"e-{n}@example.org") for n in range(3))
    part = tenant.known(userId="u-part", email="part@example.org")
    unclaimed = tenant.known(email="old@example.org")
    tenant.merge(part, patch)
    tenant.change(again, email="other@example.org")
    tenant.change(again, email="E-2@example.org")
    shop.back_up()
    tenant.known(userId="u-0", email="new@example.org")
    tenant.known(userId="u-part", email="new-part@example.org")
    tenant.change(patch, email=None)
    tenant.change(unclaimed, email="new-old@example.org")
    revoked = shop.revoked()

    said = shop.restore(code=1)

    given_up = (again, again, login, part, patch, unclaimed)
    assert sorted(revoked) == sorted(("email.removed", id) for id in given_up)
    assert [tenant.user(id)["emails"] for id in (login, patch)] == [[], []]
    assert tenant.user(again)["email"] == "E-2@example.org"
    assert f"left to do: email.removed: {unclaimed} in {tenant.id}" in said


def test_an_id_that_was_given_back_before_the_backup_is_theirs(shop, tenant):
    jane = tenant.known(userId="u-1", email="jane@example.org")
    tenant.remove_id(jane, "u-1")
    tenant.alias(jane, "u-1")
    shop.back_up()

    shop.restore()

    assert tenant.known(userId="u-1") == jane


def test_a_key_whose_secret_was_replaced_since_is_gone_and_one_from_before_is_there(shop, tenant):
    first, second = (new_key(tenant, Idempotency_Key=key) for key in ("k-1", "k-2"))
    second = new_key(tenant, Idempotency_Key="k-2")
    shop.back_up()
    replaced = new_key(tenant, Idempotency_Key="k-1")

    shop.restore()

    assert [status(tenant, "/v1/users", key["key"]) for key in (first, replaced, second)] == [401, 401, 200]


def test_a_webhook_and_a_secret_that_were_deleted_since_are_gone(shop, tenant):
    hook, other, third = (tenant.call("POST", "/v1/webhooks", tenant.sk, HOOK).json for _ in range(3))
    path = f"/v1/webhooks/{other['webhook']['id']}"
    second = tenant.call("POST", f"/v1/webhooks/{third['webhook']['id']}/secrets", tenant.sk).json
    shop.back_up()
    delete(tenant, f"/v1/webhooks/{hook['webhook']['id']}")
    tenant.call("POST", f"{path}/secrets", tenant.sk)
    delete(tenant, f"{path}/secrets/{other['secret']['id']}")
    delete(tenant, f"/v1/webhooks/{third['webhook']['id']}/secrets/{second['id']}")

    shop.restore()

    # Nothing is signed with what is not trusted any more, so another has to be handed out.
    [kept] = tenant.get(path).json["secrets"]
    assert kept["id"] != other["secret"]["id"]
    shown = {one["id"]: len(one["secrets"]) for one in tenant.get("/v1/webhooks").json["data"]}
    assert shown == {other["webhook"]["id"]: 1, third["webhook"]["id"]: 1}


def by_the_api(shop, tenant, jane):
    tenant.erase(jane)


def by_the_console(shop, tenant, jane):
    agent = Agent(shop.app.test_client())
    agent.sign_in(tenant.sk)
    agent.post(f"/console/users/{jane}/erase", erase=jane)


def by_revenuecats_call(shop, tenant, jane):
    tenant.set(revenuecat="on")
    tenant.call("DELETE", "/v1/subscribers/u-1", tenant.sk)


@pytest.mark.parametrize(
    "erase", [by_the_api, by_the_console, by_revenuecats_call], ids=lambda one: one.__name__
)
def test_whoever_is_erased_is_in_the_journal_with_who_is_part_of_them(shop, tenant, erase):
    part, jane = tenant.known(userId="u-2"), tenant.known(userId="u-1")
    tenant.merge(part, jane)

    erase(shop, tenant, jane)

    assert shop.revoked() == [("user.erased", jane), ("user.erased", part)]
    assert [set(line) for line in shop.lines()] == [{"revoked", "app", "id", "at"}] * 2


def test_whom_tidy_erases_is_in_the_journal(shop, tenant, time_machine):
    visitor = tenant.known()
    time_machine.move_to(time.time() + 181 * 24 * 3600)

    shop.run("tidy")

    assert shop.revoked() == [("user.erased", visitor)]


def test_what_is_refused_is_not_in_the_journal(shop, tenant):
    jane = tenant.known(userId="u-1")
    key = f"/v1/apps/{tenant.id}/keys/key_{'0' * 32}"

    assert tenant.call("DELETE", key, ADMIN_KEY).status_code == 404
    assert tenant.remove_id(jane, "u-1").status_code == 409
    assert tenant.erase(f"usr_{'0' * 32}").status_code == 404
    assert shop.revoked() == []


def test_what_cannot_be_written_down_is_not_done(shop, tenant):
    jane = tenant.known(userId="u-1")
    shop.journal.unlink()
    shop.journal.mkdir()
    refused = tenant.erase(jane)
    shop.journal.rmdir()

    assert (refused.status_code, refused.json["code"]) == (503, "store-unavailable")
    assert tenant.user(jane)["userId"] == "u-1"
    assert tenant.erase(jane).status_code == 204


def test_what_is_revoked_while_a_restore_waits_stays_so(shop, tenant):
    jane = tenant.known(userId="u-1")
    shop.back_up()
    environment = {"DATABASE_URL": shop.url, "JOURNAL": str(shop.journal)}
    own = shop.store.of(tenant.id)
    with ThreadPoolExecutor(1) as threads:
        with own.transaction():
            erasing.erase_records(own, Actor("agent", "request", proven=True), jane)
            restoring = threads.submit(command, "restore", "--replace", str(shop.file), **environment)
        restored = restoring.result()

    assert restored.returncode == 0, restored.stderr
    assert status(tenant, f"/v1/users/{jane}") == 404


def platform(line):
    return f"2026-11-29T12:00:00.000000+00:00 app[web.1]: {line}"


def as_our_log(line):
    return json.dumps({"timestamp": "2026-11-29T12:00:00.000Z", "level": "info", "event": "revoked"} | line)


@cases(
    "written",
    ("a log", as_our_log),
    ("a platform's log", lambda line: platform(as_our_log(line))),
    ("torn before", lambda line: '{"revoked":"user.er' + json.dumps(line)),
)
def test_where_the_journal_is_lost_the_log_tells(shop, tenant, written):
    jane, joe = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    shop.back_up()
    tenant.erase(jane)
    log = shop.directory / "log"
    log.write_text("\n".join(["Starting", '{"event": "request"}', *map(written, shop.lines())]) + "\n")
    shop.journal.unlink()

    shop.restore("--journal", log)

    assert status(tenant, f"/v1/users/{jane}") == 404
    assert tenant.user(joe)["userId"] == "u-2"
    # The journal is whole again.
    assert shop.revoked() == [("user.erased", jane)]


def test_what_a_server_without_a_journal_logs_is_enough(shop, tenant):
    jane = tenant.known(userId="u-1")
    shop.back_up()
    with serve(shop.url) as server:
        replace(tenant, client=server).erase(jane)
    log = shop.directory / "log"
    log.write_text("".join(map(platform, server.stdout)))
    shop.journal.unlink()

    said = shop.restore("--journal", log)

    assert f"{log}: says 1 times that something was revoked\n" in said
    assert "damaged" not in said
    assert status(tenant, f"/v1/users/{jane}") == 404


def test_a_torn_line_is_named_and_all_others_count(shop, tenant):
    ids = [tenant.known(userId=f"u-{number}") for number in range(3)]
    shop.back_up()
    for id in ids:
        tenant.erase(id)
    first, second, third = shop.journal.read_bytes().splitlines(keepends=True)
    shop.journal.write_bytes(first + second.replace(b'"id"', b'"i') + third[:30])

    said = shop.restore()

    assert [status(tenant, f"/v1/users/{id}") for id in ids] == [404, 200, 200]
    assert "says 1 times" in said
    assert [line for line in said.splitlines() if "damaged" in line] == [
        f"  line {number} is damaged, and was left out" for number in (2, 3)
    ]


def test_a_journal_that_was_rotated_counts_as_a_whole(shop, tenant):
    jane, joe, kim = (tenant.known(userId=f"u-{number}") for number in range(3))
    merge = tenant.merge(joe, jane)
    shop.back_up()
    tenant.undo(merge)
    compressed = shop.journal.with_name("journal-20261129.gz")
    compressed.write_bytes(gzip.compress(shop.journal.read_bytes()))
    shop.journal.unlink()
    tenant.erase(joe)
    shop.journal.rename(shop.journal.with_name("journal.1"))
    tenant.erase(kim)

    shop.restore()

    assert [status(tenant, f"/v1/users/{id}") for id in (jane, joe, kim)] == [200, 404, 404]


def test_who_cannot_be_erased_alone_is_left_to_a_person(shop, tenant):
    jane, joe = tenant.known(userId="u-1"), tenant.known(userId="u-2")
    visitor = tenant.known()
    merges = [tenant.merge(joe, jane), tenant.merge(visitor, jane)]
    shop.back_up()
    for merge in merges[::-1]:
        tenant.undo(merge)
    tenant.erase(joe)
    lines = [line for line in shop.journal.read_text().splitlines() if "merge.undone" not in line]
    cleared = lines[0].replace("user.erased", "user.cleared").replace(joe, visitor)
    shop.journal.write_text("\n".join([*lines, cleared]) + "\n")

    said = shop.restore(code=1)

    left = [line for line in said.splitlines() if line.startswith("left to do")]
    assert left == [
        f"left to do: {what}: {id} in {tenant.id}"
        for what, id in (("user.erased", joe), ("user.cleared", visitor))
    ]


def test_after_another_tools_restore_the_rest_is_done(shop, tenant):
    jane, token = tenant.known(userId="u-1"), tenant.session(userId="u-2")
    agent = Agent(shop.app.test_client())
    agent.sign_in(tenant.sk)
    shop.journal.write_text(
        json.dumps({"revoked": "user.erased", "app": tenant.id, "id": jane, "at": "2026-11-29T12:00:00Z"})
    )
    _, after = all_told(tenant)

    code, said = shop.run("restore")

    assert code == 0, said
    assert status(tenant, "/v1/me", token) == 401
    assert agent.get("/console").status_code in (303, 401)
    assert status(tenant, f"/v1/users/{jane}") == 404
    assert [event["type"] for event in all_told(tenant, after)[0]] == ["user.erased"]


def test_who_follows_reads_on_in_order_however_the_server_counts(shop, tenant):
    hook = tenant.call("POST", "/v1/webhooks", tenant.sk, HOOK).json["webhook"]["id"]
    jane = tenant.known(userId="u-1")
    before, place = all_told(tenant)
    with shop.store.transaction():
        for table in (Events, Webhooks):
            shop.store.database.change(table.update(xid=table.xid + 2**40).where(table.app == tenant.id))
    shop.back_up()
    tenant.change(jane, name="Jane")
    last = shop.store.database.rows(
        Events.select(Events.id).where(Events.app == tenant.id).order_by(Events.id.desc())
    )[0][0]

    for _ in range(2):
        shop.restore()
        later = tenant.known(userId="u-2")
        assert [event["data"]["user"]["id"] for event in all_told(tenant, place)[0]] == [later]
        told = [event["id"] for event in all_told(tenant)[0]]
        assert told[: len(before)] == [event["id"] for event in before]
        waiting = shop.store.of(tenant.id).deliveries.lease("lease", 1, 2, quick=False)
        assert waiting.webhook.id == hook
    assert tenant.get("/v1/events", after=last).json["code"] == "event-gone"


def test_what_the_backup_knows_to_be_revoked_needs_nothing(shop, tenant):
    gone = Tenant.create(tenant.client, ADMIN_KEY)
    jane, joe, kim = (tenant.known(userId=f"u-{n}", email=f"e-{n}@example.org") for n in range(3))
    tenant.undo(tenant.merge(joe, jane))
    tenant.alias(kim, "u-3")
    tenant.remove_id(kim, "u-3")
    tenant.change(kim, email="new@example.org")
    tenant.erase(jane)
    tenant.change(joe, email=None)
    tenant.erase(joe)
    hook = tenant.call("POST", "/v1/webhooks", tenant.sk, HOOK).json["webhook"]["id"]
    second = tenant.call("POST", f"/v1/webhooks/{hook}/secrets", tenant.sk).json["id"]
    delete(tenant, f"/v1/webhooks/{hook}/secrets/{second}")
    delete(tenant, f"/v1/webhooks/{hook}")
    delete(tenant, f"/v1/apps/{tenant.id}/keys/{new_key(tenant)['id']}")
    new_key(tenant, Idempotency_Key="k")
    replaced = new_key(tenant, Idempotency_Key="k")
    delete(tenant, f"/v1/apps/{gone.id}")
    delete(tenant, f"/v1/apps/{tenant.id}/keys/{replaced['id']}")
    shop.back_up()
    lines = shop.journal.read_text()
    for kind, id in (("merge.undone", f"mrg_{'0' * 32}"), ("user.cleared", f"usr_{'0' * 32}")):
        line = {"revoked": kind, "app": tenant.id, "id": id, "at": "2026-11-29T12:00:00Z"}
        shop.journal.write_text(lines := lines + json.dumps(line) + "\n")

    said = shop.restore()

    assert "0 times something was revoked again" in said
    assert shop.journal.read_text() == lines
