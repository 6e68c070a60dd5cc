"""An id that is not the caller's is answered as one that nobody has, byte for byte, and changes nothing."""

import re
from urllib.parse import quote

import pytest

from tests.support.attachments import written
from tests.support.cases import cases
from tests.support.rows import rows_of
from tests.support.tenants import Tenant

ZEROS = "0" * 32

CONVERSATION_CALLS = (
    ("GET", "/v1/conversations/<id>", None),
    ("PATCH", "/v1/conversations/<id>", {"status": "resolved"}),
    ("GET", "/v1/conversations/<id>/messages", None),
    ("POST", "/v1/conversations/<id>/messages", {"body": "Hello"}),
    ("POST", "/v1/conversations/<id>/read", None),
    ("POST", "/v1/conversations/<id>/attachments", "any bytes"),
)
ATTACHMENT_CALLS = (("GET", "/v1/attachments/<id>", None),)
APP_CALLS = (
    ("GET", "/v1/apps/<id>", None),
    ("PATCH", "/v1/apps/<id>", {"name": "Mine"}),
    ("DELETE", "/v1/apps/<id>", None),
    ("GET", "/v1/apps/<id>/keys", None),
    ("POST", "/v1/apps/<id>/keys", {"kind": "secret"}),
)
USER_CALLS = (
    ("GET", "/v1/users/<id>", None),
    ("PATCH", "/v1/users/<id>", {"name": "Mine"}),
    ("GET", "/v1/users/<id>/history", None),
    ("GET", "/v1/users/<id>/export", None),
    ("POST", "/v1/users/<id>/aliases", {"userId": "mine"}),
    ("PUT", "/v1/users/<id>/userId", {"userId": "mine", "keep": True}),
    ("DELETE", "/v1/users/<id>/aliases", {"userId": "jane"}),
    ("DELETE", "/v1/users/<id>", None),
)
MERGE_CALLS = (("GET", "/v1/merges/<id>", None), ("DELETE", "/v1/merges/<id>", None))
WEBHOOK_CALLS = (
    ("GET", "/v1/webhooks/<id>", None),
    ("PATCH", "/v1/webhooks/<id>", {"enabled": False}),
    ("DELETE", "/v1/webhooks/<id>", None),
    ("POST", "/v1/webhooks/<id>/secrets", None),
    ("DELETE", "/v1/webhooks/<id>/secrets/<secret>", None),
    ("POST", "/v1/webhooks/<id>/test", None),
    ("GET", "/v1/webhooks/<id>/deliveries", None),
    ("POST", "/v1/webhooks/<id>/deliveries/<event>", None),
)
KEY_CALLS = (("DELETE", "/v1/apps/<id>/keys/<key>", None),)


def malformed(own):
    """How an id may be malformed, given one that is the caller's own; as text, not percent-encoded yet."""
    return [
        "\0", own + "\0", own[:8] + "\0" + own[9:], "/" + own, own + "/", own[:8] + "/" + own[9:], own + "\\",
        "x/../" + own, own + "0" * 8000, own + "0", own[:-1], own[:4], own[4:], "ü", "\N{ADULT}",
        own + "\N{COMBINING ACUTE ACCENT}", own[:4] + "\N{FULLWIDTH DIGIT ZERO}" * 32,
        own[:4] + own[4:].upper(), own[:4].upper() + own[4:], " " + own, own + " ", own + "\n",
        own + "\N{ZERO WIDTH SPACE}", own + "\uffff", own.replace("_", "%5F"), own + "?", own[:-1] + "%",
        own[:-1] + "_", "' OR 1=1 --", "null",
    ]  # fmt: skip


def title(call):
    return " ".join(call[:2])


