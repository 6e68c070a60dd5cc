"""Whose record of another desk is a person's of the app, case by case."""

import pytest

from service.rules.records import RECORDS, Act, Before, Named, Who
from tests.support.cases import cases
from tests.support.rulebook import every

PERSON = Who.END_USER, Named.USER_ID, Before.NOTHING


@cases(
    "situation, name",
    ("an agent", (Who.AGENT, Named.USER_ID, Before.NOTHING), "agent"),
    ("who was deleted", (Who.GONE, Named.USER_ID, Before.NOTHING), "gone"),
    ("a lead with an ID", (Who.LEAD, Named.USER_ID, Before.NOTHING), "lead"),
    ("no user ID", (Who.END_USER, Named.UNUSABLE, Before.NOTHING), "unusable"),
    ("nothing", (Who.END_USER, Named.NOTHING, Before.NOTHING), "nobody"),
    ("an anonymous ID", (Who.END_USER, Named.ANONYMOUS_ID, Before.NOTHING), "anonymous-there"),
    ("an email that was typed in", (Who.END_USER, Named.UNPROVEN_EMAIL, Before.NOTHING), "unproven-email"),
    ("the same again", (Who.END_USER, Named.USER_ID, Before.THE_SAME), "said-again"),
    ("something else", (Who.END_USER, Named.EMAIL, Before.OTHERWISE), "said-otherwise"),
    ("a user ID", PERSON, "known-there"),
    ("an email that was proven", (Who.END_USER, Named.EMAIL, Before.NOTHING), "known-there"),
)
def test_a_rule_decides_whose_record_it_is(situation, name):
    assert RECORDS.decide(*situation).name == name


@pytest.mark.parametrize(("who", "named", "before"), every(RECORDS))
def test_nobody_is_taken_in_whom_nobody_proved(who, named, before):
    is_decided = RECORDS.decide(who, named, before).then is Act.DECIDE

    is_proven = who is Who.END_USER and named in (Named.USER_ID, Named.EMAIL)
    assert is_decided == (is_proven and before is Before.NOTHING)
