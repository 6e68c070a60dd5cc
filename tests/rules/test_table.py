"""What holds for a decision table as such, and for each table of the rulebook."""

import re
from enum import Flag, StrEnum, auto

import pytest

from service.rules.table import Rule, Table, in_words
from tests.support.rulebook import RULEBOOK

each_table = pytest.mark.parametrize("table", RULEBOOK.values(), ids=RULEBOOK.keys())


class Sky(Flag):
    CLEAR = auto()
    LIGHT_RAIN = auto()
    STORM = auto()
    ANY = CLEAR | LIGHT_RAIN | STORM


class Day(Flag):
    WORKDAY = auto()
    SUNDAY = auto()
    ANY = WORKDAY | SUNDAY


class Act(StrEnum):
    WALK = "walk"
    DRIVE = "drive"
    STAY = "stay at home"


WEATHER = Table(
    {"sky": Sky, "day": Day},
    (
        Rule("storm", (Sky.STORM, Day.ANY), Act.STAY, "It storms."),
        Rule("sunday", (Sky.CLEAR | Sky.LIGHT_RAIN, Day.SUNDAY), Act.WALK, "There is time."),
        Rule("otherwise", (Sky.ANY, Day.ANY), Act.DRIVE, "Nothing speaks against it."),
    ),
)


@pytest.mark.parametrize(
    ("situation", "name"),
    [
        pytest.param((Sky.STORM, Day.SUNDAY), "storm", id="first of three that fit"),
        pytest.param((Sky.LIGHT_RAIN, Day.SUNDAY), "sunday", id="one of several members"),
        pytest.param((Sky.LIGHT_RAIN, Day.WORKDAY), "otherwise", id="last"),
    ],
)
def test_the_first_row_that_fits_decides(situation, name):
    rule = WEATHER.decide(*situation)

    assert rule.name == name


@pytest.mark.parametrize(
    "situation",
    [
        pytest.param((Sky.STORM,), id="a column is missing"),
        pytest.param((Sky.STORM, Day.SUNDAY, Day.SUNDAY), id="a column too many"),
    ],
)
def test_a_situation_has_one_member_for_each_column(situation):
    with pytest.raises(KeyError):
        WEATHER.decide(*situation)


def test_the_situations_are_all_combinations_of_members():
    situations = WEATHER.situations()

    assert len(situations) == len(set(situations)) == 6
    assert (Sky.LIGHT_RAIN, Day.SUNDAY) in situations


def test_a_table_is_printed_row_by_row_in_order():
    printed = WEATHER.as_markdown()

    assert printed.splitlines() == [
        "| rule | sky | day | then |",
        "| --- | --- | --- | --- |",
        "| `storm` | storm | any | stay at home |",
        "| `sunday` | clear, light rain | sunday | walk |",
        "| `otherwise` | any | any | drive |",
    ]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        pytest.param(Sky.STORM, "storm", id="one member"),
        pytest.param(Sky.LIGHT_RAIN, "light rain", id="a name of two words"),
        pytest.param(Sky.STORM | Sky.CLEAR, "clear, storm", id="several members"),
        pytest.param(Sky.CLEAR | Sky.LIGHT_RAIN | Sky.STORM, "any", id="all members"),
    ],
)
def test_a_condition_is_printed_in_plain_words(condition, words):
    printed = in_words(condition)

    assert printed == words


@each_table
def test_every_situation_is_decided(table):
    undecided = [
        situation for situation in table.situations() if not any(rule.fits(situation) for rule in table.rules)
    ]

    assert undecided == []


def test_the_reason_of_a_rule_stands_in_an_error_as_no_sentence_of_its_own():
    rule = WEATHER.rules[0]

    assert (rule.because, rule.detail) == ("It storms.", "it storms")


@each_table
def test_no_row_is_idle(table):
    decides = {table.decide(*situation).name for situation in table.situations()}

    assert decides == {rule.name for rule in table.rules}


@each_table
def test_no_condition_is_empty_or_of_another_column(table):
    kinds = [tuple(type(condition) for condition in rule.when) for rule in table.rules if all(rule.when)]

    assert kinds == [tuple(table.columns.values())] * len(table.rules)


def test_a_name_of_a_rule_is_used_in_one_sense():
    names = [rule.name for table in RULEBOOK.values() for rule in table.rules]

    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch("[a-z]+(-[a-z]+)*", name)] == []


@each_table
def test_every_rule_says_why_in_a_sentence_of_its_own(table):
    reasons = {rule.because for rule in table.rules}

    assert len(reasons) == len(table.rules)
    assert [reason for reason in reasons if not re.fullmatch(r"[A-Z][^|.]+\.", reason)] == []


@each_table
def test_every_cell_of_a_printed_table_is_filled(table):
    rows = [line.strip("|").split("|") for line in table.as_markdown().splitlines()]

    assert {len(row) for row in rows} == {len(table.columns) + 2}
    assert all(cell.strip() for row in rows for cell in row)
    assert [row[0].strip(" `") for row in rows[2:]] == [rule.name for rule in table.rules]