class TwoApps:
    """An app with two users, another app with one, and a conversation of each; the caller is Jane."""

    def __init__(self, tenant, other_tenant):
        self.tenant, self.other = tenant, other_tenant
        jane, mike = tenant.login(userId="jane"), tenant.login(userId="mike")
        there = other_tenant.login(userId="jane")
        self.keys = {"user": jane["session"]["token"], "agent": tenant.sk}
        self.own = tenant.begin(jane["session"]["token"])
        self.mikes = tenant.begin(mike["session"]["token"])
        self.theirs = other_tenant.begin(there["session"]["token"])
        self.attachments = {
            "own": written(tenant, self.own, jane["session"]["token"]),
            "mikes": written(tenant, self.mikes, mike["session"]["token"]),
            "theirs": written(other_tenant, self.theirs, there["session"]["token"]),
        }
        self.users = {"own": jane["user"]["id"], "mikes": mike["user"]["id"], "theirs": there["user"]["id"]}
        self.devices = {"own": jane["deviceId"], "mikes": mike["deviceId"], "theirs": there["deviceId"]}

    def first_message(self, id):
        """The id of a conversation's message, as its own app's agent sees it."""
        tenant = self.other if id == self.theirs else self.tenant
        return tenant.messages(id)[0]["id"]


@pytest.fixture(scope="module")
def apps(app, config):
    """One for all tests here, which change nothing of it."""
    return TwoApps(*(Tenant.create(app.test_client(), config.admin_key) for _ in range(2)))


@pytest.fixture
def untouched(store, apps):
    """Compare all rows of both apps with what they were, but for when a credential was last used."""

    def rows():
        return [rows_of(store, each.id) for each in (apps.tenant, apps.other)]

    before = rows()
    return lambda: rows() == before


def answered(response):
    """An answer without what is each request's own."""
    headers = {name: value for name, value in response.headers if name != "X-Request-Id"}
    return response.status_code, re.sub(rb'"requestId":\s*"[0-9a-f]{32}"', b"", response.data), headers


def make(tenant, key, call, *ids):
    """Make a call with ids in its path, percent-encoded; return what it was answered."""
    method, path, sent = call
    once = f"{method}:{path}"
    for id in ids:
        path = re.sub("<[a-z]+>", lambda _, id=id: quote(id, safe=""), path, count=1)
    return answered(tenant.call(method, path, key, sent, Idempotency_Key=once))


def call_all(tenant, key, calls, *ids):
    return {title(call): make(tenant, key, call, *ids) for call in calls}


def statuses(answers):
    return {status for status, *_ in answers.values()}


def test_every_route_with_an_id_in_its_path_is_looked_at(app):
    routes = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.arguments and rule.rule.startswith("/v1/") and not rule.endpoint.startswith("revenuecat.")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    calls = (
        CONVERSATION_CALLS
        + ATTACHMENT_CALLS
        + USER_CALLS
        + MERGE_CALLS
        + WEBHOOK_CALLS
        + APP_CALLS
        + KEY_CALLS
    )
    assert routes == {(method, rule) for method, rule, _ in calls}


def test_ones_own_is_found_on_every_route(tenant):
    jane = tenant.session(userId="jane")
    assert statuses(call_all(tenant, jane, CONVERSATION_CALLS, tenant.begin(jane))) == {200, 201, 204}


@cases(
    "side, foreign",
    ("another-users", "user", lambda apps: apps.mikes),
    ("another-apps", "user", lambda apps: apps.theirs),
    ("another-apps-to-agents", "agent", lambda apps: apps.theirs),
    ("random", "user", lambda apps: f"cnv_{'f' * 32}"),
    ("random-to-agents", "agent", lambda apps: f"cnv_{'f' * 32}"),
    ("ones-own-user", "user", lambda apps: apps.users["own"]),
    ("a-user-to-agents", "agent", lambda apps: apps.users["own"]),
    ("a-message", "user", lambda apps: apps.first_message(apps.own)),
    ("the-app-to-agents", "agent", lambda apps: apps.tenant.id),
    ("ones-own-device", "user", lambda apps: apps.devices["own"]),
)
def test_a_foreign_conversation_is_answered_as_an_unknown_one(apps, untouched, side, foreign):
    id, key = foreign(apps), apps.keys[side]
    unknown = call_all(apps.tenant, key, CONVERSATION_CALLS, f"cnv_{ZEROS}")
    found = call_all(apps.tenant, key, CONVERSATION_CALLS, id)
    assert found == unknown
    assert statuses(found) == {404}
    assert untouched()


@pytest.mark.parametrize("side", ["user", "agent"])
@pytest.mark.parametrize("call", CONVERSATION_CALLS, ids=title)
def test_a_malformed_conversation_is_answered_as_an_unknown_one(apps, untouched, side, call):
    key = apps.keys[side]
    unknown = make(apps.tenant, key, call, f"cnv_{ZEROS}")
    found = {id: make(apps.tenant, key, call, id) for id in malformed(apps.own)}
    assert found == dict.fromkeys(malformed(apps.own), unknown)
    assert unknown[0] == 404
    assert untouched()


