"""Export: all that is stored about a user, and nothing of anybody else."""

import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from service.model.conversations import Author, Message, Scope, Side
from tests.support.tenants import Tenant

MEMBERS = {
    "user", "mergedUsers", "history", "sessions", "conversations", "attachments", "idempotencyKeys",
    "storeAccounts", "attributes", "contacts", "fields", "merges", "comparedBy", "dismissals",
}  # fmt: skip


def export(tenant: Tenant, id: str):
    response = tenant.get(f"/v1/users/{id}/export")
    assert response.status_code == 200, response.text
    return response.json


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def test_of_a_user_who_did_nothing_there_is_the_user_one_session_and_how_they_came(tenant):
    login = tenant.login(userId="u-17", email="jane@example.org", name="Jane")
    id = login["user"]["id"]
    told = export(tenant, id)

    assert set(told) == MEMBERS
    assert told["user"] == tenant.user(id)
    assert told["history"] == tenant.history(id)
    [session] = told["sessions"]
    assert session == {
        "device": digest(login["deviceId"]), "verified": True, "claim": None,
        "beganAt": session["beganAt"], "lastUsedAt": session["beganAt"],
    }  # fmt: skip
    assert (told["mergedUsers"], told["conversations"], told["idempotencyKeys"]) == ([], [], [])


def test_it_holds_every_conversation_with_every_message_as_agents_see_them(tenant):
    login = tenant.login(userId="u-17", name="Jane")
    token = login["session"]["token"]
    first = tenant.begin(token, "Where is it?", subject="Parcel")
    tenant.call("POST", f"/v1/conversations/{first}/messages", tenant.sk, {"body": "Here", "agentName": "Al"})
    second = tenant.begin(tenant.sk, "All well?", user=login["user"]["id"])

    told = export(tenant, login["user"]["id"])["conversations"]

    def shown(id):
        return tenant.get(f"/v1/conversations/{id}").json

    assert sorted(told, key=lambda thread: thread["conversation"]["id"]) == [
        {"conversation": shown(id), "messages": tenant.messages(id)} for id in sorted([first, second])
    ]
    assert [message["body"] for message in tenant.messages(first)] == ["Where is it?", "Here"]


def test_it_leaves_out_nothing_of_a_long_conversation(tenant, store):
    login = tenant.login(userId="u-17")
    id = tenant.begin(login["session"]["token"], "0")
    with store.transaction():
        for number in range(1, 502):
            author = Author(Side.USER, None, login["user"]["id"])
            message = Message(f"msg_{number}", 0, author, str(number), True, 1)
            store.of(tenant.id).conversations.append(Scope(Side.AGENT), id, message, (f"evt_{number}", ""))
    [thread] = export(tenant, login["user"]["id"])["conversations"]
    assert [message["body"] for message in thread["messages"]] == [str(number) for number in range(502)]


def test_it_holds_what_was_of_those_who_became_part_of_the_user(tenant):
    tenant.set(anonymousOnLogin="merge")
    visit = tenant.login(name="Somebody")
    thread = tenant.begin(visit["session"]["token"], "Hello")
    id = tenant.known(userId="u-17", deviceId=visit["deviceId"])
    told = export(tenant, visit["user"]["id"])

    assert told == export(tenant, id)
    assert told["mergedUsers"] == [visit["user"]["id"]]
    assert [thread["conversation"]["id"] for thread in told["conversations"]] == [thread]
    events = [(entry["event"], (entry["after"] or {}).get("name")) for entry in told["history"]]
    assert sorted(events, key=str) == sorted(
        [("created", "Somebody"), ("created", None), ("merged", None), ("merged", None)], key=str
    )


def test_it_holds_the_keys_that_calls_were_repeated_with(tenant):
    login = tenant.login(userId="u-17")
    token, user = login["session"]["token"], login["user"]["id"]
    tenant.call("POST", "/v1/conversations", token, {"message": "Hello"}, Idempotency_Key="key-of-jane")
    tenant.call(
        "POST", "/v1/conversations", tenant.sk, {"message": "Hi", "user": user}, Idempotency_Key="key-of-al"
    )
    assert sorted(export(tenant, user)["idempotencyKeys"]) == ["key-of-al", "key-of-jane"]


def test_it_holds_what_each_unproven_session_said(tenant):
    tenant.set(identityVerification="off")
    for name in ("Jane", "Joan"):
        tenant.try_login(key=tenant.pk, email="jane@example.org", name=name)
    [user] = tenant.find()
    told = export(tenant, user["id"])

    assert sorted((session["claim"]["name"], session["verified"]) for session in told["sessions"]) == [
        ("Jane", False),
        ("Joan", False),
    ]
    assert told["sessions"][0]["claim"] | {"name": ""} == {
        "userId": None,
        "email": "jane@example.org",
        "name": "",
    }


@pytest.mark.parametrize("world", ["verified", "unverified"])
def test_it_holds_nothing_that_opens_anything_and_nothing_of_others(tenant, world):
    tenant.set(identityVerification="off")
    key = tenant.sk if world == "verified" else tenant.pk
    own = tenant.try_login(key=key, userId="u-17", email="shared@example.org").json
    other = tenant.login(userId="u-18", email="shared@example.org", name="Somebody else")
    tenant.begin(own["session"]["token"], "Mine")
    tenant.begin(other["session"]["token"], "Another's")
    [id] = [user["id"] for user in tenant.find(userId="u-17")]
    text = json.dumps(export(tenant, id))

    assert "Mine" in text
    for secret in (own["session"]["token"], own["deviceId"], tenant.sk, tenant.pk):
        assert secret not in text
        assert digest(secret) not in text or secret == own["deviceId"]
    for theirs in (other["user"]["id"], "Another's", "u-18", "Somebody else", digest(other["deviceId"])):
        assert theirs not in text


def test_store_accounts_are_listed_in_the_order_in_which_they_were_claimed(tenant, time_machine):
    jane = tenant.known(userId="u-1")
    accounts = [{"store": "app_store", "account": f"apple-{number}"} for number in (2, 1, 3)]
    for day, account in enumerate(accounts, 1):
        time_machine.move_to(datetime(2030, 1, day, tzinfo=UTC))
        sent = {"storeAccount": account, "product": "pro", "transaction": f"t-{day}", "userId": "u-1"}
        assert tenant.call("POST", "/v1/purchases", tenant.sk, sent).status_code == 200
    listed = [(one["store"], one["account"]) for one in export(tenant, jane)["storeAccounts"]]
    assert listed == [(one["store"], one["account"]) for one in accounts]


def test_merges_and_sessions_are_listed_oldest_first(tenant, time_machine):
    jane, made, devices = tenant.known(userId="u-0"), [], []
    for day in (1, 2, 3):
        time_machine.move_to(datetime(2030, 1, day, tzinfo=UTC))
        made.append(tenant.merge(tenant.known(userId=f"u-{day}"), jane))
        devices.append(digest(tenant.login(userId="u-0")["deviceId"]))
    told = export(tenant, jane)
    assert [one["id"] for one in told["merges"]] == made
    assert [one["device"] for one in told["sessions"]][1:] == devices
