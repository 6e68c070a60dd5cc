"""Identifiers: each case of docs/identifiers.md, and what holds for any text at all."""

import re
import string
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.model import identifiers
from service.model.identifiers import Malformed

# Hypothesis leaves surrogates out of its texts unless it is asked for them.
any_text = st.text(st.characters(exclude_categories=()), max_size=400)
visible_ascii = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64)
labels = st.one_of(
    st.from_regex(r"[a-zA-Z0-9-]{1,70}", fullmatch=True),
    st.from_regex(r"[xX][nN]--[a-zA-Z0-9-]{0,60}", fullmatch=True),
    st.text(st.characters(exclude_categories=()), max_size=20),
)
domains = st.lists(labels, min_size=1, max_size=6).map(".".join)
atoms = st.text(string.ascii_letters + string.digits + "!#$%&'*+-/=?^_`{|}~.", min_size=1, max_size=70)
nearly_emails = st.builds("{}@{}".format, st.one_of(atoms, any_text), domains)
good_emails = st.builds(
    "{}@{}.{}".format,
    st.from_regex(r"[a-zA-Z0-9+_-]{1,64}", fullmatch=True),
    st.sampled_from(["example", "EXAMPLE", "b\u00fccher", "B\u00dcCHER", "\u4e2d\u6587", "xn--bcher-kva"]),
    st.sampled_from(["org", "Org", "test", "local", "xn--p1ai", "\u0440\u0444"]),
)


def for_any(*strategies):
    """Give a test any of these; without a deadline, which a busy machine would miss."""
    return lambda test: settings(deadline=None)(given(*strategies)(test))


def code_of(parse, *arguments):
    with pytest.raises(Malformed) as raised:
        parse(*arguments)
    return raised.value.code


def parsed(parse, *arguments):
    """Return the parsed text, or nothing where it is malformed; anything else raised fails the test."""
    try:
        return parse(*arguments)
    except Malformed:
        return None


# User IDs

GOOD_USER_IDS = {
    "one character": "7", "750 code points": "a" * 750, "750 code points of four bytes": "\U0001f600" * 750,
    "letters of any script": "\u041d\u0438\u043a\u043e\u043b\u0430\u0439-\u540d\u524d",
    "spaces within": "Jane  Doe", "an email": "Jane@example.org",
    "a UUID": "00000000-0000-0000-0000-000000000001", "a decomposed letter": "e\u0301",
    "a private-use character": "a\ue000b", "an unassigned character": "a\u0378b",
    "a neighbour of the non-characters": "\ufdcf\ufdf0\ufffd\U0001fffd",
    "a non-joiner between Persian letters": "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
    "a non-joiner before a vowel sign's letter": "\u0645\u064f\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "a non-joiner between Urdu letters": "\u0628\u06cc\u200c\u0628\u06cc",
    "a joiner in a Hindi cluster": "\u0915\u094d\u200d\u0937",
    "a non-joiner in a Hindi cluster": "\u0915\u094d\u200c\u0937",
    "a joiner in a Sinhala cluster": "\u0dc1\u0dca\u200d\u0dbb\u0dd3",
    "a joiner at the end, as Malayalam has it": "\u0d05\u0d35\u0d28\u0d4d\u200d",
    "a joiner in a Bengali cluster": "\u09b0\u09cd\u200d\u09af", "a quote and a backslash": "a'\"\\b",
    "longer than a placeholder": "null1", "full-width placeholder": "\uff4e\uff55\uff4c\uff4c",
    "zero written longer": "00", "a reserved prefix in other case": "$ANON:1",
    "a reserved prefix further in": "a$anon:1", "most of a reserved prefix": "$anon",
    "most of RevenueCat's prefix": "$rcanonymousid:1",
}  # fmt: skip
PLACEHOLDERS = [
    "null", "(null)", "<nil>", "nil", "none", "undefined", "nan", "true", "false", "0", "-1", "{}", "[]",
    "[object Object]", "anonymous", "anon", "guest", "unknown", "unidentified", "no_user", "n/a",
    "00000000-0000-0000-0000-000000000000",
]  # fmt: skip
REFUSED_USER_IDS = {
    "nothing": ("", "empty"),
    "751 code points": ("a" * 751, "too-long"),
} | {name: (text, "white-space") for name, text in {
    "a space before": " a", "a space after": "a ", "a line feed after": "a\n",
    "a no-break space before": "\u00a0a", "an ideographic space after": "a\u3000",
    "a line separator after": "a\u2028", "a unit separator before": "\x1fa", "white space alone": " ",
}.items()} | {name: (text, "forbidden-character") for name, text in {
    "a NUL": "a\0b", "a tab within": "a\tb", "a DEL": "a\x7f", "a C1 control": "a\x90b",
    "a zero-width space": "a\u200b", "a soft hyphen": "a\u00adb", "a right-to-left override": "\u202ea",
    "a BOM": "\ufeffa", "a non-joiner between Latin letters": "a\u200cb",
    "a non-joiner before the first letter": "\u200c\u0639\u0644\u06cc",
    "a non-joiner after the last letter": "\u0639\u0644\u06cc\u200c",
    "a non-joiner after a letter that joins to none": "\u0631\u200c\u0639", "a non-joiner alone": "\u200c",
    "a joiner between Latin letters": "a\u200db", "a joiner between Persian letters": "\u0639\u200d\u0644",
    "a joiner between emoji": "\U0001f468\u200d\U0001f469",
    "a joiner before the sign it follows": "\u0915\u200d\u094d",
    "a joiner after a character without a name": "\u0378\u200d",
    "a zero-width space beside a non-joiner": "\u06cc\u200c\u200b\u0631", "a tag character": "a\U000e0041",
    "a high surrogate": "a\ud83d", "a low surrogate": "\ude00", "U+FDD0": "\ufdd0", "U+FDEF": "\ufdef",
    "U+FFFE": "\ufffe", "U+FFFF": "\uffff", "U+1FFFE": "\U0001fffe", "U+10FFFF": "\U0010ffff",
}.items()}  # fmt: skip
RESERVED_USER_IDS = ["$anon:", "$anon:b7", "$RCAnonymousID:", "$RCAnonymousID:" + "0" * 32]


