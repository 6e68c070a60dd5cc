"""Who proves nothing is told nothing but what they said, and sees what they began on their own device."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.cases import cases

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)

# Secrets, and ids of what somebody made themselves, are random; all else has to be the same.
RANDOM = re.compile(
    r"(?:st_[0-9a-f]{32}_[\w-]{43}\.|dev_)[\w-]{43}|(?:cnv|msg)_[0-9a-f]{32}|(?<=\": \")[0-9a-f]{32}"
)

KNOWN = {"userId": "known-id", "email": "known@example.org"}
UNKNOWN = {"userId": "fresh-id", "email": "fresh@example.org"}


@pytest.fixture
def trusting(tenant):
    """An app that asks for no proof."""
    tenant.set(identityVerification="off")
    return tenant


def claim_to_be(tenant, **claim):
    response = tenant.try_login(key=tenant.pk, **claim)
    assert response.status_code == 200, response.text
    return response.json


def unproven(tenant, **claim):
    """Log a new device in without proof, and return its token."""
    return claim_to_be(tenant, **claim)["session"]["token"]


def listed(tenant, token):
    return tenant.get("/v1/conversations", token).json["data"]


@cases("claim, told",
    ("user ID", {"userId": "u-1"}, {"userId": "u-1", "email": None, "name": None}),
    ("email", {"email": "a@b.org"}, {"userId": None, "email": "a@b.org", "name": None}),
    ("all", {"userId": "u-1", "email": "a@b.org", "name": "Jane"},
     {"userId": "u-1", "email": "a@b.org", "name": "Jane"}),
    ("cleaned", {"email": " Jane@B.ORG "}, {"userId": None, "email": "Jane@b.org", "name": None}),
)  # fmt: skip
def test_an_unproven_login_is_told_what_it_said(trusting, time_machine, claim, told):
    time_machine.move_to(NOON, tick=False)
    login = trusting.try_login(key=trusting.pk, **claim)
    me = trusting.get("/v1/me", login.json["session"]["token"])

    session = {"expiresAt": "2030-01-08T12:00:00.000Z", "verified": False}
    assert login.status_code == 200
    assert login.json == {
        "user": told,
        "session": session | {"token": login.json["session"]["token"]},
        "deviceId": login.json["deviceId"],
    }
    assert me.json == {"user": told, "session": session}


@cases(
    "stored",
    ("more", {"userId": "u-1", "email": "real@example.org", "name": "Jane"}),
    ("less", {"userId": "u-1"}),
)
@pytest.mark.parametrize("world", ["sk", "pk"], ids=["proven", "claimed"])
def test_nothing_is_told_of_what_was_there(trusting, stored, world):
    trusting.try_login(key=getattr(trusting, world), **stored)
    login = claim_to_be(trusting, userId="u-1")
    assert login["user"] == {"userId": "u-1", "email": None, "name": None}
    assert trusting.get("/v1/me", login["session"]["token"]).json["user"] == login["user"]


def test_an_email_is_told_as_it_was_sent_and_not_as_it_was_stored(trusting):
    claim_to_be(trusting, email="jane@example.org")
    assert claim_to_be(trusting, email="JANE@example.org")["user"]["email"] == "JANE@example.org"


def test_what_others_change_about_the_record_is_not_told(trusting):
    token = unproven(trusting, userId="u-1", name="Mallory")
    conversation = trusting.begin(token)
    claim_to_be(trusting, userId="u-1", email="other@example.org", name="Somebody else")
    user = trusting.claimed("u-1")
    trusting.call("PATCH", f"/v1/users/{user}", trusting.sk, {"name": "Janet", "email": "real@example.org"})
    assert trusting.get("/v1/me", token).json["user"] == {"userId": "u-1", "email": None, "name": "Mallory"}
    assert trusting.messages(conversation, token)[0]["author"] == {"kind": "user", "name": "Mallory"}


@pytest.mark.parametrize("name", ["Mallory", None])
def test_a_conversation_names_nobody_by_an_id(trusting, name):
    token = unproven(trusting, userId="u-1", name=name)
    begun = trusting.call("POST", "/v1/conversations", token, {"message": "Hello"}).json
    path = f"/v1/conversations/{begun['id']}"
    written = trusting.call("POST", f"{path}/messages", token, {"body": "Hello?"}).json
    resolved = trusting.call("PATCH", path, token, {"status": "resolved"}).json
    shown = [begun, resolved, trusting.get(path, token).json, *listed(trusting, token)]
    assert [conversation["user"] for conversation in shown] == [None] * 4
    authors = [written["author"]] + [one["author"] for one in trusting.messages(begun["id"], token)]
    assert authors == [{"kind": "user", "name": name}] * 3


def test_an_answer_of_an_agent_is_seen_and_counted(trusting):
    token = unproven(trusting, userId="u-1")
    conversation = trusting.begin(token)
    path = f"/v1/conversations/{conversation}"
    trusting.call("POST", f"{path}/messages", trusting.sk, {"body": "Hello!", "agentName": "Sam"})
    assert [one["unread"] for one in listed(trusting, token)] == [1]
    assert trusting.messages(conversation, token)[1]["author"] == {"kind": "agent", "name": "Sam"}
    assert trusting.call("POST", f"{path}/read", token).status_code == 204
    assert [one["unread"] for one in listed(trusting, token)] == [0]


@pytest.mark.parametrize("scope", ["user", "device"])
def test_another_device_under_the_same_claim_sees_nothing(trusting, scope):
    trusting.set(conversationScope=scope)
    first = unproven(trusting, userId="u-1", email="a@b.org")
    conversation = trusting.begin(first)
    trusting.write(conversation, body="Hello!")
    second = unproven(trusting, userId="u-1", email="a@b.org")

    path = f"/v1/conversations/{conversation}"
    calls = [
        ("GET", path, None),
        ("GET", f"{path}/messages", None),
        ("POST", f"{path}/messages", {"body": "Let me in."}),
        ("POST", f"{path}/read", None),
        ("PATCH", path, {"status": "resolved"}),
    ]
    assert listed(trusting, second) == []
    assert {trusting.call(method, at, second, body).status_code for method, at, body in calls} == {404}
    assert [(one["unread"], one["status"]) for one in listed(trusting, first)] == [(1, "open")]


def test_what_an_agent_began_is_not_seen(trusting):
    token = unproven(trusting, userId="u-1")
    user = trusting.claimed("u-1")
    conversation = trusting.begin(trusting.sk, "For the real u-1.", user=user)
    assert listed(trusting, token) == []
    assert trusting.get(f"/v1/conversations/{conversation}", token).status_code == 404


def test_the_same_device_finds_its_own_again(trusting):
    login = claim_to_be(trusting, userId="u-1")
    conversation = trusting.begin(login["session"]["token"])
    trusting.call("POST", "/v1/logout", login["session"]["token"])
    again = unproven(trusting, userId="u-1", deviceId=login["deviceId"])
    assert [one["id"] for one in listed(trusting, again)] == [conversation]


def test_the_same_device_under_another_claim_sees_nothing(trusting):
    login = claim_to_be(trusting, userId="u-1")
    trusting.begin(login["session"]["token"])
    assert listed(trusting, unproven(trusting, userId="u-2", deviceId=login["deviceId"])) == []


@pytest.mark.parametrize("policy", ["merge", "merge-once"])
def test_each_device_brings_its_anonymous_user_along(trusting, policy):
    """Also where the claimant has absorbed another's, which is nothing that may be noticed."""
    trusting.set(anonymousOnLogin=policy)
    kept = []
    for _ in range(2):
        anonymous = trusting.try_login(key=trusting.pk).json
        conversation = trusting.begin(anonymous["session"]["token"])
        token = unproven(trusting, userId="u-1", deviceId=anonymous["deviceId"])
        kept.append([one["id"] for one in listed(trusting, token)] == [conversation])
    assert kept == [True, True]


