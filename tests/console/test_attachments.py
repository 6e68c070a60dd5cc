"""Files at the console: an agent sends them for a reply, and fetches them, and nothing in them runs there."""

import re
from urllib.parse import quote

import pytest

from service.console.words import size
from tests.console.conftest import NOBODY, Agent, require_words
from tests.support.attachments import PNG, fetch, written
from tests.support.cases import cases

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>'
HTML = b"<!doctype html><script>fetch('/console/users')</script>"
PROBLEM = "application/problem+json"


def upload(agent, thread, data=PNG, name="parcel.png", **headers):
    """Send a file as the script of a page does, into a conversation or before there is one."""
    given = {"X-Form-Token": agent.token, "X-File-Name": quote(name), "Accept": PROBLEM}
    given |= {header.replace("_", "-"): value for header, value in headers.items()}
    place = "" if thread is None else f"/conversations/{thread}"
    return agent.client.post(f"/console{place}/attachments", data=data, headers=given)


def reply(agent, thread, *ids, **fields):
    sent = {"token": agent.token, "attachments": list(ids), **fields}
    return agent.client.post(f"/console/conversations/{thread}/messages", data=sent)


def test_a_reply_names_files_which_the_user_and_agents_see(agent, tenant, scene):
    ids = [
        upload(agent, scene.thread, name="Übersicht.png").json["id"],
        upload(agent, scene.thread).json["id"],
    ]
    require_words(agent.follow(reply(agent, scene.thread, *ids, body="Look")), "Your reply was sent.", "Look")
    shown = agent.get(f"/console/conversations/{scene.thread}")

    token = tenant.session(userId="u-kim")
    message = tenant.get(f"/v1/conversations/{scene.thread}/messages", token).json["data"][-1]
    assert [one["name"] for one in message["attachments"]] == ["Übersicht.png", "parcel.png"]
    assert fetch(tenant, ids[0], token).data == PNG
    for id in ids:
        assert f'<img src="/console/attachments/{id}"' in shown.text
        assert agent.get(f"/console/attachments/{id}").data == PNG


def test_a_reply_may_be_files_alone_and_no_more_than_ten(agent, tenant, scene):
    eleven = [upload(agent, scene.thread).json["id"] for _ in range(11)]
    refused = reply(agent, scene.thread, *eleven, body="All")
    assert refused.status_code == 422
    require_words(refused, "A message has at most 10 attachments.", "All")
    # What was sent is still beside the text, for another try.
    assert re.findall(r'name="attachments" value="(\w+)"', refused.text) == eleven

    assert reply(agent, scene.thread, *eleven[:10], body="").status_code == 303
    assert len(tenant.messages(scene.thread)[-1]["attachments"]) == 10
    assert reply(agent, scene.thread, body="").status_code == 422


def test_what_is_gone_by_now_is_not_named(agent, scene):
    id = upload(agent, scene.thread).json["id"]
    assert reply(agent, scene.thread, id).status_code == 303
    refused = reply(agent, scene.thread, id, f"att_{NOBODY}", body="Again")
    assert refused.status_code == 422
    require_words(refused, "It was not sent for this message.")


def test_a_user_who_sends_a_file_is_seen_to(agent, tenant, scene):
    token = tenant.session(userId="u-kim")
    image, text = (written(tenant, scene.thread, token, data, name=name) for data, name in FILES)
    shown = agent.get(f"/console/conversations/{scene.thread}")
    require_words(shown, "_b_.png 2 KB", "notes.html 55 bytes")
    assert re.findall('<img [^>]*alt="([^"]*)"', shown.text) == ["_b_.png"]
    assert agent.get(f"/console/attachments/{text}").data == HTML
    assert agent.get(f"/console/attachments/{image}").mimetype == "image/png"


FILES = ((PNG, "<b>.png"), (HTML, "notes.html"))


