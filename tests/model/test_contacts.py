"""A phone number as people write it, and by what it is found."""

import pytest

from service.model.contacts import contact_key, phone, phone_key
from service.model.identifiers import Malformed
from tests.support.cases import cases


@cases(
    "text, shown, key",
    ("with a country", "+49 30 901820", "+49 30 901820", "4930901820"),
    ("with the digits for the plus", "0049 30 901820", "0049 30 901820", "4930901820"),
    ("with the digit for calls within it", "+49 (0)30 901820", "+49 (0)30 901820", "4930901820"),
    ("as Americans do", "(555) 010-9999", "(555) 010-9999", "5550109999"),
    ("with dots", "030.90.18.20", "030.90.18.20", "030901820"),
    ("with slashes", "030/901820", "030/901820", "030901820"),
    ("nought in brackets elsewhere", "(0)30 901820", "(0)30 901820", "030901820"),
    ("with an extension", "+1 555 010 9999 ext. 12", "+1 555 010 9999 ext. 12", "15550109999"),
    ("with an x", "555-0109x12", "555-0109x12", "5550109"),
    ("with a sign for it", "555 0109 #4", "555 0109 #4", "5550109"),
    ("as a URL has it", "+15550109999;ext=12", "+15550109999;ext=12", "15550109999"),
    ("for emergencies", "112", "112", "112"),
    ("with 20 digits", "1" * 20, "1" * 20, "1" * 20),
    ("as a phone's address book copies it", "\u202d+1 555\u00a00109\u202c", "+1 555 0109", "15550109"),
    ("with typographers' dashes", "555\u20110109\u20139", "555-0109-9", "55501099"),
    ("in full width", "\uff0b\uff11\uff12\uff13", "+123", "123"),
    ("in Arabic digits", "\u0660\u0663\u0660 \u0661\u0662\u0663", "030 123", "030123"),
    ("nothing", "", None, None),
    ("nothing to be seen", " \u200b", None, None),
)
def test_a_phone_number_is_shown_as_it_was_written_and_found_by_its_digits(text, shown, key):
    found = phone(text)
    assert (found, found and phone_key(found)) == (shown, key)


@cases(
    "text, code",
    ("two digits", "12", "invalid-phone"),
    ("21 digits", "1" * 21, "invalid-phone"),
    ("no digits", "+-()", "invalid-phone"),
    ("words", "call me", "invalid-phone"),
    ("letters for digits", "1-800-FLOWERS", "invalid-phone"),
    ("a plus within", "12+34", "invalid-phone"),
    ("an extension alone", "x12345", "invalid-phone"),
    ("two numbers", "030 901820; 030 901821", "invalid-phone"),
    ("an email", "jane@example.org", "invalid-phone"),
    ("a line feed", "030\n901820", "invalid-phone"),
    ("65 signs", "1 " * 32 + "1", "too-long"),
)
def test_what_is_no_phone_number_is_refused(text, code):
    with pytest.raises(Malformed) as refused:
        phone(text)
    assert refused.value.code == code


def test_a_long_text_of_signs_is_looked_at_at_once():
    with pytest.raises(Malformed):
        phone("(" * 30 + " " * 30 + "!")


@cases(
    "text, key",
    ("email", "Jane@Example.org", ("jane@example.org", None)),
    ("phone", "+49 (0)30 901820", (None, "4930901820")),
)
def test_a_contact_is_found_by_an_email_or_a_phone_number(text, key):
    assert contact_key(text) == key


@pytest.mark.parametrize("text", ["", " ", "Jane", "jane@", "12"])
def test_by_nothing_else(text):
    with pytest.raises(Malformed) as refused:
        contact_key(text)
    assert refused.value.code == "invalid-contact"