@pytest.mark.parametrize("text", GOOD_USER_IDS.values(), ids=GOOD_USER_IDS)
def test_a_legal_user_id_stays_as_it_is(text):
    assert identifiers.user_id(text) == text


@pytest.mark.parametrize(("text", "code"), REFUSED_USER_IDS.values(), ids=REFUSED_USER_IDS)
@pytest.mark.parametrize("parse", [identifiers.user_id, identifiers.existing_user_id])
def test_an_illegal_user_id_is_refused_with_its_reason(parse, text, code):
    assert code_of(parse, text) == code


@pytest.mark.parametrize("change", [str, str.upper, str.lower, str.title, str.swapcase])
@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_a_placeholder_is_refused_in_any_case(text, change):
    assert code_of(identifiers.user_id, change(text)) == "placeholder"


def test_there_are_no_other_placeholders():
    assert {text.casefold() for text in PLACEHOLDERS} == identifiers.PLACEHOLDERS


@pytest.mark.parametrize("text", RESERVED_USER_IDS)
def test_a_reserved_user_id_is_refused_anonymous_and_can_be_looked_up(text):
    assert code_of(identifiers.user_id, text) == "reserved"
    assert identifiers.existing_user_id(text) == text
    assert identifiers.is_anonymous(text)


@pytest.mark.parametrize("text", [None, "", "u-17", "$ANON:1", "$anon", "a$anon:1"])
def test_any_other_user_id_is_not_anonymous(text):
    assert not identifiers.is_anonymous(text)


@for_any(any_text)
def test_a_user_id_is_unchanged_or_malformed_and_an_existing_one_differs_where_reserved(text):
    parsed_id = parsed(identifiers.user_id, text)
    assert parsed_id in (text, None)
    assert parsed_id == parsed(identifiers.existing_user_id, text) or identifiers.is_anonymous(text)


def test_a_digest_is_sha_256_in_hex_of_utf_8():
    e, abc = "4a99557e4033c3539de2eb65472017cad5f9557f", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9c"
    assert identifiers.user_id_digest("\u00e9") == e + "7a0625a09f1c3f6e2ba69c4c"
    assert identifiers.digest("abc") == abc + "b410ff61f20015ad"


def test_a_new_anonymous_user_id_is_the_prefix_and_a_random_uuid():
    made = identifiers.new_anonymous_user_id()
    prefix, _, tail = identifiers.existing_user_id(made).partition(":")
    assert (prefix, str(uuid.UUID(tail)), uuid.UUID(tail).version) == ("$anon", tail, 4)


# Emails

