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


JSON = {
    "no members": ("{}", {}),
    "white space": (' {"a" : [1, 2.5, true, null]}\r\n', {"a": [1, 2.5, True, None]}),
    "text": ('"text"', "text"), "null": ("null", None),
    "one name on two levels": ('{"a": {"b": 1}, "b": 1}', {"a": {"b": 1}, "b": 1}),
    "names that differ in case": ('{"a": 1, "A": 2}', {"a": 1, "A": 2}), "beyond ASCII": ('"Zoë"', "Zoë"),
    "an escaped pair": (r'"\ud83d\ude00"', "😀"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), JSON.values(), ids=JSON)
def test_json_is_read(text, value):
    assert strict_json.read(text.encode()) == value


NO_JSON = {
    "nothing": b"", "white space alone": b" ", "cut off": b"{", "two values": b"{} {}",
    "a comma too many": b'{"a": 1,}', "single quotes": b"{'a': 1}", "a bare name": b"{a: 1}",
    "a comment": b'{"a": 1} // a', "a member twice": b'{"a": 1, "a": 1}',
    "a member twice, once escaped": b'{"a": 1, "\\u0061": 1}',
    "a member twice, further down": b'{"b": [{"a": 1, "a": 2}]}', "NaN": b"NaN",
    "Infinity": b'{"a": Infinity}', "-Infinity": b'{"a": [-Infinity]}',
    "a byte order mark": "\ufeff{}".encode(), "UTF-16 with a mark": "{}".encode("utf-16"),
    "UTF-16 without": "{}".encode("utf-16-le"), "UTF-32": "{}".encode("utf-32"), "Latin-1": b'"\xe9"',
    "a surrogate as bytes": b'"\xed\xa0\x80"', "an overlong sequence": b'"\xc0\xaf"',
    "a control character in a text": b'"a\nb"', "a leading zero": b"01",
    "more digits than Python converts": b"1" * 5_000,
    "a deep path": b'{"flat": 1, "deep": ' + b"[" * 16 + b"]" * 16 + b', "flatter": []}',
}  # fmt: skip


@pytest.mark.parametrize("data", NO_JSON.values(), ids=NO_JSON)
def test_what_is_not_strictly_json_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011 - the module promises no more than this
        strict_json.read(data)


OPENINGS = [pytest.param("[", "]", id="arrays"), pytest.param('{"a":', "}", id="objects")]


@pytest.mark.parametrize(("opening", "closing"), OPENINGS)
def test_sixteen_levels_are_read(opening, closing):
    text = opening * 15 + "[1]" + closing * 15

    assert json.dumps(strict_json.read(text.encode()), separators=(",", ":")) == text


@pytest.mark.parametrize("levels", [17, 1_000, 30_000])
@pytest.mark.parametrize(("opening", "closing"), OPENINGS)
@pytest.mark.parametrize("closes", [True, False])
def test_more_levels_are_refused(opening, closing, levels, closes):
    text = opening * (levels - 1) + "[1]" + closing * (levels - 1) * closes

    with pytest.raises(ValueError):  # noqa: PT011 - as above
        strict_json.read(text.encode())


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