def test_an_agent_sees_that_nothing_was_proven(trusting):
    token = unproven(trusting, userId="u-1")
    conversation = trusting.begin(token)
    trusting.write(conversation, body="Hello!")
    shown = trusting.messages(conversation)
    user = trusting.get(f"/v1/users/{trusting.claimed('u-1')}").json
    assert [message["verified"] for message in shown] == [False, True]
    assert user["verified"] is False
    assert shown[0]["author"]["id"] == user["id"]


def proven(tenant, **claim):
    return tenant.session(**claim, name="The real one")


def with_a_past(tenant, log_in, **claim):
    """Have a device in use under a claim, with whatever could be noticed elsewhere."""
    anonymous = tenant.try_login(key=tenant.pk).json
    tenant.begin(anonymous["session"]["token"], "Anonymously.")
    token = log_in(tenant, **claim, deviceId=anonymous["deviceId"])
    begun = tenant.call(
        "POST", "/v1/conversations", token, {"message": "Mine."}, Idempotency_Key="key-1"
    ).json
    path = f"/v1/conversations/{begun['id']}"
    tenant.call("POST", f"{path}/messages", token, {"body": "Mine too."}, Idempotency_Key="key-2")
    tenant.call("POST", f"{path}/messages", tenant.sk, {"body": "Yours.", "agentName": "Sam"})
    user = tenant.get(path).json["user"]
    tenant.begin(tenant.sk, "To you.", user=user)
    tenant.call("POST", "/v1/clearAnonymousUser", token)
    return user


def shared(tenant, email, **_):
    for id in ("one", "two"):
        tenant.login(userId=id, email=email)


# How somebody may be known already, whom a claim names.
CLAIMED = {"by user ID": ("userId",), "by email": ("email",), "by both": ("userId", "email")}


