"""Search in what was written: which words find what, how far one search goes, and that it tells nobody."""

import re
from html import unescape

import pytest

from service.desk import searching
from tests.console.conftest import more_of, require_words, text_of
from tests.support.cases import cases


@pytest.fixture
def token(tenant):
    return tenant.session(userId="u-kim", name="Kim")


@pytest.fixture
def threads(tenant, token):
    """Three conversations, and what was written in each."""
    parcel = tenant.begin(token, "Where is my Päckchen?", subject="Parcel 17")
    tenant.write(parcel, body="It left us on Monday.")
    tenant.begin(token, "मेरा पार्सल कहाँ है", subject="हिन्दी")
    tenant.begin(token, "ΠΟΥ ΕΙΝΑΙ 50% <b> a+b^c|d$", subject=None)
    return parcel


def search(agent, what):
    return agent.follow(agent.post("/console/search", q=what))


def subjects(page):
    """What the list shows, in its order."""
    rows = page.text.partition('data-live="list"')[2].partition("</ul>")[0]
    return [unescape(one) for one in re.findall(r"<bdi>([^<]*)</bdi></a>", rows)]


@cases(
    "what, found",
    ("a word of a subject", "parcel", ["Parcel 17"]),
    ("a number", "17", ["Parcel 17"]),
    ("a part of a word", "arce", ["Parcel 17"]),
    ("letters of another case", "PÄCK", ["Parcel 17"]),
    ("words of several messages", "monday where parcel", ["Parcel 17"]),
    ("a word that is nowhere beside one that is", "parcel tuesday", []),
    ("another script", "पार्सल", ["हिन्दी"]),
    ("a script with cases", "που", ["No subject"]),
    ("symbols", "a+b^c|d$", ["No subject"]),
    ("what engines take for patterns", "% _ * ? [ ] ' \" \\ parcel", ["Parcel 17"]),
    ("what stands between words", "17, (parcel).", ["Parcel 17"]),
)
def test_what_was_written_is_found(agent, threads, what, found):
    assert subjects(search(agent, what)) == found


@pytest.mark.parametrize("what", ["", "  ", "\u200b"])
def test_where_nothing_is_looked_for_the_list_is_shown(agent, threads, what):
    assert len(subjects(search(agent, what))) == 3


def test_of_what_has_no_word_nothing_is_found(agent, threads):
    page = search(agent, "*?!")
    assert subjects(page) == []
    require_words(page, "There are no earlier ones.")


def test_what_is_resolved_is_found_too(agent, tenant, threads):
    agent.post(f"/console/conversations/{threads}/status", status="resolved")
    assert subjects(search(agent, "parcel")) == ["Parcel 17"]


def test_what_was_erased_is_not_found(agent, tenant, threads):
    user = tenant.get(f"/v1/conversations/{threads}").json["user"]
    assert tenant.call("DELETE", f"/v1/users/{user}", tenant.sk).status_code == 204
    assert subjects(search(agent, "parcel")) == []


def test_nothing_of_another_app_is_found(other_agent, threads):
    assert subjects(search(other_agent, "parcel")) == []


def test_a_search_goes_on_where_it_has_come_to(agent, tenant, token, threads, monkeypatch):
    monkeypatch.setattr(searching, "CONVERSATIONS", 2)
    first = search(agent, "parcel")
    assert subjects(first) == []
    second = agent.get(more_of(first))
    assert subjects(second) == ["Parcel 17"]
    assert more_of(second) == ""


def test_a_search_goes_to_no_other_conversation_after_many_messages(agent, threads, monkeypatch):
    monkeypatch.setattr(searching, "MESSAGES", 1)
    pages = [search(agent, "parcel")]
    while more_of(pages[-1]):
        pages.append(agent.get(more_of(pages[-1])))
    assert [subjects(page) for page in pages] == [[], [], ["Parcel 17"]]


def test_where_much_is_found_each_conversation_is_on_one_page(agent, tenant, token):
    names = [f"Thread {number:02}" for number in range(60)]
    for name in names:
        tenant.begin(token, subject=name)
    first = search(agent, "thread")
    second = agent.get(more_of(first))
    assert (len(subjects(first)), sorted(subjects(first) + subjects(second))) == (50, names)


def test_a_conversation_that_was_found_is_shown_beside_what_else_was(agent, threads):
    page = search(agent, "parcel")
    link = unescape(re.search(r'href="(/console/conversations/cnv_[^"]*)"', page.text)[1])
    beside = agent.get(link)
    assert subjects(beside) == ["Parcel 17"]
    assert "Where is my Päckchen?" in text_of(beside)
    # Fetched anew, it leaves what was found as it is.
    anew = unescape(re.search(r'data-page="([^"]*)"', beside.text)[1])
    assert 'data-live="list"' not in agent.get(anew).text


def test_an_address_does_not_tell_what_is_looked_for_and_opens_for_no_other_app(agent, other_agent, threads):
    place = agent.post("/console/search", q="parcel").headers["Location"]
    assert "parcel" not in place.lower()
    assert other_agent.get(place).status_code == 404


def test_no_more_than_eight_words_are_looked_for():
    assert searching.words_of("a b c d e f g h i A") == ("a", "b", "c", "d", "e", "f", "g", "h")