UNCHANGED_EMAILS = {
    "a dot before the @": "hana.@docomo.ne.jp", "two dots before the @": "ha..na@ezweb.ne.jp",
    "a dot at the front": ".hana@docomo.ne.jp", "dots wherever they may stand": "..a...b..@docomo.ne.jp",
    "dots beside a mark that no word has": "!..#.@docomo.ne.jp",
    "64 before the @ with dots at the end": "a" * 60 + "....@docomo.ne.jp",
    "an apostrophe": "o'brien@example.org", "letters with accents": "j\u00e4ne@example.org",
    "a dotless i": "\u0131nfo@example.org", "full-width letters, which are others": "\uff4aane@example.org",
    "Japanese with a dot at the end": "\u5c71\u7530.@example.jp",
    "Hindi with vowel signs": "\u0939\u093f\u0928\u094d\u0926\u0940@example.org",
    "64 bytes before the @": "\u00e9" * 32 + "@example.org",
    "every character of an atom": "!#$%&'*+-/=?^_`{|}~@example.org",
    "64 before the @": "a" * 64 + "@example.org", "254 in all": "a@" + ".".join(["b" * 61] * 4) + ".abcd",
    ".test": "a@my.test", ".local": "a@host.local", ".example": "a@my.example", ".invalid": "a@my.invalid",
    ".localhost": "a@my.localhost", ".onion": "a@my.onion", ".arpa": "a@home.arpa",
}  # fmt: skip
CHANGED_EMAILS = {
    "plain": ("jane@example.org", "jane@example.org"),
    "white space at the ends": (" \t\u00a0jane@example.org\u3000\n", "jane@example.org"),
    "zero-width marks at the ends": ("\ufeff\u200bjane@example.org\u200b\u2060\u00ad", "jane@example.org"),
    "direction marks at the ends": ("\u202a\u200ejane@example.org\u200f\u202c\u2069", "jane@example.org"),
    "a joiner between white space at the end": ("jane@example.org \u200d\u00a0", "jane@example.org"),
    "decomposed letters": ("ja\u0308ne@example.org", "j\u00e4ne@example.org"),
    "Cyrillic": ("\u0438@\u043f\u043e\u0447\u0442\u0430.\u0440\u0444", "\u0438@xn--80a1acny.xn--p1ai"),
    "capitals": ("Jane.DOE@Example.ORG", "Jane.DOE@example.org"),
    "a mailbox name in capitals": ("Support@Example.org", "Support@example.org"),
    "an international domain": ("a@B\u00fccher.example", "a@xn--bcher-kva.example"),
    "its ASCII form": ("a@XN--bcher-kva.example", "a@xn--bcher-kva.example"),
    "an ideographic full stop": ("a@example\u3002org", "a@example.org"),
    "full-width letters of a domain": ("a@\uff45xample.org", "a@example.org"),
    "a dotless i in a domain": ("a@b\u0131g.org", "a@xn--bg-hpa.org"),
}  # fmt: skip
GOOD_EMAILS = {name: (text, text) for name, text in UNCHANGED_EMAILS.items()} | CHANGED_EMAILS
# What is no email, by what it is instead; several stand on a line, as there are many.
NO_EMAILS = {
    "no @": "jane", "an @ alone": "@", "nothing before the @": "@example.org",
    "nothing after the @": "jane@", "two @": "a@b@example.org", "no dot": "a@localhost",
    "no dot, test": "a@test", "a dot at the end": "a@example.org.", "two dots": "a@example..org",
    "dots alone before the @": "...@example.org", "an IPv4 literal": "a@[192.0.2.1]",
    "an IPv6 literal": "a@[IPv6:2001:db8::1]", "a bare IPv4 address": "a@192.0.2.1",
    "a display name": "Jane <jane@example.org>", "angle brackets": "<jane@example.org>",
    "a quoted local part": '"jane doe"@example.org', "a needlessly quoted local part": '"jane"@example.org',
    "a space within": "ja ne@example.org", "a Kelvin sign, which NFC makes a K": "\u212aate@example.org",
    "a Kelvin sign beside what NFC composes": "e\u0301\u212aate@example.org",
    "a Greek question mark, which NFC makes a semicolon": "a\u037e@example.org",
    "an accent alone": "\u0301@example.org", "an accent behind a dot at the front": ".\u0301a@example.org",
    "a no-break space within": "ja\u00a0ne@example.org", "a private-use character": "ja\ue000ne@example.org",
    "a full-width @": "jane\uff20example.org", "a zero-width space before the @": "jane\u200b@example.org",
    "a direction mark behind the @": "jane@\u200eexample.org",
    "a variation selector in the local part": "\u2764\ufe0f@example.org",
    "a Hangul filler in the local part": "ja\u3164ne@example.org",
    "a zero-width space in the local part": "ja\u200bne@example.org",
    "a zero-width space in the domain": "jane@exam\u200bple.org",
    "a zero-width joiner in the domain": "jane@exam\u200dple.org",
    "a soft hyphen in the domain": "jane@exam\u00adple.org",
    "a grapheme joiner in the domain": "jane@exam\u034fple.org",
    "a variation selector in the domain": "jane@example\ufe0f.org",
    "a Hangul filler in the domain": "jane@exam\u3164ple.org", "a NUL": "jane\0@example.org",
    "a surrogate in the local part": "jane\ud800@example.org",
    "a surrogate in the domain": "jane@\udfffexample.org",
    "an underscore in the domain": "jane@ex_ample.org", "empty punycode": "jane@xn--.org",
    "punycode of ASCII": "jane@xn--abc-.org", "punycode beyond Unicode": "jane@xn--99999999.org",
    "hyphens where punycode has them": "jane@ab--cd.org", "a label of 64": "a@" + "b" * 64 + ".org",
}  # fmt: skip
LONG_EMAILS = {
    "65 before the @": "a" * 65 + "@example.org", "65 bytes before the @": "\u00e9" * 32 + "a@example.org",
    "65 dots and letters before the @": "a" * 61 + "....@example.org",
    "255 in all": "ab@" + ".".join(["b" * 61] * 4) + ".abcd",
    "more than 254 bytes with an international domain": "a@" + "\u4e2d" * 84 + ".example.org",
    "255 in all once its domain is ASCII": "a" + "." * 63 + "@" + "\u00e9." * 24 + "org",
    "a megabyte": "a" * 1_000_000 + "@example.org", "a megabyte of surrogates": "\ud800" * 1_000_000,
}  # fmt: skip
REFUSED_EMAILS = {name: (text, "invalid-email") for name, text in NO_EMAILS.items()} | {
    name: (text, "too-long") for name, text in LONG_EMAILS.items()
}


