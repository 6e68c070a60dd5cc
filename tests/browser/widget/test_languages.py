"""The widget speaks as the tag, the page or the browser says, and writes from the right where that is so."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.widget.test_embedding import RUN_AGAIN
from tests.support.browser_watch import faults
from tests.support.phones import Phone

HELP = {
    "ar": "مساعدة",
    "de": "Hilfe",
    "en": "Help",
    "es": "Ayuda",
    "fr": "Aide",
    "ja": "ヘルプ",
    "pt": "Ajuda",
}


@pytest.fixture
def visit(new_context, shop, tenant):
    """Visit a page in a language, in a browser of a language, whose tag may name a language."""

    def visit(page="", browser="en-GB", **attributes):
        phone = Phone(new_context(locale=browser), shop, tenant.pk)
        given = "".join(
            f' data-{name}="{value}"' for name, value in ({"key": tenant.pk} | attributes).items()
        )
        shop.pages["/spoken"] = (
            f'<!doctype html><html lang="{page}"><meta charset="utf-8"><link rel="icon" href="data:,">'
            "<title>A shop</title><main><h1>A shop</h1></main>"
            f'<script src="{shop.service}/widget.js"{given}></script></html>'
        ).encode()
        phone.page.goto(f"{shop.url}/spoken")
        return phone

    return visit


def says(phone, language):
    expect(phone.launcher).to_have_accessible_name(re.compile(f"^{HELP[language]}"))


@pytest.mark.parametrize(
    ("tag", "page", "browser", "language"),
    [
        ("de", "fr", "es-ES", "de"),
        ("pt_BR", "fr", "es-ES", "pt"),
        ("", "fr-CA", "es-ES", "fr"),
        ("tlh", "JA", "es-ES", "ja"),
        ("", "", "es-MX", "es"),
        ("", "nl", "nl-NL", "en"),
        ("constructor", "de_", "es-ES", "de"),
    ],
    ids=["tag", "tag with underscore", "page", "unknown tag", "browser", "none", "broken"],
)
def test_the_language_is_the_first_that_there_is_of_tag_page_and_browser(visit, tag, page, browser, language):
    says(visit(page, browser, **({"language": tag} if tag else {})), language)


def test_a_page_that_changes_its_language_has_the_widget_change_too_and_nothing_is_lost(visit):
    phone = visit("en")
    phone.open()
    phone.begin("Do you ship to Brisbane?", subject="Parcel")
    phone.field.fill("And to Perth?")
    field = phone.page.locator("#body")

    phone.page.evaluate("document.documentElement.lang = 'de'")

    says(phone, "de")
    expect(phone.page.get_by_role("button", name="Zurück")).to_be_visible()
    expect(phone.page.get_by_role("log", name="Nachrichten")).to_contain_text("Do you ship to Brisbane?")
    expect(phone.log).to_contain_text("Sie, ")
    expect(field).to_have_value("And to Perth?")
    expect(field).to_be_focused()
    expect(field).to_have_accessible_name("Nachricht")
    expect(phone.page.get_by_role("form", name="Wie können wir Sie erreichen?")).to_be_visible()
    phone.page.evaluate("document.querySelector('script').dataset.language = 'fr'")
    says(phone, "fr")


def test_a_page_that_runs_the_tag_again_in_another_language_has_that(visit, shop, tenant):
    phone = visit("en")
    attributes = {"src": f"{shop.service}/widget.js", "data-key": tenant.pk, "data-language": "es"}

    phone.page.evaluate(RUN_AGAIN, attributes)

    says(phone, "es")
    phone.page.evaluate("document.querySelectorAll('script')[1].dataset.language = 'ja'")
    says(phone, "ja")
    # A page that swaps all of it has another root.
    phone.page.evaluate(
        """{
            for (const tag of document.querySelectorAll('script')) delete tag.dataset.language;
            const root = document.createElement('html');
            root.lang = 'pt-PT';
            root.append(document.head, document.body);
            document.replaceChild(root, document.documentElement);
        }"""
    )
    says(phone, "pt")


def test_a_page_has_texts_of_its_own(visit):
    own = {"text-help": "Ask the baker", "text-unread": "{n} loaves"}
    phone = visit("de", **own)
    expect(phone.launcher).to_have_accessible_name("Ask the baker")
    expect(phone.launcher).to_have_text(re.compile("Ask the baker"))
    phone.page.evaluate("document.querySelector('script').dataset.textHelp = '<b>Brot</b>'")
    expect(phone.launcher).to_have_accessible_name("<b>Brot</b>")
    phone.page.evaluate("delete document.querySelector('script').dataset.textHelp")
    says(phone, "de")


@pytest.mark.parametrize(
    ("language", "number", "unread"),
    [
        ("de", "1", "1 ungelesene Nachricht"),
        ("ar", "1|١", "رسالة واحدة غير مقروءة"),
        ("ja", "1", "未読メッセージ1件"),
    ],
)
def test_numbers_and_times_are_written_as_the_language_has_them(visit, tenant, language, number, unread):
    phone = visit(language)
    user = phone.page.evaluate("usher.login().then(({ user }) => user.id)")

    tenant.begin(tenant.sk, "Welcome", user=user)
    [thread] = tenant.call("GET", "/v1/conversations", tenant.sk).json["data"]
    phone.look()

    expect(phone.launcher).to_have_accessible_name(re.compile(unread))
    expect(phone.launcher.locator(".badge")).to_have_text(re.compile(number))
    phone.launcher.click()
    written = phone.page.evaluate(
        """([language, time]) => new Date(time).toLocaleString(language,
            { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" })""",
        [language, thread["updatedAt"]],
    )
    expect(phone.rows).to_contain_text(written)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_arabic_is_written_from_the_right_and_nothing_keeps_people_from_using_it(
    new_phone, tenant, scheme, watch
):
    phone = new_phone(color_scheme=scheme, viewport={"width": 900, "height": 700})
    phone.page.evaluate("document.documentElement.lang = 'ar'")
    says(phone, "ar")
    user = phone.page.evaluate("usher.login().then(({ user }) => user.id)")
    tenant.begin(tenant.sk, "Welcome, مرحبا", user=user)
    phone.launcher.click()
    phone.rows.click()
    box = phone.page.locator(".panel").bounding_box()
    expect(phone.log).to_contain_text("Welcome")
    phone.page.locator("#body").fill("Hello مرحبا")
    phone.page.locator("#body").press("Tab")
    phone.page.keyboard.press("Enter")
    mine = phone.log.locator(".message.user")
    expect(mine).to_contain_text("Hello")

    # The panel is on the left, and of the thread theirs on the right and mine on the left.
    assert box["x"] == 16
    theirs = phone.log.locator(".message.agent").bounding_box()
    assert theirs["x"] + theirs["width"] > mine.bounding_box()["x"] + mine.bounding_box()["width"]
    back = phone.page.get_by_role("button", name="رجوع").bounding_box()
    close = phone.page.get_by_role("button", name="إغلاق").bounding_box()
    assert back["x"] > close["x"]
    # What is written from the left stays so.
    assert mine.locator(".body").evaluate("body => getComputedStyle(body).direction") == "ltr"
    assert phone.page.locator("#email").evaluate("field => getComputedStyle(field).direction") == "ltr"
    assert faults(phone.page) == []
    # The page around it is as it was.
    assert phone.page.evaluate("getComputedStyle(document.body).direction") == "ltr"
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 900


@pytest.mark.parametrize("language", HELP)
def test_in_no_language_anything_is_cut_off_on_a_small_phone(new_phone, language):
    phone = new_phone(viewport={"width": 360, "height": 640})
    phone.page.evaluate("language => { document.documentElement.lang = language }", language)
    says(phone, language)
    phone.launcher.click()
    content = phone.page.locator(".content")
    content.locator(".main").click()
    content.locator("textarea").fill("Hello")
    content.locator(".main").click()
    expect(phone.log).to_contain_text("Hello")
    expect(content.locator(".reach input").first).to_be_visible()

    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360
    wide = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.outerHTML)"
    assert content.locator(".reach, form, button, label").evaluate_all(wide) == []
    assert phone.page.locator("header button, h2").evaluate_all(wide) == []
