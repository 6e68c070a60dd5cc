"""An id that is not the caller's is answered as one that nobody has, byte for byte, and changes nothing."""

import re
from urllib.parse import quote

import pytest

from service.store.tables import TABLES
from tests.support.cases import cases
from tests.support.tenants import Tenant

ZEROS = "0" * 32

CONVERSATION_CALLS = (
    ("GET", "/v1/conversations/<id>", None),
    ("PATCH", "/v1/conversations/<id>", {"status": "resolved"}),
    ("GET", "/v1/conversations/<id>/messages", None),
    ("POST", "/v1/conversations/<id>/messages", {"body": "Hello"}),
    ("POST", "/v1/conversations/<id>/read", None),
)
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
    ("DELETE", "/v1/users/<id>", None),
)
MERGE_CALLS = (("GET", "/v1/merges/<id>", None), ("DELETE", "/v1/merges/<id>", None))
KEY_CALLS = (("DELETE", "/v1/apps/<id>/keys/<key>", None),)

# How an id may be malformed, given one that is the caller's own: as text, before it is percent-encoded.
MALFORMED = {
    "nul": lambda own: "\0",
    "nul-last": lambda own: own + "\0",
    "nul-inside": lambda own: own[:8] + "\0" + own[9:],
    "slash": lambda own: "a/b",
    "slash-first": lambda own: "/" + own,
    "slashes-first": lambda own: "///" + own,
    "slash-last": lambda own: own + "/",
    "slash-inside": lambda own: own[:8] + "/" + own[9:],
    "backslash": lambda own: own + "\\",
    "dot": lambda own: "./" + own,
    "dots": lambda own: "x/../" + own,
    "very-long": lambda own: own + "0" * 8000,
    "one-more": lambda own: own + "0",
    "one-less": lambda own: own[:-1],
    "prefix-alone": lambda own: own[:4],
    "no-prefix": lambda own: own[4:],
    "twice": lambda own: own + own,
    "accent": lambda own: "ü",
    "astral": lambda own: "\N{ADULT}",
    "accented": lambda own: own + "\N{COMBINING ACUTE ACCENT}",
    "full-width": lambda own: own[:4] + "\N{FULLWIDTH DIGIT ZERO}" * 32,
    "other-digits": lambda own: own[:4] + "\N{ARABIC-INDIC DIGIT ZERO}" * 32,
    "upper-case-hex": lambda own: own[:4] + own[4:].upper(),
    "upper-case-prefix": lambda own: own[:4].upper() + own[4:],
    "dashes": lambda own: f"{own[:12]}-{own[12:16]}-{own[16:20]}-{own[20:24]}-{own[24:]}",
    "space-first": lambda own: " " + own,
    "space-last": lambda own: own + " ",
    "line-feed-last": lambda own: own + "\n",
    "invisible": lambda own: own + "\N{ZERO WIDTH SPACE}",
    "no-character": lambda own: own + "\uffff",
    "percent": lambda own: "%",
    "encoded-twice": lambda own: own.replace("_", "%5F"),
    "query": lambda own: own + "?",
    "fragment": lambda own: own + "#",
    "parameters": lambda own: own + ";v=1",
    "like": lambda own: own[:-1] + "%",
    "underscore": lambda own: own[:-1] + "_",
    "sql": lambda own: "' OR 1=1 --",
    "null": lambda own: "null",
    "number": lambda own: "1",
    "negative": lambda own: "-1",
    "star": lambda own: "*",
    "json": lambda own: '{"$ne": null}',
}  # fmt: skip


def malformed(own):
    return {how: spoil(own) for how, spoil in MALFORMED.items()}


def title(call):
    return " ".join(call[:2])


class World:
    """An app with two users, another app with one, and a conversation of each; the caller is Jane."""

    def __init__(self, tenant, other_tenant):
        self.tenant, self.other = tenant, other_tenant
        jane, mike = tenant.login(userId="jane"), tenant.login(userId="mike")
        there = other_tenant.login(userId="jane")
        self.keys = {"user": jane["session"]["token"], "agent": tenant.sk}
        self.own = tenant.begin(jane["session"]["token"])
        self.mikes = tenant.begin(mike["session"]["token"])
        self.theirs = other_tenant.begin(there["session"]["token"])
        self.users = {"own": jane["user"]["id"], "mikes": mike["user"]["id"], "theirs": there["user"]["id"]}
        self.devices = {"own": jane["deviceId"], "mikes": mike["deviceId"], "theirs": there["deviceId"]}

    def first_message(self, id):
        """The id of a conversation's message, as its own app's agent sees it."""
        tenant = self.other if id == self.theirs else self.tenant
        return tenant.call("GET", f"/v1/conversations/{id}/messages", tenant.sk).json["data"][0]["id"]