@pytest.mark.parametrize(("text", "stored"), GOOD_EMAILS.values(), ids=GOOD_EMAILS)
def test_an_email_is_stored_with_an_ascii_domain_and_its_own_letters(text, stored):
    assert identifiers.email(text) == stored


@pytest.mark.parametrize(
    "text", ["", " ", "\t\r\n", "\u00a0\u3000", "\u200b", " \u200e\ufeff\u202c ", " " * 1_000_000], ids=ascii
)
def test_what_cannot_be_seen_is_no_email(text):
    assert identifiers.email(text) is None


@pytest.mark.parametrize(("text", "code"), REFUSED_EMAILS.values(), ids=REFUSED_EMAILS)
def test_what_is_no_email_is_refused_with_its_reason(text, code):
    assert code_of(identifiers.email, text) == code


@for_any(st.one_of(any_text, nearly_emails))
@example("a@xn--a.org")
@example("\u212aate@example.org")
def test_an_email_parsed_again_stays_the_same_or_is_malformed_and_no_letter_becomes_one_of_ascii(text):
    stored = parsed(identifiers.email, text)
    if stored is not None:
        local_part, domain = stored.split("@")
        assert domain.isascii()
        assert "." in domain
        assert (len(local_part.encode()) <= 64, len(stored.encode()) <= 254) == (True, True)
        assert identifiers.email(stored) == stored
        assert Counter(filter(str.isascii, local_part)) <= Counter(filter(str.isascii, text.split("@")[0]))


@for_any(good_emails)
def test_emails_that_differ_in_case_alone_have_one_key_and_are_ascii(text):
    stored = [identifiers.email(form) for form in (text, text.upper(), text.lower())]
    assert len({identifiers.email_key(email) for email in stored}) == 1
    assert all(email.isascii() for email in stored)


@for_any(good_emails, good_emails)
@example("a@example.org", "A@Example.org")
@example("a@example.org", "b@example.org")
def test_keys_are_equal_only_where_emails_differ_in_case_alone(one, other):
    one, other = identifiers.email(one), identifiers.email(other)
    assert (identifiers.email_key(one) == identifiers.email_key(other)) == (one.lower() == other.lower())


