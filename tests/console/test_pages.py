"""What holds for every page: its headers, its errors, and that nothing in it runs or leaks."""

from dataclasses import replace
from html import unescape

import pytest

from service.api.context import NAME
from service.app import create_app
from service.console.rendering import FAULT
from tests.console.conftest import Agent, guarded_routes, held_by, text_of
from tests.support.cases import cases
from tests.support.logbook import on_standard_output

NOBODY = "0" * 32
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'"
)
SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
WITHOUT_AN_ID = ("/console", "/console/users", "/console/explain")


def pages_of(scene):
    return [
        *WITHOUT_AN_ID,
        "/console?status=all",
        f"/console/users/{scene.kim}",
        f"/console/users/{scene.kim}/erase",
        f"/console/conversations/{scene.thread}",
    ]


def bodies(agent, paths):
    return {path: (answer := agent.get(path)).status_code and answer for path in paths}


def test_every_page_keeps_scripts_frames_and_strangers_out(agent, scene):
    for path, answer in bodies(agent, pages_of(scene)).items():
        assert answer.status_code == 200, path
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_a_policy_without_scripts_costs_nothing_as_no_page_has_any(agent, scene):
    for path, answer in bodies(agent, pages_of(scene)).items():
        assert "<script" not in answer.text, path
        assert " style=" not in answer.text, path
        assert "http://" not in answer.text, path
        assert "https://" not in answer.text, path


@cases("name, kind", ("styles", "console.css", "text/css"), ("icon", "icon.svg", "image/svg+xml"))
def test_what_pages_are_made_of_is_served_to_anybody(browser, name, kind):
    answer = browser.client.get(f"/console/assets/{name}", buffered=True)
    assert (answer.status_code, answer.mimetype) == (200, kind)
    assert "url(" not in answer.text


@pytest.mark.parametrize("name", ["nothing.css", "..%2Fguard.py", "../guard.py"])
def test_nothing_else_is_served(browser, name):
    assert browser.get(f"/console/assets/{name}").status_code == 404


def test_a_foreign_thing_is_the_same_page_as_nothing(app, agent, other_tenant):
    them = other_tenant.known(userId="theirs", name="Theirs")
    thread = other_tenant.begin(other_tenant.session(userId="theirs"))
    foreign = {"usr": them, "cnv": thread, "mrg": f"mrg_{NOBODY}"}
    kinds = {"conversations": "cnv", "merges": "mrg"}

    for method, route in guarded_routes(app):
        if NOBODY not in route:
            continue
        kind = kinds.get(route.split("/")[2], "usr")
        paths = [route.replace(f"usr_{NOBODY}", id) for id in (foreign[kind], f"{kind}_{'f' * 32}", "x")]
        sent = {"token": agent.token, "body": "x", "status": "open", "erase": them}
        answers = [agent.client.open(path, method=method, data=sent) for path in paths]
        assert {answer.status_code for answer in answers} == {404}, route
        assert len({answer.data for answer in answers}) == 1, route


@pytest.mark.parametrize("which", ["user", "other", "from"])
def test_nobody_of_another_app_is_merged(agent, scene, other_tenant, which):
    them = other_tenant.known(userId="theirs")
    if which == "from":
        answer = agent.post("/console/merges/preview", from_=them, into=scene.kim)
    else:
        both = {"user": scene.kim, "other": "u-lee"} | {which: them}
        answer = agent.post("/console/merges/choose", **both)
    assert answer.status_code == 404


def test_a_merge_of_another_app_is_not_undone(agent, other_tenant):
    both = [other_tenant.known(userId=id) for id in ("u-1", "u-2")]
    sent = {"from": both[0], "into": both[1]}
    merge = other_tenant.call("POST", "/v1/merges", other_tenant.sk, sent).json["id"]
    assert agent.post(f"/console/merges/{merge}/undo").status_code == 404
    assert other_tenant.get(f"/v1/merges/{merge}").json["undoneAt"] is None


@pytest.mark.parametrize("path", ["/console/nowhere", "/console/", "/console/users/x/y"])
def test_an_address_that_there_is_not_is_a_page_that_says_what_to_do(agent, path):
    answer = agent.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "Look for the user by ID, email or name." in text_of(answer)


