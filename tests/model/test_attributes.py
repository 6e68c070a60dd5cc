"""What may be said of somebody by name: every kind of value that JSON has, and what desks' users send."""

import pytest

from service.model.attributes import (
    MAX_NUMBER,
    as_text,
    attribute_name,
    attribute_value,
    attributes_or_why_not,
    is_same,
    read_attributes,
)
from service.model.identifiers import Malformed
from tests.support.cases import cases


@cases(
    "name",
    ("one letter", "a"),
    ("64 signs", "Az09_.$-" * 8),
    ("a dollar", "$email"),
    ("digits", "0"),
    ("another case", "Plan"),
    ("what objects have in JavaScript", "__proto__"),
    ("a member of the user", "userId"),
)
def test_a_name_is_kept_as_it_is(name):
    assert attribute_name(name) == name


@cases(
    "name, code",
    ("none", "", "empty"),
    ("65 signs", "x" * 65, "too-long"),
    ("a space", "first name", "forbidden-character"),
    ("a line feed at the end", "plan\n", "forbidden-character"),
    ("a slash", "a/b", "forbidden-character"),
    ("letters of another script", "цвет", "forbidden-character"),
    ("half a pair", "\ud83d", "forbidden-character"),
    ("NUL", "a\0", "forbidden-character"),
)
def test_another_name_is_refused(name, code):
    with pytest.raises(Malformed) as refused:
        attribute_name(name)
    assert refused.value.code == code


@cases(
    "value, kept",
    ("text", "gold", "gold"),
    ("text with spaces around it", " gold ", " gold "),
    ("1,000 emoji", "\U0001f600" * 1000, "\U0001f600" * 1000),
    ("lines", "a\nb\tc", "a\nb\tc"),
    ("a date", "2026-11-29T16:00:00Z", "2026-11-29T16:00:00Z"),
    ("a number as text", "007", "007"),
    ("a word for nothing", "null", "null"),
    ("no text", "", None),
    ("text of which nothing can be seen", " \u200b\u2060", None),
    ("nothing", None, None),
    ("true", True, True),
    ("false", False, False),
    ("nought", 0, 0),
    ("less than nought by nothing", -0.0, 0),
    ("a whole number", 42, 42),
    ("a whole number with a point", 7.0, 7),
    ("a whole number with an exponent", 1e3, 1000),
    ("a fraction", 0.1, 0.1),
    ("the smallest fraction", 5e-324, 5e-324),
    ("a time in milliseconds", 1796036400000, 1796036400000),
    ("the greatest number", MAX_NUMBER, MAX_NUMBER),
    ("the least number", -MAX_NUMBER, -MAX_NUMBER),
)
def test_a_value_is_kept_as_it_is_or_says_nothing(value, kept):
    assert is_same(attribute_value(value), kept)


@cases(
    "value, code",
    ("an object", {"a": 1}, "not-a-value"),
    ("a list", ["gold"], "not-a-value"),
    ("1,001 letters", "x" * 1001, "too-long"),
    ("NUL", "a\0b", "forbidden-character"),
    ("half a pair", "\ud83d", "forbidden-character"),
    ("a number that JavaScript rounds", 2**53, "out-of-range"),
    ("as much below nought", -(2**53), "out-of-range"),
    ("a time in nanoseconds", 1796036400000000000, "out-of-range"),
    ("a number of 400 digits", 10**400, "out-of-range"),
    ("a fraction beyond it", 1e300, "out-of-range"),
    ("what 1e400 is read as", float("inf"), "out-of-range"),
    ("no number", float("nan"), "out-of-range"),
)
def test_another_value_is_refused(value, code):
    with pytest.raises(Malformed) as refused:
        attribute_value(value)
    assert refused.value.code == code


@cases(
    "one, other",
    ("true and one", True, 1),
    ("false and nought", False, 0),
    ("false and nothing", False, None),
    ("a number and its text", 7, "7"),
    ("two cases", "Gold", "gold"),
)
def test_two_values_are_two(one, other):
    assert not is_same(one, other)


def test_what_is_usable_is_read_and_of_the_rest_is_told_why():
    said, unusable = read_attributes({"plan": "gold", "a b": 1, "seats": [], "gone": None})
    assert said == {"plan": "gold", "gone": None}
    assert {name: why.code for name, why in unusable.items()} == {
        "a b": "forbidden-character",
        "seats": "not-a-value",
    }


def test_of_a_login_it_is_told_by_pointers_which_are_cut_and_escaped():
    said, errors = attributes_or_why_not({"a/b~c": 1, "x" * 200: 1, "\ud83d": 1})
    pointers = [error.pointer for error in errors]
    assert said == {}
    assert pointers == ["/attributes/a~1b~0c", "/attributes/" + "x" * 89, "/attributes/?"]


@pytest.mark.parametrize("members", [[], "plan", 7, True], ids=["list", "text", "number", "boolean"])
def test_what_is_no_object_says_nothing(members):
    said, [error] = attributes_or_why_not(members)
    assert (said, error.pointer, error.code) == ({}, "/attributes", "not-an-object")


def test_nothing_is_no_error():
    assert attributes_or_why_not(None) == ({}, [])


def test_attributes_are_always_written_in_one_way():
    assert as_text({"b": 1, "a": "ä", "c": None}) == as_text({"a": "ä", "b": 1}) == '{"a":"ä","b":1}'
    assert as_text({"a": None}) is None