@for_any(any_text)
def test_a_key_changes_nothing_but_ascii_capitals(text):
    key = identifiers.email_key(text)
    pairs = zip(key, text, strict=True)
    assert all(new == (old.lower() if old in string.ascii_uppercase else old) for new, old in pairs)


# Names and free text

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
UNSEEN = {
    "nothing": "", "spaces": "   ", "a no-break and an ideographic space": "\u00a0\u3000",
    "line ends": "\r\n\u2028\u2029", "zero-width spaces": "\u200b\u2060\ufeff", "joiners": "\u200c\u200d",
    "direction marks": "\u200e\u202e\u2066\u061c", "soft hyphens": "\u00ad\u00ad",
    "variation selectors": "\ufe0f\U000e0100", "tag characters": "\U000e0041\U000e007f",
    "Hangul fillers": "\u3164\u115f\uffa0", "a grapheme joiner": "\u034f",
    "the Braille pattern without dots": "\u2800", "control characters": "\x01\x1f\x7f\x9f",
    "all of these": " \u200b\u3164\u2800\x07\ufe0f", "nothing but what is cut off": " " * 255 + "Jane",
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["Jane", " Jane ", "\u5c71\u7530", FAMILY, "\uffff", "\u0639\u0644\u06cc\u200c\u0631", "\u0600"],
    ids=ascii,
)
def test_a_name_without_control_characters_stays_as_it_is(text):
    assert identifiers.name(text) == text


@pytest.mark.parametrize("letter", ["a", "\U0001f600"], ids=ascii)
def test_a_name_is_cut_to_255_code_points(letter):
    assert identifiers.name(letter * 256) == letter * 255


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a" * 254 + "e\u0301", "a" * 254, id="a letter and its accent"),
        pytest.param("a" * 253 + "e\u0301\u0323", "a" * 253, id="a letter with two accents"),
        pytest.param("a" * 254 + FAMILY, "a" * 254, id="a family of joined emoji"),
        pytest.param(FAMILY * 40, FAMILY * 36, id="families of seven"),
        pytest.param("\U0001f1e9\U0001f1ea" * 130, "\U0001f1e9\U0001f1ea" * 127, id="flags of two letters"),
        pytest.param("a" * 254 + "\U0001f44d\U0001f3fd", "a" * 254, id="a thumb and its colour"),
        pytest.param("a" * 254 + "\u0ba8\u0bbf", "a" * 254, id="a Tamil letter and its vowel sign"),
        pytest.param("a" * 254 + "\u1112\u1161\u11ab", "a" * 254, id="a Hangul syllable of three"),
        pytest.param("a" * 255 + "\u0301", "a" * 254, id="an accent that would be cut off"),
        pytest.param("a" * 255 + "b\u0301", "a" * 255, id="an accent beyond the cut"),
        pytest.param("e" + "\u0301" * 300, "e" + "\u0301" * 254, id="one character that is longer"),
    ],
)
def test_a_name_is_cut_between_characters_as_people_see_them(text, shown):
    assert identifiers.name(text) == shown


@pytest.mark.parametrize("character", ["\0", "\t", "\n", "\x1f", "\x7f", "\x85", "\x9f"], ids=ascii)
def test_a_control_character_in_a_name_is_a_space(character):
    assert identifiers.name(f"Jane{character}Doe") == "Jane Doe"


@pytest.mark.parametrize("half", ["\ud83d", chr(0xDE00)], ids=ascii)
def test_half_of_a_surrogate_pair_in_a_name_is_a_replacement_character(half):
    assert identifiers.name(f"Jane {half}") == "Jane \ufffd"


@pytest.mark.parametrize("text", UNSEEN.values(), ids=UNSEEN)
def test_a_name_of_which_nothing_can_be_seen_is_none(text):
    assert identifiers.name(text) is None


@for_any(any_text)
@example(" " * 255 + "Jane")
def test_a_name_shown_again_stays_the_same_and_can_be_kept(text):
    found = identifiers.name(text)
    assert found is None or (
        identifiers.name(found) == found and len(found) <= 255 and found.encode() and "\0" not in found
    )


@pytest.mark.parametrize(
    "value", ["a", "abcde", "\U0001f600" * 5, " a ", "a\r\n\tb", "\x01\u200b\uffff", "\u0600"], ids=ascii
)
def test_free_text_stays_as_it_is(value):
    assert identifiers.text(value, 5) == value


