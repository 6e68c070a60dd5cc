"""Attributes and contacts at the console: shown as what was said, and who it might be who left a contact."""

import html
import re
from urllib.parse import unquote

import pytest

from tests.console.conftest import more_of, require_words, text_of
from tests.support.cases import cases
from tests.support.logbook import on_standard_output

NOBODY = "0" * 32
EMAIL, PHONE = "canary@example.org", "+49 30 901820"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def visit(tenant):
    """Have somebody who is nobody leave a contact; return our id of them."""

    def visit(**said):
        login = tenant.try_login(key=tenant.pk).json
        answer = tenant.call("PUT", "/v1/me/contact", login["session"]["token"], said)
        assert answer.status_code == 200
        return login["user"]["id"]

    return visit


def look(agent, id, **said):
    return agent.post(f"/console/users/{id}/contacts", **said)


# What is shown


def test_attributes_are_a_table_and_nothing_of_them_can_be_changed(agent, tenant, scene):
    tenant.change(scene.kim, attributes={"plan": "gold", "seats": 7, "trial": False, "rate": 0.5})
    for path in (f"/console/users/{scene.kim}", f"/console/conversations/{scene.thread}"):
        page = agent.get(path)
        assert "Name Value plan gold rate 0.5 seats 7 trial false" in text_of(page)
        assert '<th scope="row"><bdi>plan</bdi></th><td><bdi>gold</bdi></td>' in page.text
        assert 'name="plan"' not in page.text


@cases("count, is_open", ("few", 5, True), ("many", 6, False))
def test_many_attributes_are_folded_beside_a_conversation(agent, tenant, scene, count, is_open):
    tenant.change(scene.kim, attributes={f"a{number}": number for number in range(count)})
    assert ("<details open>" in agent.get(f"/console/conversations/{scene.thread}").text) is is_open


def test_what_is_long_is_cut(agent, tenant, scene, visit):
    tenant.change(scene.kim, attributes={"long": "x" * 1000, "fits": "y" * 200})
    visitor = visit(name="z" * 255)
    said = text_of(agent.get(f"/console/users/{scene.kim}"))
    assert f" {'x' * 200}… " in said
    assert "x" * 201 not in said
    assert f" {'y' * 200} " in said
    assert f" {'z' * 200}… " in text_of(agent.get(f"/console/users/{visitor}"))


def test_a_contact_is_said_to_be_said_and_not_proven_with_when(agent, tenant, visit):
    visitor = visit(email=EMAIL, phone=PHONE, name="Ada")
    [left] = tenant.user(visitor)["contacts"]
    page = agent.get(f"/console/users/{visitor}")
    require_words(page, "How to reach them", f"{EMAIL} · {PHONE} · Ada said, not proven", "Who might it be?")
    contact = page.text.partition('id="contacts"')[2].partition("</section>")[0]
    assert f'<time datetime="{left["at"]}">' in contact


def test_a_contact_is_shown_beside_a_conversation(agent, tenant):
    login = tenant.try_login(key=tenant.pk).json["session"]["token"]
    tenant.call("PUT", "/v1/me/contact", login, {"phone": PHONE})
    thread = tenant.begin(login, "Do you ship to Brisbane?")
    require_words(agent.get(f"/console/conversations/{thread}"), f"{PHONE} said, not proven")


def test_of_many_contacts_a_conversation_shows_the_newest_and_leads_to_all(agent, tenant, visit, scene):
    for number in range(4):
        tenant.merge(visit(email=f"c{number}@example.org"), scene.kim)
    page = agent.get(f"/console/conversations/{scene.thread}")
    assert "c1@example.org" in page.text
    assert "c0@example.org" not in page.text
    assert f'href="/console/users/{scene.kim}#contacts">All that they left' in page.text
    all_of_them = text_of(agent.get(f"/console/users/{scene.kim}"))
    assert all(f"c{number}@example.org" in all_of_them for number in range(4))