@cases(
    "data, type, how",
    ("a picture", PNG, "image/png", "inline"),
    ("SVG", SVG, "text/plain", "attachment"),
    ("HTML", HTML, "text/plain", "attachment"),
    (
        "PDF",
        b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript>>>>",
        "application/pdf",
        "attachment",
    ),
    ("a script", b"#!/bin/sh\nrm -rf ~", "text/plain", "attachment"),
)
def test_nothing_in_a_file_runs_as_the_consoles(agent, scene, data, type, how):
    id = upload(agent, scene.thread, data, "x.html").json["id"]
    answer = agent.get(f"/console/attachments/{id}")
    assert (answer.status_code, answer.data, answer.mimetype) == (200, data, type)
    assert answer.headers["Content-Disposition"].startswith(f"{how};")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none';")
    assert "script" not in policy
    for header, value in (
        ("X-Content-Type-Options", "nosniff"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cache-Control", "no-store"),
        ("X-Frame-Options", "DENY"),
    ):
        assert answer.headers[header] == value


def test_a_part_of_a_file_is_fetched(agent, scene):
    id = upload(agent, scene.thread).json["id"]
    answer = agent.client.get(f"/console/attachments/{id}", headers={"Range": "bytes=0-3"})
    assert (answer.status_code, answer.data) == (206, PNG[:4])


def test_of_another_app_there_is_no_file_and_no_conversation(agent, other_agent, tenant, scene, operator):
    id = written(tenant, scene.thread, tenant.session(userId="u-kim"))
    for whose in (other_agent, operator):
        for path in (id, f"att_{NOBODY}", "x"):
            assert whose.get(f"/console/attachments/{path}").status_code == 404
        assert upload(whose, scene.thread).status_code == 404
    assert reply(other_agent, scene.thread, id, body="x").status_code == 404
    assert agent.get(f"/console/attachments/{id}").status_code == 200


def test_a_file_of_another_conversation_is_not_named(agent, tenant, scene):
    other = tenant.begin(tenant.session(userId="u-lee"))
    id = upload(agent, other).json["id"]
    assert reply(agent, scene.thread, id, body="x").status_code == 422


def test_a_file_that_is_sent_again_is_kept_once(agent, scene):
    first, again = (upload(agent, scene.thread, Idempotency_Key="k") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    refused = upload(agent, scene.thread, b"other", Idempotency_Key="k")
    assert (refused.status_code, refused.mimetype) == (422, PROBLEM)


@cases(
    "data, headers, status",
    ("nothing in it", b"", {}, 422),
    ("too large", b"x" * (10 * 1024 * 1024 + 1), {}, 413),
    ("no token", PNG, {"X_Form_Token": "0" * 64}, 403),
    ("a stranger's page", PNG, {"Origin": "https://evil.example.org"}, 403),
    ("a form", PNG, {"Content_Type": "multipart/form-data; boundary=x"}, 422),
)
def test_what_is_refused_says_why_to_a_script(agent, scene, data, headers, status):
    answer = upload(agent, scene.thread, data, **headers)
    assert (answer.status_code, answer.mimetype) == (status, PROBLEM)
    assert (status == 422) == ("errors" in answer.json)


def test_whoever_is_signed_out_sends_nothing_and_sees_nothing(agent, browser, scene, app):
    id = upload(agent, scene.thread).json["id"]
    agent.post("/console/sign-out")
    assert upload(agent, scene.thread).status_code == 401
    assert agent.get(f"/console/attachments/{id}").status_code == 401


def test_without_a_place_for_files_a_script_is_told_so(start, tenant, scene):
    app = start(files_url="")
    agent = Agent(app.test_client())
    agent.sign_in(tenant.sk)
    answer = upload(agent, scene.thread)
    assert answer.status_code == 501
    assert "FILES_URL" in answer.json["detail"]


SIZES = {1: "1 byte", 1023: "1023 bytes", 1024: "1 KB", 1536: "1.5 KB", 10485760: "10 MB"}


@pytest.mark.parametrize(("count", "shown"), SIZES.items())
def test_a_size_is_written_as_people_read_it(count, shown):
    assert size(count) == shown
