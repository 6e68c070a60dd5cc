"""Apps, their settings and their keys: what the operator may do, and what is gone after."""

import re

import pytest
import time_machine

from service.desk.imports import receive
from service.encryption import Encryption
from service.model.imports import Options
from service.store.tables import Attempts, Deliveries
from tests.support.attachments import sent
from tests.support.cases import cases
from tests.support.engines import one_engine
from tests.support.responses import refused_fields
from tests.support.rows import add_former_key, rows_of

NOON = 1_800_000_000  # seconds since 1970
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
NOBODYS = "app_" + "0" * 32

DEFAULTS = {
    "identityVerification": "required",
    "anonymousOnLogin": "keep",
    "conversationScope": "user",
    "restoreBehavior": "alias",
    "clientPurchases": "off",
    "revenuecat": "off",
    "origins": [],
    "sessionDays": 30,
    "idleDays": 7,
}
OTHERS = {
    "identityVerification": "off",
    "anonymousOnLogin": "merge-once",
    "conversationScope": "device",
    "restoreBehavior": "transfer",
    "clientPurchases": "on",
    "revenuecat": "on",
    "origins": ["https://shop.example.org", "http://localhost:3000"],
    "sessionDays": 365,
    "idleDays": 1,
}


@pytest.fixture
def operate(client, config):
    """Call as the operator."""

    def call(method, path="", sent=None):
        headers = {"Authorization": f"Bearer {config.admin_key}"}
        return client.open(f"/v1/apps{path}", method=method, json=sent, headers=headers)

    return call


def pointers(refused):
    return [pointer for pointer, _ in refused_fields(refused)]


def new_key(operate, app, kind):
    made = operate("POST", f"/{app}/keys", {"kind": kind})
    assert made.status_code == 201, made.text
    return made.json


def keys(operate, app):
    return {key["id"]: key for key in operate("GET", f"/{app}/keys").json["data"]}


def status_of(client, key):
    """What a secret key is answered."""
    return client.get("/v1/conversations", headers={"Authorization": f"Bearer {key}"}).status_code


# --- apps ---
def test_a_new_app_has_these_members_and_every_setting_at_its_default(operate):
    made = operate("POST", sent={"name": "Shop"})
    assert made.status_code == 201
    id, created_at = made.json["id"], made.json["createdAt"]
    assert re.fullmatch(r"app_[0-9a-f]{32}", id)
    assert TIME.fullmatch(created_at)
    assert made.json == {"id": id, "name": "Shop", "settings": DEFAULTS, "createdAt": created_at}


def test_a_new_app_may_be_given_every_setting(operate):
    made = operate("POST", sent={"name": "Shop", "settings": OTHERS})
    assert made.json["settings"] == OTHERS
    assert operate("GET", f"/{made.json['id']}").json == made.json


def test_showing_and_listing_answer_what_was_made(operate):
    made = [operate("POST", sent={"name": name}).json for name in ("One", "Two")]
    shown = [operate("GET", f"/{app['id']}") for app in made]
    listed = operate("GET")
    assert [(answer.status_code, answer.json) for answer in shown] == [(200, app) for app in made]
    assert listed.status_code == 200
    assert set(listed.json) == {"data"}
    assert [app for app in listed.json["data"] if app in made] == made


def test_apps_are_listed_oldest_first(operate):
    with time_machine.travel(NOON, tick=False) as clock:
        newer = operate("POST", sent={"name": "Newer"}).json["id"]
        clock.shift(-10)
        older = operate("POST", sent={"name": "Older"}).json["id"]
        listed = [app["id"] for app in operate("GET").json["data"]]
    assert listed.index(older) < listed.index(newer)


def test_a_name_changes_and_the_settings_stay(operate):
    app = operate("POST", sent={"name": "Shop", "settings": OTHERS}).json
    changed = operate("PATCH", f"/{app['id']}", {"name": "Store"})
    assert (changed.status_code, changed.json) == (200, app | {"name": "Store"})
    assert operate("GET", f"/{app['id']}").json == changed.json