def test_nobody_is_looked_for_by_a_name_alone(agent, visit):
    page = agent.get(f"/console/users/{visit(name='Ada')}")
    assert "Ada said, not proven" in text_of(page)
    assert "Who might it be?" not in page.text


def test_who_left_nothing_and_of_whom_nothing_is_said_has_no_empty_boxes(agent, scene):
    for path in (f"/console/users/{scene.kim}", f"/console/conversations/{scene.thread}"):
        said = text_of(agent.get(path))
        assert "How to reach them" not in said
        assert "Attributes" not in said


def test_markup_that_somebody_says_is_text(agent, tenant, scene, visit):
    tenant.change(scene.kim, name=HOSTILE, attributes={"plan": HOSTILE}, email=EMAIL)
    visitor = visit(email=EMAIL, name=HOSTILE)
    pages = [
        agent.get(f"/console/users/{scene.kim}"),
        agent.get(f"/console/conversations/{scene.thread}"),
        agent.get(f"/console/users/{visitor}"),
        look(agent, visitor, email=EMAIL),
        look(agent, visitor, email=EMAIL, phone=HOSTILE),
    ]
    for page in pages:
        assert HOSTILE not in page.text
        assert html.escape(HOSTILE, quote=False) in page.text


# Who it might be


def test_both_who_left_the_same_and_who_has_the_email_are_shown_with_a_preview_each(
    agent, tenant, scene, visit
):
    visitor, same, by_phone = visit(email=EMAIL, phone=PHONE), visit(email=EMAIL.upper()), visit(phone=PHONE)
    tenant.change(scene.kim, email=EMAIL)

    page = look(agent, visitor, email=EMAIL, phone=PHONE)

    links = [part.partition('"')[0] for part in page.text.split('<a href="/console/users/')[1:]]
    assert links[0] == visitor
    assert sorted(links[1:3]) == sorted([same, by_phone])
    assert links[3:] == [scene.kim]
    assert page.text.index('id="same"') < page.text.index(same) < page.text.index('id="having"')
    assert page.text.index('id="having"') < page.text.index(scene.kim)
    require_words(page, EMAIL, PHONE, "which nobody proved", "Preview a merge with Kim")


def test_the_preview_is_one_click_further_and_nothing_is_merged_by_looking(agent, tenant, scene, visit):
    visitor = visit(email=EMAIL)
    tenant.change(scene.kim, email=EMAIL)
    before = tenant.get(f"/v1/users/{scene.kim}/export").json, tenant.get(f"/v1/users/{visitor}/export").json

    page = look(agent, visitor, email=EMAIL)
    form = page.text.partition('action="/console/merges/preview"')[2].partition("</form>")[0]
    # Nobody identified becomes part of somebody who is anonymous.
    assert f'name="from" value="{visitor}"' in form
    assert f'name="into" value="{scene.kim}"' in form
    require_words(
        agent.post("/console/merges/preview", from_=visitor, into=scene.kim), "Nothing has changed yet."
    )

    after = tenant.get(f"/v1/users/{scene.kim}/export").json, tenant.get(f"/v1/users/{visitor}/export").json
    assert after == before


@cases(
    "said, words, missing",
    ("email", {"email": EMAIL}, ("Nobody else left it.", "No user has it."), ()),
    ("phone", {"phone": PHONE}, ("Nobody else left it.",), ("Who has this email",)),
    ("nothing", {}, ("Nobody else left it.",), ("Who has this email",)),
)
def test_where_there_is_nobody_else_the_page_says_so(agent, visit, said, words, missing):
    page = look(agent, visit(email=EMAIL, phone=PHONE), **said)
    require_words(page, *words)
    assert [word for word in missing if word in text_of(page)] == []


def test_what_is_no_email_is_refused_in_words(agent, scene):
    answer = look(agent, scene.kim, email="no email")
    assert answer.status_code == 422
    assert "This is not an email address" in text_of(answer)


