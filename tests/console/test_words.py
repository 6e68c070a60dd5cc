"""History in plain words: one sentence for each kind of event, also for what was forgotten since."""

import pytest

from service.console.words import SENTENCES, by, sentence, title
from service.model.callers import Actor
from service.model.history import Entry, Event
from service.model.users import User
from tests.support.cases import cases

CASES = {
    "created": (Event.CREATED, None, {"userId": "u", "email": None, "name": "N"},
                "Created with user ID “u” and name “N”."),
    "created with all": (Event.CREATED, None, {"userId": "u", "email": "e@x.org", "name": "N"},
                         "Created with user ID “u”, email “e@x.org” and name “N”."),
    "anonymous": (Event.CREATED, None, {"userId": "$anon:1", "email": None, "name": None},
                  "Created as the anonymous user of a device."),
    "attached": (Event.USER_ID_ATTACHED, {"userId": None}, {"userId": "u"},
                 "Had no user ID, and was given “u”."),
    "known at last": (Event.USER_ID_ATTACHED, {"userId": "$anon:1"}, {"userId": "u"},
                      "Was anonymous, and became known by the user ID “u”."),
    "ID corrected": (Event.USER_ID_CHANGED, {"userId": "u"}, {"userId": "v"},
                     "The primary user ID “u” was corrected to “v”."),
    "ID replaced by another's": (Event.USER_ID_CHANGED, {"userId": "u"}, {"userId": None},
                                 "The primary user ID “u” gave way to another."),
    "ID of a part taken away": (Event.USER_ID_REMOVED, None, {"userId": None},
                                "Has no user ID any more: it was of somebody who became part of them."),
    "ID taken away": (Event.USER_ID_REMOVED, {"userId": "u"}, None, "The user ID “u” was taken away."),
    "email added": (Event.EMAIL_CHANGED, {"email": None}, {"email": "e"}, "The email “e” was added."),
    "email removed": (Event.EMAIL_CHANGED, {"email": "e"}, {"email": None}, "The email “e” was removed."),
    "name changed": (Event.NAME_CHANGED, {"name": "A"}, {"name": "B"},
                     "The name was changed from “A” to “B”."),
    "an attribute set": (Event.ATTRIBUTES_CHANGED, None, {"set": ["$email"]},
                         "Of the attributes “$email” was set."),
    "an attribute removed": (Event.ATTRIBUTES_CHANGED, None, {"removed": ["a"]},
                             "Of the attributes “a” was removed."),
    "attributes set and removed": (Event.ATTRIBUTES_CHANGED, None,
                                   {"set": ["a", "b"], "removed": ["c"]},
                                   "Of the attributes “a” and “b” were set and “c” was removed."),
    "cleared": (Event.CLEARED, None, None,
                "Was cleared: nobody reaches this anonymous user on its device any more; agents still do."),
    "alias": (Event.ALIAS_ADDED, None, {"userId": "u"}, "“u” became a further user ID."),
    "took in": (Event.MERGED, None, {"from": "usr_1", "aliases": ["a", "b"]},
                "Took in usr_1, with the user IDs “a” and “b”."),
    "took in nobody's": (Event.MERGED, None, {"from": "usr_1", "aliases": []}, "Took in usr_1."),
    "became": (Event.MERGED, None, {"into": "usr_2"}, "Became part of usr_2."),
    "apart": (Event.UNMERGED, {"into": "usr_2"}, {},
              "Stands apart from usr_2 again: the merge was undone."),
    "apart, from the other side": (Event.UNMERGED, {"from": "usr_1"}, {},
                                   "usr_1 stands apart again: the merge was undone."),
    "purchase": (Event.PURCHASE, None, {"product": "gold"}, "Bought “gold”."),
    "erased": (Event.ERASED, None, None, "Was erased."),
}  # fmt: skip


def entry(event, before=None, after=None, by="session"):
    return Entry("hst_1", 0, event, None, Actor(by, "r"), before, after)


@pytest.mark.parametrize(("event", "before", "after", "words"), CASES.values(), ids=CASES)
def test_what_happened_is_a_sentence(event, before, after, words):
    assert sentence(entry(event, before, after)) == words


def test_every_kind_of_event_has_a_sentence_and_a_case():
    assert set(SENTENCES) == set(Event) == {event for event, *_ in CASES.values()}


@pytest.mark.parametrize("event", Event)
def test_of_what_was_forgotten_a_sentence_is_left(event):
    words = sentence(entry(event))
    assert words.endswith(".")
    assert "None" not in words


@cases(
    "origin, words",
    ("a device", "session", "by the user’s own device"),
    ("tidying", "retention", "by tidying up"),
    ("a restore", "recovery", "by a restore"),
    ("moving", "migration", "by moving to a newer version"),
    ("a key", "key_1", "with the key key_1"),
)
def test_who_did_it_is_said(origin, words):
    assert by(entry(Event.ERASED, by=origin)) == words


@cases(
    "user_id, email, name, words",
    ("a name", "u", "e@x.org", "N", "N"),
    ("an email", "u", "e@x.org", None, "e@x.org"),
    ("a user ID", "u", None, None, "u"),
    ("nothing but a device", "$anon:1", None, None, "Anonymous user"),
    ("nothing", None, None, None, "usr_1"),
)
def test_a_user_is_called_what_tells_most(user_id, email, name, words):
    assert title(User("usr_1", user_id, email, name, (), 0)) == words
