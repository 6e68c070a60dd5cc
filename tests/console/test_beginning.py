"""An agent begins a conversation with a user, who sees it on every device."""

import pytest

from tests.console.conftest import NOBODY, field_of, require_words, text_of
from tests.console.test_attachments import upload
from tests.support.cases import cases


def begin(agent, user, **fields):
    return agent.post(f"/console/users/{user}/conversations", **fields)


def test_a_user_who_never_wrote_is_written_to(agent, tenant, scene):
    form = agent.get(f"/console/users/{scene.lee}/conversations/new")
    require_words(form, "Write to Lee", "The user sees it from “ Ann ”.")

    begun = begin(agent, scene.lee, subject="Recall", message="Stop\r\nusing it")

    require_words(agent.follow(begun), "The conversation was begun", "Recall", "Stop using it")
    token = tenant.session(userId="u-lee")
    (thread,) = tenant.call("GET", "/v1/conversations", token).json["data"]
    assert (thread["subject"], thread["unread"]) == ("Recall", 1)
    (written,) = tenant.messages(thread["id"])
    assert (written["body"], written["author"]) == ("Stop\nusing it", {"kind": "agent", "name": "Ann"})


def test_a_form_that_is_sent_twice_begins_one_conversation(agent, tenant, scene):
    key = field_of(agent.get(f"/console/users/{scene.lee}/conversations/new"), "key")
    places = {begin(agent, scene.lee, message="Hello", key=key).headers["Location"] for _ in range(2)}
    assert len(places) == 1
    assert len(tenant.get(f"/v1/conversations?user={scene.lee}").json["data"]) == 1


def test_it_begins_with_files(agent, tenant, scene):
    files = [upload(agent, None, name=name).json["id"] for name in ("one.png", "two.png")]
    agent.follow(begin(agent, scene.lee, attachments=files))
    token = tenant.session(userId="u-lee")
    (thread,) = tenant.call("GET", "/v1/conversations", token).json["data"]
    (written,) = tenant.messages(thread["id"], token)
    assert (written["body"], [one["id"] for one in written["attachments"]]) == (None, files)
    # What is gone by now is not in the form any more.
    refused = begin(agent, scene.lee, attachments=files[:1], message="Again")
    assert refused.status_code == 422
    require_words(refused, "It was not sent for this message.", "Again")


def test_files_are_still_in_a_form_that_is_refused(agent, scene):
    id = upload(agent, None, name="one.png").json["id"]
    refused = begin(agent, scene.lee, attachments=[id], message="x" * 10_001)
    assert refused.status_code == 422
    assert f'name="attachments" value="{id}"' in refused.text


@cases(
    "fields",
    ("nothing", {"subject": "Recall", "message": ""}),
    ("too much", {"subject": "Recall", "message": "x" * 10_001}),
    ("a subject that is too long", {"subject": "x" * 256, "message": "Hello"}),
)
def test_what_cannot_be_sent_is_still_in_the_form(agent, tenant, scene, fields):
    answer = begin(agent, scene.lee, **fields)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert f'value="{fields["subject"]}"' in answer.text
    assert fields["message"] in answer.text
    assert tenant.get(f"/v1/conversations?user={scene.lee}").json["data"] == []


def test_a_users_page_leads_to_the_form(agent, scene):
    page = agent.get(f"/console/users/{scene.lee}")
    assert f"/console/users/{scene.lee}/conversations/new" in page.text
    assert "Write to this user" in text_of(page)


@pytest.mark.parametrize("id", [f"usr_{NOBODY}", "x"])
def test_nobody_is_written_to(agent, id):
    assert begin(agent, id, message="Hello").status_code == 404