def test_an_address_for_forms_says_so_and_which_methods_it_has(agent):
    answer = agent.get("/console/find")
    assert (answer.status_code, answer.mimetype) == (405, "text/html")
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_what_is_beside_the_console_is_answered_as_ever(client):
    assert client.get("/consoles").content_type == "application/problem+json"


def test_with_the_store_away_the_page_says_when_to_come_back(config, agent):
    away = create_app(replace(config, database_url="postgres://nobody@127.0.0.1:1/nothing"))
    browser = Agent(away.test_client())
    browser.client.set_cookie("usher_console", "si_" + "0" * 32 + "_" + "a" * 43, path="/console")
    answer = browser.get("/console")
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert answer.headers["Retry-After"] == "2"
    assert answer.headers["X-Request-Id"] in answer.text
    away.extensions[NAME].store.database.close()


def test_a_fault_of_ours_is_a_page_with_a_number(app, agent, scene, monkeypatch):
    monkeypatch.setitem(app.jinja_env.filters, "sentence", lambda entry: 1 / 0)
    answer = agent.get(f"/console/users/{scene.kim}")
    assert answer.status_code == 500
    assert FAULT[0] in text_of(answer)
    assert answer.headers["X-Request-Id"] in answer.text


def test_the_log_names_nobody_and_holds_no_secret(agent, tenant, scene, capsys):
    with on_standard_output():
        agent.follow(agent.post("/console/find", q="kim@example.org"))
        agent.get(f"/console/users/{scene.kim}")
        agent.post("/console/explain", userId="u-kim", email="kim@example.org", name="Kim")
        agent.post("/console/merges/choose", user=scene.lee, other="u-kim")
        agent.post(f"/console/conversations/{scene.thread}/messages", body="Where?")
        agent.sign_in(tenant.sk, "Ann")

    told = capsys.readouterr().out
    assert told.count("/console/") > 5
    for secret in ("kim", "Kim", "u-lee", "Where", "Ann", "search=", held_by(agent), tenant.sk, agent.token):
        assert secret not in told


def test_what_users_write_is_text_wherever_it_is_shown(browser, tenant):
    tenant.set(identityVerification="off")
    browser.sign_in(tenant.sk, SCRIPT)
    id = SCRIPT.replace(" ", "_")
    token = tenant.session(userId=id, name=SCRIPT)
    thread = tenant.begin(token, SCRIPT, subject=SCRIPT)
    user = tenant.get(f"/v1/conversations/{thread}").json["user"]
    tenant.alias(user, f"2{id}")
    other = tenant.known(userId=f"3{id}", name=SCRIPT)
    bought = {
        "userId": id,
        "storeAccount": {"store": "app_store", "account": "a"},
        "product": SCRIPT,
        "transaction": "t",
    }
    assert tenant.call("POST", "/v1/purchases", tenant.sk, bought).status_code < 300
    browser.post(f"/console/conversations/{thread}/messages", body=SCRIPT)

    shown = [
        *bodies(browser, ["/console", f"/console/users/{user}", f"/console/users/{user}/erase"]).values(),
        browser.get(f"/console/conversations/{thread}"),
        browser.post(f"/console/conversations/{thread}/messages", body=SCRIPT, key="ü"),
        browser.follow(browser.post("/console/find", q=SCRIPT)),
        browser.post("/console/explain", userId=id, name=SCRIPT, email=SCRIPT, proof=SCRIPT),
        browser.post("/console/explain", userId=id),
        browser.post("/console/merges/preview", from_=other, into=user),
        browser.post("/console/merges/choose", user=user, other=SCRIPT),
    ]

    for answer in shown:
        assert answer.status_code in (200, 422)
        assert "alert(1)" in unescape(answer.text)
        assert "<script" not in answer.text
        assert "<img" not in answer.text


def test_nothing_of_an_address_comes_back_as_marks(agent):
    assert "<script" not in agent.get("/console?status=<script>&done=<script>&cursor=<script>").text
