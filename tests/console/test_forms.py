"""A form is taken from a page of this sign-in, sent by one of our own pages, and read strictly."""

import pytest

from tests.console.conftest import guarded_routes
from tests.support.cases import cases
from tests.support.engines import one_engine


@pytest.mark.parametrize("token", ["missing", "empty", "wrong", "of another agent", "of another app"])
def test_a_form_without_the_token_of_this_sign_in_does_nothing(agent, other_agent, app, tenant, scene, token):
    former = agent.token
    agent.sign_in(tenant.sk)
    agent.token = {
        "missing": "", "empty": "", "wrong": "0" * 64, "of another agent": former,
        "of another app": other_agent.token,
    }[token]  # fmt: skip
    fields = {"body": "Gone"} | ({} if token == "missing" else {"token": agent.token})
    answer = agent.client.post(f"/console/conversations/{scene.thread}/messages", data=fields)
    assert answer.status_code == 403
    assert len(tenant.messages(scene.thread)) == 1


def test_no_form_is_taken_without_a_token(app, agent):
    routes = [path for method, path in guarded_routes(app) if method == "POST"]
    answers = {path: agent.client.post(path, data={"token": "x"}).status_code for path in routes}
    assert len(answers) > 8
    assert set(answers.values()) == {403}


STRANGERS = [
    pytest.param({"Origin": "https://evil.example.org"}, id="another origin"),
    pytest.param({"Origin": "null"}, id="an origin that is hidden"),
    pytest.param({"Origin": "http://localhost.evil.example.org"}, id="an origin that begins as ours"),
    pytest.param({"Origin": "http://localhost:81"}, id="another port"),
    pytest.param({"Sec-Fetch-Site": "cross-site"}, id="another site"),
    pytest.param({"Sec-Fetch-Site": "same-site"}, id="a sister site"),
    pytest.param({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, id="a contradiction"),
    pytest.param({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example.org"}, id="another one"),
]


@one_engine
@pytest.mark.parametrize("headers", STRANGERS)
def test_a_form_of_a_strangers_page_does_nothing_even_with_the_token(agent, tenant, scene, headers):
    agent.headers = headers
    assert agent.post(f"/console/conversations/{scene.thread}/messages", body="Gone").status_code == 403
    assert len(tenant.messages(scene.thread)) == 1


@one_engine
@pytest.mark.parametrize("headers", STRANGERS)
def test_nobody_is_signed_in_by_a_strangers_page(browser, tenant, headers):
    answer = browser.client.post("/console/sign-in", data={"key": tenant.sk}, headers=headers)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


@one_engine
@cases(
    "headers",
    ("no browser", {}),
    ("our origin", {"Origin": "http://localhost"}),
    ("a page that sends no referrer", {"Sec-Fetch-Site": "same-origin", "Origin": "null"}),
    ("ours in both", {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}),
)
def test_a_form_of_our_own_page_is_taken(agent, tenant, scene, headers):
    agent.headers = headers
    assert agent.post(f"/console/conversations/{scene.thread}/messages", body="Here").status_code == 303
    assert len(tenant.messages(scene.thread)) == 2


@one_engine
@cases(
    "data, content_type, status",
    ("json", b'{"token": 1}', "application/json", 415),
    ("multipart", b"token=1", "multipart/form-data; boundary=x", 415),
    ("no text", b"token=%FF", "application/x-www-form-urlencoded", 400),
    ("no form", b"token=\xff", "application/x-www-form-urlencoded", 400),
    ("too many fields", b"a=1&" * 30, "application/x-www-form-urlencoded", 400),
    ("too much", b"a" * 140_000, "application/x-www-form-urlencoded", 413),
)
def test_what_is_no_form_is_refused_on_a_page(agent, data, content_type, status):
    answer = agent.client.post("/console/find", data=data, content_type=content_type)
    assert answer.status_code == status
    assert answer.mimetype == "text/html"


def test_the_longest_reply_fits_into_a_form(agent, tenant, scene):
    longest = "\N{GRINNING FACE}" * 10_000
    assert agent.post(f"/console/conversations/{scene.thread}/messages", body=longest).status_code == 303
    assert tenant.messages(scene.thread)[1]["body"] == longest