@pytest.mark.parametrize("name", DEFAULTS)
def test_one_setting_changes_and_everything_else_stays(operate, name):
    app = operate("POST", sent={"name": "Shop"}).json
    changed = operate("PATCH", f"/{app['id']}", {"settings": {name: OTHERS[name]}})
    back = operate("PATCH", f"/{app['id']}", {"settings": {name: DEFAULTS[name]}})
    assert (changed.status_code, changed.json) == (200, app | {"settings": DEFAULTS | {name: OTHERS[name]}})
    assert back.json == app


@pytest.mark.parametrize("sent", [{}, {"settings": {}}], ids=["nothing", "no-settings"])
def test_a_change_of_nothing_changes_nothing(operate, sent):
    app = operate("POST", sent={"name": "Shop", "settings": OTHERS}).json
    changed = operate("PATCH", f"/{app['id']}", sent)
    assert (changed.status_code, changed.json) == (200, app)


@cases(
    "name, stored",
    ("one", "S", "S"),
    ("cut", "s" * 300, "s" * 255),
    ("cut-astral", "\N{ADULT}" * 256, "\N{ADULT}" * 255),
    ("spaces", " Shop ", " Shop "),
    ("accent", "Läden", "Läden"),
    ("controls", "Sh\0p\nand more", "Sh p and more"),
    ("surrogate", "Shop \ud83d", "Shop \ufffd"),
    ("cut-accent", "s" * 254 + "e\u0301", "s" * 254),
)
def test_an_apps_name(operate, name, stored):
    made = operate("POST", sent={"name": name})
    assert (made.status_code, made.json["name"]) == (201, stored)
    assert operate("GET", f"/{made.json['id']}").json["name"] == stored


@cases(
    "sent",
    ("missing", {}),
    ("null", {"name": None}),
    ("empty", {"name": ""}),
    ("controls", {"name": "\0\x1f"}),
    ("number", {"name": 7}),
)
def test_an_app_without_a_proper_name_is_refused(operate, sent):
    before = operate("GET").json
    assert pointers(operate("POST", sent=sent)) == ["/name"]
    assert operate("GET").json == before


@cases(
    "sent, pointer",
    ("id", {"id": NOBODYS}, "/id"),
    ("created-at", {"createdAt": "2026-11-21T09:00:00.000Z"}, "/createdAt"),
    ("settings-array", {"settings": []}, "/settings"),
    ("settings-null", {"settings": None}, "/settings"),
    ("number-as-name", {"name": 7}, "/name"),
)
def test_what_an_app_may_not_be_given_is_refused(operate, sent, pointer):
    app = operate("POST", sent={"name": "Shop"}).json
    refused = [operate("POST", sent={"name": "Shop"} | sent), operate("PATCH", f"/{app['id']}", sent)]
    assert [pointers(answer) for answer in refused] == [[pointer]] * 2
    assert operate("GET", f"/{app['id']}").json == app


# --- settings ---
WORDS = ["", " ", "KEEP", "Off", "yes", True, False, None, 0, ["off"], {"off": "off"}]
DAYS = [0, -1, 366, 10**30, 1.5, True, "30", "", None, [30]]
CHOICES = [name for name, default in DEFAULTS.items() if isinstance(default, str)]


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        *[("identityVerification", word) for word in ("required", "off")],
        *[("anonymousOnLogin", word) for word in ("keep", "clear", "merge", "merge-once")],
        *[("conversationScope", word) for word in ("user", "device")],
        *[("restoreBehavior", word) for word in ("alias", "transfer", "keep")],
        *[("clientPurchases", word) for word in ("on", "off")],
        *[("revenuecat", word) for word in ("on", "off")],
        *[(name, days) for name in ("sessionDays", "idleDays") for days in (1, 365)],
    ],
)
def test_a_setting_is_kept(operate, setting, word):
    app = operate("POST", sent={"name": "Shop"}).json["id"]
    operate("PATCH", f"/{app}", {"settings": {setting: word}})
    assert operate("GET", f"/{app}").json["settings"] == DEFAULTS | {setting: word}


