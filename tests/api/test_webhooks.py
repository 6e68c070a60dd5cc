"""Webhooks: an app says where its events are delivered, and nobody else sees or changes that."""

import base64

import pytest

from service.api.context import NAME
from service.encryption import IDENTITY_SECRETS, Encryption
from service.model.identifiers import new_id
from service.store.tables import WebhookSecrets
from tests.support.cases import cases
from tests.support.responses import problem_of, refused_fields
from tests.support.servers import SECRET_KEY

URL = "https://shop.example.org/usher"


def create(tenant, url=URL, **members):
    return tenant.call("POST", "/v1/webhooks", tenant.sk, {"url": url, **members})


@pytest.fixture
def hook(tenant):
    """A webhook's path."""
    return f"/v1/webhooks/{create(tenant).json['webhook']['id']}"


def test_one_that_is_made_is_listed_and_its_secret_is_shown_with_it_alone(tenant):
    made = create(tenant, types=["user.created", "user.created"])

    assert made.status_code == 201
    webhook, secret = made.json["webhook"], made.json["secret"]
    assert webhook == {
        "id": webhook["id"],
        "url": URL,
        "types": ["user.created"],
        "enabled": True,
        "disabled": None,
        "failingSince": None,
        "secrets": [{"id": secret["id"], "createdAt": secret["createdAt"]}],
        "createdAt": webhook["createdAt"],
    }
    assert len(base64.b64decode(secret["secret"].removeprefix("whsec_"))) == 32
    assert tenant.get("/v1/webhooks").json == {"data": [webhook]}
    assert tenant.get(f"/v1/webhooks/{webhook['id']}").json == webhook


def test_a_secret_is_encrypted_at_rest_and_not_as_identity_secrets_are(tenant, store):
    plain = create(tenant).json["secret"]["secret"]

    [(sealed,)] = store.database.rows(
        WebhookSecrets.select(WebhookSecrets.sealed).where(WebhookSecrets.app == tenant.id)
    )
    assert plain.removeprefix("whsec_") not in sealed
    assert Encryption(SECRET_KEY, IDENTITY_SECRETS).decrypt(sealed) is None


@cases(
    "body, expected",
    ("no URL", {}, ("/url", "required")),
    ("no https", {"url": "http://shop.example.org/"}, ("/url", "unreachable-url")),
    ("a private address", {"url": "https://10.0.0.1/"}, ("/url", "unreachable-url")),
    ("a user", {"url": "https://me:pw@shop.example.org/"}, ("/url", "invalid-url")),
    ("an odd spelling", {"url": "https://0x7f.1/"}, ("/url", "invalid-url")),
    ("no type", {"url": URL, "types": ["user.eaten"]}, ("/types/0", "unknown-choice")),
    ("no list", {"url": URL, "types": "user.created"}, ("/types", "not-an-array")),
)
def test_what_is_no_webhook_is_refused(tenant, body, expected):
    assert refused_fields(tenant.call("POST", "/v1/webhooks", tenant.sk, body)) == [expected]
    assert tenant.get("/v1/webhooks").json == {"data": []}


@cases("url", ("http", "http://localhost:1/"), ("https", "https://127.0.0.1/"))
def test_this_machine_is_told_only_where_that_is_allowed(tenant, start, url):
    elsewhere = tenant.on(start(webhook_loopback="off"))

    assert create(tenant, url).status_code == 201
    assert refused_fields(create(elsewhere, url)) == [("/url", "unreachable-url")]


def test_it_is_changed_as_far_as_is_said(tenant, hook):
    def change(**changes):
        changed = tenant.call("PATCH", hook, tenant.sk, changes)
        assert changed.status_code == 200
        assert tenant.get(hook).json == changed.json
        return changed.json

    before = tenant.get(hook).json
    assert change() == before
    assert change(url="https://other.example.org/") == before | {"url": "https://other.example.org/"}
    assert change(types=["message.created"])["types"] == ["message.created"]
    assert change(types=None)["types"] == []
    off = change(enabled=False)
    assert (off["enabled"], off["disabled"]) == (False, "request")
    assert change(enabled=True)["disabled"] is None
    refused = tenant.call("PATCH", hook, tenant.sk, {"url": "http://shop.example.org/"})
    assert refused_fields(refused) == [("/url", "unreachable-url")]


def test_a_second_secret_takes_the_place_of_the_first(tenant, hook):
    [first] = tenant.get(hook).json["secrets"]
    second = tenant.call("POST", f"{hook}/secrets", tenant.sk)

    assert second.status_code == 201
    assert [one["id"] for one in tenant.get(hook).json["secrets"]] == [first["id"], second.json["id"]]
    assert problem_of(tenant.call("POST", f"{hook}/secrets", tenant.sk)) == (409, "two-secrets")
    assert tenant.call("DELETE", f"{hook}/secrets/{first['id']}", tenant.sk).status_code == 204
    assert problem_of(tenant.call("DELETE", f"{hook}/secrets/{first['id']}", tenant.sk)) == (404, "not-found")
    last = tenant.call("DELETE", f"{hook}/secrets/{second.json['id']}", tenant.sk)
    assert problem_of(last) == (409, "last-secret")


