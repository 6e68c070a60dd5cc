"""What becomes of a device's anonymous user, and clearAnonymousUser, over HTTP."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.cases import cases
from tests.support.responses import problem_of, refused_fields
from tests.support.tenants import Tenant

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Visit:
    """A device with an anonymous user who has begun a conversation."""

    device: str
    token: str
    user: str
    alias: str
    thread: str


def visit(tenant: Tenant, device: str | None = None) -> Visit:
    """Log a device in as nobody, and begin a conversation there."""
    login = tenant.login(key=tenant.sk if device else tenant.pk, deviceId=device)
    token, user = login["session"]["token"], login["user"]
    return Visit(login["deviceId"], token, user["id"], user["userId"], tenant.begin(token, "Is this on?"))


def log_out(tenant: Tenant, device: str) -> None:
    assert tenant.call("POST", "/v1/logout", tenant.sk, {"deviceId": device}).status_code == 204


def set_flag(tenant: Tenant, device: str, clear: bool = True) -> None:
    sent = {"deviceId": device, "clear": clear}
    assert tenant.call("POST", "/v1/clearAnonymousUser", tenant.sk, sent).status_code == 200


def conversation(tenant: Tenant, key: str, id: str):
    return tenant.get(f"/v1/conversations/{id}", key)


def on(device: str, user_id: str = "u-17", **claim):
    return {"userId": user_id, "deviceId": device, **claim}


def test_a_kept_anonymous_user_is_unseen_by_whoever_is_logged_in(tenant):
    before = visit(tenant)
    login = tenant.login(**on(before.device))
    token = login["session"]["token"]
    assert login["user"]["aliases"] == []
    assert tenant.conversations(token) == []
    assert conversation(tenant, token, before.thread).status_code == 404
    assert "was kept" in login["resolution"]["because"]


def test_a_kept_anonymous_user_is_back_after_logout(tenant):
    before = visit(tenant)
    tenant.login(**on(before.device))
    log_out(tenant, before.device)
    back = tenant.login(key=tenant.pk, deviceId=before.device)
    assert (back["user"]["id"], back["created"]) == (before.user, False)
    assert tenant.conversations(back["session"]["token"]) == [before.thread]


@cases(
    "policy, flag",
    ("by the setting", "clear", False),
    ("by the flag over keep", "keep", True),
    ("by both", "clear", True),
    ("by the flag over merge", "merge", True),
    ("by the flag over merge-once", "merge-once", True),
)
def test_a_cleared_anonymous_user_is_gone_for_every_end_user(tenant, policy, flag):
    tenant.set(anonymousOnLogin=policy)
    before = visit(tenant)
    set_flag(tenant, before.device, flag)
    login = tenant.login(**on(before.device))

    log_out(tenant, before.device)
    after = tenant.login(key=tenant.pk, deviceId=before.device)
    assert "was cleared" in login["resolution"]["because"]
    assert login["user"]["aliases"] == []
    assert (after["created"], after["user"]["id"] == before.user) == (True, False)
    assert tenant.conversations(after["session"]["token"]) == []
    for key in (after["session"]["token"], tenant.session(userId="u-17")):
        assert conversation(tenant, key, before.thread).status_code == 404


def test_agents_see_and_answer_the_conversations_of_a_cleared_user(tenant):
    tenant.set(anonymousOnLogin="clear")
    before = visit(tenant)
    tenant.login(**on(before.device))
    shown = conversation(tenant, tenant.sk, before.thread)
    written = tenant.call(
        "POST", f"/v1/conversations/{before.thread}/messages", tenant.sk, {"body": "Still there?"}
    )
    assert (shown.status_code, shown.json["user"]) == (200, before.user)
    assert tenant.conversations(tenant.sk) == [before.thread]
    assert written.status_code == 201


def restore(tenant, user_id):
    account = {"storeAccount": {"store": "app_store", "account": "apple-1"}}
    return tenant.call("POST", "/v1/restore", tenant.sk, {"userId": user_id} | account)


def cleared_by(tenant, user_id):
    """Have somebody clear an anonymous user by logging in."""
    tenant.set(anonymousOnLogin="clear")
    before = visit(tenant)
    return before, tenant.login(userId=user_id, deviceId=before.device)


@cases(
    "method, path, sent",
    ("an alias of theirs", "POST", "users/{cleared}/aliases", {"userId": "u-new"}),
    ("a user ID", "PUT", "users/{cleared}/userId", {"userId": "u-new"}),
    ("their ID as an alias", "POST", "users/{jane}/aliases", {"userId": "{alias}"}),
    ("a merge into somebody", "POST", "merges", {"from": "{cleared}", "into": "{jane}"}),
    ("a merge of somebody", "POST", "merges", {"from": "{visitor}", "into": "{cleared}"}),
)
def test_nobody_becomes_an_anonymous_user_who_was_cleared(tenant, method, path, sent):
    before, login = cleared_by(tenant, "u-17")
    ids = {"cleared": before.user, "alias": before.alias, "jane": login["user"]["id"]}
    ids["visitor"] = tenant.known()
    named = {name: value.format(**ids) for name, value in sent.items()}

    refused = tenant.call(method, f"/v1/{path.format(**ids)}", tenant.sk, named)

    assert problem_of(refused) == (409, "user-cleared")
    assert conversation(tenant, login["session"]["token"], before.thread).status_code == 404


def test_who_restores_what_a_cleared_user_bought_gets_no_conversation_of_theirs(tenant):
    tenant.set(anonymousOnLogin="clear")
    before = visit(tenant)
    assert restore(tenant, before.alias).json["resolution"]["rule"] == "first-claim"
    login = tenant.login(userId="u-17", deviceId=before.device)

    restored = restore(tenant, "u-17")

    assert restored.json["resolution"]["rule"] == "first-claim"
    assert restored.json["user"]["aliases"] == []
    assert conversation(tenant, login["session"]["token"], before.thread).status_code == 404


def test_who_comes_from_a_cleared_users_id_comes_from_nobody(tenant):
    tenant.set(revenuecat="on")
    before, login = cleared_by(tenant, "u-17")

    sent = {"app_user_id": before.alias, "new_app_user_id": "u-17"}
    identified = tenant.call("POST", "/v1/subscribers/identify", tenant.sk, sent)

    assert identified.status_code == 200
    assert tenant.find(userId="u-17")[0]["aliases"] == []
    assert conversation(tenant, login["session"]["token"], before.thread).status_code == 404


@pytest.mark.parametrize("policy", ["merge", "merge-once"])
def test_a_merge_makes_the_conversations_those_of_whoever_logs_in(tenant, policy):
    tenant.set(anonymousOnLogin=policy)
    own = tenant.begin(tenant.session(userId="u-17"))
    before = visit(tenant)
    login = tenant.login(**on(before.device))

    token = login["session"]["token"]
    assert login["user"]["aliases"] == [before.alias]
    assert login["user"]["userId"] == "u-17"
    assert login["resolution"]["changes"] == ["aliases"]
    assert "became part of this user" in login["resolution"]["because"]
    assert tenant.conversations(token) == [before.thread, own]
    assert conversation(tenant, tenant.sk, before.thread).json["user"] == login["user"]["id"]
    assert tenant.get("/v1/me", token).json["user"] == login["user"] | {"purchases": []}


@cases("known, claim, rule",
    ("known-user-id", {"userId": "u-17"}, {"userId": "u-17"}, "known-user-id"),
    ("attach-user-id", {"email": "a@b.example"}, {"userId": "u-17", "email": "a@b.example"},
     "attach-user-id"),
    ("new-user-id", {"userId": "u-18"}, {"userId": "u-17"}, "new-user-id"),
    ("known-email", {"email": "a@b.example"}, {"email": "a@b.example"}, "known-email"),
    ("new-email", {"userId": "u-18"}, {"email": "a@b.example"}, "new-email"),
)  # fmt: skip
def test_whoever_a_rule_finds_absorbs_the_anonymous_user(tenant, known, claim, rule):
    tenant.set(anonymousOnLogin="merge")
    tenant.login(**known)
    before = visit(tenant)
    login = tenant.login(deviceId=before.device, **claim)
    assert login["resolution"]["rule"] == rule
    # Of a user who was not there before, nothing is changed.
    assert ("aliases" in login["resolution"]["changes"]) is not login["created"]
    assert login["user"]["aliases"] == [before.alias]
    assert tenant.conversations(login["session"]["token"]) == [before.thread]
    assert tenant.login(**claim)["user"] == login["user"]


def test_a_merged_conversation_is_seen_on_every_device_with_what_was_unread(tenant):
    tenant.set(anonymousOnLogin="merge")
    other_device = tenant.session(userId="u-17")
    before = visit(tenant)
    tenant.write(before.thread, body="It is.")
    tenant.login(**on(before.device))
    assert conversation(tenant, other_device, before.thread).json["unread"] == 1


@pytest.mark.parametrize("second_device", [False, True], ids=["same device", "second device"])
def test_merge_once_absorbs_the_first_anonymous_user_only(tenant, second_device):
    tenant.set(anonymousOnLogin="merge-once")
    first = visit(tenant)
    tenant.login(**on(first.device))
    second = visit(tenant, None if second_device else first.device)
    login = tenant.login(**on(second.device))
    assert login["user"]["aliases"] == [first.alias]
    assert tenant.conversations(login["session"]["token"]) == [first.thread]
    assert "has absorbed one before" in login["resolution"]["because"]
    log_out(tenant, second.device)
    assert tenant.known(deviceId=second.device) == second.user


def test_agents_reach_whoever_absorbed_a_user_by_either_id(tenant):
    tenant.set(anonymousOnLogin="merge")
    before = visit(tenant)
    token = tenant.session(**on(before.device))
    thread = tenant.begin(tenant.sk, user=before.user)
    assert tenant.conversations(token) == [thread, before.thread]
    listed = tenant.get(f"/v1/conversations?user={before.user}")
    assert [found["id"] for found in listed.json["data"]] == [thread, before.thread]


def test_a_merged_conversation_stays_on_its_device_where_the_app_says_so(tenant):
    tenant.set(anonymousOnLogin="merge", conversationScope="device")
    other_device = tenant.session(userId="u-17")
    before = visit(tenant)
    assert tenant.conversations(tenant.session(**on(before.device))) == [before.thread]
    assert tenant.conversations(other_device) == []


def switched(tenant, policy):
    """Have an anonymous user kept on a device where u-17 is logged in, and then another policy."""
    tenant.set(anonymousOnLogin="keep")
    before = visit(tenant)
    tenant.login(**on(before.device, "u-17"))
    tenant.set(anonymousOnLogin=policy)
    return before


@pytest.mark.parametrize("policy", ["merge", "merge-once"])
@cases("claim", ("user-id", {"userId": "u-18"}), ("email", {"email": "joe@example.org"}))
def test_going_from_one_user_to_another_merges_nothing(tenant, policy, claim):
    before = switched(tenant, policy)
    login = tenant.login(deviceId=before.device, **claim)
    assert login["user"]["aliases"] == []
    assert tenant.conversations(login["session"]["token"]) == []
    assert "somebody else was logged in" in login["resolution"]["because"]
    log_out(tenant, before.device)
    assert tenant.known(deviceId=before.device) == before.user


@cases(
    "after, merged",
    ("at its last moment", timedelta(days=7) - timedelta(milliseconds=1), False),
    ("expired", timedelta(days=7), True),
)
def test_a_session_that_has_expired_counts_as_logged_out(tenant, time_machine, after, merged):
    time_machine.move_to(NOON, tick=False)
    before = switched(tenant, "merge")
    time_machine.move_to(NOON + after, tick=False)
    login = tenant.login(**on(before.device, "u-18"))
    assert tenant.conversations(login["session"]["token"]) == ([before.thread] if merged else [])


@pytest.mark.parametrize("holder", ["anonymous", "user", "backend"])
def test_whoever_may_speak_for_a_device_sets_its_flag(tenant, holder):
    before = visit(tenant)
    key, sent = {
        "anonymous": (before.token, {}),
        "user": (None, {"clear": True}),
        "backend": (tenant.sk, {"deviceId": before.device}),
    }[holder]
    if key is None:
        key = tenant.session(**on(before.device))
    response = tenant.call("POST", "/v1/clearAnonymousUser", key, sent)

    assert (response.status_code, response.json) == (200, {"clearAnonymousUser": True})
    tenant.login(**on(before.device, "u-18"))
    log_out(tenant, before.device)
    assert tenant.login(deviceId=before.device)["created"] is True


def test_a_call_without_a_body_sets_the_flag(tenant):
    before = visit(tenant)
    assert tenant.call("POST", "/v1/clearAnonymousUser", before.token).json == {"clearAnonymousUser": True}


def test_the_flag_sticks_to_the_device(tenant):
    device = visit(tenant).device
    set_flag(tenant, device)
    tenant.login(**on(device))
    log_out(tenant, device)
    second = visit(tenant, device)
    tenant.login(**on(device))
    log_out(tenant, device)
    third = tenant.login(deviceId=device)
    assert (third["created"], third["user"]["id"] == second.user) == (True, False)


@cases("policy, seen", ("keep", "keep", []), ("clear", "clear", []), ("merge", "merge", ["thread"]))
def test_a_flag_that_is_taken_back_lets_the_setting_decide(tenant, policy, seen):
    tenant.set(anonymousOnLogin=policy)
    before = visit(tenant)
    set_flag(tenant, before.device)
    response = tenant.call("POST", "/v1/clearAnonymousUser", before.token, {"clear": False})
    assert response.json == {"clearAnonymousUser": False}
    token = tenant.session(**on(before.device))
    assert tenant.conversations(token) == [getattr(before, name) for name in seen]
    log_out(tenant, before.device)
    assert tenant.login(deviceId=before.device)["created"] is (policy != "keep")


def test_a_flag_can_be_set_before_a_device_is_ever_logged_in(tenant):
    set_flag(tenant, "device-of-the-test-0001")
    before = visit(tenant, "device-of-the-test-0001")
    assert "flag says" in tenant.login(**on(before.device))["resolution"]["because"]


def test_a_flag_holds_in_its_own_app_only(tenant, other_tenant):
    before = visit(tenant, "device-of-the-test-0001")
    set_flag(other_tenant, before.device)
    tenant.login(**on(before.device))
    log_out(tenant, before.device)
    assert tenant.known(deviceId=before.device) == before.user


@cases(
    "holder, sent, pointer, code",
    ("backend without a device", "backend", {}, "/deviceId", "invalid-device-id"),
    ("malformed device", "backend", {"deviceId": "d"}, "/deviceId", "invalid-device-id"),
    ("another's device", "visitor", {"deviceId": "d"}, "/deviceId", "not-this-device"),
    ("text for a truth", "visitor", {"clear": "true"}, "/clear", "not-a-boolean"),
    ("null", "visitor", {"clear": None}, "/clear", "null"),
    ("unknown member", "visitor", {"clears": True}, "/clears", "unknown"),
)
def test_a_malformed_call_is_refused(tenant, holder, sent, pointer, code):
    key = tenant.sk if holder == "backend" else visit(tenant).token
    assert refused_fields(tenant.call("POST", "/v1/clearAnonymousUser", key, sent)) == [(pointer, code)]