def transcript(tenant, clock, claim):
    """All that a device with an anonymous user of its own learns when it claims to be somebody."""
    clock.move_to(NOON, tick=False)
    anonymous = tenant.try_login(key=tenant.pk).json
    device, token = anonymous["deviceId"], anonymous["session"]["token"]
    conversation = tenant.begin(token, "Before.")
    heard = []

    def call(method, path, body=None, key=None, **headers):
        clock.shift(timedelta(seconds=1))
        response = tenant.call(method, path, key or token, body, **headers)
        heard.append((method, response))
        return response

    login = claim | {"deviceId": device, "name": "Mallory"}
    token = call("POST", "/v1/login", login, tenant.pk).json["session"]["token"]
    for path in ("/v1/me", "/v1/conversations", f"/v1/conversations/{conversation}"):
        call("GET", path)
    begun = call("POST", "/v1/conversations", {"message": "Hello"}, Idempotency_Key="key-1").json["id"]
    path = f"/v1/conversations/{begun}"
    call("POST", "/v1/conversations", {"message": "Hello"}, Idempotency_Key="key-1")
    call("POST", "/v1/conversations", {"message": "Another"}, Idempotency_Key="key-1")
    call("POST", f"{path}/messages", {"body": "Hello?"}, Idempotency_Key="key-2")
    call("POST", f"{path}/messages", {"body": "Hello?"}, Idempotency_Key="key-2")
    call("GET", f"{path}/messages")
    call("POST", f"{path}/read")
    call("PATCH", path, {"status": "resolved"})
    call("GET", "/v1/conversations?status=resolved")
    call("POST", "/v1/clearAnonymousUser", {"clear": True})
    call("POST", "/v1/login", login | {"name": None}, tenant.pk)
    token = heard[-1][1].json["session"]["token"]
    call("GET", "/v1/conversations")
    call("GET", "/v1/me")
    call("POST", "/v1/logout")
    return [masked(method, response, claim) for method, response in heard]


def masked(method, response, claim):
    """An answer to the byte, but for what was sent and what is random."""
    text = response.text
    for name, value in claim.items():
        text = text.replace(value, name)
    headers = [(name, value) for name, value in response.headers if name != "X-Request-Id"]
    return method, response.status, headers, RANDOM.sub("random", text)


@pytest.mark.parametrize("policy", ["keep", "merge-once"])
@cases(
    "past",
    ("proven", lambda tenant, **claim: with_a_past(tenant, proven, **claim)),
    ("claimed", lambda tenant, **claim: with_a_past(tenant, unproven, **claim, name="Another")),
    (
        "both",
        lambda tenant, **claim: [
            with_a_past(tenant, proven, **claim),
            with_a_past(tenant, unproven, **claim, name="Another"),
        ],
    ),
    (
        "claimed with an own user ID",
        lambda tenant, **claim: with_a_past(tenant, unproven, **claim | {"userId": "another"}),
    ),
    (
        "erased",
        lambda tenant, **claim: [
            tenant.erase(with_a_past(tenant, log_in, **claim)) for log_in in (proven, unproven)
        ],
    ),
)
@pytest.mark.parametrize("names", CLAIMED.values(), ids=CLAIMED)
def test_nobody_learns_whether_somebody_is_known(trusting, time_machine, policy, past, names):
    tenant = trusting
    tenant.set(anonymousOnLogin=policy)
    time_machine.move_to(NOON - timedelta(days=1), tick=False)
    past(tenant, **{name: KNOWN[name] for name in names})
    known = transcript(tenant, time_machine, {name: KNOWN[name] for name in names})
    assert known == transcript(tenant, time_machine, {name: UNKNOWN[name] for name in names})
    assert all(status.startswith(("200", "201", "204", "404", "422")) for _, status, _, _ in known)


@pytest.mark.parametrize("names", [("email",), ("userId", "email")], ids=["by email", "by both"])
def test_nobody_learns_whether_an_email_is_shared(trusting, time_machine, names):
    shared(trusting, **KNOWN)
    for id in ("three", "four"):
        claim_to_be(trusting, userId=id, email=KNOWN["email"])
    known = transcript(trusting, time_machine, {name: KNOWN[name] for name in names})
    assert known == transcript(trusting, time_machine, {name: UNKNOWN[name] for name in names})


@pytest.mark.parametrize("names", CLAIMED.values(), ids=CLAIMED)
def test_where_proofs_are_required_nobody_learns_it_from_the_refusal(tenant, time_machine, names):
    time_machine.move_to(NOON, tick=False)
    tenant.login(**KNOWN)
    refused = [
        tenant.try_login(key=tenant.pk, **{name: claim[name] for name in names}) for claim in (KNOWN, UNKNOWN)
    ]
    known, unknown = (masked("POST", response, {}) for response in refused)
    assert known == unknown
    assert known[1] == "401 UNAUTHORIZED"