@pytest.mark.parametrize("side", ["user", "agent"])
def test_a_foreign_attachment_is_answered_as_an_unknown_one(apps, untouched, side):
    (call,), key = ATTACHMENT_CALLS, apps.keys[side]
    unknown = make(apps.tenant, key, call, f"att_{ZEROS}")
    foreign = [*malformed(apps.attachments["own"]), apps.attachments["theirs"], apps.own, f"att_{'f' * 32}"]
    # An agent sees all of their app.
    foreign += [apps.attachments["mikes"]] if side == "user" else []
    found = {id: make(apps.tenant, key, call, id) for id in foreign}
    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert make(apps.tenant, key, call, apps.attachments["own"])[0] == 200
    assert untouched()


@pytest.mark.parametrize("path", ["%FF%FE", "%C3", "%ED%A0%80", "%", "%0", "%GG", "%u0000"])
def test_a_path_that_is_no_text_is_answered_as_an_unknown_id(apps, path):
    tenant, key = apps.tenant, apps.keys["user"]
    unknown = answered(tenant.get(f"/v1/conversations/cnv_{ZEROS}", key))
    assert answered(tenant.get(f"/v1/conversations/{path}", key)) == unknown


def test_what_was_another_users_before_a_merge_is_foreign_no_more_and_no_sooner(tenant):
    tenant.set(anonymousOnLogin="merge")
    device = tenant.login()
    id = tenant.begin(device["session"]["token"])
    elsewhere = tenant.session(userId="jane")
    before = call_all(tenant, elsewhere, CONVERSATION_CALLS, id)
    tenant.login(deviceId=device["deviceId"], userId="jane")
    assert statuses(before) == {404}
    assert statuses(call_all(tenant, elsewhere, CONVERSATION_CALLS, id)) == {200, 201, 204}


def test_a_cleared_users_conversation_is_as_unknown_on_its_own_device(tenant):
    tenant.set(anonymousOnLogin="clear")
    device = tenant.login()
    id = tenant.begin(device["session"]["token"])
    jane = tenant.session(deviceId=device["deviceId"], userId="jane")
    unknown = call_all(tenant, jane, CONVERSATION_CALLS, f"cnv_{ZEROS}")
    assert call_all(tenant, jane, CONVERSATION_CALLS, id) == unknown


@pytest.mark.parametrize("call", USER_CALLS, ids=title)
def test_a_user_who_is_none_is_answered_as_an_unknown_one(apps, untouched, call):
    unknown = make(apps.tenant, apps.tenant.sk, call, f"usr_{ZEROS}")
    foreign = [*malformed(apps.users["own"]), apps.users["theirs"], f"usr_{'f' * 32}", apps.own, "jane"]
    found = {id: make(apps.tenant, apps.tenant.sk, call, id) for id in foreign}
    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert untouched()


@pytest.fixture(scope="module")
def merged(apps):
    """A merge of the other app."""
    there = apps.other
    one, two = (there.login(userId=user_id)["user"]["id"] for user_id in ("merged-1", "merged-2"))
    return there.call("POST", "/v1/merges", there.sk, {"from": one, "into": two}).json["id"]


@pytest.mark.parametrize("call", MERGE_CALLS, ids=title)
def test_a_merge_that_is_none_is_answered_as_an_unknown_one(apps, merged, untouched, call):
    unknown = make(apps.tenant, apps.tenant.sk, call, f"mrg_{ZEROS}")
    foreign = [*malformed(merged), merged, f"mrg_{'f' * 32}", apps.own]
    found = {id: make(apps.tenant, apps.tenant.sk, call, id) for id in foreign}
    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert untouched()


@pytest.fixture(scope="module")
def webhooks(apps):
    """A webhook of each app, with its secret, and an event that was delivered there."""

    def made(tenant):
        url = {"url": "https://shop.example.org/"}
        hook = tenant.call("POST", "/v1/webhooks", tenant.sk, url).json
        id = hook["webhook"]["id"]
        event = tenant.call("POST", f"/v1/webhooks/{id}/test", tenant.sk).json["event"]
        return id, hook["secret"]["id"], event

    return made(apps.tenant), made(apps.other)


