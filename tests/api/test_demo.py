"""The page at /demo: there for the app that its setting names, and nowhere else."""

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from service.model.identifiers import new_id
from tests.support.cases import cases
from tests.support.engines import one_engine
from tests.support.signing import identity_key

PATHS = ["/demo", "/demo/phones/left", "/demo/inbox", "/demo/deliveries", "/demo/static/demo.js"]


@pytest.fixture
def keys(tenant):
    return f"{tenant.pk} {tenant.sk} {identity_key(tenant)[1]}"


@pytest.fixture
def demo(start, keys):
    return start(demo_keys=keys).test_client()


@one_engine
@pytest.mark.parametrize("path", PATHS)
def test_without_its_setting_it_is_not_there(client, path):
    assert client.get(path).status_code == 404


@one_engine
@pytest.mark.parametrize("path", PATHS)
def test_with_its_setting_it_is_there_and_loads_nothing_from_elsewhere(demo, path):
    response = demo.get(path, buffered=True)
    assert response.status_code == 200
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert "http" not in response.headers["Content-Security-Policy"]


@one_engine
def test_its_phones_may_follow_streams_where_there_are_some(start, keys):
    demo = start(demo_keys=keys, live_url="https://live.example.org").test_client()
    policy = demo.get("/demo/phones/left").headers["Content-Security-Policy"]
    assert "; connect-src 'self' https://live.example.org; " in policy


def test_only_the_phones_may_be_framed_and_only_by_ourselves(demo):
    policies = {path: demo.get(path, buffered=True).headers for path in PATHS}
    framed = {
        path: (h["Content-Security-Policy"][-22:], h["X-Frame-Options"]) for path, h in policies.items()
    }
    assert framed.pop("/demo/phones/left") == ("frame-ancestors 'self'", "SAMEORIGIN")
    assert set(framed.values()) == {("frame-ancestors 'none'"[-22:], "DENY")}


def test_a_phone_embeds_the_widget_with_the_publishable_key_and_no_other(demo, tenant, keys):
    page = demo.get("/demo/phones/right").text
    assert f'data-key="{tenant.pk}"' in page
    assert 'data-profile="right"' in page
    assert [key for key in keys.split()[1:] if key in page + demo.get("/demo").text] == []


def test_there_is_no_third_phone(demo):
    assert demo.get("/demo/phones/middle").status_code == 404


@pytest.mark.parametrize(("person", "name"), [("jane", "Jane"), ("omar", "Omar")])
def test_a_person_of_the_demo_is_proven(demo, tenant, person, name):
    proof = demo.post("/demo/proofs", json={"person": person}).json["proof"]
    login = tenant.try_login(key=tenant.pk, proof=proof)
    assert login.json["user"]["name"] == name
    assert login.json["session"]["verified"] is True


def test_nobody_else_is_proven(demo):
    assert demo.post("/demo/proofs", json={"person": "somebody"}).status_code == 404


def test_no_form_of_another_page_can_ask_for_a_proof(demo):
    assert demo.post("/demo/proofs", data='{"person": "jane"}', content_type="text/plain").status_code == 415


def test_the_agent_sees_what_was_written_and_answers(demo, tenant):
    token = tenant.session(userId="u-1")
    id = tenant.begin(token, "Where is it?", subject="Parcel")
    answered = demo.post(f"/demo/inbox/{id}", json={"body": "On its way."})
    assert (answered.status_code, answered.json["author"]["name"]) == (201, "Dana")
    (seen,) = demo.get("/demo/inbox").json["data"]
    assert (seen["id"], seen["subject"]) == (id, "Parcel")
    assert [message["body"] for message in seen["messages"]] == ["Where is it?", "On its way."]


def test_the_agent_of_another_app_sees_nothing_of_it(start, keys, tenant, other_tenant):
    id = tenant.begin(tenant.session(userId="u-1"))
    _, secret = identity_key(other_tenant)
    demo = start(demo_keys=f"{other_tenant.pk} {other_tenant.sk} {secret}").test_client()
    assert demo.post(f"/demo/inbox/{id}", json={"body": "On its way."}).status_code == 404
    assert demo.get("/demo/inbox").json == {"data": []}


# --- what the backend is told --------------------------------------------------------------------


def test_the_page_has_the_backend_told_by_one_webhook_however_often_it_is_shown(demo, tenant):
    for _ in range(2):
        assert demo.get("/demo").status_code == 200
    [hook] = tenant.get("/v1/webhooks").json["data"]
    assert (hook["url"], hook["types"]) == ("http://localhost:8000/demo/hook", [])


def test_a_webhook_that_leads_elsewhere_is_none_of_the_demos(demo, tenant):
    tenant.call("POST", "/v1/webhooks", tenant.sk, {"url": "https://shop.example.org/"})
    demo.get("/demo")
    assert len(tenant.get("/v1/webhooks").json["data"]) == 2


@pytest.fixture
def deliver(demo, tenant):
    """Deliver as the worker does, signed by a secret, or as somebody else would."""
    demo.get("/demo")
    [hook] = tenant.get("/v1/webhooks").json["data"]
    secret = tenant.call("POST", f"/v1/webhooks/{hook['id']}/secrets", tenant.sk).json["secret"]

    def deliver(body=b"{}", **changed):
        at, event = datetime.now(UTC), new_id("evt")
        signed = {
            "webhook-id": event,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign(event, at, body.decode("utf-8", "replace")),
        }
        return demo.post("/demo/hook", data=body, headers=signed | changed)

    return deliver


def test_the_backend_takes_what_is_signed(deliver):
    answer = deliver()
    assert (answer.status_code, answer.text) == (200, "taken: the signature is right")


@cases(
    "changed",
    ("by nobody", {"webhook-signature": ""}),
    ("by somebody else", {"webhook-signature": "v1,AAAA"}),
    ("in another way", {"webhook-signature": "v1"}),
    ("long ago", {"webhook-timestamp": "1"}),
    ("of no text", {"body": b"\xff"}),
)
def test_the_backend_takes_nothing_that_is_not_signed(deliver, changed):
    answer = deliver(**changed)
    assert (answer.status_code, answer.text) == (401, "not taken: the signature is wrong")


def test_what_the_backend_is_told_is_shown(demo, tenant):
    assert demo.get("/demo/deliveries").json == {"data": []}
    [hook] = tenant.get("/v1/webhooks").json["data"]
    event = tenant.call("POST", f"/v1/webhooks/{hook['id']}/test", tenant.sk).json["event"]
    [told] = demo.get("/demo/deliveries").json["data"]
    assert (told["event"], told["type"], told["state"], told["attempts"]) == (
        event,
        "webhook.test",
        "pending",
        [],
    )


@pytest.mark.parametrize("kind", ["pk", "no"])
def test_a_key_that_is_no_agents_sees_nothing(start, keys, tenant, kind):
    publishable, secret, identity = keys.split()
    wrong = {"pk": publishable, "no": secret[:-4] + "dead"}[kind]
    assert (
        start(demo_keys=f"{publishable} {wrong} {identity}").test_client().get("/demo/inbox").status_code
        == 401
    )