@one_engine
def test_a_number_of_which_nothing_stands_behind_the_point_is_whole(operate):
    app = operate("POST", sent={"name": "Shop", "settings": {"sessionDays": 7.0}})

    assert (app.status_code, repr(app.json["settings"]["sessionDays"])) == (201, "7")


@one_engine
@pytest.mark.parametrize(
    ("setting", "values"),
    [
        *[(name, WORDS) for name in CHOICES],
        ("sessionDays", DAYS),
        ("idleDays", DAYS),
        ("origins", [None, "https://shop.example.org", {}, 0, True]),
        ("origin", [[]]),
        ("session_days", [30]),
    ],
    ids=[*CHOICES, "sessionDays", "idleDays", "origins", "unknown", "other-spelling"],
)
def test_a_setting_that_is_none_is_refused_by_its_pointer(operate, setting, values):
    app = operate("POST", sent={"name": "Shop", "settings": OTHERS}).json
    refused = {
        repr(value): pointers(
            operate("PATCH", f"/{app['id']}", {"settings": {"idleDays": 2} | {setting: value}})
        )
        for value in values
    }
    assert refused == {repr(value): [f"/settings/{setting}"] for value in values}
    assert operate("GET", f"/{app['id']}").json == app


def test_all_that_is_wrong_is_told_at_once(operate):
    sent = {
        "name": "",
        "settings": {"sessionDays": 0, "revenuecat": "yes", "origins": ["*", "https://a.example"]},
    }
    refused = operate("POST", sent=sent)
    assert sorted(pointers(refused)) == [
        "/name", "/settings/origins/0", "/settings/revenuecat", "/settings/sessionDays",
    ]  # fmt: skip


@one_engine
@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example.org", "http://localhost", "http://localhost:3000",
        "https://shop.example.org:8443", "http://shop.example.org:443", "https://xn--bcher-kva.example",
        "http://127.0.0.1:8080", "http://[::1]", "http://[::1]:3000", "https://a-b.c-d.example",
    ],
)  # fmt: skip
def test_an_origin_is_kept_as_a_browser_sends_it(operate, origin):
    made = operate("POST", sent={"name": "Shop", "settings": {"origins": [origin]}})
    assert (made.status_code, made.json["settings"]["origins"]) == (201, [origin])


@one_engine
@pytest.mark.parametrize(
    "origin",
    [
        "", "*", "null", "shop.example.org", "https://", "https:shop.example.org", "//shop.example.org",
        "https://shop.example.org/", "https://shop.example.org/help", "https://shop.example.org?",
        "https://shop.example.org#", "https://*.example.org", "https://Shop.example.org",
        "HTTPS://shop.example.org", "https://bücher.example", "https://jane@shop.example.org",
        "https://shop.example.org:443", "http://shop.example.org:80", "https://shop.example.org:",
        "https://shop.example.org:0", "https://shop.example.org:65536", "https://shop.example.org:08443",
        "https://shop.example.org:84a", "ftp://shop.example.org", "chrome-extension://abc", "file://",
        " https://shop.example.org", "https://shop.example.org ", "https://shop.example.org\n",
        "https://shop.example.org\0", "https://shop.example.org https://b.example", "http://[::::]:3000",
        "http://[1.2]:3000", "http://[::1", "http://[]:3000", "http://[fe80::1%25eth0]", "http://a:1:2",
        "https://" + "a" * 300 + ".example", "https://shop.example.org:٣", "https://-a.example", 7, None,
        ["https://shop.example.org"],
    ],
    ids=repr,
)  # fmt: skip
def test_an_origin_that_no_browser_sends_is_refused(operate, origin):
    refused = operate("POST", sent={"name": "Shop", "settings": {"origins": ["https://a.example", origin]}})
    [(pointer, code)] = refused_fields(refused)
    assert pointer == "/settings/origins/1"
    assert code == ("invalid-origin" if isinstance(origin, str) else "not-a-string" if origin else "null")


