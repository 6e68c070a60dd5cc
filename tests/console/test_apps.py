"""Apps at the console: added, and changed after a preview that says what each setting does now and then."""

import re
from dataclasses import fields

from service.console.settings import SETTINGS
from service.model.apps import Settings
from tests.console.conftest import field_of, require_words, settings_of, text_of, without_ours
from tests.support.cases import cases

SCRIPT = "<script>alert(1)</script>"


def filled_in(page):
    """What a form would send if nothing were changed."""
    texts = dict(re.findall(r'<input (?:class="number" )?name="(\w+)" value="([^"]*)"', page.text))
    return texts | dict(re.findall(r'name="(\w+)" value="([^"]*)" checked', page.text))


def hidden(page):
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))


def test_every_setting_but_origins_is_told_with_what_each_choice_does():
    told = {setting.field for setting in SETTINGS}
    assert told == {field.name for field in fields(Settings)} - {"origins"}
    for setting in SETTINGS:
        value = getattr(Settings(), setting.field)
        assert set(setting.choices) == (set() if isinstance(value, int) else {*type(value)})


def test_an_app_is_added_once_however_often_its_form_is_sent(operator):
    sent = {"name": "Cellar", "key": field_of(operator.get("/console/apps"), "key")}
    first, again = (operator.post("/console/apps", **sent) for _ in range(2))
    assert first.headers["Location"] == again.headers["Location"]
    require_words(operator.follow(first), "Cellar", "The app was added.")


def test_an_app_has_a_name_and_what_was_typed_is_text(operator):
    nameless = operator.post("/console/apps", name="\u200b")
    assert nameless.status_code == 422
    made = operator.follow(operator.post("/console/apps", name=SCRIPT))
    require_words(made, SCRIPT)
    assert "<script" not in without_ours(made.text)
    assert "<script" not in without_ours(operator.get("/console/apps").text)


def test_a_change_is_shown_before_it_is_made_and_nothing_else_is_changed(operator, tenant):
    page = f"/console/apps/{tenant.id}"
    tenant.set(origins=["https://shop.example.org"])
    typed = filled_in(operator.get(page)) | {
        "conversationScope": "device",
        "sessionDays": "1",
        "name": "Store",
    }
    shown = operator.post(f"{page}/preview", **typed)

    require_words(
        shown,
        "Nothing has changed yet.",
        "Name now Shop then Store",
        "Longest session now 30 days then 1 day",
        "Conversations now On each device they see all of their own. then What they began they see only",
    )
    assert settings_of(tenant)["sessionDays"] == 30
    require_words(operator.follow(operator.post(page, **hidden(shown))), "The app was changed.", "Store")
    changed = {"conversationScope": "device", "sessionDays": 1, "origins": ["https://shop.example.org"]}
    settings = settings_of(tenant)
    assert {name: settings[name] for name in changed} == changed
    assert settings["idleDays"] == 7


def test_where_nothing_differs_there_is_nothing_to_change(operator, tenant):
    page = f"/console/apps/{tenant.id}"
    shown = operator.post(f"{page}/preview", **filled_in(operator.get(page)))
    require_words(shown, "Nothing would change")
    assert "fingerprint" not in shown.text


def test_what_somebody_else_changed_meanwhile_is_shown_first(operator, tenant):
    page = f"/console/apps/{tenant.id}"
    shown = operator.post(f"{page}/preview", **filled_in(operator.get(page)) | {"idleDays": "3"})
    tenant.set(idleDays=5)
    again = operator.post(page, **hidden(shown))

    assert again.status_code == 409
    require_words(again, "Nothing was changed", "Longest rest now 5 days then 3 days")
    assert settings_of(tenant)["idleDays"] == 5
    tenant.set(origins=["https://shop.example.org"])
    assert operator.post(page, **hidden(again)).status_code == 303
    assert settings_of(tenant)["idleDays"] == 3


@cases(
    "member, typed, code",
    ("none", "sessionDays", "0", "sessionDays"),
    ("too many", "idleDays", "366", "idleDays"),
    ("no number", "idleDays", "ten", "idleDays"),
    ("a number of another script", "idleDays", "\u0663", "idleDays"),
    ("a long number", "idleDays", "9" * 5000, "idleDays"),
    ("no choice", "revenuecat", SCRIPT, "revenuecat"),
    ("nothing to be seen", "name", "\u200b", "name"),
)
def test_what_no_setting_is_is_asked_for_again(operator, tenant, member, typed, code):
    page = f"/console/apps/{tenant.id}"
    answer = operator.post(f"{page}/preview", **filled_in(operator.get(page)) | {member: typed})
    assert answer.status_code == 422
    assert code in text_of(answer)
    assert "<script" not in without_ours(answer.text)


def test_what_was_not_shown_is_not_changed(operator, tenant):
    page = f"/console/apps/{tenant.id}"
    answer = operator.post(page, sessionDays="3", fingerprint="x")
    assert (answer.status_code, settings_of(tenant)["sessionDays"]) == (409, 30)
    assert operator.post(page, sessionDays="0").status_code == 422
