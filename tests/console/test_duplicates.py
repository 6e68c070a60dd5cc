"""Duplicates at the console: both side by side with why; a merge by its preview, or "not the same"."""

import pytest

from tests.console.conftest import field_of, more_of, require_words, text_of
from tests.support.comparing import compare

LISTED = "/console/duplicates"


@pytest.fixture
def pair(tenant):
    """Two users who are probably one person."""
    both = tuple(
        tenant.known(userId=id, email=email, name="Jo Doe")
        for id, email in (("u-a", "jo@gmail.com"), ("u-b", "j.o@gmail.com"))
    )
    compare(tenant)
    return both


def test_a_pair_stands_side_by_side_with_why_in_plain_words(agent, pair):
    require_words(
        agent.get(LISTED),
        "u-a · jo@gmail.com",
        "u-b · j.o@gmail.com",
        "Their emails lead to one mailbox",
        "Their names are nearly equal.",
        "94 % likely",
    )


def test_where_nobody_looks_like_somebody_else_the_page_says_so(agent, scene, tenant, other_tenant):
    other_tenant.known(userId="u-x", email="kim@example.org")
    for one in (tenant, other_tenant):
        compare(one)

    require_words(agent.get(LISTED), "Nobody here looks like somebody else.")


def test_a_pair_is_merged_by_the_preview_of_a_merge(agent, pair):
    listed = agent.get(LISTED)
    preview = agent.post(
        "/console/merges/preview", from_=field_of(listed, "from"), into=field_of(listed, "into")
    )
    merged = agent.post(
        "/console/merges",
        **{name: field_of(preview, name.rstrip("_")) for name in ("from_", "into", "fingerprint")},
    )

    assert merged.status_code == 303
    require_words(agent.get(LISTED), "Nobody here")


def test_a_visitor_becomes_part_of_who_is_known(agent, tenant, pair):
    visit = tenant.login()
    said = tenant.call("PUT", "/v1/me/contact", visit["session"]["token"], {"email": "jo@gmail.com"})
    assert said.status_code == 200

    shown = agent.get(f"/console/users/{visit['user']['id']}")

    assert field_of(shown, "from") == visit["user"]["id"]


def test_a_pair_that_is_not_the_same_is_shown_no_more(agent, pair):
    listed = agent.get(LISTED)
    answer = agent.post(
        "/console/duplicates/dismiss", one=field_of(listed, "one"), other=field_of(listed, "other")
    )

    require_words(agent.follow(answer), "It is remembered that the two are not the same", "Nobody here")


def test_likely_duplicates_stand_on_a_users_page_from_where_they_are_dismissed(agent, pair):
    for id, other in (pair, pair[::-1]):
        shown = agent.get(f"/console/users/{id}")
        require_words(shown, "Probably the same person", "94 % likely")
        assert {field_of(shown, "one"), field_of(shown, "other")} == {id, other}

    dismissed = agent.post("/console/duplicates/dismiss", one=pair[0], other=pair[1], back=pair[0])

    page = agent.follow(dismissed)
    require_words(page, "It is remembered")
    assert "Probably the same person" not in text_of(page)


def test_the_list_has_pages(agent, tenant):
    for number in range(21):
        for name in "ab":
            tenant.known(userId=f"{name}{number}", email=f"jo{number}@example.org")
    compare(tenant)

    first = agent.get(LISTED)
    second = agent.get(more_of(first))

    assert (first.text.count("90 % likely"), second.text.count("90 % likely")) == (20, 1)
    assert not more_of(second)


def test_a_form_that_names_nobody_is_refused(agent, pair):
    assert agent.post("/console/duplicates/dismiss", one=pair[0], other=pair[0]).status_code == 422
    assert agent.post("/console/duplicates/dismiss", one=pair[0], other="usr_1").status_code == 404