@pytest.fixture(scope="module")
def world(app, config):
    """One for all tests here, which change nothing of it."""
    return World(*(Tenant.create(app.test_client(), config.admin_key) for _ in range(2)))


@pytest.fixture
def untouched(store, world):
    """Compare all rows of both apps with what they were, but for when a credential was last used."""

    def rows():
        return {
            (table, each.id): sorted(store.database.rows(table.select(*columns).where(table.app == each.id)))
            for table, columns in COLUMNS.items()
            for each in (world.tenant, world.other)
        }

    before = rows()
    return lambda: rows() == before


COLUMNS = {
    table: [field for field in table._meta.sorted_fields if field.name not in ("last_used_at", "used_at")]
    for table in TABLES
}


def answered(response):
    """An answer without what is each request's own."""
    headers = {name: value for name, value in response.headers if name != "X-Request-Id"}
    return response.status_code, re.sub(rb'"requestId":\s*"[0-9a-f]{32}"', b"", response.data), headers


def make(tenant, key, call, *ids):
    """Make a call with ids in its path, percent-encoded; answer what it was answered."""
    method, path, sent = call
    for id in ids:
        path = re.sub("<[a-z]+>", lambda _, id=id: quote(id, safe=""), path, count=1)
    return answered(tenant.call(method, path, key, sent, Idempotency_Key="k-1"))


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

    calls = CONVERSATION_CALLS + USER_CALLS + MERGE_CALLS + APP_CALLS + KEY_CALLS
    assert routes == {(method, rule) for method, rule, _ in calls}


# --- conversations ---
def test_ones_own_is_found_on_every_route(tenant):
    jane = tenant.session(userId="jane")
    assert statuses(call_all(tenant, jane, CONVERSATION_CALLS, tenant.begin(jane))) == {200, 201, 204}


@cases(
    "side, foreign",
    ("another-users", "user", lambda world: world.mikes),
    ("another-apps", "user", lambda world: world.theirs),
    ("another-apps-to-agents", "agent", lambda world: world.theirs),
    ("random", "user", lambda world: f"cnv_{'f' * 32}"),
    ("random-to-agents", "agent", lambda world: f"cnv_{'f' * 32}"),
    ("ones-own-user", "user", lambda world: world.users["own"]),
    ("a-user-to-agents", "agent", lambda world: world.users["own"]),
    ("a-message", "user", lambda world: world.first_message(world.own)),
    ("the-app-to-agents", "agent", lambda world: world.tenant.id),
    ("ones-own-device", "user", lambda world: world.devices["own"]),
)
def test_a_foreign_conversation_is_answered_as_an_unknown_one(world, untouched, side, foreign):
    id, key = foreign(world), world.keys[side]
    unknown = call_all(world.tenant, key, CONVERSATION_CALLS, f"cnv_{ZEROS}")
    found = call_all(world.tenant, key, CONVERSATION_CALLS, id)
    assert found == unknown
    assert statuses(found) == {404}
    assert untouched()


@pytest.mark.parametrize("side", ["user", "agent"])
@pytest.mark.parametrize("call", CONVERSATION_CALLS, ids=title)
def test_a_malformed_conversation_is_answered_as_an_unknown_one(world, untouched, side, call):
    key = world.keys[side]
    unknown = make(world.tenant, key, call, f"cnv_{ZEROS}")
    found = {how: make(world.tenant, key, call, id) for how, id in malformed(world.own).items()}
    assert found == dict.fromkeys(MALFORMED, unknown)
    assert unknown[0] == 404
    assert untouched()


@pytest.mark.parametrize("path", ["%FF%FE", "%C3", "%ED%A0%80", "%", "%0", "%GG", "%u0000"])
def test_a_path_that_is_no_text_is_answered_as_an_unknown_id(world, path):
    tenant, key = world.tenant, world.keys["user"]
    unknown = answered(tenant.call("GET", f"/v1/conversations/cnv_{ZEROS}", key))
    assert answered(tenant.call("GET", f"/v1/conversations/{path}", key)) == unknown


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


