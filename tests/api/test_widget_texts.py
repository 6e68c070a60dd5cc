"""What the widget says: all of it in each language, and nothing in its code."""

import json
import re
from pathlib import Path

import pytest

from tests.support.pages import Page

LANGUAGES = {path.stem: json.loads(path.read_text()) for path in Path("widget/languages").iterdir()}
ENGLISH = LANGUAGES["en"]
MODULES = {path.name: path.read_text() for path in Path("widget").glob("*.js")}

# The forms that a number takes, by CLDR.
TWO, THREE = {"one", "other"}, {"one", "many", "other"}
FORMS = {
    "ar": {"zero", "one", "two", "few", "many", "other"},
    "de": TWO,
    "en": TWO,
    "es": THREE,
    "fr": THREE,
    "ja": {"other"},
    "pt": THREE,
}


def forms(text):
    return list(text.values()) if isinstance(text, dict) else [text]


def places(text):
    return [set(re.findall(r"\{(\w+)\}", form)) for form in forms(text)]


@pytest.mark.parametrize("language", FORMS)
def test_a_language_says_all_that_english_says_and_nothing_else(language):
    texts = LANGUAGES[language]
    assert list(texts) == list(ENGLISH)
    for key, text in texts.items():
        assert all(form.strip() == form != "" for form in forms(text)), key
        assert isinstance(text, dict) == isinstance(ENGLISH[key], dict), key


@pytest.mark.parametrize("language", FORMS)
def test_a_language_has_each_form_of_its_numbers_and_puts_in_what_is_given(language):
    for key, text in LANGUAGES[language].items():
        expected = places(ENGLISH[key])[0]
        # One and two of a thing may say so by themselves.
        allowed = [expected, set()] if isinstance(text, dict) else [expected]
        assert all(each in allowed for each in places(text)), key
        if isinstance(text, dict):
            assert set(text) == FORMS[language], key


def test_there_are_the_languages_that_the_page_names():
    [row] = [line for line in Page("docs/widget.md").text.splitlines() if line.startswith("It speaks ")]
    assert set(re.findall(r"`(\w\w)`", row)) == set(LANGUAGES) == set(FORMS)


def test_each_text_is_said_somewhere_and_none_that_there_is_not():
    code = "".join(MODULES.values())
    quoted = set(re.findall(r'"(\w+)"', code))
    assert [key for key in ENGLISH if key not in quoted] == []
    asked = set(re.findall(r'\b(?:text|told)\("(\w+)"', code))
    assert asked <= set(ENGLISH)


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"mistakes.js", "request.js"}))
def test_no_module_says_anything_by_itself(module):
    # What an integrator reads in the browser's console is no text of the widget's.
    code = "\n".join(line for line in MODULES[module].splitlines() if not line.lstrip().startswith("//"))
    sentences = re.findall(r"""["'`]([A-Z][a-z][^"'`]* [^"'`]*|[A-Z][a-z]+\.)["'`]""", code)
    assert sentences == []


def test_its_page_names_each_text_that_a_page_may_give():
    rows = re.findall(r"^\| `data-text-([\w-]+)` \| (.*) \|$", Page("docs/widget.md").text, re.MULTILINE)
    named = {re.sub(r"-(\w)", lambda match: match[1].upper(), name): said for name, said in rows}
    assert named == {key: forms(text)[-1] for key, text in ENGLISH.items()}