def test_one_that_is_deleted_is_gone_with_all_that_is_kept_of_it(tenant, hook):
    tenant.call("POST", f"{hook}/test", tenant.sk)

    assert tenant.call("DELETE", hook, tenant.sk).status_code == 204
    assert tenant.get("/v1/webhooks").json == {"data": []}
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/deliveries")):
        assert problem_of(tenant.call(method, f"{hook}{path}", tenant.sk)) == (404, "not-found")


def test_deliveries_come_in_pages_the_latest_event_first(tenant, hook):
    sent = [tenant.call("POST", f"{hook}/test", tenant.sk).json["event"] for _ in range(3)]

    first = tenant.get(f"{hook}/deliveries", limit=2).json
    rest = tenant.get(f"{hook}/deliveries", limit=2, cursor=first["nextCursor"]).json

    assert [one["event"] for one in (*first["data"], *rest["data"])] == sent[::-1]
    assert rest["nextCursor"] is None


@cases(
    "event, expected",
    ("of nobody", new_id("evt"), (404, "not-found")),
    ("no id", "evt_1", (404, "not-found")),
)
def test_what_was_never_to_be_delivered_is_not_sent_again(tenant, hook, event, expected):
    assert problem_of(tenant.call("POST", f"{hook}/deliveries/{event}", tenant.sk)) == expected


def test_what_is_not_kept_any_more_is_not_sent_again(tenant, hook, store):
    event = new_id("evt")
    id = hook.rpartition("/")[2]
    with store.transaction():
        store.of(tenant.id).webhooks.deliver(id, event, "user.created", 1, "usr_1", 1)

    assert problem_of(tenant.call("POST", f"{hook}/deliveries/{event}", tenant.sk)) == (410, "event-gone")


def test_a_test_is_sent_again_as_one(tenant, hook):
    event = tenant.call("POST", f"{hook}/test", tenant.sk).json["event"]

    again = tenant.call("POST", f"{hook}/deliveries/{event}", tenant.sk)

    assert (again.status_code, again.json["type"], again.json["state"]) == (200, "webhook.test", "pending")


@cases("path", ("itself", ""), ("deliveries", "/deliveries"))
def test_another_apps_webhook_is_none(tenant, other_tenant, hook, path):
    assert problem_of(other_tenant.get(f"{hook}{path}")) == (404, "not-found")
    assert other_tenant.get("/v1/webhooks").json == {"data": []}
    for method, more in (("PATCH", ""), ("DELETE", ""), ("POST", "/secrets"), ("POST", "/test")):
        assert problem_of(other_tenant.call(method, f"{hook}{more}", other_tenant.sk)) == (404, "not-found")


def test_an_app_is_erased_with_its_webhooks(tenant, hook, store):
    tenant.call("POST", f"{hook}/test", tenant.sk)

    assert tenant.call("DELETE", f"/v1/apps/{tenant.id}", tenant.admin_key).status_code == 204
    assert store.of(tenant.id).webhooks.all() == ()


# --- what is sent twice ------------------------------------------------------------------------------


def twice(tenant, path, body=None):
    return [tenant.call("POST", path, tenant.sk, body, Idempotency_Key="k") for _ in range(2)]


def test_a_webhook_that_is_sent_twice_is_one_with_the_same_secret(tenant):
    first, again = twice(tenant, "/v1/webhooks", {"url": URL})

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert len(tenant.get("/v1/webhooks").json["data"]) == 1


def test_one_that_was_deleted_meanwhile_is_not_made_again(tenant):
    made = tenant.call("POST", "/v1/webhooks", tenant.sk, {"url": URL}, Idempotency_Key="k").json
    tenant.call("DELETE", f"/v1/webhooks/{made['webhook']['id']}", tenant.sk)

    again = tenant.call("POST", "/v1/webhooks", tenant.sk, {"url": URL}, Idempotency_Key="k")

    assert problem_of(again) == (404, "not-found")


def test_a_secret_that_is_sent_twice_is_one(tenant, hook):
    first, again = twice(tenant, f"{hook}/secrets")

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    tenant.call("DELETE", f"{hook}/secrets/{first.json['id']}", tenant.sk)
    gone = tenant.call("POST", f"{hook}/secrets", tenant.sk, Idempotency_Key="k")
    assert problem_of(gone) == (404, "not-found")


def test_a_test_that_is_sent_twice_is_one(tenant, hook):
    first, again = twice(tenant, f"{hook}/test")

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json["event"] == again.json["event"]
    event = first.json["event"]
    assert [one.status_code for one in twice(tenant, f"{hook}/deliveries/{event}")] == [422, 422]
    path = f"{hook}/deliveries/{event}"
    answers = [tenant.call("POST", path, tenant.sk, Idempotency_Key="other") for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 200]


def test_a_secret_under_another_key_of_the_server_is_shown_as_lost(tenant, start):
    first = tenant.call("POST", "/v1/webhooks", tenant.sk, {"url": URL}, Idempotency_Key="k").json
    other = start(secret_key="another" * 8)
    assert other.extensions[NAME].webhook_encryption is not None

    again = tenant.on(other).call("POST", "/v1/webhooks", tenant.sk, {"url": URL}, Idempotency_Key="k")

    assert again.json["webhook"] == first["webhook"]
    assert again.json["secret"]["secret"] is None