# --- keys ---
@cases(
    "kind, prefix",
    ("secret", "secret", "sk"),
    ("publishable", "publishable", "pk"),
    ("identity", "identity", "ik"),
)
def test_a_new_key_has_these_members(operate, tenant, kind, prefix):
    made = operate("POST", f"/{tenant.id}/keys", {"kind": kind})
    assert made.status_code == 201
    id, key, created_at = (made.json[name] for name in ("id", "key", "createdAt"))
    proof = {"proof": "jwt"} if kind == "identity" else {}
    assert made.json == {"id": id, "kind": kind, "key": key, "createdAt": created_at, **proof}
    assert re.fullmatch(r"key_[0-9a-f]{32}", id)
    # It names its app in clear; 43 characters of base64 hold 256 bits.
    assert re.fullmatch(rf"{prefix}_{tenant.id.removeprefix('app_')}_[\w-]{{43}}", key, re.ASCII)
    assert TIME.fullmatch(created_at)


def test_a_list_of_keys_shows_all_but_what_they_are(operate):
    app = operate("POST", sent={"name": "Shop"}).json["id"]
    made = [new_key(operate, app, kind) for kind in ("secret", "publishable", "identity", "secret")]
    made.append(operate("POST", f"/{app}/keys", {"kind": "identity", "proof": "hmac"}).json)
    listed = operate("GET", f"/{app}/keys")
    assert listed.status_code == 200
    for key in made:
        del key["key"]
    assert listed.json == {"data": [key | {"lastUsedAt": None} for key in made]}


@pytest.mark.parametrize("proof", ["jwt", "hmac"])
def test_an_identity_key_proves_in_the_way_that_was_chosen(operate, tenant, proof):
    made = operate("POST", f"/{tenant.id}/keys", {"kind": "identity", "proof": proof})
    assert (made.status_code, made.json["proof"]) == (201, proof)
    [listed] = [key for key in operate("GET", f"/{tenant.id}/keys").json["data"] if "proof" in key]
    assert (listed["id"], listed["proof"]) == (made.json["id"], proof)


@pytest.mark.parametrize("kind", ["secret", "publishable"])
@pytest.mark.parametrize("proof", ["jwt", "hmac"])
def test_a_key_of_another_kind_proves_nothing(operate, tenant, kind, proof):
    before = keys(operate, tenant.id)
    refused = operate("POST", f"/{tenant.id}/keys", {"kind": kind, "proof": proof})
    assert refused_fields(refused) == [("/proof", "identity-only")]
    assert keys(operate, tenant.id) == before


@one_engine
@pytest.mark.parametrize(
    "proof", ["both", "", None, "JWT", "jwt,hmac", ["jwt"], ["jwt", "hmac"], True], ids=repr
)
def test_no_key_is_made_that_proves_in_another_way(operate, tenant, proof):
    before = keys(operate, tenant.id)
    assert pointers(operate("POST", f"/{tenant.id}/keys", {"kind": "identity", "proof": proof})) == ["/proof"]
    assert keys(operate, tenant.id) == before


def test_no_answer_but_the_first_holds_a_key(operate, tenant):
    identity = new_key(operate, tenant.id, "identity")["key"]
    answers = [
        operate(*call).text
        for call in (
            ("GET",),
            ("GET", f"/{tenant.id}"),
            ("GET", f"/{tenant.id}/keys"),
            ("PATCH", f"/{tenant.id}", {}),
        )
    ]

    assert not [key for key in (tenant.sk, tenant.pk, identity) for text in answers if key[-43:] in text]