# --- users and merges in paths ---
@pytest.mark.parametrize("call", USER_CALLS, ids=title)
def test_a_user_who_is_none_is_answered_as_an_unknown_one(world, untouched, call):
    unknown = make(world.tenant, world.tenant.sk, call, f"usr_{ZEROS}")
    foreign = malformed(world.users["own"]) | {
        "another-apps": world.users["theirs"],
        "random": f"usr_{'f' * 32}",
        "a-conversation": world.own,
        "a-user-id": "jane",
    }

    found = {how: make(world.tenant, world.tenant.sk, call, id) for how, id in foreign.items()}

    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert untouched()


@pytest.fixture(scope="module")
def merged(world):
    """A merge of the other app."""
    there = world.other
    one, two = (there.login(userId=user_id)["user"]["id"] for user_id in ("merged-1", "merged-2"))
    return there.call("POST", "/v1/merges", there.sk, {"from": one, "into": two}).json["id"]


@pytest.mark.parametrize("call", MERGE_CALLS, ids=title)
def test_a_merge_that_is_none_is_answered_as_an_unknown_one(world, merged, untouched, call):
    unknown = make(world.tenant, world.tenant.sk, call, f"mrg_{ZEROS}")
    foreign = malformed(merged) | {"another-apps": merged, "random": f"mrg_{'f' * 32}", "a-user": world.own}
    found = {how: make(world.tenant, world.tenant.sk, call, id) for how, id in foreign.items()}
    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert untouched()


@pytest.mark.parametrize("side", ["from", "into"])
def test_a_foreign_user_is_not_merged(world, untouched, side):
    other = {"from": "into", "into": "from"}[side]
    foreign = malformed(world.users["mikes"]) | {
        "another-apps": world.users["theirs"],
        "random": f"usr_{'f' * 32}",
    }

    def ask_for(id):
        sent = {side: id, other: world.users["own"]}
        return answered(world.tenant.call("POST", "/v1/merges", world.tenant.sk, sent))

    unknown = ask_for(f"usr_{ZEROS}")

    found = {how: ask_for(id) for how, id in foreign.items()}

    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert untouched()


# --- users and messages, in queries and bodies ---
def ask(tenant, key, path, **query):
    return tenant.client.get(path, query_string=query, headers={"Authorization": f"Bearer {key}"})


def begin_with(tenant, key, id):
    sent = {"user": id, "message": "Hello"}
    return answered(tenant.call("POST", "/v1/conversations", key, sent, Idempotency_Key="k-1"))


def list_of(tenant, key, id):
    return answered(ask(tenant, key, "/v1/conversations", user=id))


def filtered_list_of(tenant, key, id):
    return answered(ask(tenant, key, "/v1/conversations", user=id, status="open", limit=1))


NAMING_USERS = cases("name", ("begin", begin_with), ("list", list_of), ("filtered-list", filtered_list_of))


@NAMING_USERS
def test_a_foreign_user_is_answered_as_an_unknown_one(world, untouched, name):
    foreign = malformed(world.users["own"]) | {
        "another-apps": world.users["theirs"],
        "random": f"usr_{'f' * 32}",
        "a-conversation": world.own,
        "a-user-id": "jane",
        "empty": "",
    }
    unknown = name(world.tenant, world.tenant.sk, f"usr_{ZEROS}")

    found = {how: name(world.tenant, world.tenant.sk, id) for how, id in foreign.items()}

    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert untouched()


@NAMING_USERS
def test_a_user_who_names_users_does_not_learn_who_there_is(world, untouched, name):
    unknown = name(world.tenant, world.keys["user"], f"usr_{ZEROS}")
    found = {whose: name(world.tenant, world.keys["user"], id) for whose, id in world.users.items()}
    assert found == dict.fromkeys(world.users, unknown)
    assert unknown[0] == 422
    assert untouched()


@pytest.mark.parametrize("side", ["user", "agent"])
def test_a_foreign_message_is_answered_as_an_unknown_one(world, side):
    key, path = world.keys[side], f"/v1/conversations/{world.own}/messages"
    foreign = malformed(world.first_message(world.own)) | {
        "another-users": world.first_message(world.mikes),
        "another-apps": world.first_message(world.theirs),
        "the-conversation": world.own,
        "empty": "",
    }
    unknown = answered(ask(world.tenant, key, path, after=f"msg_{ZEROS}"))

    found = {how: answered(ask(world.tenant, key, path, after=id)) for how, id in foreign.items()}

    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 422