def test_more_than_a_page_holds_is_said(agent, visit, monkeypatch):
    monkeypatch.setattr("service.console.contacts.LIMIT", "1")
    visitor = visit(email=EMAIL)
    assert "There are more than these" not in text_of(look(agent, visitor, email=EMAIL))
    visit(email=EMAIL)
    visit(email=EMAIL)
    require_words(look(agent, visitor, email=EMAIL), "There are more than these")


def test_nobody_of_another_app_is_found_and_no_other_apps_user_is_there(
    agent, other_agent, tenant, other_tenant, visit
):
    visitor = visit(email=EMAIL, phone=PHONE)
    other_tenant.login(userId="u-other", email=EMAIL)
    token = other_tenant.try_login(key=other_tenant.pk).json["session"]["token"]
    other_tenant.call("PUT", "/v1/me/contact", token, {"email": EMAIL})
    require_words(look(agent, visitor, email=EMAIL), "Nobody else left it.", "No user has it.")
    assert look(other_agent, visitor, email=EMAIL).status_code == 404
    assert look(agent, f"usr_{NOBODY}", email=EMAIL).status_code == 404


# The search


@pytest.mark.parametrize("what", [EMAIL, EMAIL.upper(), PHONE, "49 (30) 90-18-20"], ids=lambda what: what)
def test_the_search_finds_people_by_what_they_left(agent, scene, visit, what):
    visitor = visit(email=EMAIL, phone=PHONE)
    page = agent.follow(agent.post("/console/find", q=what))
    require_words(page, f"Left “ {what} ” as a contact", "Said, not proven")
    assert f"/console/users/{visitor}" in page.text
    assert scene.kim not in page.text


def test_a_search_tells_who_has_an_email_from_who_only_left_it(agent, scene, visit):
    visitor = visit(email="kim@example.org")
    page = agent.follow(agent.post("/console/find", q="kim@example.org"))
    assert page.text.index(scene.kim) < page.text.index('id="left"') < page.text.index(visitor)


@pytest.mark.parametrize("what", ["zoe@example.org", "+1 555 0100", "zoe"])
def test_where_nobody_left_it_the_search_says_so(agent, visit, what):
    visit(email=EMAIL)
    page = agent.follow(agent.post("/console/find", q=what))
    require_words(page, "and nobody left it as a contact")
    assert 'id="left"' not in page.text


def test_many_who_left_the_same_go_on_on_another_page(agent, visit):
    visitors = [visit(phone=PHONE) for _ in range(21)]
    first = agent.follow(agent.post("/console/find", q=PHONE))
    second = agent.get(more_of(first))
    shown = [[id for id in visitors if id in page.text] for page in (first, second)]
    assert [len(ids) for ids in shown] == [20, 1]
    assert sorted(shown[0] + shown[1]) == sorted(visitors)


def test_a_page_of_them_that_is_none_is_refused(agent, visit):
    visit(phone=PHONE)
    location = agent.post("/console/find", q=PHONE).headers["Location"]
    assert agent.get(f"{location}&contacts=none").status_code == 422


def test_a_contact_stands_in_no_address_and_no_log(agent, visit, capsys):
    with on_standard_output():
        visitor = visit(email=EMAIL, phone=PHONE)
        location = agent.post("/console/find", q=EMAIL).headers["Location"]
        pages = [
            agent.get(f"/console/users/{visitor}"),
            look(agent, visitor, email=EMAIL, phone=PHONE),
            agent.get(location),
        ]
    logged = capsys.readouterr()
    assert logged.out.count("/contacts") == 1
    addresses = [found[1] for page in pages for found in re.finditer(r'(?:href|action)="([^"]*)"', page.text)]
    assert len(addresses) > 20
    for text in (location, *addresses, logged.out, logged.err):
        assert "canary" not in unquote(text)
        assert "901820" not in text
