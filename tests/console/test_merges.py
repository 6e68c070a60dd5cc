"""Merges at the console: a preview, the merge that was shown, and the undo."""

import re

import pytest

from tests.console.conftest import field_of, require_words, text_of


def confirm(agent, shown):
    return agent.post(
        "/console/merges",
        from_=field_of(shown, "from"),
        into=field_of(shown, "into"),
        fingerprint=field_of(shown, "fingerprint"),
    )


@pytest.mark.parametrize("by", ["id", "user ID", "email"])
def test_who_becomes_part_is_named_as_an_agent_knows_them(agent, tenant, scene, by):
    tenant.change(scene.lee, email="lee@example.org")
    other = {"id": scene.lee, "user ID": "u-lee", "email": " lee@example.org "}[by]
    shown = agent.post("/console/merges/choose", user=scene.kim, other=other)
    assert (field_of(shown, "from"), field_of(shown, "into")) == (scene.lee, scene.kim)


def test_the_preview_says_what_would_move_and_changes_nothing(agent, tenant, scene):
    before = tenant.get(f"/v1/users/{scene.lee}/export").json
    require_words(
        agent.post("/console/merges/choose", user=scene.lee, other="u-kim"),
        "Nothing has changed yet.",
        "User IDs u-kim",
        "Emails kim@example.org",
        "Conversations 1",
        "email: kim@example.org",
    )
    assert tenant.get(f"/v1/users/{scene.lee}/export").json == before


def test_the_preview_can_be_turned_round(agent, scene):
    shown = agent.post("/console/merges/preview", from_=scene.kim, into=scene.lee)
    assert (field_of(shown, "from"), field_of(shown, "into")) == (scene.kim, scene.lee)


@pytest.mark.parametrize("by", ["the visitor", "the user"])
def test_a_visitor_becomes_part_of_who_is_known_and_never_the_other_way_round(agent, tenant, scene, by):
    visit = tenant.login()["user"]
    user, other = (visit["id"], "u-kim") if by == "the visitor" else (scene.kim, visit["id"])
    shown = agent.post("/console/merges/choose", user=user, other=other)
    assert (field_of(shown, "from"), field_of(shown, "into")) == (visit["id"], scene.kim)
    assert "The other way round" not in shown.text
    refused = agent.post("/console/merges/preview", from_=scene.kim, into=visit["id"])
    assert refused.status_code == 409
    assert "Nobody identified becomes part of an anonymous user." in text_of(refused)


def test_of_several_who_share_an_email_a_visitor_becomes_part(agent, tenant, scene):
    visit = tenant.login()["user"]
    two = [tenant.known(userId=id, email="same@example.org") for id in ("u-a", "u-b")]
    shown = agent.post("/console/merges/choose", user=visit["id"], other="same@example.org")
    assert all(f'name="into" value="{id}"' in shown.text for id in two)


def test_ids_that_nobody_proved_are_told_apart(agent, tenant, scene):
    tenant.set(identityVerification="off")
    tenant.try_login(key=tenant.pk, userId="claimed")
    said = text_of(agent.post("/console/merges/choose", user=scene.kim, other="claimed"))
    assert "IDs nobody proved claimed" in said


def test_the_merge_is_the_one_that_was_shown(agent, tenant, scene):
    shown = agent.post("/console/merges/choose", user=scene.kim, other="u-lee")
    assert "The two are one user now." in text_of(agent.follow(confirm(agent, shown)))
    assert tenant.user(scene.kim)["aliases"] == ["u-lee"]


def test_a_merge_that_would_do_something_else_by_now_does_nothing(agent, tenant, scene):
    shown = agent.post("/console/merges/choose", user=scene.kim, other="u-lee")
    tenant.begin(tenant.session(userId="u-lee"))
    answer = confirm(agent, shown)
    assert answer.status_code == 409
    require_words(answer, "no longer what you were shown: the conversations. Look", "Conversations 1")
    assert tenant.user(scene.lee)["id"] == scene.lee
    assert confirm(agent, answer).status_code == 303


@pytest.mark.parametrize("fingerprint", ["", "x", "é"])
def test_a_merge_without_a_preview_does_nothing(agent, tenant, scene, fingerprint):
    answer = agent.post("/console/merges", from_=scene.lee, into=scene.kim, fingerprint=fingerprint)
    assert answer.status_code == 409
    assert tenant.user(scene.lee)["id"] == scene.lee


def test_where_several_share_an_email_the_agent_chooses(agent, tenant, scene):
    two = [tenant.known(userId=id, email="same@example.org") for id in ("u-a", "u-b")]
    shown = agent.post("/console/merges/choose", user=scene.kim, other="same@example.org")
    assert shown.status_code == 200
    assert all(f'name="from" value="{id}"' in shown.text for id in two)


@pytest.mark.parametrize("other", ["nobody", "nobody@example.org", "", "null", "u-kim"])
def test_where_there_is_nobody_else_the_page_says_so(agent, scene, other):
    answer = agent.post("/console/merges/choose", user=scene.kim, other=other)
    assert answer.status_code == 422
    assert "Nobody else has this user ID or email." in text_of(answer)


def test_what_is_in_the_way_is_said_in_words(agent, tenant, scene):
    claimed = tenant.claimed("claimed")
    answer = agent.post("/console/merges/preview", from_=scene.kim, into=claimed)
    assert answer.status_code == 409
    assert "Whom nobody proved to be takes in nobody who was proven." in text_of(answer)


def test_a_preview_of_nobody_is_refused(agent, scene):
    assert agent.post("/console/merges/preview", into=scene.kim).status_code == 422


@pytest.fixture
def merged(agent, scene):
    """A merge that was made at the console, as the users' page shows it."""
    answer = confirm(agent, agent.post("/console/merges/choose", user=scene.kim, other="u-lee"))
    return re.search(r"/console/merges/(mrg_[0-9a-f]{32})/undo", agent.follow(answer).text)[1]


def test_an_undo_has_both_stand_again(agent, tenant, scene, merged):
    assert "The merge was undone" in text_of(agent.follow(agent.post(f"/console/merges/{merged}/undo")))
    assert tenant.user(scene.lee)["userId"] == "u-lee"
    assert tenant.user(scene.kim)["aliases"] == []


def test_what_is_undone_is_shown_so_and_is_not_undone_again(agent, scene, merged):
    agent.post(f"/console/merges/{merged}/undo")
    page = agent.get(f"/console/users/{scene.kim}")
    again = agent.post(f"/console/merges/{merged}/undo")
    assert f"{merged}/undo" not in page.text
    assert "undone" in text_of(page)
    assert again.status_code == 409
    assert "This merge was undone." in text_of(again)


def test_the_history_tells_both_sides(agent, scene, merged):
    during = text_of(agent.get(f"/console/users/{scene.kim}"))
    agent.post(f"/console/merges/{merged}/undo")
    after = text_of(agent.get(f"/console/users/{scene.lee}"))
    assert f"Took in {scene.lee}, with the user ID “u-lee”." in during
    assert f"Became part of {scene.kim}." in after
    assert f"Stands apart from {scene.kim} again: the merge was undone." in after
