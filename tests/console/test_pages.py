"""What holds for every page: its headers, its errors, and that nothing in it runs or leaks."""

import re
from html import unescape

import pytest

from service.console.rendering import FAULT
from tests.console.conftest import (
    HOOK_URL,
    SCRIPT,
    Agent,
    field_of,
    guarded_routes,
    held_by,
    make_hook,
    text_of,
    without_ours,
)
from tests.support.cases import cases
from tests.support.logbook import on_standard_output

NOBODY = "0" * 32
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)
# Of the pages that show what is new by themselves, and of the one that sends files.
OUR_SCRIPT, SENDS_FILES = SCRIPT.format("keys.js"), SCRIPT.format("attachments.js")
OUR_POLICY = f"{POLICY}; connect-src 'self'"
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
WITHOUT_AN_ID = (
    "/console",
    "/console/users",
    "/console/explain",
    "/console/you",
    "/console/webhooks",
    "/console/webhooks/new",
)


def pages_of(scene, hook):
    return [
        *WITHOUT_AN_ID,
        "/console?status=all",
        f"/console/users/{scene.kim}",
        f"/console/users/{scene.kim}/erase",
        f"/console/users/{scene.kim}/user-id",
        f"/console/users/{scene.kim}/conversations/new",
        f"/console/conversations/{scene.thread}",
        hook.page,
        f"{hook.page}/change",
        f"{hook.page}/remove",
    ]


def bodies(agent, paths):
    return {path: (answer := agent.get(path)).status_code and answer for path in paths}


def test_every_page_keeps_scripts_frames_and_strangers_out(agent, scene, hook):
    for path, answer in bodies(agent, pages_of(scene, hook)).items():
        assert answer.status_code == 200, path
        assert answer.headers["Content-Security-Policy"] == (
            OUR_POLICY if OUR_SCRIPT in answer.text or SENDS_FILES in answer.text else POLICY
        )
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_no_page_has_a_script_but_ours_and_some_have_that_by_which_what_is_new_shows_by_itself(
    agent, scene, hook
):
    shown = bodies(agent, pages_of(scene, hook))
    with_script = {"/console", "/console?status=all", f"/console/conversations/{scene.thread}"}
    assert {path for path, answer in shown.items() if OUR_SCRIPT in answer.text} == with_script
    for path, answer in shown.items():
        assert "<script" not in without_ours(answer.text), path
        assert " style=" not in answer.text, path
        assert "http://" not in answer.text, path
        assert "https://" not in answer.text.replace(HOOK_URL, ""), path


def test_an_operators_pages_keep_all_scripts_and_strangers_out(operator, tenant):
    id = tenant.list_keys()[0]["id"]
    app = f"/console/apps/{tenant.id}"
    keys = f"{app}/keys"
    paths = ["/console/apps", app, keys, f"{keys}/{id}/rotate", f"{keys}/{id}/delete"]
    paths += [f"{app}/origins", f"{app}/imports"]
    for path, answer in bodies(operator, paths).items():
        assert (answer.status_code, answer.headers["Content-Security-Policy"]) == (200, POLICY), path
        assert answer.headers["Cache-Control"] == "no-store"
        assert "<script" not in without_ours(answer.text)
        assert " style=" not in answer.text


@cases(
    "name, kind",
    ("styles", "console.css", "text/css"),
    ("icon", "icon.svg", "image/svg+xml"),
    ("styles of the inbox", "inbox.css", "text/css"),
    ("styles of files", "attachments.css", "text/css"),
    ("styles of the operator's pages", "admin.css", "text/css"),
    ("script", "live.js", "text/javascript"),
    ("script of the parts", "parts.js", "text/javascript"),
    ("script of the inbox", "inbox.js", "text/javascript"),
    ("script of files", "attachments.js", "text/javascript"),
    ("script that sends them", "uploads.js", "text/javascript"),
    ("script of the keys", "keys.js", "text/javascript"),
    ("styles of who somebody is", "person.css", "text/css"),
    ("script of drafts", "drafts.js", "text/javascript"),
    ("script of who else looks", "looking.js", "text/javascript"),
    ("script of times", "times.js", "text/javascript"),
    ("script of files of people", "people.js", "text/javascript"),
)
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
    hook = make_hook(other_tenant, HOOK_URL).id
    foreign = {"usr": them, "cnv": thread, "mrg": f"mrg_{NOBODY}", "whk": hook}
    kinds = {"conversations": "cnv", "merges": "mrg", "webhooks": "whk"}

    for method, route in guarded_routes(app):
        if NOBODY not in route:
            continue
        kind = kinds.get(route.split("/")[2], "usr")
        paths = [route.replace(f"usr_{NOBODY}", id) for id in (foreign[kind], f"{kind}_{'f' * 32}", "x")]
        sent = {
            "token": agent.token,
            "body": "x",
            "message": "x",
            "status": "open",
            "erase": them,
            "through": "1",
        }
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