# --- apps and keys ---
@pytest.mark.parametrize("call", APP_CALLS + KEY_CALLS, ids=title)
def test_an_app_that_is_none_is_answered_as_an_unknown_one(world, untouched, call):
    tenant = world.tenant
    [key, *_] = keys_of(tenant)
    foreign = malformed(tenant.id) | {
        "random": f"app_{'f' * 32}",
        "a-user": f"usr_{tenant.id[4:]}",
        "a-key": key,
    }
    unknown = make(tenant, tenant.admin_key, call, f"app_{ZEROS}", key)

    found = {how: make(tenant, tenant.admin_key, call, id, key) for how, id in foreign.items()}

    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert untouched()


def test_a_foreign_key_is_answered_as_an_unknown_one(world, untouched):
    tenant, [call] = world.tenant, KEY_CALLS
    [own, *_], [theirs, *_] = keys_of(tenant), keys_of(world.other)
    foreign = malformed(own) | {"another-apps": theirs, "random": f"key_{'f' * 32}", "the-app": tenant.id}
    unknown = make(tenant, tenant.admin_key, call, tenant.id, f"key_{ZEROS}")

    found = {how: make(tenant, tenant.admin_key, call, tenant.id, id) for how, id in foreign.items()}

    assert found == dict.fromkeys(foreign, unknown)
    assert unknown[0] == 404
    assert untouched()


def keys_of(tenant):
    return [
        key["id"] for key in tenant.call("GET", f"/v1/apps/{tenant.id}/keys", tenant.admin_key).json["data"]
    ]


# --- devices, and whom a logout names ---
@cases(
    "sent",
    ("another-apps-user", lambda world: {"user": world.users["theirs"]}),
    ("upper-case", lambda world: {"user": world.users["own"].upper()}),
    ("nul", lambda world: {"user": world.users["own"] + "\0"}),
    ("a-conversation", lambda world: {"user": world.own}),
    ("unknown-user", lambda world: {"user": f"usr_{ZEROS}"}),
    ("other-case", lambda world: {"userId": "JANE"}),
    ("user-id-and-nul", lambda world: {"userId": "jane\0"}),
    ("surrogate", lambda world: {"userId": "\ud800"}),
    ("very-long", lambda world: {"userId": "x" * 50_000}),
    ("our-id-as-user-id", lambda world: {"userId": world.users["own"]}),
    ("another-apps-device", lambda world: {"deviceId": world.devices["theirs"]}),
    ("device-upper-case", lambda world: {"deviceId": world.devices["own"].upper()}),
    ("device-and-nul", lambda world: {"deviceId": world.devices["own"] + "\0"}),
    ("short-device", lambda world: {"deviceId": "short"}),
)
def test_a_logout_of_whom_nobody_knows_ends_no_session(world, untouched, sent):
    unknown = answered(world.tenant.call("POST", "/v1/logout", world.tenant.sk, {"userId": "nobody"}))
    found = answered(world.tenant.call("POST", "/v1/logout", world.tenant.sk, sent(world)))
    assert found == unknown
    assert found[0] == 204
    assert untouched()


def test_a_widget_is_told_of_another_apps_device_what_it_is_told_of_an_unknown_one(world, untouched):
    unknown = answered(world.tenant.try_login(key=world.tenant.pk, deviceId="dev_" + "A" * 43))
    found = answered(world.tenant.try_login(key=world.tenant.pk, deviceId=world.devices["theirs"]))
    assert found == unknown
    assert found[0] == 422
    assert untouched()


@pytest.mark.parametrize("whose", ["mikes", "theirs"])
def test_a_session_is_told_of_another_device_what_it_is_told_of_an_unknown_one(world, untouched, whose):
    path, key = "/v1/clearAnonymousUser", world.keys["user"]
    unknown = answered(world.tenant.call("POST", path, key, {"deviceId": "dev_" + "A" * 43}))
    found = answered(world.tenant.call("POST", path, key, {"deviceId": world.devices[whose]}))
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
    assert tenant.login(deviceId=shared)["user"]["id"] == here["user"]["id"]