@pytest.mark.parametrize("call", WEBHOOK_CALLS, ids=title)
def test_a_webhook_that_is_none_is_answered_as_an_unknown_one(apps, webhooks, untouched, call):
    (own, _, _), (theirs, secret, event) = webhooks
    part = secret if "<secret>" in call[1] else event
    unknown = make(apps.tenant, apps.tenant.sk, call, f"whk_{ZEROS}", part)
    foreign = [*malformed(own), theirs, f"whk_{'f' * 32}", apps.own]
    found = {id: make(apps.tenant, apps.tenant.sk, call, id, part) for id in foreign}
    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert untouched()


@pytest.mark.parametrize("call", [call for call in WEBHOOK_CALLS if call[1].count("<") > 1], ids=title)
def test_another_webhooks_secret_or_delivery_is_answered_as_an_unknown_one(apps, webhooks, untouched, call):
    (own, *mine), (_, *theirs) = webhooks
    which = 0 if "<secret>" in call[1] else 1
    unknown = make(apps.tenant, apps.tenant.sk, call, own, f"{mine[which][:4]}{ZEROS}")
    foreign = [*malformed(mine[which]), theirs[which], apps.own]
    found = {id: make(apps.tenant, apps.tenant.sk, call, own, id) for id in foreign}
    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert untouched()


@pytest.mark.parametrize("side", ["from", "into"])
def test_a_foreign_user_is_not_merged(apps, untouched, side):
    other = {"from": "into", "into": "from"}[side]
    foreign = [*malformed(apps.users["mikes"]), apps.users["theirs"], f"usr_{'f' * 32}"]

    def ask_for(id):
        sent = {side: id, other: apps.users["own"]}
        return answered(apps.tenant.call("POST", "/v1/merges", apps.tenant.sk, sent))

    unknown = ask_for(f"usr_{ZEROS}")

    found = {id: ask_for(id) for id in foreign}

    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert untouched()


NAMING_USERS = cases(
    "name",
    ("begin", lambda t, key, id: t.call("POST", "/v1/conversations", key, {"user": id, "message": "Hello"})),
    ("list", lambda t, key, id: t.get("/v1/conversations", key, user=id)),
    ("filtered list", lambda t, key, id: t.get("/v1/conversations", key, user=id, status="open", limit=1)),
)


@NAMING_USERS
def test_a_foreign_user_is_answered_as_an_unknown_one(apps, untouched, name):
    foreign = [*malformed(apps.users["own"]), apps.users["theirs"], f"usr_{'f' * 32}", apps.own, "jane", ""]
    unknown = answered(name(apps.tenant, apps.tenant.sk, f"usr_{ZEROS}"))
    found = {id: answered(name(apps.tenant, apps.tenant.sk, id)) for id in foreign}
    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert untouched()


@NAMING_USERS
def test_a_user_who_names_users_does_not_learn_who_there_is(apps, untouched, name):
    unknown = answered(name(apps.tenant, apps.keys["user"], f"usr_{ZEROS}"))
    found = {whose: answered(name(apps.tenant, apps.keys["user"], id)) for whose, id in apps.users.items()}
    assert found == dict.fromkeys(apps.users, unknown)
    assert unknown[0] == 422
    assert untouched()


@pytest.mark.parametrize("side", ["user", "agent"])
def test_a_foreign_message_is_answered_as_an_unknown_one(apps, side):
    key, path = apps.keys[side], f"/v1/conversations/{apps.own}/messages"
    foreign = [
        *malformed(apps.first_message(apps.own)),
        apps.first_message(apps.mikes),
        apps.first_message(apps.theirs),
        apps.own,
        "",
    ]
    unknown = answered(apps.tenant.get(path, key, after=f"msg_{ZEROS}"))
    found = {id: answered(apps.tenant.get(path, key, after=id)) for id in foreign}

    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 422