@pytest.mark.parametrize(
    ("value", "code"),
    [("abcdef", "too-long")]
    + [(value, "forbidden-character") for value in ("a\0", "\ud800", chr(0xDFFF))]
    + [(text[:5], "empty") for text in UNSEEN.values()],
    ids=ascii,
)
def test_free_text_is_refused_with_its_reason(value, code):
    assert code_of(identifiers.text, value, 5) == code


@for_any(any_text, st.integers(0, 400))
def test_free_text_is_unchanged_or_malformed(value, longest):
    assert parsed(identifiers.text, value, longest) in (value, None)


# Device IDs and idempotency keys


@pytest.mark.parametrize(
    ("parse", "text"),
    [(identifiers.device_id, text) for text in ("!" * 16, "~" * 255, "dev_0123456789/+=", string.punctuation)]
    + [(identifiers.idempotency_key, text) for text in ("a", "~" * 255, string.punctuation)],
    ids=lambda value: getattr(value, "__name__", None) or len(value),
)
def test_a_device_id_of_16_and_an_idempotency_key_of_1_to_255_visible_ascii_characters_stays(parse, text):
    assert parse(text) == text


UNFIT = {
    "nothing": "", "256 characters": "a" * 256, "a space": "a" * 20 + " ",
    "a line feed at the end": "a" * 20 + "\n", "a DEL": "a" * 20 + "\x7f", "a NUL": "\0" + "a" * 20,
    "a letter beyond ASCII": "a" * 20 + "\u00e9", "full-width letters": "\uff41" * 20,
    "a surrogate": "a" * 20 + "\ud800",
}  # fmt: skip


@pytest.mark.parametrize("text", [*UNFIT.values(), "a" * 15], ids=[*UNFIT, "15 characters"])
def test_any_other_device_id_or_idempotency_key_is_refused(text):
    assert code_of(identifiers.device_id, text) == "invalid-device-id"
    if len(text) != 15:
        assert code_of(identifiers.idempotency_key, text) == "invalid-idempotency-key"


SHARED_DEVICE_IDS = {
    "the advertising ID where tracking is off": "00000000-0000-0000-0000-000000000000",
    "zeros alone": "0" * 16,
    "the MAC address of Android": "02:00:00:00:00:00",
    "the ANDROID_ID of many phones": "9774d56d682e549c", "in capitals": "9774D56D682E549C",
    "parts that were not there": "undefined-undefined", "of several kinds": "null:(null):Unknown:0",
}  # fmt: skip


@pytest.mark.parametrize("text", SHARED_DEVICE_IDS.values(), ids=SHARED_DEVICE_IDS)
def test_a_device_id_that_many_devices_send_is_refused(text):
    assert code_of(identifiers.device_id, text) == "placeholder"


@pytest.mark.parametrize(
    "text",
    [
        "00000000-0000-0000-0000-000000000001",
        "02:00:00:00:00:01",
        "9774d56d682e549d",
        "nullnullnullnull",
        "device_undefined",
    ],
)
def test_a_device_id_that_nearly_stands_for_none_stays(text):
    assert identifiers.device_id(text) == text


@for_any(st.one_of(any_text, visible_ascii))
@pytest.mark.parametrize("parse", [identifiers.device_id, identifiers.idempotency_key])
def test_a_device_id_or_idempotency_key_is_unchanged_or_malformed(parse, text):
    assert parsed(parse, text) in (text, None)


def test_a_new_device_id_is_a_legal_one_with_256_bits():
    assert re.fullmatch(r"dev_[A-Za-z0-9_-]{43}", identifiers.device_id(identifiers.new_device_id()))


# What is refused is never told


@pytest.mark.parametrize(
    ("parse", "value"),
    [(identifiers.user_id, value) for value in (" secret", "secret\0", "$anon:secret")]
    + [
        (identifiers.email, value)
        for value in ("secret", "secret@ex\ufe0fample.org", "secret\u212a@example.org")
    ]
    + [(identifiers.email, "secret" * 11 + "@example.org"), (identifiers.email, "secret@exa_mple.org")]
    + [(identifiers.device_id, "secret"), (identifiers.idempotency_key, "secret secret")],
)
def test_a_refusal_is_a_sentence_without_the_value_and_shows_no_cause(parse, value):
    with pytest.raises(Malformed, match=r"^[A-Z].*\.$") as raised:
        parse(value)
    assert "secret" not in raised.value.detail
    assert raised.value.__context__ is None or raised.value.__suppress_context__


