"""What holds a word, in whatever case, holds all pieces of it; and pieces tell no words."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.model.words import _FOLDED, pieces_of, words_in
from service.store.database import _cases

APP = "app_1"


def pieces(text):
    return pieces_of(APP, text)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Where is my Päckchen?", "PÄCK"),
        ("Order AB-12345x", "2345"),
        ("ΠΟΥ ΕΙΝΑΙ ΟΔΟΣ", "που"),
        ("ご注文の商品を発送しました", "注文"),
        ("请问我的包裹在哪里", "包裹"),
        ("พัสดุของฉันอยู่ที่ไหน", "ของฉัน"),
        ("मेरा पार्सल कहाँ है", "पार्स"),
        ("한국어 배송", "배송"),
        ("a+b^c|d$", "b^c"),
    ],
)
def test_a_word_is_found_by_its_pieces_in_every_script(text, word):
    assert pieces(word)
    assert pieces(word) <= pieces(text)


@pytest.mark.parametrize("word", ["", "17", "a", "茶", "?!", "a b"])
def test_what_is_too_short_for_an_index_has_no_pieces(word):
    assert pieces(word) == set()


def test_what_stands_between_words_is_in_no_piece():
    assert pieces("(par-cel), 'sent'") == pieces("par cel sent")


def test_pieces_are_of_one_app_and_tell_no_words():
    mine, others = pieces("parcel"), pieces_of("app_2", "parcel")
    assert len(mine) == 4
    assert mine.isdisjoint(others)
    assert all(len(one) == 5 and one.isascii() and one.isalnum() and one == one.lower() for one in mine)


def test_what_is_the_same_in_another_case_for_a_search_is_so_for_the_index():
    differing = [
        (letter, other)
        for letter in map(chr, range(sys.maxunicode + 1))
        for other in _cases(letter)
        if letter.translate(_FOLDED) != other.translate(_FOLDED)
    ]
    assert differing == []


@given(text=st.text(max_size=60), first=st.integers(0, 60), length=st.integers(1, 12))
def test_every_part_of_a_word_is_found_in_whatever_case(text, first, length):
    for word in words_in(text):
        part = word[first % len(word) :][:length]
        assert pieces(part) <= pieces(text)
        typed = "".join(_cases(char)[-1] for char in part)
        assert pieces(typed) <= pieces(text)