@one_engine
@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"kind": None},
        {"kind": ""},
        {"kind": "admin"},
        {"kind": "sk"},
        {"kind": "Secret"},
        {"kind": ["secret"]},
    ],
    ids=repr,
)
def test_a_key_of_no_kind_is_refused(operate, tenant, sent):
    before = keys(operate, tenant.id)
    assert pointers(operate("POST", f"/{tenant.id}/keys", sent)) == ["/kind"]
    assert keys(operate, tenant.id) == before


def test_a_key_of_ones_own_choice_is_refused(operate, tenant):
    assert pointers(operate("POST", f"/{tenant.id}/keys", {"kind": "secret", "key": "sk_1"})) == ["/key"]


def test_several_keys_live_and_each_dies_alone(client, operate, tenant):
    first, second = (new_key(operate, tenant.id, "secret") for _ in range(2))
    before = [status_of(client, key) for key in (tenant.sk, first["key"], second["key"])]
    deleted = operate("DELETE", f"/{tenant.id}/keys/{first['id']}")
    assert (deleted.status_code, deleted.data) == (204, b"")
    assert before == [200, 200, 200]
    assert [status_of(client, key) for key in (tenant.sk, first["key"], second["key"])] == [200, 401, 200]
    assert first["id"] not in keys(operate, tenant.id)


def test_the_last_key_may_go_and_a_new_one_come(client, operate, tenant):
    for id in keys(operate, tenant.id):
        operate("DELETE", f"/{tenant.id}/keys/{id}")
    key = new_key(operate, tenant.id, "secret")["key"]
    assert (status_of(client, tenant.sk), status_of(client, key)) == (401, 200)


def test_last_use_is_told_to_the_minute(client, operate):
    with time_machine.travel(NOON, tick=False) as clock:
        app = operate("POST", sent={"name": "Shop"}).json["id"]
        used, unused = (new_key(operate, app, "secret") for _ in range(2))
        told = []
        for seconds in (0, 59, 2):
            clock.shift(seconds)
            status_of(client, used["key"])
            told.append(keys(operate, app)[used["id"]]["lastUsedAt"])
        at_once, a_little_later, a_minute_later = told

    assert at_once == a_little_later == used["createdAt"] == "2027-01-15T08:00:00.000Z"
    assert a_minute_later == "2027-01-15T08:01:01.000Z"
    assert keys(operate, app)[unused["id"]]["lastUsedAt"] is None


def test_a_refused_login_also_counts_as_use_of_its_key(operate, tenant):
    key = new_key(operate, tenant.id, "publishable")
    assert tenant.try_login(key=key["key"], userId="jane").status_code == 401
    assert keys(operate, tenant.id)[key["id"]]["lastUsedAt"] is not None


# --- erasing ---
def fill(tenant, limited):
    """Put at least one row into every table of an app."""
    tenant.set(anonymousOnLogin="merge")
    before = tenant.login(name="Somebody")
    tenant.begin(before["session"]["token"], subject="Before")
    tenant.login(deviceId=before["deviceId"], userId="jane", email="jane@example.org")
    again = tenant.login(userId="mike", email="jane@example.org")
    id = tenant.begin(again["session"]["token"])
    tenant.call("POST", f"/v1/conversations/{id}/messages", tenant.sk, {"body": "Hello"}, Idempotency_Key="k")
    tenant.call("PATCH", f"/v1/conversations/{id}", tenant.sk, {"status": "resolved"})
    sent(tenant, id, tenant.sk)
    sent(tenant, None, tenant.sk)
    tenant.call("POST", "/v1/clearAnonymousUser", again["session"]["token"])
    tenant.call("POST", f"/v1/apps/{tenant.id}/keys", tenant.admin_key, {"kind": "identity"})
    tenant.client.post("/console/sign-in", data={"key": tenant.sk, "name": "Dana"})
    bought = {"storeAccount": {"store": "app_store", "account": "apple-1"}, "product": "pro"}
    tenant.call("POST", "/v1/purchases", tenant.sk, bought | {"transaction": "t-1", "userId": "jane"})
    tenant.set(revenuecat="on")
    said = {"attributes": {"color": {"value": "blue"}}}
    tenant.call("POST", "/v1/subscribers/jane/attributes", tenant.pk, said)
    tenant.call("PUT", "/v1/me/contact", again["session"]["token"], {"phone": "112"})
    tenant.on(limited).try_login(key=tenant.pk)
    others = [again["user"]["id"], tenant.known(userId="ann")]
    tenant.call("POST", "/v1/duplicates/dismissals", tenant.sk, {"users": others})
    made = tenant.call("POST", "/v1/webhooks", tenant.sk, {"url": "https://shop.example.org/usher"}).json
    tenant.call("POST", f"/v1/webhooks/{made['webhook']['id']}/test", tenant.sk)