# IDs of records, credentials, digests

APP = "app_0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("kind", ["app", "key", "usr", "cnv", "msg", "mrg"])
def test_a_new_id_is_its_kind_and_a_time_ordered_uuid(kind):
    made = [identifiers.new_id(kind) for _ in range(1000)]
    assert made == sorted(set(made))
    assert identifiers.is_id(kind, made[0])
    assert uuid.UUID(made[0].removeprefix(f"{kind}_")).version == 7


FORKING = """
import os
from service.model.identifiers import new_id
new_id("usr")
for _ in range(4):
    if not os.fork():
        os.write(1, b"".join(new_id("usr").encode() + b"\\n" for _ in range(50)))
        os._exit(0)
for _ in range(4):
    os.wait()
"""


def test_processes_forked_from_one_make_different_ids():
    root = Path(identifiers.__file__).parents[2]
    made = subprocess.run([sys.executable, "-c", FORKING], cwd=root, capture_output=True, check=True)
    assert len(set(made.stdout.split())) == 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "app_",
        "0123456789abcdef0123456789abcdef",
        APP.replace("app", "usr"),
        APP.upper(),
        APP.replace("app", "App"),
    ]
    + ["app_0123456789ABCDEF0123456789ABCDEF", APP[:-1], APP + "0", APP + "\n", " " + APP, APP[:-1] + "g"]
    + [APP[:-1] + "\u0661", APP[:-1] + "\ud800", "app_01234567-89ab-cdef-0123-456789abcdef"],
    ids=ascii,
)
def test_what_has_not_the_form_of_an_id_is_none(text):
    assert not identifiers.is_id("app", text)


@pytest.mark.parametrize("prefix", ["sk", "pk", "st", "ik"])
def test_a_new_credential_names_its_kind_and_its_app(prefix):
    made = identifiers.new_credential(prefix, APP)
    assert re.fullmatch(rf"{prefix}_0123456789abcdef0123456789abcdef_[A-Za-z0-9_-]{{43}}", made)
    # An identity secret is no credential.
    assert identifiers.read_credential(made) == (None if prefix == "ik" else (prefix, APP))


@for_any(st.binary(min_size=32, max_size=32))
def test_a_new_token_is_a_credential_that_says_its_device(device):
    made = identifiers.new_token(APP, device.hex())
    assert identifiers.read_credential(made) == ("st", APP)
    assert identifiers.device_of_token(made) == device.hex()


def test_a_former_releases_token_says_no_device():
    assert identifiers.device_of_token(identifiers.new_credential("st", APP)) is None


def test_new_secrets_are_distinct():
    made = {
        make()
        for _ in range(100)
        for make in (identifiers.new_device_id, lambda: identifiers.new_credential("sk", APP))
    }
    assert len(made) == 200


GOOD_CREDENTIAL = f"sk_{APP[4:]}_{'-_aZ0' * 8}abc"


@pytest.mark.parametrize(
    "text",
    ["", *(prefix + GOOD_CREDENTIAL[2:] for prefix in ("ik", "ak", "SK")), "Bearer " + GOOD_CREDENTIAL]
    + [GOOD_CREDENTIAL[:-1] + end for end in ("", "=", "\u00e9", "\ud800")]
    + [GOOD_CREDENTIAL + end for end in ("a", "\n", ".", ".abc", "." + "a" * 44)]
    + [
        GOOD_CREDENTIAL.replace("f_", "F_"),
        GOOD_CREDENTIAL.replace("f_", "\u0661_"),
        "sk_" + "a" * 1_000_000,
    ],
    ids=lambda text: ascii(text[:90]),
)
def test_no_other_credential_is_read_than_a_well_formed_one(text):
    assert identifiers.read_credential(GOOD_CREDENTIAL) == ("sk", APP)
    assert identifiers.read_credential(text) is None


@for_any(any_text)
@example("\ud800")
def test_any_text_can_be_tried_as_a_credential_and_an_id_and_has_a_digest(text):
    found = identifiers.read_credential(text)
    assert found is None or text.startswith(f"{found[0]}_{found[1][4:]}_")
    assert identifiers.is_id("usr", text) in (True, False)
    assert re.fullmatch(r"[0-9a-f]{64}", identifiers.digest(text))
