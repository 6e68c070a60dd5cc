"""JSON is read as RFC 8259 has it, and nothing that Python's reader lets pass besides."""

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import strict_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("{}", {}, id="no members"),
        pytest.param(' {"a" : [1, 2.5, true, null]}\r\n', {"a": [1, 2.5, True, None]}, id="white space"),
        pytest.param('"text"', "text", id="text"),
        pytest.param("null", None, id="null"),
        pytest.param('{"a": {"b": 1}, "b": 1}', {"a": {"b": 1}, "b": 1}, id="one name on two levels"),
        pytest.param('{"a": 1, "A": 2}', {"a": 1, "A": 2}, id="names that differ in case"),
        pytest.param('"Zoë"', "Zoë", id="beyond ASCII"),
        pytest.param(r'"\ud83d\ude00"', "😀", id="an escaped pair"),
    ],
)
def test_json_is_read(text, value):
    assert strict_json.read(text.encode()) == value


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b" ", id="white space alone"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"{} {}", id="two values"),
        pytest.param(b'{"a": 1,}', id="a comma too many"),
        pytest.param(b"{'a': 1}", id="single quotes"),
        pytest.param(b"{a: 1}", id="a bare name"),
        pytest.param(b'{"a": 1} // a', id="a comment"),
        pytest.param(b'{"a": 1, "a": 1}', id="a member twice"),
        pytest.param(b'{"a": 1, "\\u0061": 1}', id="a member twice, once escaped"),
        pytest.param(b'{"b": [{"a": 1, "a": 2}]}', id="a member twice, further down"),
        pytest.param(b"NaN", id="NaN"),
        pytest.param(b'{"a": Infinity}', id="Infinity"),
        pytest.param(b'{"a": [-Infinity]}', id="-Infinity"),
        pytest.param("\ufeff{}".encode(), id="a byte order mark"),
        pytest.param("{}".encode("utf-16"), id="UTF-16 with a mark"),
        pytest.param("{}".encode("utf-16-le"), id="UTF-16 without"),
        pytest.param("{}".encode("utf-32"), id="UTF-32"),
        pytest.param(b'"\xe9"', id="Latin-1"),
        pytest.param(b'"\xed\xa0\x80"', id="a surrogate as bytes"),
        pytest.param(b'"\xc0\xaf"', id="an overlong sequence"),
        pytest.param(b'"a\nb"', id="a control character in a text"),
        pytest.param(b"01", id="a leading zero"),
        pytest.param(b"1" * 5_000, id="more digits than Python converts"),
    ],
)
def test_what_is_not_strictly_json_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011 - the module promises no more than this
        strict_json.read(data)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [pytest.param("[", "]", id="arrays"), pytest.param('{"a":', "}", id="objects")],
)
def test_sixteen_levels_are_read(opening, closing):
    text = opening * 15 + "[1]" + closing * 15

    value = strict_json.read(text.encode())

    assert json.dumps(value, separators=(",", ":")) == text


@pytest.mark.parametrize("levels", [17, 1_000, 30_000])
@pytest.mark.parametrize(
    ("opening", "closing"),
    [pytest.param("[", "]", id="arrays"), pytest.param('{"a":', "}", id="objects")],
)
def test_more_levels_are_refused(opening, closing, levels):
    text = opening * (levels - 1) + "[1]" + closing * (levels - 1)

    with pytest.raises(ValueError):  # noqa: PT011 - as above
        strict_json.read(text.encode())


def test_levels_are_counted_on_the_deepest_path():
    text = f'{{"flat": 1, "deep": {"[" * 16 + "]" * 16}, "also flat": []}}'

    with pytest.raises(ValueError):  # noqa: PT011 - as above
        strict_json.read(text.encode())


@pytest.mark.parametrize("opening", ["[" * 60_000, '{"a":' * 12_000], ids=["arrays", "objects"])
def test_levels_that_never_close_are_refused(opening):
    with pytest.raises(ValueError):  # noqa: PT011 - as above
        strict_json.read(opening.encode())


@given(VALUES)
def test_whatever_is_written_as_json_is_read_again(value):
    assert strict_json.read(json.dumps(value).encode()) == value


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_whatever_is_sent_is_read_or_a_value_error(data):
    with contextlib.suppress(ValueError):
        strict_json.read(data)


@given(st.floats())
def test_no_number_is_read_that_is_none(number):
    data = json.dumps({"a": number}).encode()

    with contextlib.suppress(ValueError):
        assert math.isfinite(strict_json.read(data)["a"])