def test_with_the_store_away_the_page_says_when_to_come_back(start, agent):
    away = start(database_url="postgres://nobody@127.0.0.1:1/nothing")
    browser = Agent(away.test_client())
    browser.client.set_cookie("usher_console", "si_" + "0" * 32 + "_" + "a" * 43, path="/console")
    answer = browser.get("/console")
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert answer.headers["Retry-After"] == "2"
    assert answer.headers["X-Request-Id"] in answer.text


def test_a_fault_of_ours_is_a_page_with_a_number(app, agent, scene, monkeypatch):
    monkeypatch.setitem(app.jinja_env.filters, "sentence", lambda entry: 1 / 0)
    answer = agent.get(f"/console/users/{scene.kim}")
    assert answer.status_code == 500
    assert FAULT[0] in text_of(answer)
    assert answer.headers["X-Request-Id"] in answer.text


def page_of_hook(made):
    return re.search(r'href="(/console/webhooks/whk_\w+)"', made.text)[1]


def test_the_log_names_nobody_and_holds_no_secret(agent, tenant, scene, capsys):
    with on_standard_output():
        key = field_of(agent.get("/console/webhooks/new"), "key")
        made = agent.post("/console/webhooks", url=HOOK_URL, key=key)
        second = agent.post(f"{page_of_hook(made)}/secrets", key="k")
        agent.follow(agent.post("/console/find", q="kim@example.org"))
        agent.get(f"/console/users/{scene.kim}")
        agent.post("/console/explain", userId="u-kim", email="kim@example.org", name="Kim")
        agent.post("/console/merges/choose", user=scene.lee, other="u-kim")
        agent.post(f"/console/users/{scene.lee}/user-id/preview", userId="u-lee-2")
        agent.post(f"/console/users/{scene.lee}/aliases", userId="u-kim")
        agent.post(f"/console/conversations/{scene.thread}/messages", body="Where?")
        agent.sign_in(tenant.sk, "Ann")

    told = capsys.readouterr().out
    assert told.count("/console/") > 5
    assert [answer.status_code for answer in (made, second)] == [201, 201]
    for secret in (
        "whsec",
        "shop.example",
        "kim",
        "Kim",
        "u-lee",
        "Where",
        "Ann",
        "search=",
        held_by(agent),
        tenant.sk,
        agent.token,
    ):
        assert secret not in told


def test_what_users_write_is_text_wherever_it_is_shown(browser, tenant):
    tenant.set(identityVerification="off")
    browser.sign_in(tenant.sk, HOSTILE)
    id = HOSTILE.replace(" ", "_")
    token = tenant.session(userId=id, name=HOSTILE)
    thread = tenant.begin(token, HOSTILE, subject=HOSTILE)
    user = tenant.get(f"/v1/conversations/{thread}").json["user"]
    tenant.alias(user, f"2{id}")
    other = tenant.known(userId=f"3{id}", name=HOSTILE)
    bought = {
        "userId": id,
        "storeAccount": {"store": "app_store", "account": "a"},
        "product": HOSTILE,
        "transaction": "t",
    }
    assert tenant.call("POST", "/v1/purchases", tenant.sk, bought).status_code < 300
    browser.post(f"/console/conversations/{thread}/messages", body=HOSTILE)

    shown = [
        *bodies(browser, ["/console", f"/console/users/{user}", f"/console/users/{user}/erase"]).values(),
        browser.get(f"/console/conversations/{thread}"),
        browser.post(f"/console/conversations/{thread}/messages", body=HOSTILE, key="ü"),
        browser.follow(browser.post("/console/find", q=HOSTILE)),
        browser.post("/console/explain", userId=id, name=HOSTILE, email=HOSTILE, proof=HOSTILE),
        browser.post("/console/explain", userId=id),
        browser.post("/console/merges/preview", from_=other, into=user),
        browser.post("/console/merges/choose", user=user, other=HOSTILE),
        browser.get(f"/console/users/{user}/user-id"),
        browser.post(f"/console/users/{user}/user-id/preview", userId=f"4{id}", keep=HOSTILE),
        browser.post(f"/console/users/{user}/user-id/preview", userId=f"{HOSTILE}\0"),
        browser.post(f"/console/users/{user}/aliases/preview", userId=f"2{id}"),
        browser.post(f"/console/users/{user}/aliases", userId=f"2{id}", fingerprint=HOSTILE),
    ]

    for answer in shown:
        assert answer.status_code in (200, 409, 422)
        assert "alert(1)" in unescape(answer.text)
        assert "<script" not in without_ours(answer.text)
        assert "<img" not in answer.text


def test_nothing_of_an_address_comes_back_as_marks(agent):
    shown = agent.get("/console?status=<script>&done=<script>&cursor=<script>").text
    assert "<script" not in without_ours(shown)