def add_attempt(store, app):
    """Have the delivery that there is been tried once."""
    sent = Deliveries.select(Deliveries.webhook, Deliveries.event).where(Deliveries.app == app)
    [(webhook, event)] = store.database.rows(sent)
    tried = {"app": app, "webhook": webhook, "event": event, "number": 1, "at": 1, "milliseconds": 1}
    store.database.change(Attempts.insert(tried))


def test_an_erased_app_leaves_no_row_in_any_table(start, store, operate, tenant):
    fill(tenant, start(login_rate=1000))
    add_former_key(store, tenant.id, tenant.find(userId="jane")[0]["id"])
    add_attempt(store, tenant.id)
    store.of(tenant.id).attachments.expect("att_1", 1)
    receive(store.of(tenant.id), Encryption("x" * 32), Options("csv"), [b"x"])
    store.of(tenant.id).search.put_progress((1, "evt_1"), None)
    store.of(tenant.id).comparing.put_place((1, "evt_1"))
    before = rows_of(store, tenant.id)
    # Operators are of no app.
    assert before.pop("operator_sessions") == []
    erased = operate("DELETE", f"/{tenant.id}")
    assert not [table for table, rows in before.items() if not rows], "a table has nothing to erase: fill it"
    assert (erased.status_code, erased.data) == (204, b"")
    assert set(map(len, rows_of(store, tenant.id).values())) == {0}


def test_an_erased_app_is_as_one_that_never_was(start, operate, tenant):
    fill(tenant, start(login_rate=1000))
    [key, *_] = keys(operate, tenant.id)
    operate("DELETE", f"/{tenant.id}")

    answers = [
        operate(method, path, sent)
        for method, path, sent in (
            ("GET", f"/{tenant.id}", None),
            ("PATCH", f"/{tenant.id}", {"name": "Back"}),
            ("DELETE", f"/{tenant.id}", None),
            ("GET", f"/{tenant.id}/keys", None),
            ("POST", f"/{tenant.id}/keys", {"kind": "secret"}),
            ("DELETE", f"/{tenant.id}/keys/{key}", None),
        )
    ]
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(404, "not-found")] * 6
    assert tenant.id not in [shown["id"] for shown in operate("GET").json["data"]]


def test_erasing_one_app_touches_no_other(start, store, operate, tenant, other_tenant):
    for each in (tenant, other_tenant):
        fill(each, start(login_rate=1000))
    before = rows_of(store, other_tenant.id)
    operate("DELETE", f"/{tenant.id}")
    assert rows_of(store, other_tenant.id) == before
    assert other_tenant.try_login(userId="jane").json["resolution"]["rule"] == "known-user-id"


def test_an_app_with_nothing_in_it_is_erased(operate):
    app = operate("POST", sent={"name": "Shop"}).json["id"]
    assert operate("DELETE", f"/{app}").status_code == 204
