"""What of a text can be seen."""

import pytest

from service import texts


@pytest.mark.parametrize("character", [*map(chr, range(128))], ids=ascii)
def test_of_a_plain_text_as_much_is_seen_as_of_any(character: str):
    # What is no plain text is looked at by Unicode's tables.
    at_the_ends = texts.strip(f"{character}é{character}")

    assert texts.strip(f"{character}e{character}") == at_the_ends.replace("é", "e")
    assert texts.is_blank(character) == texts.is_blank(f"{character}\u200b")