@pytest.mark.parametrize("call", APP_CALLS + KEY_CALLS, ids=title)
def test_an_app_that_is_none_is_answered_as_an_unknown_one(apps, untouched, call):
    tenant = apps.tenant
    [key, *_] = keys_of(tenant)
    foreign = [*malformed(tenant.id), f"app_{'f' * 32}", f"usr_{tenant.id[4:]}", key]
    unknown = make(tenant, tenant.admin_key, call, f"app_{ZEROS}", key)
    found = {id: make(tenant, tenant.admin_key, call, id, key) for id in foreign}
    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert untouched()


def test_a_foreign_key_is_answered_as_an_unknown_one(apps, untouched):
    tenant, [call] = apps.tenant, KEY_CALLS
    [own, *_], [theirs, *_] = keys_of(tenant), keys_of(apps.other)
    foreign = [*malformed(own), theirs, f"key_{'f' * 32}", tenant.id]
    unknown = make(tenant, tenant.admin_key, call, tenant.id, f"key_{ZEROS}")
    found = {id: make(tenant, tenant.admin_key, call, tenant.id, id) for id in foreign}
    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert untouched()


def keys_of(tenant):
    return [key["id"] for key in tenant.list_keys()]


@cases(
    "sent",
    ("another-apps-user", lambda apps: {"user": apps.users["theirs"]}),
    ("upper-case", lambda apps: {"user": apps.users["own"].upper()}),
    ("nul", lambda apps: {"user": apps.users["own"] + "\0"}),
    ("unknown-user", lambda apps: {"user": f"usr_{ZEROS}"}),
    ("surrogate", lambda apps: {"userId": "\ud800"}),
    ("our-id-as-user-id", lambda apps: {"userId": apps.users["own"]}),
    ("another-apps-device", lambda apps: {"deviceId": apps.devices["theirs"]}),
    ("device-and-nul", lambda apps: {"deviceId": apps.devices["own"] + "\0"}),
    ("short-device", lambda apps: {"deviceId": "short"}),
    ("unknown-device", lambda apps: {"deviceId": "device-nobody-has-seen-1"}),
    ("placeholder", lambda apps: {"userId": "null"}),
    ("id-and-surrogate", lambda apps: {"user": "usr_\x00\ud800"}),
)
def test_a_logout_of_whom_nobody_knows_ends_no_session(apps, untouched, sent):
    unknown = answered(apps.tenant.call("POST", "/v1/logout", apps.tenant.sk, {"userId": "nobody"}))
    found = answered(apps.tenant.call("POST", "/v1/logout", apps.tenant.sk, sent(apps)))
    assert found == unknown
    assert found[0] == 204
    assert untouched()


def test_a_widget_is_told_of_another_apps_device_what_it_is_told_of_an_unknown_one(apps, untouched):
    unknown = answered(apps.tenant.try_login(key=apps.tenant.pk, deviceId="dev_" + "A" * 43))
    found = answered(apps.tenant.try_login(key=apps.tenant.pk, deviceId=apps.devices["theirs"]))
    assert found == unknown
    assert found[0] == 422
    assert untouched()


@pytest.mark.parametrize("whose", ["mikes", "theirs"])
def test_a_session_is_told_of_another_device_what_it_is_told_of_an_unknown_one(apps, untouched, whose):
    path, key = "/v1/clearAnonymousUser", apps.keys["user"]
    unknown = answered(apps.tenant.call("POST", path, key, {"deviceId": "dev_" + "A" * 43}))
    found = answered(apps.tenant.call("POST", path, key, {"deviceId": apps.devices[whose]}))
    assert found == unknown
    assert found[0] == 422
    assert untouched()


def test_one_device_id_in_two_apps_is_two_devices(tenant, other_tenant):
    shared = "one-device-of-two-apps"
    here, there = tenant.login(deviceId=shared), other_tenant.login(deviceId=shared)
    id = tenant.begin(here["session"]["token"])
    other_tenant.call("POST", "/v1/clearAnonymousUser", other_tenant.sk, {"deviceId": shared})
    other_tenant.call("POST", "/v1/logout", other_tenant.sk, {"deviceId": shared})
    other_tenant.login(deviceId=shared, userId="jane")

    assert here["user"]["id"] != there["user"]["id"]
    assert tenant.conversations(here["session"]["token"]) == [id]
    tenant.login(deviceId=shared, userId="jane")
    tenant.call("POST", "/v1/logout", tenant.sk, {"deviceId": shared})
    assert tenant.known(deviceId=shared) == here["user"]["id"]
