"""People are told apart by initials and colours, which everybody can read."""

import re

import pytest

from service.console.faces import COLOURS, colour_of, initials
from service.console.rendering import ASSETS
from service.model.sessions import Colour
from tests.support.cases import cases

STYLES = (ASSETS / "person.css").read_text()
WHITE = (1.0, 1.0, 1.0)


@cases(
    "name, letters",
    ("two words", "Ann Lee", "AL"),
    ("three words", " ann van lee ", "AL"),
    ("one word", "ann", "A"),
    ("one word twice", "Ann Ann", "A"),
    ("an email", "kim@example.org", "K"),
    ("another script", "\u738b \u5c0f\u660e", "\u738b\u5c0f"),
    ("a letter of two parts", "e\u0301va", "E\u0301"),
    (
        "a sign of several parts",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 Lee",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467L",
    ),
    ("very many marks", "a" + "\u0301" * 1000, "A" + "\u0301" * 7),
    ("nothing", "", ""),
)
def test_a_name_has_initials(name, letters):
    assert initials(name) == letters


def test_an_id_has_always_the_same_colour_and_a_few_have_different_ones():
    ids = [f"usr_{number:032x}" for number in range(400)]
    assert [colour_of(id) for id in ids] == [colour_of(id) for id in ids]
    assert {colour_of(id) for id in ids} == set(COLOURS)
    assert colour_of("\ud800") in COLOURS


@pytest.mark.parametrize("colour", Colour)
def test_what_is_written_on_a_colour_can_be_read_and_the_colour_be_seen_in_the_light_and_in_the_dark(colour):
    found = re.search(rf"\.face\.{colour} {{ background: #([0-9a-f]{{6}}); }}", STYLES)
    shade = tuple(int(found[1][at : at + 2], 16) / 255 for at in (0, 2, 4))
    assert contrast(shade, WHITE) >= 4.5
    for card in pages():
        assert contrast(shade, card) >= 2


def pages():
    """The colours of cards, in the light and in the dark."""
    found = re.findall("--card: #([0-9a-f]{6})", (ASSETS / "console.css").read_text())
    assert len(found) == 2
    return [tuple(int(hex_[at : at + 2], 16) / 255 for at in (0, 2, 4)) for hex_ in found]


def contrast(one, other):
    """As WCAG 2 defines it."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(shade):
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in shade
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
