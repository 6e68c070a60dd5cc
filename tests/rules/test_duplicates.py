"""Who is taken for one person: by what they share, and never by a name alone."""

import pytest

from service.model.contacts import Contact
from service.model.duplicates import Known, Source
from service.model.users import User
from service.rules import duplicates as rules
from service.rules.duplicates import Names, assess, compare_names
from tests.support.cases import cases


def known(id, name=None, *, emails=(), contacts=(), device=None, account=None, verified=True):
    user = User(f"usr_{id}", id, next(iter(emails), None), name, (), 0, verified)
    traits = rules.traits(user.id, emails, [Contact(**contact) for contact in contacts])
    others = [device and rules.device(device, user.id), account and rules.account(account, user.id)]
    return Known(user, traits | {trait.key: trait for trait in others if trait})


def found(one, other, people=2):
    return assess(one, other, dict.fromkeys({*one.traits, *other.traits}, people))


def signals(pair):
    return [reason.signal for reason in pair.reasons]


SHARED = {
    "same-email": ({"emails": ["jo@x.example"]}, {"emails": ["JO@x.example"]}),
    "email-variant": ({"emails": ["j.o@gmail.com"]}, {"emails": ["jo+a@googlemail.com"]}),
    "mistyped-email": ({"emails": ["j.o@gmail.com"]}, {"emails": ["jo@gmial.com"]}),
    "same-contact": ({"emails": ["jo@x.example"]}, {"contacts": [{"email": "jo@x.example"}]}),
    "store-account": ({"account": "digest"}, {"account": "digest"}),
    "same-phone": ({"contacts": [{"phone": "+49 30 1"}]}, {"contacts": [{"phone": "0049-30-1"}]}),
    "shared-device": ({"device": "digest"}, {"device": "digest"}),
}


@pytest.mark.parametrize("signal", rules.SIGNALS, ids=lambda signal: signal.name)
def test_a_signal_alone_makes_a_pair_of_its_likelihood(signal):
    one, other = SHARED[signal.name]

    pair = found(known("b", **one), known("a", **other))

    assert pair.users == ("usr_a", "usr_b")
    assert (pair.likelihood, pair.score) == (signal.likelihood, signal.likelihood / 100)
    assert [(reason.signal, reason.detail) for reason in pair.reasons] == [(signal.name, signal.detail)]


@pytest.mark.parametrize("signal", rules.SIGNALS, ids=lambda signal: signal.name)
def test_what_more_people_share_than_a_signal_allows_says_nothing(signal):
    one, other = (known(*about) for about in (("a", "Jo Doe"), ("b", "Jo Doe")))
    shared = SHARED[signal.name]
    one, other = known("a", "Jo Doe", **shared[0]), known("b", "Jo Doe", **shared[1])

    assert found(one, other, signal.at_most) is not None
    assert found(one, other, signal.at_most + 1) is None


def test_a_name_alone_is_never_a_pair():
    assert found(known("a", "Maria Garcia"), known("b", "Maria Garcia")) is None


def test_nearly_equal_names_raise_a_likelihood_and_different_ones_lower_it():
    def named(*names):
        return found(*(known(id, name, device="d") for id, name in zip("ab", names, strict=True)))

    assert signals(named("Jo Doe", "JO DOE")) == ["shared-device", "similar-names"]
    assert named("Jo Doe", "JO DOE").likelihood > named("Jo Doe", None).likelihood
    assert named("Jo Doe", "Kim Doe") is None


def test_a_couple_of_whom_one_mistypes_an_email_is_no_pair():
    said = ("a", "Jo Doe", "jo@gmail.com"), ("b", "Kim Doe", "jo@gmial.com")

    assert found(*(known(id, name, emails=[email]) for id, name, email in said)) is None


@cases(
    "left, email, signal",
    ("the same", "jo@gmail.com", "jo@gmail.com", "same-contact"),
    ("mistyped", "jo@gmial.com", "jo@gmail.com", "mistyped-email"),
    ("both mistyped alike", "jo@gmial.com", "jo@gmial.com", "same-contact"),
    ("both mistyped", "jo@gmial.com", "jo@gamil.com", "mistyped-email"),
)
def test_an_email_that_somebody_left_may_be_mistyped(left, email, signal):
    pair = found(known("a", contacts=[{"email": left}]), known("b", emails=[email]))

    assert signals(pair) == [signal]


def test_a_household_that_shares_more_than_one_thing_is_listed_low_and_says_that_names_differ():
    one, other = (
        known(id, name, emails=["home@x.example"], device="d")
        for id, name in (("a", "Tom Miller"), ("b", "Anna Miller"))
    )

    pair = found(one, other)

    assert signals(pair) == ["same-email", "shared-device", "different-names"]
    assert pair.likelihood < 60


def test_several_signals_leave_less_doubt_and_never_none():
    one, other = (
        known(id, "Jo Doe", emails=["jo@x.example"], contacts=[{"phone": "+49301"}], device="d", account="a")
        for id in "ab"
    )

    assert found(one, other).likelihood == 99


def test_what_somebody_unproven_shares_counts_less():
    one, other = known("a", emails=["jo@x.example"]), known("b", emails=["jo@x.example"], verified=False)

    assert signals(found(one, other)) == ["same-email", "unproven"]
    assert found(one, other).likelihood < rules.SAME_EMAIL.likelihood


def test_an_email_that_a_user_has_counts_before_the_same_one_that_they_left():
    traits = rules.traits("usr_a", ["jo@x.example"], [Contact("jo@x.example", "+49 30 1", home="usr_a")])

    assert [(trait.key, trait.source) for trait in traits.values()] == [
        ("email jo@x.example", Source.EMAIL),
        ("phone 49301", Source.PHONE),
    ]


@cases(
    "one, other, say",
    ("equal", "Jane Doe", "Jane Doe", Names.ALIKE),
    ("case and order", "jane doe", "DOE, Jane", Names.ALIKE),
    ("a letter twice", "Jane Doe", "Jaane Doe", Names.ALIKE),
    ("the first letter lost", "Jonathan Doe", "onathan Doe", Names.ALIKE),
    ("another script", "山田 太郎", "太郎 山田", Names.ALIKE),
    ("a missing name", "Jane Doe", None, Names.NOTHING),
    ("a name without letters", "Jane Doe", "-- _", Names.NOTHING),
    ("an initial", "J. Doe", "Jane Doe", Names.NOTHING),
    ("a first name alone", "Jane", "Jane Doe", Names.NOTHING),
    ("a couple", "Jane Doe", "Tom Doe", Names.APART),
    ("like first names", "Emilia Kovalenko", "Emil Kovalenkow", Names.ALIKE),
    ("rather like names", "Martin Petrov", "Marta Petrov", Names.NOTHING),
    ("strangers", "Jane Doe", "Olga Petrov", Names.APART),
)
def test_names_are_compared(one, other, say):
    assert compare_names(one, other) is say
    assert compare_names(other, one) is say


def test_each_signal_has_a_name_of_its_own_and_words_for_it():
    names = [one.name for one in (*rules.SIGNALS, *rules.BESIDES)]

    assert len({*names}) == len(names) == len(rules.DETAILS)
    assert [reason.detail for reason in rules.reasons(names)] == [rules.DETAILS[name] for name in names]
